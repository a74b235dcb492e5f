//! Client authentication with what the shell has: the stored client, its keys, the throttles.

use std::sync::Arc;

use http::HeaderMap;
use keywright_jose::{JwkSet, VerifyingKeys};
use keywright_protocol::client::authenticate::{AssertionContext, authenticate};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError, Credentials};
use keywright_protocol::wire::Params;

use crate::endpoint::form::authorization;
use crate::error::Refused;
use crate::router::Ctx;
use crate::tenants::LoadedClient;

/// Reads the credentials of a request.
pub fn credentials(headers: &HeaderMap, params: &Params) -> Result<Credentials, Refused> {
    Ok(Credentials::parse(authorization(headers)?, params)?)
}

/// Proves the client, or counts the guess.
pub async fn prove(ctx: &Ctx, credentials: &Credentials) -> Result<AuthenticatedClient, Refused> {
    // The address is part of the key: nobody can lock a client out from elsewhere.
    let guesser = format!("{}|{}|{}", ctx.origin.tenant, credentials.client(), ctx.address);
    if let Some(wait) = ctx.app.guesses_by_name.wait(&guesser, ctx.now) {
        return Err(Refused::Throttled(wait));
    }
    let loaded = ctx.tenant.client(credentials.client());
    let verdict = match &loaded {
        Some(loaded) => with_keys(ctx, credentials, loaded).await,
        None => Err(ClientAuthError::UnknownClient),
    };
    if let Err(ClientAuthError::WrongSecret | ClientAuthError::UnknownClient) = &verdict {
        ctx.app.guesses_by_name.fail(&guesser, ctx.now);
    }
    Ok(verdict?)
}

async fn with_keys(
    ctx: &Ctx,
    credentials: &Credentials,
    loaded: &LoadedClient,
) -> Result<AuthenticatedClient, ClientAuthError> {
    let client = Some(Arc::clone(&loaded.client));
    let prove = |keys: &VerifyingKeys| {
        let context = AssertionContext { issuer: ctx.issuer(), keys };
        authenticate(credentials, client, context, ctx.now)
    };
    match (&loaded.client.metadata.jwks_uri, credentials) {
        (Some(uri), Credentials::Assertion { .. }) => {
            let fetched = ctx.app.outbound.fetch_json(uri).await;
            let bytes = fetched.map_err(|error| {
                tracing::warn!(client.id = %loaded.client.id, %error, "jwks_uri is unreachable");
                ClientAuthError::AssertionInvalid("the client's jwks_uri cannot be fetched")
            })?;
            let set = JwkSet::parse(&bytes)
                .map_err(|_| ClientAuthError::AssertionInvalid("the client's keys are malformed"))?;
            prove(&VerifyingKeys::new(&set))
        }
        _ => prove(loaded.inline_keys()),
    }
}

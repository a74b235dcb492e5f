//! Client authentication with what the shell has: the stored client, its keys, the throttles.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use keywright_jose::{JwkSet, VerifyingKeys};
use keywright_protocol::audit::Record;
use keywright_protocol::client::authenticate::{AssertionContext, authenticate};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError, Credentials};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::Params;
use keywright_store::audit::Recorded;

use crate::endpoint::form::authorization;
use crate::error::Refused;
use crate::router::Ctx;
use crate::tenants::{FetchedKeys, LoadedClient};

/// How long fetched keys are good for.
const KEYS_KEPT: Duration = Duration::from_mins(5);
/// How long at least before they are fetched again for a signature that does not verify.
const KEYS_REFETCHED: Duration = Duration::from_secs(10);

/// Reads the credentials of a request.
pub fn credentials(headers: &HeaderMap, params: &Params) -> Result<Credentials, Refused> {
    Ok(Credentials::parse(authorization(headers)?, params)?)
}

/// Proves the client, or counts the guess.
pub async fn prove(ctx: &Ctx, credentials: &Credentials) -> Result<AuthenticatedClient, Refused> {
    let loaded = ctx.tenant.client(credentials.client());
    let (Credentials::SecretBasic(..) | Credentials::SecretPost(..)) = credentials else {
        return Ok(judge(ctx, credentials, loaded.as_deref()).await?);
    };
    // The address is part of the key: nobody can lock a client out from elsewhere. A secret is
    // compared at once, so a guess is counted when it has failed.
    let guesser = || format!("{}|{}|{}", ctx.origin.tenant, credentials.client(), ctx.network());
    ctx.app.guesses_at_client.wait(guesser, ctx.now()).map_err(Refused::Throttled)?;
    let verdict = judge(ctx, credentials, loaded.as_deref()).await;
    if verdict.is_err() {
        ctx.app.guesses_at_client.fail(&guesser(), ctx.now());
        // Guesses at nobody are not worth a row.
        if loaded.is_some() {
            ctx.app.share_failure(|app| &app.guesses_at_client, guesser());
        }
    }
    Ok(verdict?)
}

/// Spends an assertion where nothing else is committed: introspection, and revocations of nothing.
pub async fn spend_assertion(ctx: &Ctx, client: &AuthenticatedClient) -> Result<(), Refused> {
    let Some(once) = client.once() else { return Ok(()) };
    let record = Record { now: ctx.now(), events: Vec::new(), once: Some(once.clone()) };
    match ctx.app.store.record(record).await? {
        Recorded::Committed(_) => Ok(()),
        Recorded::AssertionReplayed => Err(ClientAuthError::ASSERTION_REPLAYED.into()),
    }
}

async fn judge(
    ctx: &Ctx,
    credentials: &Credentials,
    loaded: Option<&LoadedClient>,
) -> Result<AuthenticatedClient, ClientAuthError> {
    match loaded {
        Some(loaded) => with_keys(ctx, credentials, loaded).await,
        None => Err(ClientAuthError::UnknownClient),
    }
}

async fn with_keys(
    ctx: &Ctx,
    credentials: &Credentials,
    loaded: &LoadedClient,
) -> Result<AuthenticatedClient, ClientAuthError> {
    let prove = |keys: &VerifyingKeys| {
        let context = AssertionContext { issuer: ctx.issuer(), keys };
        authenticate(credentials, Some(Arc::clone(&loaded.client)), context, ctx.now())
    };
    let (Some(uri), Credentials::Assertion { .. }) =
        (loaded.client.metadata.jwks_uri.as_deref(), credentials)
    else {
        return prove(loaded.inline_keys());
    };
    if let Some(verdict) = judge_by_kept(loaded, ctx.now(), prove) {
        return verdict;
    }
    // One fetch at a time for a client, and whoever waited looks again at what it brought.
    let _turn = loaded.fetching.lock().await;
    if let Some(verdict) = judge_by_kept(loaded, ctx.now(), prove) {
        return verdict;
    }
    // Rare and large: in a box, so that proving a secret does not carry it along.
    let fetched = Box::pin(fetch_keys(ctx, loaded, uri)).await;
    let tried_at = ctx.now();
    let known = || loaded.fetched_keys().and_then(|kept| kept.keys);
    let keys = fetched.as_ref().map_or_else(|_| known(), |keys| Some((Arc::clone(keys), tried_at)));
    loaded.keep_keys(FetchedKeys { keys, tried_at });
    match fetched {
        Ok(keys) => prove(&keys),
        Err(error) => judge_by_kept(loaded, tried_at, prove).unwrap_or(Err(error)),
    }
}

/// What the keys say that were fetched before; nothing where they should be fetched (again).
fn judge_by_kept(
    loaded: &LoadedClient,
    now: Timestamp,
    prove: impl Fn(&VerifyingKeys) -> Result<AuthenticatedClient, ClientAuthError>,
) -> Option<Result<AuthenticatedClient, ClientAuthError>> {
    let kept = loaded.fetched_keys()?;
    let recent = now.since(kept.tried_at) < KEYS_REFETCHED;
    let Some((keys, _)) = kept.keys.filter(|(_, at)| now.since(*at) < KEYS_KEPT) else {
        // A dead address is not knocked at for every guess.
        let why = "the client's jwks_uri cannot be fetched";
        return recent.then_some(Err(ClientAuthError::AssertionInvalid(why)));
    };
    let verdict = prove(&keys);
    // A signature that does not verify may be of a new key; look, but not for every guess.
    let may_be_new = verdict == Err(ClientAuthError::AssertionInvalid("signature"));
    (recent || !may_be_new).then_some(verdict)
}

async fn fetch_keys(
    ctx: &Ctx,
    loaded: &LoadedClient,
    uri: &str,
) -> Result<Arc<VerifyingKeys>, ClientAuthError> {
    let bytes = ctx.app.outbound.fetch_json(uri).await.map_err(|error| {
        tracing::warn!(client.id = %loaded.client.id, %error, "jwks_uri cannot be fetched");
        ClientAuthError::AssertionInvalid("the client's jwks_uri cannot be fetched")
    })?;
    let set = JwkSet::parse(&bytes)
        .map_err(|_| ClientAuthError::AssertionInvalid("the client's keys are malformed"))?;
    Ok(Arc::new(VerifyingKeys::new(&set)))
}

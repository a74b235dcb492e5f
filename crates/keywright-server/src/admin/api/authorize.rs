//! Whether a token opens an operation.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use keywright_protocol::audit::Actor;
use keywright_protocol::claims::access_token::AccessTokenError;
use keywright_protocol::scope::ADMIN_SCOPES;
use keywright_protocol::wire::userinfo::bearer_token;

use super::operation::{Method, Operation, Reach};
use super::problem::Problem;
use crate::admin::operations::Operator;
use crate::endpoint::access_token::verify;
use crate::endpoint::form::authorization;
use crate::error::Refused;
use crate::explain::Asked;
use crate::keys::verified::VerifiedToken;
use crate::router::Ctx;

const READ: &str = ADMIN_SCOPES[0];
const WRITE: &str = ADMIN_SCOPES[1];

/// The operator whose token a request carries.
pub(super) async fn authorize(
    operation: &Operation,
    ctx: &Ctx,
    headers: &HeaderMap,
) -> Result<Operator, Problem> {
    let token = match authenticate(ctx, headers).await {
        Ok(Some(token)) => token,
        // RFC 6750 §3.1: without a token there is no error code to give.
        Ok(None) => {
            let detail = "an access token with an administration scope is required";
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", detail);
            return Err(problem.challenging("Bearer realm=\"keywright\"".to_owned()));
        }
        Err(refused) => return Err(refuse(ctx, None, &refused)),
    };
    let claims = &token.claims;
    let client = Some(claims.client_id.as_str());
    // CONTRACT §3: a client's own token. A person's says what they granted, not what they may do
    // here: nobody becomes an administrator by consenting to a scope.
    let needed = if operation.method == Method::Get { READ } else { WRITE };
    let scoped = claims.has_scope(needed) || claims.has_scope(WRITE);
    if claims.user().is_some() || !scoped {
        return Err(refuse(ctx, client, &Refused::Scope(needed)));
    }
    if operation.reach == Reach::AllTenants && !ctx.origin.tenant.is_default() {
        let detail = "only the default tenant's tokens administer tenants";
        return Err(Problem::new(StatusCode::FORBIDDEN, "access_denied", detail));
    }
    let actor = Actor::Client(claims.client_id.clone());
    Ok(Operator { actor, origin: ctx.origin.clone() })
}

async fn authenticate(
    ctx: &Ctx,
    headers: &HeaderMap,
) -> Result<Option<Arc<VerifiedToken>>, Refused> {
    let Some(token) = bearer_token(authorization(headers)?, None)? else { return Ok(None) };
    ctx.app.hear().await?;
    let token = verify(ctx, token).await??;
    // RFC 9068 §4: the API is the issuer's own; an API's token is not for it.
    if token.claims.is_for(ctx.issuer()) {
        Ok(Some(token))
    } else {
        Err(AccessTokenError::Audience.into())
    }
}

fn refuse(ctx: &Ctx, client: Option<&str>, refused: &Refused) -> Problem {
    ctx.app.notebook.refusal(ctx, Asked { client, ..Asked::at("api") }, refused);
    let wire = refused.wire();
    let scope = match refused {
        Refused::Scope(scope) => format!(", scope=\"{scope}\""),
        _ => String::new(),
    };
    Problem::from(refused).challenging(format!(
        "Bearer realm=\"keywright\", error=\"{}\", error_description=\"{}\"{scope}",
        wire.code.as_str(),
        wire.description
    ))
}

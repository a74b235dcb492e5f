//! Userinfo, OpenID Connect Core §5.3.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use keywright_protocol::claims::access_token::AccessTokenError;
use keywright_protocol::claims::userinfo::userinfo_claims;
use keywright_protocol::id::Subject;
use keywright_protocol::wire::Params;
use keywright_protocol::wire::userinfo::bearer_token;

use crate::endpoint::access_token::verify;
use crate::endpoint::form::{authorization, is_form, read_body};
use crate::endpoint::refuse;
use crate::endpoint::response::{json_bytes, no_store};
use crate::error::{Refused, challenge};
use crate::explain::Asked;
use crate::router::Ctx;

/// Answers `GET` and `POST /userinfo`.
pub async fn userinfo(ctx: Ctx, request: Request<Body>) -> Response {
    match answer(&ctx, request).await {
        Ok(body) => no_store(json_bytes(StatusCode::OK, body)),
        Err(refused) => refuse_bearer(&ctx, "userinfo", refused.as_ref()),
    }
}

async fn answer(ctx: &Ctx, request: Request<Body>) -> Result<Bytes, Option<Refused>> {
    let (parts, body) = request.into_parts();
    // RFC 6750 §2.2: in the body only of a form that is posted; never in the query.
    let form = if parts.method == Method::POST && is_form(&parts.headers) {
        Params::parse(&read_body(ctx, body).await?).map_err(Refused::from)?
    } else {
        Params::default()
    };
    let in_form = form.one("access_token").map_err(Refused::from)?;
    let token = bearer_token(authorization(&parts.headers)?, in_form).map_err(Refused::from)?;
    let verdict = verify(ctx, token.ok_or(None)?).await.map_err(Refused::from)?;
    let token = verdict.map_err(Refused::from)?;
    let claims = &token.claims;
    if !claims.is_for(ctx.issuer()) || !claims.has_scope("openid") {
        // A token without `openid` lacks the scope; one with it always has the issuer as audience.
        return Err(Some(Refused::Scope("openid")));
    }
    let sub = Subject::from_trusted(Arc::clone(&claims.sub));
    let user = ctx.app.store.load_user(&ctx.origin.tenant, &sub).await.map_err(Refused::from)?;
    let user = user.filter(|user| !user.disabled).ok_or(AccessTokenError::Revoked);
    let said = userinfo_claims(&user.map_err(Refused::from)?, |scope| claims.has_scope(scope));
    Ok(Bytes::from(serde_json::Value::Object(said).to_string()))
}

/// The refusal of a protected resource, RFC 6750 §3: without any token there is no error code.
pub(crate) fn refuse_bearer(
    ctx: &Ctx,
    endpoint: &'static str,
    refused: Option<&Refused>,
) -> Response {
    let Some(refused) = refused else {
        let response = json_bytes(StatusCode::UNAUTHORIZED, Bytes::from_static(b"{}"));
        return challenge(no_store(response), "Bearer realm=\"keywright\"");
    };
    let wire = refused.wire();
    let response = refuse(ctx, Asked::at(endpoint), refused);
    let scope = match refused {
        Refused::Scope(scope) => format!(", scope=\"{scope}\""),
        _ => String::new(),
    };
    challenge(
        response,
        &format!(
            "Bearer realm=\"keywright\", error=\"{}\", error_description=\"{}\"{scope}",
            wire.code.as_str(),
            wire.description
        ),
    )
}

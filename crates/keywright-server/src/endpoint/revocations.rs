//! The feed of revocations over HTTP: a poll, a poll that waits, or a stream of events.
//!
//! Everybody may read it: an entry tells nothing to those who do not hold the token that it kills.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use keywright_protocol::wire::event_stream;
use keywright_protocol::wire::revocations::{FeedRequest, MEDIA_TYPE};
use keywright_protocol::wire::{ErrorCode, Params, RequestError, WireError};

use crate::endpoint::refuse;
use crate::endpoint::response::{no_store, with_type};
use crate::error::{Refused, ServerFault, error_response};
use crate::explain::Asked;
use crate::feed::{Cursor, Message};
use crate::router::Ctx;

mod stream;

/// How long a node that seems to be behind its follower may take to catch up, before the follower's
/// place is taken for one of another log.
const CATCH_UP: Duration = Duration::from_secs(1);
/// A poll must be answered before its request counts as stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Answers `GET /revocations`.
pub async fn revocations(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    match answer(&ctx, &parts).await {
        Ok(response) => response,
        Err(refused) => refuse(&ctx, Asked::at("revocations"), &refused),
    }
}

async fn answer(ctx: &Ctx, request: &Parts) -> Result<Response, Refused> {
    let params = Params::parse(request.uri.query().unwrap_or_default().as_bytes())?;
    let asked = FeedRequest::parse(&params, last_event_id(&request.headers)?)?;
    if wants_stream(&request.headers) {
        let Some(slot) = ctx.app.feeds.take_slot(&ctx.network()) else { return Ok(no_place(ctx)) };
        let cursor = reached(ctx, asked.since).await;
        return Ok(stream::open(ctx, cursor, slot));
    }
    let message = if asked.wait.is_zero() {
        // Waiting for this node takes a place too; who finds none is answered at once.
        let cursor = match ctx.app.feeds.take_slot(&ctx.network()) {
            Some(_slot) => reached(ctx, asked.since).await,
            None => ctx.app.feeds.cursor(asked.since),
        };
        now(ctx, cursor)?
    } else {
        let Some(_slot) = ctx.app.feeds.take_slot(&ctx.network()) else { return Ok(no_place(ctx)) };
        wait(ctx, asked).await?
    };
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    Ok(no_store(with_type(StatusCode::OK, message.jws, kind)))
}

fn now(ctx: &Ctx, cursor: Cursor) -> Result<Message, ServerFault> {
    ctx.app.feeds.message(&ctx.tenant, cursor, ctx.app.now())
}

/// The message as soon as there is something new, else a sign of life in the end.
async fn wait(ctx: &Ctx, asked: FeedRequest) -> Result<Message, Refused> {
    let mut head = ctx.app.feeds.tenant(&ctx.origin.tenant).watch();
    let mut closing = ctx.app.feeds.closing();
    let cursor = reached(ctx, asked.since).await;
    head.borrow_and_update();
    let message = now(ctx, cursor)?;
    if !message.is_empty {
        return Ok(message);
    }
    let patience = asked.wait.min(request_timeout(ctx).saturating_sub(ANSWER_WITHIN + CATCH_UP));
    tokio::select! {
        _ = head.changed() => {}
        _ = closing.wait_for(|closing| *closing) => {}
        () = tokio::time::sleep(patience) => {}
    }
    Ok(now(ctx, cursor)?)
}

/// Where the follower stands, once this node has come as far, if it does.
async fn reached(ctx: &Ctx, since: Option<u64>) -> Cursor {
    if let Some(since) = since {
        let patience = CATCH_UP.min(request_timeout(ctx) / 2);
        let _in_time = tokio::time::timeout(patience, ctx.app.feeds.reach(since)).await;
    }
    ctx.app.feeds.cursor(since)
}

fn request_timeout(ctx: &Ctx) -> Duration {
    ctx.app.config.load().limits.request_timeout
}

/// No fault, and not logged as one: followers that are refused poll meanwhile and try again.
fn no_place(ctx: &Ctx) -> Response {
    let why = "all places for those who wait are taken; poll without waiting";
    let wire = WireError::new(ErrorCode::TemporarilyUnavailable, why);
    error_response(&ctx.app.root_issuer(), wire)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, RequestError> {
    let value = headers.get("last-event-id");
    let malformed = RequestError::Malformed("Last-Event-ID");
    value.map(|value| value.to_str().map_err(|_| malformed)).transpose()
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut kinds = lines.flat_map(|line| line.split(','));
    kinds.any(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(event_stream::MEDIA_TYPE)
    })
}

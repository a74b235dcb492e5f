//! One request to the API, read strictly: what is not known is refused.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use keywright_protocol::limits::{CLIENT_METADATA_BYTES_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use keywright_protocol::wire::Params;
use keywright_store::{Listed, Page};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::operation::{Operation, Reply, RequestBody};
use super::problem::Problem;
use crate::admin::document;
use crate::admin::operations::{Operator, parse_json};
use crate::app::App;
use crate::endpoint::form::{Unread, collect};
use crate::error::Refused;
use crate::router::Ctx;

/// A cursor, bytes: the longest key of a list is a client's or a resource's identifier.
const CURSOR_BYTES_MAX: usize = 2048;

/// A request that may be carried out.
pub(super) struct Call {
    /// Who asks.
    pub(super) operator: Operator,
    /// The document of the body; empty where there is none.
    pub(super) body: Bytes,
    ctx: Ctx,
    path: Vec<String>,
    query: Vec<(String, String)>,
}

impl Call {
    /// Reads what the operation takes.
    pub(super) async fn read(
        operation: &Operation,
        ctx: Ctx,
        operator: Operator,
        path: Vec<String>,
        request: Request<Body>,
    ) -> Result<Self, Problem> {
        let query = read_query(operation, request.uri().query().unwrap_or_default())?;
        let (parts, body) = request.into_parts();
        let body = read_body(&ctx, operation.body, &parts.headers, body).await?;
        Ok(Self { operator, body, ctx, path, query })
    }

    /// What every request shares.
    pub(super) fn app(&self) -> &App {
        &self.ctx.app
    }

    /// The capture of the path.
    pub(super) fn id(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// A parameter of the query.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Which part of a list is asked for.
    pub(super) fn page(&self) -> Result<Page, Problem> {
        let after = self.text("after");
        if after.is_some_and(|after| after.len() > CURSOR_BYTES_MAX) {
            return Err(Problem::parameter("after", "is too long"));
        }
        Ok(Page { after: after.map(str::to_owned), limit: self.limit()? })
    }

    /// Which part of a log is asked for: its cursors are places.
    pub(super) fn place(&self) -> Result<u64, Problem> {
        let parse = |after: &str| {
            let place = after.parse::<i64>().ok().and_then(|place| u64::try_from(place).ok());
            place.ok_or_else(|| Problem::parameter("after", "is not a place in the log"))
        };
        self.text("after").map_or(Ok(0), parse)
    }

    /// How many rows are asked for; 0 if nobody says.
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        let Some(limit) = self.text("limit") else { return Ok(0) };
        let fits = |rows: &u32| (1..=PAGE_ROWS_MAX).contains(rows);
        let rows = limit.parse().ok().filter(fits);
        rows.ok_or_else(|| {
            Problem::parameter("limit", &format!("must be a number from 1 to {PAGE_ROWS_MAX}"))
        })
    }

    /// The body as a type that knows its members.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let empty: &[u8] = b"{}";
        Ok(parse_json(if self.body.is_empty() { empty } else { &self.body })?)
    }

    /// A list that the store gives whole, in parts by the key of its rows.
    pub(super) fn part<T>(
        &self,
        mut all: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Listed<T>, Problem> {
        let page = self.page()?;
        let rows = match page.limit {
            0 => PAGE_ROWS_DEFAULT as usize,
            limit => limit as usize,
        };
        all.sort_by_key(&key);
        if let Some(after) = page.after {
            all.retain(|row| key(row) > after);
        }
        let more = all.len() > rows;
        all.truncate(rows);
        let next = all.last().map(&key).filter(|_| more);
        Ok(Listed { items: all, next })
    }
}

/// A part of a list as an answer.
pub(super) fn list<T>(part: &Listed<T>, document: impl Fn(&T) -> Value) -> Reply {
    let items: Vec<Value> = part.items.iter().map(document).collect();
    Reply::Item(document::list(&items, part.next.as_deref()))
}

/// An identifier as a segment of a path.
pub(super) fn encode(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn read_query(operation: &Operation, raw: &str) -> Result<Vec<(String, String)>, Problem> {
    // The parameters of every endpoint are read by one parser: strict encoding, bounds.
    Params::parse(raw.as_bytes()).map_err(|error| Problem::from(&Refused::from(error)))?;
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        if !operation.query.iter().any(|known| known.name == name) {
            return Err(Problem::parameter(&name, "is not a parameter of this path"));
        }
        if query.iter().any(|(known, _)| *known == name) {
            return Err(Problem::parameter(&name, "is sent more than once"));
        }
        query.push((name.into_owned(), value.into_owned()));
    }
    query.retain(|(_, value)| !value.is_empty());
    Ok(query)
}

async fn read_body(
    ctx: &Ctx,
    expected: RequestBody,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Problem> {
    let read = collect(ctx, body, CLIENT_METADATA_BYTES_MAX).await;
    let read = read.map_err(|unread| match unread {
        Unread::TooLarge => {
            let detail = "the document is too large";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", detail)
        }
        Unread::EndedEarly | Unread::TooSlow => Problem::malformed(unread.description()),
    })?;
    match expected {
        _ if !read.is_empty() && !is_json(headers) => {
            let detail = "the body must be application/json";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", detail))
        }
        RequestBody::Required(_) if read.is_empty() => {
            Err(Problem::malformed("the body is missing"))
        }
        RequestBody::None if !read.is_empty() && !is_empty_object(&read) => {
            Err(Problem::malformed("this takes no document"))
        }
        RequestBody::None | RequestBody::Optional(_) | RequestBody::Required(_) => Ok(read),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

fn is_empty_object(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body)
        .is_ok_and(|value| value == Value::Object(serde_json::Map::new()))
}

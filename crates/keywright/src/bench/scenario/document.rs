//! `discovery` and `jwks`: documents that anybody may fetch.

use ::http::{Request, Uri};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Map, Value};

use super::{Ground, Lease, Next, Scenario, Shot, needed};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

pub(super) struct Document {
    step: &'static str,
    uri: Uri,
    /// The member without which it is not the document.
    member: &'static str,
}

impl Document {
    /// OpenID Discovery §4, RFC 8414 §3.
    pub(super) fn metadata(ground: &Ground<'_>) -> Self {
        Self { step: "discovery", uri: ground.endpoints.metadata.clone(), member: "issuer" }
    }

    /// RFC 7517 §5.
    pub(super) fn jwks(ground: &Ground<'_>) -> Result<Self, Stop> {
        let uri = needed(ground.endpoints.jwks.as_ref(), "jwks_uri")?.clone();
        Ok(Self { step: "jwks", uri, member: "keys" })
    }
}

impl Scenario for Document {
    fn shot(&self, _turn: u64) -> Result<Shot, Failure> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = self.uri.clone();
        Ok(Shot::new(self.step, request))
    }

    fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<Next, Failure> {
        let document: Map<String, Value> = answer.parse(self.member)?;
        document
            .contains_key(self.member)
            .then_some(Next::Done)
            .ok_or(Failure::Malformed(self.member))
    }
}

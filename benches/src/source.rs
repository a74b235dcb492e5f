//! What the connections send: the same again, a list in turn, or each family's newest token.

use anyhow::{bail, ensure};
use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::client::{Answer, Call, Source};

/// What must be in an answer; compared as bytes, because parsing costs more than serving.
pub(crate) type Proof = &'static [u8];

/// Calls in turn, beginning again at the end.
pub(crate) struct Rota {
    calls: Vec<Call>,
    at: usize,
    proof: Proof,
}

/// One refresh family.
pub(crate) struct Family {
    pub(crate) token: String,
    pub(crate) authorization: HeaderValue,
}

impl Rota {
    pub(crate) fn boxed(calls: Vec<Call>, proof: Proof) -> Box<dyn Source> {
        Box::new(Self { calls, at: 0, proof })
    }
}

impl Source for Rota {
    fn next(&mut self) -> Call {
        let call = self.calls.get(self.at % self.calls.len()).cloned();
        self.at += 1;
        call.expect("the remainder is below the length")
    }

    fn answered(&mut self, answer: &Answer) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == StatusCode::OK, "{}: {text}", answer.status);
        let proven = answer.body.windows(self.proof.len()).any(|found| found == self.proof);
        ensure!(proven, "not the answer that was asked for: {text}");
        Ok(())
    }
}

impl Source for Family {
    fn next(&mut self) -> Call {
        let grant = ("grant_type", "refresh_token");
        let call = Call::form("/token", &[grant, ("refresh_token", &self.token)]);
        call.authorized(&self.authorization)
    }

    fn answered(&mut self, answer: &Answer) -> anyhow::Result<()> {
        let next = answer.member("refresh_token")?;
        if next == self.token {
            bail!("the family was not rotated");
        }
        self.token = next;
        Ok(())
    }
}

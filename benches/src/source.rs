//! What the connections send: the same again, a list in turn, or each family's newest token.

use anyhow::{Context as _, bail, ensure};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};

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

/// A person who is signed in, and comes back to an application again and again.
pub(crate) struct Flow {
    /// Where the browser is sent, and the cookies with which it goes.
    pub(crate) authorize: Call,
    /// The client's part, without the code.
    pub(crate) pairs: [(&'static str, &'static str); 3],
    pub(crate) authorization: HeaderValue,
    pub(crate) code: Option<String>,
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

impl Source for Flow {
    fn next(&mut self) -> Call {
        let Some(code) = &self.code else { return self.authorize.clone() };
        let code = ("code", code.as_str());
        let call = Call::form("/token", &[&self.pairs[..], &[code]].concat());
        call.authorized(&self.authorization)
    }

    fn answered(&mut self, answer: &Answer) -> anyhow::Result<()> {
        if self.code.take().is_some() {
            return answer.member("id_token").map(drop);
        }
        let text = String::from_utf8_lossy(&answer.body);
        let location = answer.headers.get(LOCATION).with_context(|| text.into_owned())?;
        self.code = Some(code_of(location.to_str()?)?);
        Ok(())
    }
}

/// The code in the address that a browser is sent back to.
pub(crate) fn code_of(location: &str) -> anyhow::Result<String> {
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let code = pairs.find(|(name, _)| name == "code").map(|(_, value)| value.into_owned());
    code.with_context(|| location.to_owned())
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

//! Follows an issuer's feed of revocations, so that a validator knows them without asking.
//!
//! A stream of events tells them as they happen. Where the issuer has no place for another stream,
//! or a proxy lets none through, the feed is polled. Every message is verified by the issuer's
//! published keys; what does not verify, or leaves a gap, ends the connection and the next begins
//! where the last good message ended.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use keywright_jose::{Algorithm, JwsError};
use keywright_protocol::revocation::view::{RevocationView, ViewError};
use keywright_protocol::revocation::{RevocationKind, TokenFacts};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::event_stream::{self, EventParser, EventTooLarge};
use keywright_protocol::wire::revocations::{FeedMessage, MESSAGE_BYTES_MAX, MessageError, TYP};
use keywright_server::environment::SharedEnvironment;
use tokio::sync::watch;

use super::http::{Http, HttpError};
use super::keys::KeyCache;

/// A stream says every 5 s that it lives: two of these may be missing.
const SILENCE_MAX: Duration = Duration::from_secs(12);
/// The pause before the next try.
const PAUSE: Duration = Duration::from_millis(500);
/// How often what has expired is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(30);
/// What signs the feed.
const ALGORITHMS: [Algorithm; 1] = [Algorithm::Es256];

/// Follows one feed.
pub(crate) struct FeedFollower {
    http: Http,
    url: String,
    keys: Arc<KeyCache>,
    environment: SharedEnvironment,
    view: RwLock<RevocationView>,
    forgotten_at: Mutex<Timestamp>,
    heard: watch::Sender<u64>,
}

/// What is known of a token's revocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    Alive,
    Revoked,
    /// The feed was not heard for longer than the bound.
    Unknown,
}

/// Why a connection to the feed ended.
#[derive(Debug)]
enum Broken {
    Event(EventTooLarge),
    Http(HttpError),
    Message(MessageError),
    Signature(JwsError),
    Status(StatusCode),
    Type,
    View(ViewError),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(why) => why.fmt(f),
            Self::Http(why) => why.fmt(f),
            Self::Message(why) => why.fmt(f),
            Self::Signature(why) => why.fmt(f),
            Self::Status(status) => write!(f, "the feed answered {status}"),
            Self::Type => f.write_str("signed for another purpose"),
            Self::View(why) => why.fmt(f),
        }
    }
}

impl FeedFollower {
    /// One that has heard nothing yet.
    pub(crate) fn new(
        http: Http,
        url: String,
        issuer: &str,
        keys: Arc<KeyCache>,
        environment: SharedEnvironment,
    ) -> Arc<Self> {
        let view = RwLock::new(RevocationView::new(issuer));
        let forgotten_at = Mutex::new(environment.now());
        let heard = watch::Sender::new(0);
        Arc::new(Self { http, url, keys, environment, view, forgotten_at, heard })
    }

    /// What is known of a token, by knowledge that is not older than `lag_max`.
    pub(crate) fn standing(&self, token: &TokenFacts<'_>, lag_max: Duration) -> Standing {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        // A revocation is never undone: it counts however old the knowledge is.
        if view.revokes(token) {
            return Standing::Revoked;
        }
        match view.lag(self.environment.now()) {
            Some(lag) if lag <= lag_max => Standing::Alive,
            _ => Standing::Unknown,
        }
    }

    /// Returns once everything has been heard that was revoked until now.
    pub(crate) async fn heard_everything(&self) {
        let mut heard = self.heard.subscribe();
        let whole = heard.wait_for(|_| {
            let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
            view.lag(self.environment.now()).is_some()
        });
        whole.await.map(drop).unwrap_or_default();
    }

    /// Follows until the task is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            if let Err(why) = self.listen().await {
                tracing::debug!(error = %why, "the revocation feed broke off");
            }
            tokio::time::sleep(PAUSE).await;
            if let Err(why) = self.poll().await {
                tracing::debug!(error = %why, "the revocation feed does not answer");
            }
        }
    }

    /// Hears a stream to its end.
    async fn listen(&self) -> Result<(), Broken> {
        let kind = HeaderValue::from_static(event_stream::MEDIA_TYPE);
        let headers = HeaderMap::from_iter([(header::ACCEPT, kind)]);
        let mut stream = self.http.open(&self.address(), headers).await.map_err(Broken::Http)?;
        if stream.status != StatusCode::OK {
            return Err(Broken::Status(stream.status));
        }
        // An event is a message and a line that names it.
        let mut parser = EventParser::new(MESSAGE_BYTES_MAX + 100);
        while let Some(piece) = stream.next(SILENCE_MAX).await.map_err(Broken::Http)? {
            for event in parser.push(&piece).map_err(Broken::Event)? {
                self.take(&event.data).await?;
            }
        }
        Ok(())
    }

    /// Asks once, without waiting, which is always answered.
    async fn poll(&self) -> Result<(), Broken> {
        let answer = self.http.get(&self.address()).await.map_err(Broken::Http)?;
        if answer.status != StatusCode::OK {
            return Err(Broken::Status(answer.status));
        }
        self.take(&answer.text()).await
    }

    fn address(&self) -> String {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        match view.position() {
            Some(seq) => format!("{}?since={seq}", self.url),
            None => self.url.clone(),
        }
    }

    async fn take(&self, jws: &str) -> Result<(), Broken> {
        let now = self.environment.now();
        let verified = self.keys.verify_document(jws, MESSAGE_BYTES_MAX, &ALGORITHMS, now).await;
        let verified = verified.map_err(Broken::Http)?.map_err(Broken::Signature)?;
        // The same keys sign tokens: RFC 8725 §3.11.
        if !verified.header.typ_is(TYP) {
            return Err(Broken::Type);
        }
        let message = FeedMessage::decode(&verified.payload).map_err(Broken::Message)?;
        let kid = verified.header.kid.as_deref();
        self.apply(&message, kid, now).map_err(Broken::View)?;
        if message.entries.iter().any(|entry| entry.kind == RevocationKind::SigningKey) {
            self.keys.forget().await;
        }
        self.heard.send_modify(|heard| *heard += 1);
        Ok(())
    }

    fn apply(
        &self,
        message: &FeedMessage,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<(), ViewError> {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        view.apply(message, kid, now)?;
        let mut forgotten_at = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(*forgotten_at) >= FORGET_EVERY || now < *forgotten_at {
            view.forget_expired(now);
            *forgotten_at = now;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use keywright_jose::{JwkSet, SigningKey, sign_compact};
use keywright_protocol::id::Jti;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::wire::revocations::FeedEntry;
use keywright_server::environment::Environment;

use super::*;

const ISSUER: &str = "http://127.0.0.1:1";
const BOUND: Duration = Duration::from_secs(10);

struct Clock(AtomicI64);

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_s(self.0.load(Ordering::SeqCst))
    }

    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn follower(key: &SigningKey, clock: &Arc<Clock>) -> Arc<FeedFollower> {
    follower_of(&format!("{ISSUER}/revocations"), key, clock)
}

fn follower_of(url: &str, key: &SigningKey, clock: &Arc<Clock>) -> Arc<FeedFollower> {
    let http = Http::new(None).unwrap();
    let set = JwkSet::new(vec![key.public_jwk().clone()]);
    let keys = KeyCache::knowing(http.clone(), &set, clock.now());
    let clock: SharedEnvironment = clock.clone();
    FeedFollower::new(http, url.to_owned(), ISSUER, Arc::new(keys), clock)
}

fn snapshot(seq: u64, jtis: &[&str]) -> FeedMessage {
    let ends = Timestamp::from_unix_s(2000);
    let target = |jti: &&str| RevocationTarget::Token(Jti::from_trusted(*jti));
    let entries = jtis.iter().map(|jti| FeedEntry::new(&target(jti), ends, None)).collect();
    let iss = ISSUER.to_owned();
    FeedMessage { iss, iat_s: 1000, since: 0, seq, snapshot: true, more: false, entries }
}

fn standing(follower: &FeedFollower, jti: &str) -> Standing {
    let (client, sub) = ("c", "c");
    let (grant, family, session, kid) = (None, None, None, None);
    let facts = TokenFacts { jti, client, sub, grant, family, session, kid, iat_s: 990 };
    follower.standing(&facts, BOUND)
}

#[tokio::test]
async fn only_the_issuers_own_feed_is_believed() {
    let (key, other) = (
        SigningKey::generate(Algorithm::Es256).unwrap(),
        SigningKey::generate(Algorithm::Es256).unwrap(),
    );
    let clock = Arc::new(Clock(AtomicI64::new(1000)));
    let follower = follower(&key, &clock);
    let payload = snapshot(1, &["a"]).encode().unwrap();
    let sign = |key, typ, payload: &[u8]| sign_compact(key, Some(typ), payload).unwrap();
    let good = sign(&key, TYP, &payload);
    let foreign = FeedMessage { iss: "http://127.0.0.1:2".into(), ..snapshot(1, &["a"]) };
    for (name, jws) in [
        ("another's signature", sign(&other, TYP, &payload)),
        ("a token", sign(&key, "at+jwt", &payload)),
        ("another issuer", sign(&key, TYP, &foreign.encode().unwrap())),
        ("tampered", good.replacen('.', ".e30", 1)),
        ("nonsense", "x".to_owned()),
    ] {
        assert!(follower.take(&jws).await.is_err(), "{name}");
        assert_eq!(standing(&follower, "a"), Standing::Unknown, "{name}");
    }
    follower.take(&good).await.unwrap();
    assert_eq!(standing(&follower, "a"), Standing::Revoked);
    assert_eq!(standing(&follower, "b"), Standing::Alive);
    follower.heard_everything().await;
}

#[tokio::test]
async fn what_is_too_old_decides_nothing() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let clock = Arc::new(Clock(AtomicI64::new(1000)));
    let follower = follower(&key, &clock);
    assert_eq!(standing(&follower, "b"), Standing::Unknown, "nothing was heard yet");
    let payload = snapshot(1, &["a"]).encode().unwrap();
    follower.take(&sign_compact(&key, Some(TYP), &payload).unwrap()).await.unwrap();
    clock.0.store(1010, Ordering::SeqCst);
    assert_eq!(standing(&follower, "b"), Standing::Alive, "the bound itself");
    clock.0.store(1011, Ordering::SeqCst);
    assert_eq!(standing(&follower, "b"), Standing::Unknown);
    assert_eq!(standing(&follower, "a"), Standing::Revoked, "it stays so");
}

/// The keys of this follower can be fetched from nowhere: it verifies as long as it has them.
#[tokio::test]
async fn the_keys_are_forgotten_when_one_is_revoked() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let clock = Arc::new(Clock(AtomicI64::new(1000)));
    let follower = follower(&key, &clock);
    let sign =
        |message: &FeedMessage| sign_compact(&key, Some(TYP), &message.encode().unwrap()).unwrap();
    let ends = Timestamp::from_unix_s(2000);
    let revoked = FeedEntry::new(&RevocationTarget::SigningKey("k".into()), ends, None);
    follower.take(&sign(&snapshot(1, &["a"]))).await.unwrap();
    follower
        .take(&sign(&FeedMessage { entries: vec![revoked], ..snapshot(2, &[]) }))
        .await
        .unwrap();
    let next = follower.take(&sign(&snapshot(3, &["b"]))).await;
    assert!(matches!(next, Err(Broken::Http(_))), "{next:?}");
}

/// An issuer whose answers are told beforehand.
struct Issuer {
    key: SigningKey,
    asked: Mutex<Vec<String>>,
}

impl Issuer {
    fn event(&self, message: &FeedMessage) -> String {
        event_stream::encode(message.seq, &self.jws(message))
    }

    fn jws(&self, message: &FeedMessage) -> String {
        sign_compact(&self.key, Some(TYP), &message.encode().unwrap()).unwrap()
    }

    /// A stream that breaks off in its second event, a poll, no place for a stream, a poll, and a
    /// stream again.
    fn answer(&self, nth: usize) -> Response {
        let delta = |since, jti| {
            let seq = since + 1;
            FeedMessage { since, seq, snapshot: false, ..snapshot(seq, &[jti]) }
        };
        match nth {
            1 => {
                let (whole, broken) =
                    (self.event(&snapshot(1, &["a"])), self.event(&delta(1, "b")));
                let (half, _) = broken.split_at(broken.len() / 2);
                (whole + half).into_response()
            }
            2 => self.jws(&delta(1, "b")).into_response(),
            3 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            4 => self.jws(&delta(2, "c")).into_response(),
            _ => self.event(&delta(3, "d")).into_response(),
        }
    }
}

async fn feed(
    State(issuer): State<Arc<Issuer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let kind = if headers.contains_key(header::ACCEPT) { "stream" } else { "poll" };
    let nth = {
        let mut asked = issuer.asked.lock().unwrap();
        asked.push(format!("{kind} {}", query.unwrap_or_default()));
        asked.len()
    };
    issuer.answer(nth)
}

#[tokio::test]
async fn it_goes_on_whatever_becomes_of_the_connection() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let clock = Arc::new(Clock(AtomicI64::new(1000)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/revocations", listener.local_addr().unwrap());
    let follower = follower_of(&url, &key, &clock);
    let issuer = Arc::new(Issuer { key, asked: Mutex::default() });
    let routes = axum::Router::new().route("/revocations", get(feed)).with_state(issuer.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let mut heard = follower.heard.subscribe();
    let following = tokio::spawn(Arc::clone(&follower).run());
    let four = tokio::time::timeout(Duration::from_secs(30), heard.wait_for(|heard| *heard >= 4));
    assert!(four.await.is_ok(), "{:?}", issuer.asked.lock().unwrap());
    for jti in ["a", "b", "c", "d"] {
        assert_eq!(standing(&follower, jti), Standing::Revoked, "{jti}");
    }
    assert_eq!(standing(&follower, "e"), Standing::Alive);
    let asked = issuer.asked.lock().unwrap().clone();
    let want = ["stream ", "poll since=1", "stream since=2", "poll since=2", "stream since=3"];
    assert_eq!(asked.get(..5), Some(&want.map(str::to_owned)[..]));
    following.abort();
    serving.abort();
}

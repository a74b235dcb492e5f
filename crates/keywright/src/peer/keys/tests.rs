use std::sync::Mutex as Held;

use axum::extract::State;
use axum::routing::get;
use keywright_jose::{SigningKey, sign_compact};

use super::*;

type Published = Arc<Held<Vec<SigningKey>>>;

async fn jwks(State(keys): State<Published>) -> String {
    let keys = keys.lock().unwrap();
    let set = JwkSet::new(keys.iter().map(|key| key.public_jwk().clone()).collect());
    serde_json::to_string(&set).unwrap()
}

fn at(offset_s: u64) -> Timestamp {
    Timestamp::from_unix_s(1000).plus(Duration::from_secs(offset_s))
}

/// A cache, what its issuer publishes, and a token of a key that is published no more.
async fn taken_back() -> (KeyCache, tokio::task::JoinHandle<()>, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let token = sign_compact(&key, None, b"{}").unwrap();
    let published = Published::new(Held::new(vec![key]));
    let routes = axum::Router::new().route("/jwks", get(jwks)).with_state(published.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let cache = KeyCache::new(Http::new(None).unwrap(), url);
    assert!(verify(&cache, &token, at(0)).await.is_ok());
    published.lock().unwrap().clear();
    (cache, serving, token)
}

async fn verify(cache: &KeyCache, token: &str, now: Timestamp) -> Result<(), JwsError> {
    cache.verify(token, &[Algorithm::Es256], now).await.unwrap().map(drop)
}

#[tokio::test]
async fn keys_are_fetched_again_when_they_are_old() {
    let (cache, serving, token) = taken_back().await;
    assert!(verify(&cache, &token, at(299)).await.is_ok());
    assert_eq!(verify(&cache, &token, at(300)).await, Err(JwsError::UnknownKey));
    serving.abort();
}

#[tokio::test]
async fn forgotten_keys_are_fetched_again() {
    let (cache, serving, token) = taken_back().await;
    cache.forget().await;
    assert_eq!(verify(&cache, &token, at(1)).await, Err(JwsError::UnknownKey));
    serving.abort();
}

//! The reference server: the least that a request can cost over the same HTTP stack.
//!
//! It reads a form and answers 873 bytes of JSON. What an authorization server does beyond that is
//! added one piece at a time, each with the same parsed keys and the same database that the program
//! uses: signing, verifying, one durable row. The paths are the denominators of the ratios.
//!
//! `bare PORT FOLDER` listens on loopback until its standard input ends.

mod store;

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use keywright_jose::{Algorithm, JwkSet, SigningKey, UnverifiedJws, VerifyingKeys, sign_compact};
use serde::Serialize;
use tokio::net::TcpListener;

use self::store::Store;

/// The length of a common token response.
const ANSWER_LEN: usize = 873;

struct Bare {
    canned: Bytes,
    es256: SigningKey,
    verifying: VerifyingKeys,
    /// What takes long to make is made when it is first asked for: starting is measured, too.
    rs256: OnceLock<Option<SigningKey>>,
    store: OnceLock<Option<Store>>,
    folder: PathBuf,
    serial: AtomicU64,
}

/// What an access token says (RFC 9068 §2.2).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: String,
    client_id: &'a str,
    scope: &'a str,
}

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u32,
    scope: &'a str,
}

type Shared = State<Arc<Bare>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let port: u16 = words.next().context("usage: bare PORT FOLDER")?.parse()?;
    let folder = words.next().context("usage: bare PORT FOLDER")?;
    let bare = Arc::new(Bare::new(folder.into())?);
    let router = Router::new()
        .route("/bare", get(canned).post(canned_for_form))
        .route("/bare-encode/es256", post(encode_es256))
        .route("/bare-encode/rs256", post(encode_rs256))
        .route("/bare-verify", post(verify))
        .route("/bare-store", post(encode_and_store))
        .with_state(bare);
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

impl Bare {
    fn new(folder: PathBuf) -> anyhow::Result<Self> {
        let es256 = SigningKey::generate(Algorithm::Es256)?;
        let canned = |filler: &str| token_answer(filler).len();
        let filler = "a".repeat(ANSWER_LEN - canned(""));
        Ok(Self {
            canned: token_answer(&filler),
            verifying: VerifyingKeys::new(&JwkSet::new(vec![es256.public_jwk().clone()])),
            es256,
            rs256: OnceLock::new(),
            store: OnceLock::new(),
            folder,
            serial: AtomicU64::new(0),
        })
    }

    fn rs256(&self) -> Option<&SigningKey> {
        self.rs256.get_or_init(|| SigningKey::generate(Algorithm::Rs256).ok()).as_ref()
    }

    fn store(&self) -> Option<&Store> {
        self.store.get_or_init(|| Store::open(&self.folder).ok()).as_ref()
    }

    fn token(&self, key: &SigningKey) -> Option<Bytes> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let claims = Claims {
            iss: "http://127.0.0.1:8080",
            sub: "0190a5c2f4a87b10",
            aud: "https://api.bench.test/es256",
            exp: 1_800_000_600,
            iat: 1_800_000_000,
            jti: format!("{serial:032x}"),
            client_id: "0190a5c2f4a87b10",
            scope: "bench",
        };
        let payload = serde_json::to_vec(&claims).ok()?;
        Some(token_answer(&sign_compact(key, Some("at+jwt"), &payload).ok()?))
    }
}

async fn canned(State(bare): Shared) -> Response {
    json(Some(bare.canned.clone()))
}

async fn canned_for_form(State(bare): Shared, _form: Bytes) -> Response {
    json(Some(bare.canned.clone()))
}

async fn encode_es256(State(bare): Shared, _form: Bytes) -> Response {
    json(bare.token(&bare.es256))
}

async fn encode_rs256(State(bare): Shared, _form: Bytes) -> Response {
    json(bare.rs256().and_then(|key| bare.token(key)))
}

/// Verifies the token that the form carries; a wrong one would make the ratio a lie.
async fn verify(State(bare): Shared, form: Bytes) -> Response {
    let token = std::str::from_utf8(&form).ok().and_then(|form| form.strip_prefix("token="));
    let verified = token.and_then(|token| {
        let unverified = UnverifiedJws::parse(token).ok()?;
        unverified.verify(&bare.verifying, &[Algorithm::Es256]).ok()
    });
    json(verified.map(|_| bare.canned.clone()))
}

async fn encode_and_store(State(bare): Shared, _form: Bytes) -> Response {
    let answer = bare.token(&bare.es256);
    let family = bare.serial.load(Ordering::Relaxed);
    let Some(store) = bare.store() else { return json(None) };
    let stored = store.rotate(family).await;
    json(answer.filter(|_| stored))
}

fn token_answer(token: &str) -> Bytes {
    let answer =
        TokenAnswer { access_token: token, token_type: "Bearer", expires_in: 600, scope: "bench" };
    serde_json::to_vec(&answer).map(Bytes::from).unwrap_or_default()
}

fn json(answer: Option<Bytes>) -> Response {
    match answer {
        Some(body) => {
            let headers =
                [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (headers, body).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

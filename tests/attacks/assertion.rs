//! Client assertions that must not pass: RFC 7523 §3, RFC 8725, requirement A24.

use serde_json::{Value, json};

use crate::support::jwt::{self, ASSERTION_TYPE, Key, assertion_claims};
use crate::support::world::{service_metadata, with};
use crate::support::{Client, Request, Response, Server, Tokens, World, wait};

struct Setting {
    world: World,
    key: Key,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        let world = World::start();
        let key = Key::generate();
        let client = register(&world.server, &key);
        Self { world, key, client }
    }

    fn claims(&self) -> Value {
        assertion_claims(&self.world.server, &self.client.id)
    }

    fn present(&self, assertion: &str) -> Response {
        self.present_with(&[
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
        ])
    }

    fn present_with(&self, pairs: &[(&str, &str)]) -> Response {
        let grant = [("grant_type", "client_credentials")];
        let url = self.world.server.url("/token");
        Request::post(&url).form(&[&grant[..], pairs].concat()).send()
    }
}

fn register(server: &Server, key: &Key) -> Client {
    let change = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.set() });
    server.client(&with(service_metadata("orders:read"), &change))
}

struct Case {
    must: &'static str,
    name: &'static str,
    bend: fn(&mut Value, &str),
}

const CLAIMS: [Case; 11] = [
    Case { must: "RFC7523-3", name: "iss of another", bend: |c, _| c["iss"] = json!("x") },
    Case { must: "RFC7523-3", name: "sub of another", bend: |c, _| c["sub"] = json!("x") },
    Case {
        must: "RFC10070",
        name: "aud is the token endpoint",
        bend: |c, issuer| c["aud"] = json!(format!("{issuer}/token")),
    },
    Case {
        must: "RFC10070",
        name: "aud is an array",
        bend: |c, issuer| c["aud"] = json!([issuer, "https://other.example"]),
    },
    Case {
        must: "RFC7523-3",
        name: "aud of another server",
        bend: |c, _| c["aud"] = json!("https://other.example"),
    },
    Case {
        must: "RFC7523-3",
        name: "aud with a slash",
        bend: |c, issuer| c["aud"] = json!(format!("{issuer}/")),
    },
    Case { must: "RFC7523-3", name: "expired", bend: |c, _| c["exp"] = json!(wait::now_s() - 120) },
    Case {
        must: "CVE-2026-25537",
        name: "exp as text",
        bend: |c, _| c["exp"] = json!((wait::now_s() + 60).to_string()),
    },
    Case {
        must: "RFC7523-3",
        name: "not valid yet",
        bend: |c, _| c["nbf"] = json!(wait::now_s() + 120),
    },
    Case {
        must: "FAPI2-5.3.2",
        name: "made in the future",
        bend: |c, _| c["iat"] = json!(wait::now_s() + 120),
    },
    Case {
        must: "CVE-2026-25537",
        name: "nbf of the wrong type",
        bend: |c, _| c["nbf"] = json!("0"),
    },
];

#[test]
fn claims_that_must_be_right() {
    let setting = Setting::new();
    let issuer = setting.world.server.issuer.clone();
    for Case { must, name, bend } in CLAIMS {
        let mut claims = setting.claims();
        bend(&mut claims, &issuer);
        let answer = setting.present(&setting.key.sign(&claims));
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_client"),
            "{must}: {name}"
        );
    }
    for missing in ["iss", "sub", "aud", "exp", "jti"] {
        let mut claims = setting.claims();
        claims.as_object_mut().expect("an object").remove(missing);
        let answer = setting.present(&setting.key.sign(&claims));
        assert_eq!(answer.error(), "invalid_client", "RFC7523-3: no {missing}");
    }
    Tokens::from(&setting.present(&setting.key.sign(&setting.claims())));
    setting.world.server.stop();
}

/// FAPI 2.0: clocks that run ten seconds ahead are tolerated.
#[test]
fn small_clock_differences_pass() {
    let setting = Setting::new();
    let mut claims = setting.claims();
    claims["iat"] = json!(wait::now_s() + 8);
    claims["nbf"] = json!(wait::now_s() + 8);
    Tokens::from(&setting.present(&setting.key.sign(&claims)));
}

#[test]
fn signatures_that_must_not_count() {
    let setting = Setting::new();
    let claims = setting.claims();
    let good = setting.key.sign(&claims);
    let other = Key::generate();
    let stranger = register(&setting.world.server, &other);
    let none = jwt::unsigned(&json!({ "alg": "none" }), &claims);
    let hmac = {
        use aws_lc_rs::hmac;
        use base64::Engine as _;
        let x = setting.key.public["x"].as_str().expect("x");
        let input =
            format!("{}.{}", jwt::segment(&json!({ "alg": "HS256" })), jwt::segment(&claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, x.as_bytes());
        let tag = hmac::sign(&key, input.as_bytes());
        let tag = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag.as_ref());
        format!("{input}.{tag}")
    };
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let mut flipped = signature.to_owned().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    let flipped = format!("{head}.{}", String::from_utf8(flipped).expect("ASCII"));
    let zero = format!("{head}.{}", "A".repeat(86));
    let mut widened = claims.clone();
    widened["scope"] = json!("everything");
    let cases = [
        ("RFC8725-3.1: alg none", none),
        ("RFC8725-3.1: HMAC with the public key", hmac),
        ("RFC7515-5.2: a key of another client", other.sign(&claims)),
        ("RFC7515-5.2: one bit", flipped),
        ("CVE-2022-21449: zeros", zero),
        ("RFC7515-5.2: empty signature", format!("{head}.")),
        ("RFC7515-5.2: changed claims", jwt::with_claims(&good, &widened)),
        ("RFC7515-7.1: four parts", format!("{good}.x")),
        ("RFC8725-3.11: an access token", setting.key.sign_as("at+jwt", &claims)),
        ("RFC8725-3.11: a DPoP proof", setting.key.sign_as("dpop+jwt", &claims)),
    ];
    for (must, assertion) in cases {
        let answer = setting.present(&assertion);
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{must}");
    }
    Tokens::from(&setting.present(&good));
    // The other key is good for its own client.
    Tokens::from(
        &setting.present(&other.sign(&assertion_claims(&setting.world.server, &stranger.id))),
    );
}

#[test]
fn the_form_around_it() {
    let setting = Setting::new();
    let assertion = || setting.key.sign(&setting.claims());
    let fresh = assertion();
    let bearer = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let cases: [(&str, Vec<(&str, &str)>); 3] = [
        ("no type", vec![("client_assertion", &fresh)]),
        ("no assertion", vec![("client_assertion_type", ASSERTION_TYPE)]),
        ("another type", vec![("client_assertion_type", bearer), ("client_assertion", &fresh)]),
    ];
    for (name, pairs) in cases {
        let answer = setting.present_with(&pairs);
        assert!([400, 401].contains(&answer.status), "RFC7521-4.2: {name}: {}", answer.text());
    }
    let named = [
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &fresh),
        ("client_id", setting.world.service.id.as_str()),
    ];
    let answer = setting.present_with(&named);
    assert!([400, 401].contains(&answer.status), "RFC7521-4.2: another client_id");
    let own = [
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion()),
        ("client_id", setting.client.id.as_str()),
    ];
    Tokens::from(&setting.present_with(&own));
}

/// GHSA-3p3g-vpw6-4w66: the `jti` was never looked at. Two at once must not both pass either.
#[test]
fn an_assertion_is_good_once() {
    let setting = Setting::new();
    let assertion = setting.key.sign(&setting.claims());
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> =
            (0..20).map(|_| scope.spawn(|| setting.present(&assertion).status)).collect();
        racers.into_iter().map(|racer| racer.join().expect("an answer")).collect()
    });
    assert_eq!(answers.iter().filter(|&&status| status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 401].contains(status)), "{answers:?}");
}

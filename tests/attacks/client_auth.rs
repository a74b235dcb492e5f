//! RFC 6749 §2.3: wrong, missing, doubled and misplaced client credentials.

use serde_json::json;

use crate::support::jwt::{ASSERTION_TYPE, Key, assertion_claims};
use crate::support::world::{service_metadata, with};
use crate::support::{Request, Tokens, World};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[test]
fn wrong_credentials() {
    struct Case {
        must: &'static str,
        name: &'static str,
        id: &'static str,
        secret: &'static str,
    }
    let world = World::start();
    let (id, secret) = (world.service.id.as_str(), world.service.secret());
    let url = world.server.url("/token");
    // ID and SECRET stand for the right ones.
    let cases = [
        Case { must: "RFC6749-5.2", name: "wrong secret", id: "ID", secret: "wrong-wrong-wrong" },
        Case { must: "RFC6749-5.2", name: "no secret", id: "ID", secret: "" },
        Case { must: "RFC6749-5.2", name: "unknown client", id: "nobody", secret: "SECRET" },
        Case { must: "RFC6749-5.2", name: "one more character", id: "ID", secret: "SECRETx" },
        Case { must: "RFC6749-5.2", name: "upper case", id: "ID", secret: "UPPER" },
    ];
    for case in cases {
        let used = case.secret.replace("SECRET", secret).replace("UPPER", &secret.to_uppercase());
        let answer =
            Request::post(&url).basic(&case.id.replace("ID", id), &used).form(&[GRANT]).send();
        assert_eq!(answer.status, 401, "{}: {}", case.must, case.name);
        assert_eq!(answer.error(), "invalid_client", "{}: {}", case.must, case.name);
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Basic"), "RFC6749-5.2: {challenge}");
        // Whether a client exists is not told.
        let told = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
        assert!(!told.contains("unknown client") && !told.contains("not found"), "{told}");
    }
    Tokens::from(&Request::post(&url).basic(id, secret).form(&[GRANT]).send());
}

#[test]
fn headers_that_are_not_basic() {
    let world = World::start();
    let url = world.server.url("/token");
    for value in ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Digest x=y", "Basic /////w==", "é"]
    {
        let answer = Request::post(&url).header("Authorization", value).form(&[GRANT]).send();
        assert!(answer.status == 401 || answer.status == 400, "RFC7617-2: {value}");
        assert!(answer.error().starts_with("invalid_"), "RFC6749-5.2: {value}");
    }
    let request = Request::post(&url).basic(&world.service.id, world.service.secret());
    let twice = request.clone().basic(&world.service.id, world.service.secret());
    let answer = twice.form(&[GRANT]).send();
    assert!(answer.status == 400 || answer.status == 401, "two headers: {}", answer.text());
    Tokens::from(&request.form(&[GRANT]).send());
}

/// RFC 6749 §2.3: one method per request.
#[test]
fn two_methods_at_once() {
    let world = World::start();
    let url = world.server.url("/token");
    let (id, secret) = (world.service.id.as_str(), world.service.secret());
    let both = [GRANT, ("client_id", id), ("client_secret", secret)];
    let answer = Request::post(&url).basic(id, secret).form(&both).send();
    answer.expect_error(400, "invalid_request");
    let key = Key::generate();
    let assertion = key.sign(&assertion_claims(&world.server, id));
    let with_assertion =
        [GRANT, ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)];
    let answer = Request::post(&url).basic(id, secret).form(&with_assertion).send();
    answer.expect_error(400, "invalid_request");
    let stranger = [GRANT, ("client_id", "somebody-else")];
    let answer = Request::post(&url).basic(id, secret).form(&stranger).send();
    assert!(answer.status == 400 || answer.status == 401, "two clients: {}", answer.text());
    let same = [GRANT, ("client_id", id)];
    Tokens::from(&Request::post(&url).basic(id, secret).form(&same).send());
}

/// RFC 6749 §2.3.1: secrets never travel in the address.
#[test]
fn secrets_in_the_address() {
    let world = World::start();
    let (id, secret) = (world.service.id.as_str(), world.service.secret());
    let pairs = crate::support::http::query(&[("client_id", id), ("client_secret", secret)]);
    let url = format!("{}?{pairs}", world.server.url("/token"));
    let answer = Request::post(&url).form(&[GRANT]).send();
    assert!([400, 401].contains(&answer.status), "RFC6749-2.3.1: {}", answer.text());
    let url = format!("{}?grant_type=client_credentials", world.server.url("/token"));
    let answer = Request::post(&url).basic(id, secret).form(&[("scope", "orders:read")]).send();
    assert_eq!(answer.status, 400, "RFC6749-3.2: parameters are in the body: {}", answer.text());
    // The log check at the end of this test sees whether the address was logged.
    world.server.stop();
}

/// CVE-2026-53512: a confidential client's tokens need its credentials.
#[test]
fn a_confidential_client_cannot_play_public() {
    let world = World::start();
    let tokens = world.sign_in(&world.web, "openid offline_access");
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh()),
        ("client_id", world.web.id.as_str()),
    ];
    let answer = Request::post(&world.server.url("/token")).form(&pairs).send();
    answer.expect_error(401, "invalid_client");
    Tokens::from(&world.server.refresh(&world.web, tokens.refresh()));
}

#[test]
fn a_public_client_has_no_secret_to_guess() {
    let world = World::start();
    let tokens = world.sign_in(&world.spa, "openid offline_access");
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let request = Request::post(&world.server.url("/token")).basic(&world.spa.id, "anything-goes");
    request.form(&pairs).send().expect_error(401, "invalid_client");
    Tokens::from(&world.server.refresh(&world.spa, tokens.refresh()));
}

#[test]
fn a_public_client_gets_no_client_credentials() {
    let world = World::start();
    let refused =
        with(service_metadata("orders:read"), &json!({ "token_endpoint_auth_method": "none" }));
    let args = ["client", "create", "--metadata", "-"];
    let output = world.server.cli_with(&args, &refused.to_string());
    if output.status == 0 {
        let id = output.json()["client_id"].as_str().expect("id").to_owned();
        let pairs = [GRANT, ("client_id", id.as_str())];
        let answer = Request::post(&world.server.url("/token")).form(&pairs).send();
        assert!([400, 401].contains(&answer.status), "RFC6749-4.4: confidential clients only");
    } else {
        output.expect_status(1);
    }
}

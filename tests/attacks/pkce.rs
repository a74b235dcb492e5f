//! RFC 7636 and its downgrades: requirement A5, A6.

use crate::support::flow::challenge;
use crate::support::tokens::redemption;
use crate::support::{Authorize, Browser, Tokens, World};

#[test]
fn a_challenge_is_required_and_is_s256() {
    struct Case {
        must: &'static str,
        name: &'static str,
        bend: fn(Authorize) -> Authorize,
    }
    let world = World::start();
    let cases = [
        Case {
            must: "RFC7636-4.4.1",
            name: "no challenge",
            bend: |flow| flow.remove("code_challenge").remove("code_challenge_method"),
        },
        Case {
            must: "RFC7636-4.3",
            name: "no challenge but a method",
            bend: |flow| flow.remove("code_challenge"),
        },
        Case {
            must: "RFC7636-4.3",
            name: "no method means plain",
            bend: |flow| flow.remove("code_challenge_method"),
        },
        Case {
            must: "RFC9700-2.1.1",
            name: "plain",
            bend: |flow| flow.set("code_challenge_method", "plain"),
        },
        Case {
            must: "RFC7636-4.3",
            name: "unknown method",
            bend: |flow| flow.set("code_challenge_method", "s256"),
        },
        Case {
            must: "RFC7636-4.2",
            name: "too short",
            bend: |flow| flow.set("code_challenge", "abc"),
        },
        Case {
            must: "RFC7636-4.2",
            name: "wrong alphabet",
            bend: |flow| flow.set("code_challenge", &"+".repeat(43)),
        },
        Case {
            must: "RFC7636-4.2",
            name: "no SHA-256 is this long",
            bend: |flow| flow.set("code_challenge", &"a".repeat(44)),
        },
    ];
    for client in [&world.web, &world.spa] {
        for Case { must, name, bend } in &cases {
            let flow = bend(Authorize::new(&world.server, client));
            let callback = Browser::default().run(&flow, &world.alice).expect_callback();
            assert_eq!(callback.get("error"), "invalid_request", "{must}: {name}");
            assert_eq!(callback.get("state"), flow.value("state"), "{must}: {name}");
        }
        Browser::default().authorize(&Authorize::new(&world.server, client), &world.alice);
    }
}

/// CVE-2024-22258, CVE-2023-48228: leaving the verifier out, or sending another.
#[test]
fn the_verifier_is_checked_by_its_hash() {
    struct Case {
        must: &'static str,
        name: &'static str,
        verifier: Option<fn(&str) -> String>,
        want: &'static str,
    }
    let world = World::start();
    let cases = [
        Case { must: "RFC7636-4.6", name: "left out", verifier: None, want: "invalid_" },
        Case {
            must: "RFC7636-4.5",
            name: "empty",
            verifier: Some(|_| String::new()),
            want: "invalid_",
        },
        Case {
            must: "RFC7636-4.6",
            name: "another",
            verifier: Some(|_| "z".repeat(43)),
            want: "invalid_grant",
        },
        Case {
            must: "RFC7636-4.6",
            name: "the challenge itself",
            verifier: Some(challenge),
            want: "invalid_grant",
        },
        Case {
            must: "RFC7636-4.1",
            name: "too short",
            verifier: Some(|right| right[..42].to_owned()),
            want: "invalid_",
        },
        Case {
            must: "RFC7636-4.1",
            name: "too long",
            verifier: Some(|right| right.repeat(3)),
            want: "invalid_",
        },
        Case {
            must: "RFC7636-4.6",
            name: "with a blank",
            verifier: Some(|right| format!("{right} ")),
            want: "invalid_",
        },
    ];
    for client in [&world.web, &world.spa] {
        for Case { must, name, verifier, want } in &cases {
            let flow = Authorize::new(&world.server, client);
            let callback = Browser::default().authorize(&flow, &world.alice);
            let mut pairs = redemption(&flow, callback.code());
            let bent = verifier.map(|bend| bend(&flow.verifier));
            pairs.retain(|(name, _)| *name != "code_verifier");
            pairs.extend(bent.as_deref().map(|verifier| ("code_verifier", verifier)));
            let answer = world.server.token(client, &pairs);
            assert_eq!(answer.status, 400, "{must}: {name}: {}", answer.text());
            assert!(answer.error().starts_with(want), "{must}: {name}: {}", answer.text());
            Tokens::from(&world.server.redeem(client, &flow, callback.code()));
        }
    }
}

/// RFC 7636 §4.6: verifiers of 43 to 128 characters of the whole alphabet.
#[test]
fn verifiers_of_every_length() {
    let world = World::start();
    let alphabet = "AZaz09-._~";
    for length in [43, 64, 127, 128] {
        let verifier: String = alphabet.chars().cycle().take(length).collect();
        let mut flow = Authorize::new(&world.server, &world.spa);
        flow = flow.set("code_challenge", &challenge(&verifier));
        flow.verifier = verifier;
        let callback = Browser::default().authorize(&flow, &world.alice);
        Tokens::from(&world.server.redeem(&world.spa, &flow, callback.code()));
    }
}

/// RFC 9700 §4.5: the code of one's own session injected into another's.
#[test]
fn an_injected_code_does_not_fit() {
    let world = World::start();
    let victim = Authorize::new(&world.server, &world.web);
    let attacker = Authorize::new(&world.server, &world.web);
    let stolen = Browser::default().authorize(&victim, &world.alice);
    Browser::default().authorize(&attacker, &world.alice);
    let answer = world.server.redeem(&world.web, &attacker, stolen.code());
    answer.expect_error(400, "invalid_grant");
    Tokens::from(&world.server.redeem(&world.web, &victim, stolen.code()));
}

//! One code, many redemptions: exactly one wins.

use super::together;
use crate::support::{Authorize, Browser, Tokens, World};

const RACERS: usize = 50;

#[test]
fn rfc6749_4_1_2_fifty_redemptions_one_success() {
    fifty_redemptions_one_success(World::start());
}

pub(super) fn fifty_redemptions_one_success(world: World) {
    for round in 0..3 {
        let flow = Authorize::new(&world.server, &world.spa).scope("openid offline_access");
        let callback = Browser::default().authorize(&flow, &world.alice);
        let answers = together(RACERS, |_| world.server.redeem(&world.spa, &flow, callback.code()));
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1, "round {round}: exactly one");
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            lost.expect_error(400, "invalid_grant");
        }
        // The others were replays, so what the winner got is dead: RFC 6749 §4.1.2.
        let tokens = Tokens::from(won[0]);
        world.server.refresh(&world.spa, tokens.refresh()).expect_error(400, "invalid_grant");
        assert_eq!(world.server.userinfo(tokens.access()).status, 401, "RFC6749-4.1.2");
    }
    world.server.stop();
}

/// The positive twin: many codes at the same time disturb each other in nothing.
#[test]
fn many_codes_at_once_all_succeed() {
    many_codes_succeed(&World::start());
}

pub(super) fn many_codes_succeed(world: &World) {
    let mut browser = Browser::default();
    let codes: Vec<_> = (0..RACERS)
        .map(|_| {
            let flow = Authorize::new(&world.server, &world.web);
            let callback = browser.authorize(&flow, &world.alice);
            (flow, callback)
        })
        .collect();
    let answers = together(RACERS, |n| {
        let (flow, callback) = &codes[n];
        world.server.redeem(&world.web, flow, callback.code())
    });
    for answer in &answers {
        Tokens::from(answer);
    }
}

/// An impatient person clicks ten times: every answer is one to the same request, none a fault.
#[test]
fn one_consent_clicked_many_times() {
    let world = World::start();
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.web).scope("openid email");
    let page = browser.open(&flow.url());
    let page = browser.sign_in(&page, &world.alice);
    let form = page.expect_form("consent-form");
    let answers = together(10, |_| browser.clone().click(&page, &form, "consent-allow"));
    let mut codes = 0;
    for answer in &answers {
        assert!(answer.response.status < 500, "{answer}");
        let Some(callback) = answer.callback() else { continue };
        assert_eq!(callback.get("state"), flow.value("state"), "RFC6749-4.1.2");
        Tokens::from(&world.server.redeem(&world.web, &flow, callback.code()));
        codes += 1;
    }
    assert!(codes >= 1, "one of them at least");
}

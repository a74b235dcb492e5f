//! Two flows at once in one browser.

use crate::support::{Authorize, Browser, Tokens, World, jwt};

#[test]
fn two_tabs_do_not_disturb_each_other() {
    let world = World::start();
    let mut browser = Browser::default();
    let one = Authorize::new(&world.server, &world.web).scope("openid email");
    let two = Authorize::new(&world.server, &world.spa).scope("openid orders:read");
    let page_one = browser.open(&one.url());
    let page_two = browser.open(&two.url());
    assert!(page_one.text().contains("Orders Web"), "{page_one}");
    assert!(page_two.text().contains("Orders App"), "{page_two}");
    // The first tab is submitted after the second was opened, and the second after that.
    let one_end = browser.finish(page_one, &world.alice).expect_callback();
    let two_end = browser.finish(page_two, &world.alice).expect_callback();
    assert!(one.answers_to(&one_end.url) && two.answers_to(&two_end.url), "each its own client");
    assert_eq!(one_end.get("state"), one.value("state"), "RFC6749-4.1.2");
    assert_eq!(two_end.get("state"), two.value("state"), "RFC6749-4.1.2");
    let first = Tokens::from(&world.server.redeem(&world.web, &one, one_end.code()));
    let second = Tokens::from(&world.server.redeem(&world.spa, &two, two_end.code()));
    assert_eq!(jwt::claims(first.id())["nonce"], one.value("nonce"), "OIDCC-2");
    assert_eq!(jwt::claims(second.id())["nonce"], two.value("nonce"), "OIDCC-2");
    world.server.stop();
}

#[test]
fn consents_in_two_tabs_stay_apart() {
    let world = World::start();
    let mut browser = Browser::default();
    let one = Authorize::new(&world.server, &world.web).scope("openid email orders:read");
    let two = Authorize::new(&world.server, &world.spa).scope("openid orders:read orders:write");
    let page = browser.open(&one.url());
    let page_one = browser.sign_in(&page, &world.alice);
    let page_two = browser.open(&two.url());
    let form = page_two.expect_form("consent-form").untick("orders:write");
    let two_end = browser.submit(&page_two, &form, "consent-allow").expect_callback();
    let form = page_one.expect_form("consent-form").untick("email");
    let one_end = browser.submit(&page_one, &form, "consent-allow").expect_callback();
    let first = Tokens::from(&world.server.redeem(&world.web, &one, one_end.code()));
    let second = Tokens::from(&world.server.redeem(&world.spa, &two, two_end.code()));
    assert_eq!(first.scope(), ["openid", "orders:read"], "each its own answer");
    assert_eq!(second.scope(), ["openid", "orders:read"], "each its own answer");
}

/// The second tab of a browser that signed in meanwhile still works.
#[test]
fn a_stale_sign_in_page_is_harmless() {
    let world = World::start();
    let mut browser = Browser::default();
    let one = Authorize::new(&world.server, &world.web);
    let two = Authorize::new(&world.server, &world.web);
    let stale = browser.open(&two.url());
    browser.authorize(&one, &world.alice);
    let callback = browser.finish(stale, &world.alice).expect_callback();
    Tokens::from(&world.server.redeem(&world.web, &two, callback.code()));
}

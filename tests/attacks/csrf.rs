//! Pages answer only the person to whom they were shown: docs/attacks.md, "CSRF, fixation".

use crate::support::html::Form;
use crate::support::{Authorize, Browser, Page, World};

struct Victim {
    world: World,
    browser: Browser,
}

impl Victim {
    fn new() -> Self {
        let world = World::start();
        let mut browser = Browser::default();
        world.sign_in_with(&mut browser, &world.web, "openid", &world.alice);
        Self { world, browser }
    }

    fn consent(&mut self) -> Page {
        let flow = Authorize::new(&self.world.server, &self.world.spa).scope("openid orders:read");
        self.browser.open(&flow.url())
    }
}

/// The token field of a form: the hidden one that guards it.
fn token(form: &Form) -> String {
    let hidden = form.hidden();
    let found = hidden.iter().find(|name| name.contains("csrf"));
    found.unwrap_or_else(|| panic!("a token in #{}: {hidden:?}", form.id)).clone()
}

fn bent(form: &Form, other: &Form) -> [(&'static str, Form); 3] {
    let name = token(form);
    let foreign = other.value(&name).expect("the same form has the same field").to_owned();
    [
        ("without a token", form.clone().without(&name)),
        ("an empty token", form.clone().fill(&name, "")),
        ("another session's token", form.clone().fill(&name, &foreign)),
    ]
}

#[test]
fn consent_cannot_be_forged() {
    let mut victim = Victim::new();
    let mut attacker = Browser::default();
    let mallory = victim.world.server.user("mallory");
    let flow = Authorize::new(&victim.world.server, &victim.world.spa).scope("openid orders:read");
    let page = attacker.open(&flow.url());
    let page = attacker.sign_in(&page, &mallory);
    let theirs = page.expect_form("consent-form");
    let page = victim.consent();
    let form = page.expect_form("consent-form");
    for (name, form) in bent(&form, &theirs) {
        let answer = victim.browser.click(&page, &form, "consent-allow");
        assert_eq!(answer.callback().map(|c| c.url), None, "CSRF: {name}: {answer}");
        assert!((400..500).contains(&answer.response.status), "CSRF: {name}: {answer}");
    }
    // The whole form of the attacker, in the victim's browser.
    let answer = victim.browser.click(&page, &theirs, "consent-allow");
    assert_eq!(answer.callback().map(|c| c.url), None, "CSRF: another's form: {answer}");
    let page = victim.consent();
    victim.browser.allow(&page).expect_callback().code();
}

#[test]
fn sign_in_cannot_be_forged() {
    let world = World::start();
    let flow = Authorize::new(&world.server, &world.web);
    let mut other = Browser::default();
    let theirs = other.open(&flow.url()).expect_form("login-form");
    let mut browser = Browser::default();
    let page = browser.open(&flow.url());
    let fill = |form: Form| form.fill("username", "alice").fill("password", &world.alice.password);
    for (name, form) in bent(&page.expect_form("login-form"), &theirs) {
        let answer = browser.click(&page, &fill(form), "login-submit");
        assert_eq!(answer.callback().map(|c| c.url), None, "login CSRF: {name}");
        let silent = Authorize::new(&world.server, &world.web).set("prompt", "none");
        let state = browser.open(&silent.url()).expect_callback();
        assert_eq!(state.get("error"), "login_required", "login CSRF: {name}: {answer}");
    }
    // Without the cookie that came with the page, the form is nobody's.
    let answer =
        Browser::default().click(&page, &fill(page.expect_form("login-form")), "login-submit");
    assert!((400..500).contains(&answer.response.status), "login CSRF: no cookie: {answer}");
    let page = browser.open(&flow.url());
    browser.finish(page, &world.alice).expect_callback().code();
}

#[test]
fn logout_cannot_be_forged() {
    let mut victim = Victim::new();
    let url = victim.world.server.url("/logout");
    let mut attacker = Browser::default();
    let mallory = victim.world.server.user("mallory");
    victim.world.sign_in_with(&mut attacker, &victim.world.web, "openid", &mallory);
    let theirs = attacker.open(&url).expect_form("logout-form");
    let page = victim.browser.open(&url);
    for (name, form) in bent(&page.expect_form("logout-form"), &theirs) {
        let answer = victim.browser.click(&page, &form, "logout-confirm");
        assert!((400..500).contains(&answer.response.status), "logout CSRF: {name}: {answer}");
        let flow = Authorize::new(&victim.world.server, &victim.world.web).set("prompt", "none");
        let state = victim.browser.open(&flow.url()).expect_callback();
        assert_eq!(state.get("error"), "", "logout CSRF: {name}: still signed in");
    }
    let page = victim.browser.open(&url);
    let form = page.expect_form("logout-form");
    let page = victim.browser.submit(&page, &form, "logout-confirm");
    assert!(page.has("signed-out"), "the positive twin: {page}");
}

/// CVE-2026-7507: the handle of a flow is not enough, the browser must be the one that began it.
#[test]
fn a_flow_belongs_to_its_browser() {
    let mut victim = Victim::new();
    let page = victim.consent();
    let mut thief = Browser::default();
    let mallory = victim.world.server.user("mallory");
    victim.world.sign_in_with(&mut thief, &victim.world.web, "openid", &mallory);
    let answer = thief.open(&page.url);
    assert!(answer.form("consent-form").is_none(), "another's page: {answer}");
    let answer = thief.click(&page, &page.expect_form("consent-form"), "consent-allow");
    assert_eq!(answer.callback().map(|c| c.url), None, "another's consent: {answer}");
    victim.browser.allow(&page).expect_callback().code();
}

/// Two people at one browser: what was asked of one is not answered by the other.
#[test]
fn a_consent_is_of_the_person_to_whom_it_was_shown() {
    let world = World::start();
    let bob = world.server.user("bob");
    let mut browser = Browser::default();
    let flow = Authorize::new(&world.server, &world.spa).scope("openid orders:read");
    let page = browser.open(&flow.url());
    let shown = browser.sign_in(&page, &world.alice);
    let form = shown.expect_form("consent-form").clone();
    let again = browser.open(&flow.clone().set("prompt", "login").url());
    let theirs = browser.sign_in(&again, &bob);
    let answer = browser.click(&shown, &form, "consent-allow");
    assert_eq!(answer.callback().map(|c| c.url), None, "CSRF: alice's page: {answer}");
    // The positive twin: bob's own page.
    let form = theirs.expect_form("consent-form").clone();
    let callback = browser.submit(&theirs, &form, "consent-allow").expect_callback();
    assert!(!callback.code().is_empty(), "CSRF: bob's own page");
    world.server.stop();
}

//! What holds for every page: the contract's names, and that nothing hostile comes alive.

use super::*;

/// What one hostile client writes into every field that it has.
const HOSTILE: [&str; 14] = [
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</title></textarea></style></script><svg onload=alert(1)>",
    "\" onfocus=alert(1) autofocus x=\"",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "JaVaScRiPt://a.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/logo.png",
    "/\\evil.example/logo.png",
    "<!-- --><base href=//evil.example>",
    "{{ csrf }}{% include \"x\" %}&lt;b&gt;",
    "`;alert(1)//\\\u{2028}",
    "&quot;&#34; &amp;lt;script&gt;\0\u{202e}",
];

/// Every page in every shape, with the same value in all fields.
fn pages(lang: &str, value: &str) -> Vec<(&'static str, String)> {
    let text = negotiate(&[lang], None);
    let mut pages = sign_in(text, value);
    pages.extend([
        ("consent", consent(text, value)),
        ("error", error(text, value)),
        ("form_post", form_post(text, value)),
    ]);
    pages.extend(sign_out(text, value));
    pages.push(("index", index(text, value)));
    pages
}

fn client(value: &str) -> ClientView<'_> {
    ClientView {
        name: value,
        host: Some(value),
        logo: Some(value.to_owned()),
        policy_uri: Some(value),
        tos_uri: Some(value),
        client_uri: Some(value),
        unverified: true,
    }
}

fn sign_in(text: &'static Texts, value: &str) -> Vec<(&'static str, String)> {
    let page = |client, error| LoginPage {
        text,
        site: value,
        client,
        action: value,
        flow: value,
        csrf: value,
        username: value,
        error,
        reauthenticate: true,
    };
    let throttled = LoginError::Throttled { retry_after_s: 61 };
    vec![
        ("login", page(Some(client(value)), Some(LoginError::Credentials)).html()),
        ("login", page(None, Some(LoginError::Busy)).html()),
        ("login", page(None, Some(throttled)).html()),
    ]
}

fn consent(text: &'static Texts, value: &str) -> String {
    let optional = ScopeView { resource: Some(value), ..ScopeView::new(text, value, Some(value)) };
    let required = ScopeView {
        optional: false,
        description: Some(value),
        ..ScopeView::new(text, "openid", None)
    };
    ConsentPage {
        text,
        site: value,
        client: client(value),
        username: value,
        action: value,
        flow: value,
        csrf: value,
        scopes: &[required, optional],
    }
    .html()
}

fn error(text: &'static Texts, value: &str) -> String {
    ErrorPage { text, site: value, code: value, description: value, request_id: value }.html()
}

fn form_post(text: &'static Texts, value: &str) -> String {
    let fields = [(value, value), ("state", value)];
    let page = FormPostPage { text, site: value, redirect_uri: FORM_TARGET, fields: &fields };
    page.html().expect("the target is good")
}

fn sign_out(text: &'static Texts, value: &str) -> Vec<(&'static str, String)> {
    let question = LogoutPage {
        text,
        site: value,
        client: Some(client(value)),
        username: Some(value),
        action: value,
        flow: value,
        csrf: value,
    };
    let answer =
        SignedOutPage { text, site: value, client: Some(client(value)), continue_uri: Some(value) };
    vec![("logout", question.html()), ("signed_out", answer.html())]
}

fn index(text: &'static Texts, value: &str) -> String {
    let account_uri = Some(value);
    IndexPage { text, site: value, issuer: value, discovery_uri: value, account_uri }.html()
}

/// A page's tags and attribute names, in order; a browser's view of what is markup and what not.
fn skeleton(html: &str) -> Vec<(&str, Vec<&str>)> {
    html.split('<').skip(1).map(|rest| tag(rest.split_once('>').expect("closed").0)).collect()
}

/// Values are quoted and hold no quote, so every second piece is a value.
fn tag(inside: &str) -> (&str, Vec<&str>) {
    let outside_of_values: Vec<_> = inside.split('"').step_by(2).collect();
    let mut names = outside_of_values.iter().flat_map(|piece| piece.split_whitespace());
    (names.next().expect("a tag has a name"), names.collect())
}

/// The values of one attribute all over a page.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    html.split(opening.as_str()).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn hostile_values_change_no_markup() {
    assert_ne!(skeleton("<b title=\"x\" onload=\"y\">"), skeleton("<b title=\"x\">"));
    for lang in LANGUAGES {
        let plain = pages(lang, "plain");
        for value in HOSTILE {
            for ((name, html), (_, plain)) in pages(lang, value).iter().zip(&plain) {
                assert_eq!(skeleton(html), skeleton(plain), "{name} in {lang} with {value:?}");
                assert!(!html.contains(value) || is_inert(value), "{name} prints {value:?} raw");
            }
        }
    }
}

/// Holds nothing that could end a text or a quoted value.
fn is_inert(value: &str) -> bool {
    !value.contains(['<', '>', '&', '"', '\''])
}

#[test]
fn only_web_addresses_become_links_images_or_targets() {
    for value in HOSTILE {
        for (name, html) in pages("en", value) {
            for uri in values(&html, "href").iter().chain(&values(&html, "src")) {
                assert!(uri.starts_with("/assets/"), "{name} leads to {uri:?}");
            }
        }
    }
    let good = "https://a.example/x?y=1&z=2";
    for (name, html) in pages("en", good) {
        let links = html.matches("href=\"https://a.example/x?y=1&#38;z=2\"").count();
        let want = match name {
            "consent" => 3,
            "index" => 2,
            "login" if html.contains("class=\"client\"") => 3,
            "signed_out" => 1,
            _ => 0,
        };
        assert_eq!(links, want, "{name}");
    }
}

/// requirement A38: a logo comes from this server, or there is none.
#[test]
fn a_logo_is_a_path_of_this_server() {
    let faces = |value: &str| {
        let images = |(name, html): (&'static str, String)| {
            let sources: Vec<String> =
                values(&html, "src").into_iter().map(str::to_owned).collect();
            (!sources.is_empty()).then_some((name, sources))
        };
        pages("en", value).into_iter().filter_map(images).collect::<Vec<_>>()
    };
    let path = "/t/acme/logos/a%2Db";
    let shown = ["login", "consent", "logout", "signed_out"];
    assert_eq!(faces(path), shown.map(|name| (name, vec![path.to_owned()])));
    assert_eq!(faces("https://a.example/logo.png"), []);
}

#[test]
fn nothing_runs_or_styles_inline_but_the_form_post_script() {
    for (name, html) in pages("en", "https://a.example/") {
        for (tag, attributes) in skeleton(&html) {
            assert!(tag != "style" && (tag != "script" || name == "form_post"), "{name}: <{tag}>");
            for attribute in attributes {
                assert!(!attribute.starts_with("on"), "{name}: {attribute}");
                assert_ne!(attribute, "style=", "{name}");
            }
        }
    }
}

#[test]
fn one_place_alone_is_excused_from_escaping() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let excused = source.matches("safe").count() + source.matches("escape").count();
        let want = usize::from(path.ends_with("form_post.html"));
        assert_eq!(excused, want, "{}", path.display());
    }
}

#[test]
fn every_page_has_the_names_of_the_contract() {
    let names: [(&str, &[&str]); 6] = [
        (
            "login",
            &[
                "<form id=\"login-form\" method=\"post\"",
                " name=\"username\"",
                " name=\"password\"",
                " name=\"flow\"",
                " name=\"csrf\"",
                "<button id=\"login-submit\" type=\"submit\"",
                " id=\"login-error\" role=\"alert\"",
                " id=\"reauthenticate-notice\"",
            ],
        ),
        (
            "consent",
            &[
                "<form id=\"consent-form\" method=\"post\"",
                "<input type=\"checkbox\" name=\"scope\" value=\"plain\" checked>",
                " id=\"consent-allow\" type=\"submit\" name=\"decision\" value=\"allow\"",
                " id=\"consent-deny\" type=\"submit\" name=\"decision\" value=\"deny\"",
                " id=\"client-unverified\"",
                " name=\"flow\"",
                " name=\"csrf\"",
            ],
        ),
        (
            "logout",
            &[
                "<form id=\"logout-form\" method=\"post\"",
                " id=\"logout-confirm\" type=\"submit\" name=\"decision\" value=\"confirm\"",
                " id=\"logout-cancel\" type=\"submit\" name=\"decision\" value=\"cancel\"",
                " name=\"flow\"",
                " name=\"csrf\"",
            ],
        ),
        ("signed_out", &[" id=\"signed-out\""]),
        ("error", &["<main id=\"error\" data-error=\"plain\"", " id=\"request-id\">plain</code>"]),
        ("form_post", &["<form id=\"form-post\" method=\"post\"", " id=\"form-post-submit\""]),
    ];
    let pages = pages("en", "plain");
    for (page, parts) in names {
        for (_, html) in pages.iter().filter(|(name, _)| *name == page) {
            for part in parts {
                assert_eq!(html.matches(part).count(), 1, "{part} in {page}:\n{html}");
            }
        }
    }
}

#[test]
fn what_does_not_apply_is_not_shown() {
    let text = negotiate(&["en"], None);
    let page = LoginPage {
        text,
        site: "Acme",
        client: None,
        action: "/login",
        flow: "f",
        csrf: "c",
        username: "",
        error: None,
        reauthenticate: false,
    };
    let html = page.html();
    for absent in ["login-error", "reauthenticate-notice", "aria-d", "aria-i", "\"client\""] {
        assert!(!html.contains(absent), "{absent}");
    }
    let known = ClientView { unverified: false, ..client("Acme Photos") };
    let openid = ScopeView { optional: false, ..ScopeView::new(text, "openid", None) };
    let page = ConsentPage {
        text,
        site: "Acme",
        client: known,
        username: "alice",
        action: "/consent",
        flow: "f",
        csrf: "c",
        scopes: &[openid],
    };
    let html = page.html();
    for absent in ["client-unverified", "checkbox", text.scopes_choice] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn every_page_says_its_language() {
    for lang in LANGUAGES {
        for (name, html) in pages(lang, "plain") {
            assert_eq!(values(&html, "lang"), [lang], "{name}");
        }
    }
}

#[test]
fn fields_are_named_filled_in_and_explained() {
    let (_, html) = sign_in(negotiate(&["en"], None), "plain").remove(0);
    assert_eq!(values(&html, "for"), ["username", "password"]);
    assert_eq!(values(&html, "autocomplete"), ["username", "current-password"]);
    assert_eq!(values(&html, "aria-describedby"), ["login-error", "login-error"]);
    assert_eq!(html.matches(" autofocus").count(), 1);
}

/// Text needs 4.5:1 (WCAG 2.2, 1.4.3); the outlines of controls need 3:1 (1.4.11).
#[test]
fn colours_can_be_told_apart_by_day_and_by_night() {
    let css = std::str::from_utf8(asset(stylesheet_url()).unwrap().body).unwrap();
    let themes: Vec<_> = css.split(":root {").skip(1).collect();
    assert_eq!(themes.len(), 2);
    for theme in themes {
        for (front, back, want) in [
            ("ink", "paper", 4.5),
            ("quiet", "paper", 4.5),
            ("ink", "wash", 4.5),
            ("brass", "wash", 4.5),
            ("alert", "alert-wash", 4.5),
            ("edge", "paper", 3.0),
            ("brass", "paper", 3.0),
            ("alert", "paper", 3.0),
        ] {
            let (a, b) = (luminance(theme, front), luminance(theme, back));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= want, "{front} on {back} is {ratio:.2}:1");
        }
    }
}

fn luminance(theme: &str, name: &str) -> f64 {
    let hex = theme.split_once(&format!("--{name}: #")).expect(name).1;
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

const FORM_TARGET: &str = "https://client.example/callback";
const LANGUAGES: [&str; 4] = ["en", "de", "es", "fr"];

//! An authorization response that travels in a form (`response_mode=form_post`).

use askama::Template;

use super::{Texts, link, render};

/// Source expression that lets the page's one script run: `script-src` takes it as it is.
pub const FORM_POST_SCRIPT_CSP: &str = "'sha256-I0w5GJyvKG50uS0fYgaxosduPLWT8qcIQJeVhEFfa7c='";

/// OAuth 2.0 Form Post Response Mode §2: a form that submits itself.
#[derive(Debug)]
pub struct FormPostPage<'a> {
    /// The person's language, for those without JavaScript.
    pub text: &'static Texts,
    /// Display name of the tenant.
    pub site: &'a str,
    /// Where the response goes.
    pub redirect_uri: &'a str,
    /// The response's parameters, in order.
    pub fields: &'a [(&'a str, &'a str)],
}

impl FormPostPage<'_> {
    /// The whole document; `None` if the redirect URI is no web address that takes a form.
    pub fn html(&self) -> Option<String> {
        let target = link::form_target(self.redirect_uri)?;
        let Self { text, site, fields, .. } = *self;
        Some(render(&Document { text, site, target, fields }))
    }
}

#[derive(Template)]
#[template(path = "form_post.html")]
struct Document<'a> {
    text: &'static Texts,
    site: &'a str,
    target: &'a str,
    fields: &'a [(&'a str, &'a str)],
}

/// Through the prototype: a field called `submit` would hide the form's own method.
const SCRIPT: &str =
    "HTMLFormElement.prototype.submit.call(document.getElementById(\"form-post\"))";

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;
    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;
    use crate::page::negotiate;

    fn page(redirect_uri: &str) -> Option<String> {
        let fields = [("code", "kwc_1"), ("state", "a b\"&<c>"), ("submit", "x")];
        let text = negotiate(&["en"], None);
        FormPostPage { text, site: "Acme", redirect_uri, fields: &fields }.html()
    }

    #[test]
    fn the_policy_names_exactly_the_script_of_the_page() {
        let hash = digest::digest(&digest::SHA256, SCRIPT.as_bytes());
        let source = format!("'sha256-{}'", BASE64_STANDARD.encode(hash));
        assert_eq!(FORM_POST_SCRIPT_CSP, source);

        let html = page("https://a.example/cb").unwrap();
        let scripts: Vec<_> = html.split("<script>").skip(1).collect();
        assert_eq!(scripts.len(), 1);
        assert_eq!(scripts[0].split_once("</script>").unwrap().0, SCRIPT);
    }

    #[test]
    fn every_parameter_travels_in_a_hidden_field() {
        let html = page("https://a.example/cb?x=1&y=2").unwrap();
        for part in [
            "<form id=\"form-post\" method=\"post\" action=\"https://a.example/cb?x=1&#38;y=2\"",
            "<input type=\"hidden\" name=\"code\" value=\"kwc_1\">",
            "<input type=\"hidden\" name=\"state\" value=\"a b&#34;&#38;&#60;c&#62;\">",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn what_is_no_web_address_gets_no_page() {
        assert!(page("http://127.0.0.1:9000/cb").is_some());
        assert!(page("javascript:alert(1)").is_none());
        assert!(page("com.example.app:/cb").is_none());
    }
}

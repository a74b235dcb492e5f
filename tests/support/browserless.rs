//! A person with a browser without JavaScript: reads pages, fills in forms, clicks.

use std::collections::BTreeMap;

use super::cookies::Jar;
use super::flow::Authorize;
use super::html::{self, Form};
use super::http::{self, Request, Response};
use super::world::User;

/// More pages than any sign-in has.
const STEPS: usize = 8;

/// A browser: one cookie jar, any number of tabs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) jar: Jar,
}

/// A page as it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) response: Response,
}

/// What reached the client's redirect URI.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    /// The whole location, or the form's action.
    pub(crate) url: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Callback {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        assert!(!self.get("code").is_empty(), "no code: {:?}", self.parameters);
        self.get("code")
    }
}

impl Page {
    pub(crate) fn text(&self) -> String {
        self.response.text()
    }

    pub(crate) fn form(&self, id: &str) -> Option<Form> {
        html::forms(&self.text()).into_iter().find(|form| form.id == id)
    }

    #[track_caller]
    pub(crate) fn expect_form(&self, id: &str) -> Form {
        self.form(id).unwrap_or_else(|| panic!("no #{id} at {self}"))
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        html::has_id(&self.text(), id)
    }

    /// CONTRACT §4: `main#error` with its code; never a redirect.
    #[track_caller]
    pub(crate) fn expect_error(&self) -> String {
        assert!((400..500).contains(&self.response.status), "a 4xx page: {self}");
        assert_eq!(self.response.header("location"), None, "no redirect");
        assert_eq!(self.response.header("refresh"), None, "no redirect by a header");
        assert!(!self.text().to_lowercase().contains("http-equiv=\"refresh"), "no meta redirect");
        let page = self.text();
        let shown = html::text_of(&page, "request-id").unwrap_or_default();
        let header = self.response.header("x-request-id").unwrap_or_default();
        assert!(!header.is_empty() && shown.contains(header), "#request-id is {header}: {self}");
        html::attribute_of(&page, "error", "data-error").unwrap_or_else(|| panic!("{self}"))
    }

    /// The answer to the client, by redirect or by form, if this is one.
    pub(crate) fn callback(&self) -> Option<Callback> {
        if let Some(form) = self.form("form-post") {
            let pairs = form.controls.into_iter().filter(|c| !c.name.is_empty());
            let parameters = pairs.map(|c| (c.name, c.value)).collect();
            return Some(Callback { url: form.action, parameters });
        }
        let location = self.redirect()?;
        let away = http::origin(&location) != http::origin(&self.url);
        let parameters = http::parameters(&location).into_iter().collect();
        away.then_some(Callback { url: location, parameters })
    }

    #[track_caller]
    pub(crate) fn expect_callback(&self) -> Callback {
        self.callback().unwrap_or_else(|| panic!("no answer to the client: {self}"))
    }

    /// Where it sends the browser.
    pub(crate) fn redirect(&self) -> Option<String> {
        let location = self.response.header("location")?;
        (300..400).contains(&self.response.status).then(|| http::resolve(&self.url, location))
    }
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let location = self.response.header("location").unwrap_or("-");
        write!(f, "{} -> {} {location}\n{}", self.url, self.response.status, self.text())
    }
}

impl Browser {
    /// One request with the jar's cookies; nothing is followed.
    pub(crate) fn send(&mut self, url: &str, request: Request) -> Page {
        let path = &url[http::origin(url).len()..];
        let cookies = self.jar.header(path.split('?').next().unwrap_or("/"));
        let request = match cookies {
            Some(cookies) => request.header("Cookie", &cookies),
            None => request,
        };
        let response = request.send();
        self.jar.absorb(&response);
        Page { url: url.to_owned(), response }
    }

    /// Types an address, and follows redirects as long as they stay with the server.
    pub(crate) fn open(&mut self, url: &str) -> Page {
        let page = self.send(url, Request::get(url));
        self.follow(page)
    }

    fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..STEPS {
            match page.redirect() {
                Some(to) if http::origin(&to) == http::origin(&page.url) => {
                    page = self.send(&to, Request::get(&to));
                }
                _ => return page,
            }
        }
        panic!("a redirect loop at {}", page.url)
    }

    /// Clicks a button, and does not follow the answer.
    pub(crate) fn click(&mut self, page: &Page, form: &Form, button: &str) -> Page {
        let pairs = form.click(button);
        let url = http::resolve(&page.url, &form.action);
        if form.method == "get" {
            let url = format!("{}?{}", url.split('?').next().expect("one"), http::query(&pairs));
            return self.send(&url, Request::get(&url));
        }
        let origin = http::origin(&page.url).to_owned();
        let request = Request::post(&url).header("Origin", &origin).form(&pairs);
        let answer = self.send(&url, request);
        let status = answer.response.status;
        // RFC 9700 §4.12: 307 would send the password on to the client.
        assert!(!(300..400).contains(&status) || status == 303, "303 after POST, got {status}");
        answer
    }

    pub(crate) fn submit(&mut self, page: &Page, form: &Form, button: &str) -> Page {
        let answer = self.click(page, form, button);
        self.follow(answer)
    }

    /// Fills in the sign-in page.
    pub(crate) fn sign_in(&mut self, page: &Page, user: &User) -> Page {
        let form = page.expect_form("login-form").fill("username", &user.username);
        self.submit(page, &form.fill("password", &user.password), "login-submit")
    }

    pub(crate) fn allow(&mut self, page: &Page) -> Page {
        self.submit(page, &page.expect_form("consent-form"), "consent-allow")
    }

    /// Opens a flow and does what it takes: sign in, allow; ends at anything else.
    pub(crate) fn run(&mut self, flow: &Authorize, user: &User) -> Page {
        let page = self.open(&flow.url());
        self.finish(page, user)
    }

    /// The same from a page in the middle.
    pub(crate) fn finish(&mut self, mut page: Page, user: &User) -> Page {
        for _ in 0..STEPS {
            if page.form("login-form").is_some() {
                assert!(!page.has("login-error"), "the password is right: {page}");
                page = self.sign_in(&page, user);
            } else if page.form("consent-form").is_some() {
                page = self.allow(&page);
            } else {
                return page;
            }
        }
        panic!("the flow does not end: {page}")
    }

    /// The whole flow to its answer.
    #[track_caller]
    pub(crate) fn authorize(&mut self, flow: &Authorize, user: &User) -> Callback {
        let callback = self.run(flow, user).expect_callback();
        assert!(flow.answers_to(&callback.url), "{} is not the redirect URI", callback.url);
        callback
    }
}

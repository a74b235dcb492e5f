//! Enough of HTML to fill in a form as a browser without JavaScript does.

/// A form, and what it sends when nothing is typed and no button is pressed.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) pairs: Vec<(String, String)>,
    buttons: Vec<Tag>,
}

impl Form {
    /// The form with this id, if the page has it.
    pub(super) fn find(page: &str, id: &str) -> Option<Self> {
        let mut tags = Tags { rest: page };
        let head = tags.find(|tag| tag.name == "form" && tag.value("id") == Some(id))?;
        let action = head.value("action").unwrap_or_default().to_owned();
        let mut form = Self { action, ..Self::default() };
        for tag in tags.take_while(|tag| tag.name != "/form") {
            form.take(tag);
        }
        Some(form)
    }

    fn take(&mut self, tag: Tag) {
        let kind = tag.value("type").unwrap_or_default().to_ascii_lowercase();
        if tag.name == "button" || (tag.name == "input" && kind == "submit") {
            self.buttons.push(tag);
            return;
        }
        let left_out = matches!(kind.as_str(), "checkbox" | "radio") && !tag.has("checked");
        if let ("input", Some(name), false) = (tag.name.as_str(), tag.value("name"), left_out) {
            let value = tag.value("value").unwrap_or_default().to_owned();
            self.pairs.push((name.to_owned(), value));
        }
    }

    /// Types into a field; adds it where the page has none.
    pub(super) fn fill(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(found, _)| found != name);
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    /// Presses the button with this id, which may have something to say itself.
    pub(super) fn press(&mut self, id: &str) {
        let pressed = self.buttons.iter().find(|button| button.value("id") == Some(id));
        if let Some((button, name)) = pressed.and_then(|it| Some((it, it.value("name")?))) {
            let value = button.value("value").unwrap_or_default().to_owned();
            self.pairs.push((name.to_owned(), value));
        }
    }
}

/// The code that an error page carries.
pub(super) fn error_of(page: &str) -> Option<String> {
    let found = Tags { rest: page }.find(|tag| tag.value("id") == Some("error"))?;
    found.value("data-error").map(str::to_owned)
}

/// A start or end tag.
#[derive(Debug)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn parse(inner: &str) -> Self {
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let (name, rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        Self { name: name.to_ascii_lowercase(), attributes: attributes(rest) }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }
}

/// The tags of a page, in order; comments are skipped.
struct Tags<'a> {
    rest: &'a str,
}

impl Iterator for Tags<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        loop {
            let (_, after) = self.rest.split_once('<')?;
            if let Some(comment) = after.strip_prefix("!--") {
                (_, self.rest) = comment.split_once("-->")?;
                continue;
            }
            let (inner, rest) = after.split_at_checked(tag_len(after))?;
            self.rest = rest;
            return Some(Tag::parse(inner));
        }
    }
}

/// Up to the `>` that is not inside quotes.
fn tag_len(after: &str) -> usize {
    let mut quote = None;
    let end = after.find(|c| {
        match (quote, c) {
            (None, '>') => return true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        false
    });
    end.unwrap_or(after.len())
}

fn attributes(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return found;
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (value, tail) = match tail.strip_prefix('=') {
            Some(tail) => attribute_value(tail),
            None => ("", tail),
        };
        found.push((name.to_ascii_lowercase(), unescape(value)));
        rest = tail;
    }
}

fn attribute_value(tail: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = tail.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    tail.split_once(char::is_whitespace).unwrap_or((tail, ""))
}

/// Undoes the escapes that template engines write.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let known = after.split_once(';').and_then(|(name, tail)| Some((entity(name)?, tail)));
        let (c, tail) = known.unwrap_or(('&', after));
        plain.push(c);
        rest = tail;
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::proptest;

    const PAGE: &str = r#"<!-- <form id="f"> --><form id=f method="POST" action='/x?a=1&amp;b=2'>
        <input type="hidden" name="csrf" value="&#x27;t&quot;&#62;"><input name=user>
        <input type=checkbox name="scope" value="a" checked><input type="checkbox" name=scope
        value=b><button id="no" name="d" value="no">No</button>
        <button id=yes name="d" value="yes">Yes</button></form><input name="outside">"#;

    #[test]
    fn a_form_sends_what_a_browser_would() {
        let mut form = Form::find(PAGE, "f").unwrap();
        assert_eq!(form.action, "/x?a=1&b=2");
        form.fill("user", "alice");
        form.press("yes");
        let want = [("csrf", "'t\">"), ("scope", "a"), ("user", "alice"), ("d", "yes")];
        assert_eq!(form.pairs, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(Form::find(PAGE, "g").is_none());
    }

    #[test]
    fn an_error_page_says_its_code() {
        let page = r#"<p id="x"><main id="error" data-error="invalid_request">"#;
        assert_eq!(error_of(page).as_deref(), Some("invalid_request"));
        assert_eq!(error_of(PAGE), None);
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(page in r#"[<>='"/&;#a-f !-]{0,80}|\PC{0,40}"#) {
            let _any = (Form::find(&page, "f"), error_of(&page));
        }
    }
}

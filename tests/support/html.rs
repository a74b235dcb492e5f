//! Enough of HTML to fill in a form as a browser without JavaScript does.

use std::collections::BTreeMap;

/// One form with its controls, in document order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) method: String,
    pub(crate) controls: Vec<Control>,
}

/// An `input` or `button`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) kind: String,
    pub(crate) checked: bool,
    /// Clickable: sent only when clicked.
    pub(crate) button: bool,
}

impl Form {
    /// Types into a field.
    pub(crate) fn fill(mut self, name: &str, value: &str) -> Self {
        let field = self.controls.iter_mut().find(|c| c.name == name && !c.button);
        field.unwrap_or_else(|| panic!("no field {name} in #{}", self.id)).value = value.to_owned();
        self
    }

    /// Unticks the box with a value.
    pub(crate) fn untick(mut self, value: &str) -> Self {
        let field = self.controls.iter_mut().find(|c| c.kind == "checkbox" && c.value == value);
        field.unwrap_or_else(|| panic!("no box {value} in #{}", self.id)).checked = false;
        self
    }

    /// The values of the ticked and unticked boxes with a name.
    pub(crate) fn boxes(&self, name: &str) -> Vec<&str> {
        let named = |c: &&Control| c.kind == "checkbox" && c.name == name;
        self.controls.iter().filter(named).map(|c| c.value.as_str()).collect()
    }

    /// Removes a control, as an attacker's page would leave it out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.controls.retain(|c| c.name != name);
        self
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.controls.iter().find(|c| c.name == name).map(|c| c.value.as_str())
    }

    /// The names of the hidden fields.
    pub(crate) fn hidden(&self) -> Vec<String> {
        self.controls.iter().filter(|c| c.kind == "hidden").map(|c| c.name.clone()).collect()
    }

    /// What is sent when the control with this id is clicked.
    pub(crate) fn click(&self, id: &str) -> Vec<(String, String)> {
        let clicked = self.controls.iter().any(|c| c.button && c.id == id);
        assert!(clicked, "no button #{id} in #{}: {:?}", self.id, self.controls);
        let sent = |c: &&Control| match c.kind.as_str() {
            _ if c.name.is_empty() => false,
            "checkbox" | "radio" => c.checked,
            _ => !c.button || c.id == id,
        };
        let pair = |c: &Control| (c.name.clone(), c.value.clone());
        self.controls.iter().filter(sent).map(pair).collect()
    }
}

/// Every form of a page.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut open = false;
    for tag in tags(page) {
        match tag.name.as_str() {
            "form" => {
                open = true;
                forms.push(Form {
                    id: tag.text("id"),
                    action: tag.text("action"),
                    method: tag.text("method").to_lowercase(),
                    controls: Vec::new(),
                });
            }
            "/form" => open = false,
            "input" | "button" => {
                let owner = tag.attributes.get("form");
                let form = match owner {
                    Some(id) => forms.iter_mut().find(|form| form.id == *id),
                    None => forms.last_mut().filter(|_| open),
                };
                if let Some(form) = form {
                    form.controls.push(tag.control());
                }
            }
            _ => {}
        }
    }
    forms
}

/// The text of the first element with an id, up to its next tag.
pub(crate) fn text_of(page: &str, id: &str) -> Option<String> {
    let tag = tags(page).into_iter().find(|tag| tag.text("id") == id)?;
    let rest = &page[tag.end..];
    Some(unescape(rest[..rest.find('<').unwrap_or(rest.len())].trim()))
}

/// Whether an element has this id.
pub(crate) fn has_id(page: &str, id: &str) -> bool {
    tags(page).iter().any(|tag| tag.text("id") == id)
}

/// The named attribute of the first element with an id.
pub(crate) fn attribute_of(page: &str, id: &str, name: &str) -> Option<String> {
    let tag = tags(page).into_iter().find(|tag| tag.text("id") == id)?;
    tag.attributes.get(name).cloned()
}

/// A start or end tag.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Where the tag ends in the page.
    end: usize,
}

impl Tag {
    pub(crate) fn text(&self, name: &str) -> String {
        self.attributes.get(name).cloned().unwrap_or_default()
    }

    fn control(&self) -> Control {
        let kind = self.text("type").to_lowercase();
        let valueless_box = kind == "checkbox" && !self.attributes.contains_key("value");
        Control {
            id: self.text("id"),
            name: self.text("name"),
            value: if valueless_box { "on".to_owned() } else { self.text("value") },
            button: self.name == "button" || kind == "submit" || kind == "image",
            checked: self.attributes.contains_key("checked"),
            kind,
        }
    }
}

/// Every tag of a page; comments are skipped.
pub(crate) fn tags(page: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = page[at..].find('<').map(|offset| at + offset) {
        if page[start..].starts_with("<!--") {
            at = page[start..].find("-->").map_or(page.len(), |offset| start + offset + 3);
            continue;
        }
        let end = tag_end(page, start);
        let inner = page[start + 1..end].trim_end_matches(['>', '/']);
        let name_end = inner.find(char::is_whitespace).unwrap_or(inner.len());
        let (name, attributes) = inner.split_at(name_end);
        found.push(Tag { name: name.to_lowercase(), attributes: pairs(attributes), end });
        at = end.max(start + 1);
    }
    found
}

/// One past the `>` that is not inside quotes.
fn tag_end(page: &str, start: usize) -> usize {
    let mut quote = None;
    for (offset, c) in page[start..].char_indices() {
        match (quote, c) {
            (None, '>') => return start + offset + 1,
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
    }
    page.len()
}

fn pairs(mut rest: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return found;
        }
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let (value, tail) = match tail.strip_prefix('=') {
            Some(tail) => value(tail),
            None => ("", tail),
        };
        found.insert(name.to_lowercase(), unescape(value));
        rest = tail;
    }
}

fn value(tail: &str) -> (&str, &str) {
    match tail.chars().next() {
        Some(q @ ('"' | '\'')) => {
            let end = tail[1..].find(q).map_or(tail.len(), |at| at + 1);
            (&tail[1..end], tail.get(end + 1..).unwrap_or_default())
        }
        _ => tail.split_at(tail.find(char::is_whitespace).unwrap_or(tail.len())),
    }
}

/// Undoes the escapes that a template engine writes.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest[..rest.len().min(10)].find(';').and_then(|end| entity(&rest[1..end]));
        if let Some(c) = known {
            plain.push(c);
            rest = &rest[rest.find(';').expect("just found") + 1..];
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
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

mod tests {
    use super::*;

    #[test]
    fn a_form_sends_what_a_browser_would() {
        let page = r#"<!-- <form id="no"> --><form id=f method="POST" action='/x?a=1&amp;b=2'>
            <input type="hidden" name="csrf" value="&#x27;t&quot;>"><input name=user>
            <input type=checkbox name="scope" value="a" checked><input type="checkbox" name=scope
            value=b><button id="no" name="d" value="no">No</button>
            <button id=yes name="d" value="yes">Yes</button></form><input name="outside">"#;
        let form = forms(page).pop().expect("a form");
        assert_eq!((form.action.as_str(), form.method.as_str()), ("/x?a=1&b=2", "post"));
        let sent = form.clone().fill("user", "alice").click("yes");
        let pairs = [("csrf", "'t\">"), ("user", "alice"), ("scope", "a"), ("d", "yes")];
        assert_eq!(sent, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(form.boxes("scope"), ["a", "b"]);
        assert_eq!(form.untick("a").click("no").len(), 3);
    }
}

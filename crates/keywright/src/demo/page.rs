//! The sample application's pages: plain HTML, one style sheet, nothing that runs.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// The style of all pages; light or dark as the browser likes.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .8rem 1rem; border: 1px solid color-mix(in srgb, currentColor 25%,
  transparent); border-radius: .5rem; font-size: .85rem; }
a.button { display: inline-block; padding: .6rem 1.2rem; border-radius: .5rem; background: #0b57d0;
  color: #fff; text-decoration: none; font-weight: 600; }
a.button:focus-visible { outline: 3px solid; outline-offset: 2px; }
";

/// A part of a page.
pub(super) enum Part<'a> {
    /// A link that looks like what to do next.
    Button { href: &'a str, label: &'a str },
    /// A heading.
    Heading(&'a str),
    /// Text as it is, with its line breaks.
    Listing(&'a str),
    /// A paragraph.
    Paragraph(&'a str),
}

/// A page of parts, under headers that let it load nothing but its style.
pub(super) fn page(status: StatusCode, title: &str, parts: &[Part<'_>]) -> Response {
    let body: String = parts.iter().map(render).collect();
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    (status, HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))), html)
        .into_response()
}

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
];

fn render(part: &Part<'_>) -> String {
    match part {
        Part::Button { href, label } => {
            format!("<p><a class=\"button\" href=\"{}\">{}</a></p>", escape(href), escape(label))
        }
        Part::Heading(text) => format!("<h2>{}</h2>", escape(text)),
        Part::Listing(text) => format!("<pre>{}</pre>", escape(text)),
        Part::Paragraph(text) => format!("<p>{}</p>", escape(text)),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let evil = "<script>alert('x')</script>\" onclick=\"x";
        for part in [
            Part::Button { href: evil, label: evil },
            Part::Heading(evil),
            Part::Listing(evil),
            Part::Paragraph(evil),
        ] {
            let html = render(&part);
            assert!(!html.contains("<script") && !html.contains("\" onclick"), "{html}");
        }
    }
}

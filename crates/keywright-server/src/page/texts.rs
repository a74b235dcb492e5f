//! Every word on the pages, once per language.
//!
//! A language is one literal of [`Texts`]: a missing text does not compile.

use std::fmt::Display;

mod de;
mod en;
mod es;
mod fr;

/// The pages' words in one language.
#[derive(Debug)]
pub struct Texts {
    /// Language tag, BCP 47, for `<html lang>` and `Content-Language`.
    pub lang: &'static str,

    /// For screen readers, after a link that leaves the form where it is.
    pub new_tab: &'static str,
    /// The logo of a client.
    pub logo_of: Phrase,
    /// Link to the client's home page.
    pub website: &'static str,
    /// Link to the client's privacy policy.
    pub privacy_policy: &'static str,
    /// Link to the client's terms.
    pub terms: &'static str,
    /// Who is signed in.
    pub signed_in_as: Phrase,
    /// A button or link that leads on, to nowhere in particular.
    pub go_on: &'static str,

    /// Headline of the sign-in page, around the tenant.
    pub sign_in_to: Phrase,
    /// Why the person is here, around the client.
    pub to_continue_to: Phrase,
    /// Label.
    pub username: &'static str,
    /// Label.
    pub password: &'static str,
    /// Button.
    pub sign_in: &'static str,
    /// Somebody is signed in, but the client wants a fresh proof.
    pub reauthenticate: &'static str,
    /// Wrong name or wrong password.
    pub login_refused: &'static str,
    /// Too many attempts; a minute at most.
    pub login_throttled_minute: &'static str,
    /// Too many attempts; a number of minutes, at least two.
    pub login_throttled_minutes: Phrase,
    /// The server has too much to do.
    pub login_busy: &'static str,

    /// Headline of the consent page, around the client.
    pub wants_access: Phrase,
    /// Nobody has checked the client, around the tenant.
    pub unverified: Phrase,
    /// Above the scopes.
    pub scopes_heading: &'static str,
    /// Below the scopes, if some can be unticked.
    pub scopes_choice: &'static str,
    /// Beside a scope without which nothing works.
    pub scope_needed: &'static str,
    /// Which API a scope belongs to.
    pub scope_at: Phrase,
    /// Button.
    pub allow: &'static str,
    /// Button.
    pub deny: &'static str,
    /// What happens next, around the client's host.
    pub sent_back_to: Phrase,
    /// The standard scopes.
    pub scopes: ScopeTexts,

    /// Headline of the question, around the tenant.
    pub sign_out_of: Phrase,
    /// Who asks, around the client.
    pub asks_to_sign_out: Phrase,
    /// Button.
    pub sign_out: &'static str,
    /// Button.
    pub stay_signed_in: &'static str,
    /// Headline when it is done.
    pub signed_out: &'static str,
    /// What to do then.
    pub signed_out_advice: &'static str,
    /// Link back, around the client.
    pub back_to: Phrase,

    /// Headline while a response is on its way to the client.
    pub form_post: &'static str,
    /// What to do without JavaScript.
    pub form_post_advice: &'static str,

    /// Above the technical part of an error.
    pub error_technical: &'static str,
    /// Label of the request id.
    pub error_reference: &'static str,
    /// Below it.
    pub error_help: &'static str,
    /// What went wrong, by kind.
    pub errors: ErrorTexts,

    /// Headline of the welcome page, around the tenant.
    pub index_headline: Phrase,
    /// What this place is.
    pub index_advice: &'static str,
    /// Link to the person's own page.
    pub index_account: &'static str,
    /// Label of the issuer.
    pub index_issuer: &'static str,
    /// Link for developers.
    pub index_discovery: &'static str,
}

/// The words before and after one name.
#[derive(Clone, Copy, Debug)]
pub struct Phrase(pub &'static str, pub &'static str);

impl Phrase {
    /// The phrase as plain text.
    pub fn around(&self, name: impl Display) -> String {
        format!("{}{name}{}", self.0, self.1)
    }
}

/// A headline and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// A few words.
    pub title: &'static str,
    /// A sentence or two.
    pub detail: &'static str,
}

/// What the scopes of OpenID Connect Core §5.4 and §11 mean to a person.
#[derive(Debug)]
pub struct ScopeTexts {
    /// Scope `address`.
    pub address: Message,
    /// Scope `email`.
    pub email: Message,
    /// Scope `offline_access`.
    pub offline_access: Message,
    /// Scope `openid`.
    pub openid: Message,
    /// Scope `phone`.
    pub phone: Message,
    /// Scope `profile`.
    pub profile: Message,
}

impl ScopeTexts {
    /// The words for a standard scope.
    pub fn find(&self, name: &str) -> Option<&Message> {
        match name {
            "address" => Some(&self.address),
            "email" => Some(&self.email),
            "offline_access" => Some(&self.offline_access),
            "openid" => Some(&self.openid),
            "phone" => Some(&self.phone),
            "profile" => Some(&self.profile),
            _ => None,
        }
    }
}

/// What went wrong, by what a person can do about it.
#[derive(Debug)]
pub struct ErrorTexts {
    /// The person or a rule said no.
    pub access_denied: Message,
    /// The client is unknown or may not do this.
    pub client_refused: Message,
    /// The page or the request is too old.
    pub expired: Message,
    /// The client made a mistake.
    pub mistake: Message,
    /// There is no such page.
    pub not_found: Message,
    /// Our fault.
    pub server_error: Message,
    /// The client asked for silence, but something has to be asked.
    pub sign_in_needed: Message,
    /// Try later.
    pub unavailable: Message,
}

impl ErrorTexts {
    /// The words for an `error` code; what is not known here is a mistake of the client.
    pub fn of(&self, code: &str) -> &Message {
        match code {
            "access_denied" => &self.access_denied,
            "invalid_client" | "unauthorized_client" => &self.client_refused,
            "expired_token" | "invalid_request_uri" | "session_expired" => &self.expired,
            "not_found" => &self.not_found,
            "server_error" => &self.server_error,
            "account_selection_required"
            | "consent_required"
            | "insufficient_user_authentication"
            | "interaction_required"
            | "login_required"
            | "unmet_authentication_requirements" => &self.sign_in_needed,
            "slow_down" | "temporarily_unavailable" | "too_many_requests" => &self.unavailable,
            _ => &self.mistake,
        }
    }
}

/// The best language: what the client asked for, else what the browser prefers, else English.
pub fn negotiate(ui_locales: &[&str], accept_language: Option<&str>) -> &'static Texts {
    ui_locales
        .iter()
        .find_map(|tag| spoken(tag))
        .or_else(|| preferred(accept_language?))
        .unwrap_or(&en::TEXTS)
}

fn spoken(tag: &str) -> Option<&'static Texts> {
    let language = tag.split(['-', '_']).next()?;
    LANGUAGES.iter().find(|texts| texts.lang.eq_ignore_ascii_case(language)).copied()
}

/// RFC 9110 §12.5.4: the highest weight wins, the earlier of two equals.
fn preferred(accept_language: &str) -> Option<&'static Texts> {
    accept_language
        .split(',')
        .rev()
        .filter_map(weighted)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, texts)| texts)
}

fn weighted(range: &str) -> Option<(f32, &'static Texts)> {
    let (tag, weight) = match range.split_once(';') {
        None => (range, 1.0),
        Some((tag, parameter)) => (tag, parameter.trim().strip_prefix("q=")?.parse().ok()?),
    };
    // RFC 9110 §12.4.2: a weight of 0 means "not acceptable".
    (weight > 0.0 && weight <= 1.0).then_some((weight, spoken(tag.trim())?))
}

static LANGUAGES: [&Texts; 4] = [&en::TEXTS, &de::TEXTS, &es::TEXTS, &fr::TEXTS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_asked_first_then_the_browser() {
        let table: [(&[&str], Option<&str>, &str); 14] = [
            (&[], None, "en"),
            (&["de"], None, "de"),
            (&["DE-at"], Some("fr"), "de"),
            (&["fr_CA"], None, "fr"),
            (&["ja", "es", "de"], Some("fr"), "es"),
            (&["ja"], Some("fr"), "fr"),
            (&["", "-", "deutsch"], None, "en"),
            (&[], Some("de"), "de"),
            (&[], Some("de;q=0.5, fr;q=0.9"), "fr"),
            (&[], Some("de, fr"), "de"),
            (&[], Some("ja, es-MX;q=0.2, *;q=0.1"), "es"),
            (&[], Some("de;q=0"), "en"),
            (&[], Some("de;q=NaN, fr;q=2, es;q=x, ,;;q=1"), "en"),
            (&[], Some("fr ; q=1.000 , de;q=0.999"), "fr"),
        ];
        for (ui_locales, accept, want) in table {
            assert_eq!(negotiate(ui_locales, accept).lang, want, "{ui_locales:?} {accept:?}");
        }
    }

    #[test]
    fn every_code_of_the_front_channel_finds_words_of_its_kind() {
        let errors = &en::TEXTS.errors;
        for (code, want) in [
            ("access_denied", &errors.access_denied),
            ("invalid_client", &errors.client_refused),
            ("login_required", &errors.sign_in_needed),
            ("server_error", &errors.server_error),
            ("temporarily_unavailable", &errors.unavailable),
            ("invalid_request", &errors.mistake),
            ("unsupported_response_type", &errors.mistake),
            ("<b>", &errors.mistake),
        ] {
            assert_eq!(errors.of(code).title, want.title, "{code}");
        }
    }
}

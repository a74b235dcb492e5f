//! English.

use super::{ErrorTexts, Message, Phrase, ScopeTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    lang: "en",
    new_tab: "(opens in a new tab)",
    logo_of: Phrase("Logo of ", ""),
    website: "Website",
    privacy_policy: "Privacy policy",
    terms: "Terms of service",
    signed_in_as: Phrase("Signed in as ", ""),
    go_on: "Continue",
    sign_in_to: Phrase("Sign in to ", ""),
    to_continue_to: Phrase("to continue to ", ""),
    username: "Username",
    password: "Password",
    sign_in: "Sign in",
    reauthenticate: "Please sign in once more, so that we know it is really you.",
    login_refused: "The username or the password is wrong. Check both and try again.",
    login_throttled_minute: "Too many attempts. Wait a minute, then try again.",
    login_throttled_minutes: Phrase("Too many attempts. Try again in ", " minutes."),
    login_busy: "A lot of people are signing in right now. Try again in a few seconds.",
    wants_access: Phrase("", " wants to access your account"),
    unverified: Phrase(
        "This app registered itself, and ",
        " has not checked who is behind it. Allow it only if you know it and trust it.",
    ),
    scopes_heading: "If you allow it, it can",
    scopes_choice: "Untick whatever you would rather keep to yourself.",
    scope_needed: "Always needed",
    scope_at: Phrase("at ", ""),
    allow: "Allow",
    deny: "Deny",
    sent_back_to: Phrase("Either way, you then go back to ", "."),
    scopes: ScopeTexts {
        address: Message {
            title: "See your postal address",
            detail: "As it stands in your account.",
        },
        email: Message {
            title: "See your email address",
            detail: "And whether it has been confirmed.",
        },
        offline_access: Message {
            title: "Stay connected when you are away",
            detail: "It keeps its access after you close it, until you take it back.",
        },
        openid: Message {
            title: "Know that it is you",
            detail: "So that you are signed in there. It never sees your password.",
        },
        phone: Message {
            title: "See your phone number",
            detail: "And whether it has been confirmed.",
        },
        profile: Message {
            title: "See your profile",
            detail: "Your name, picture, language and the like.",
        },
    },
    sign_out_of: Phrase("Sign out of ", "?"),
    asks_to_sign_out: Phrase("", " asks to sign you out."),
    sign_out: "Sign out",
    stay_signed_in: "Stay signed in",
    signed_out: "You are signed out",
    signed_out_advice: "You can close this page now.",
    back_to: Phrase("Back to ", ""),
    form_post: "Almost there",
    form_post_advice: "Press the button to go back to the app.",
    error_technical: "For the people who run the app",
    error_reference: "Reference",
    error_help: "If you ask for help, pass this reference on.",
    errors: ErrorTexts {
        access_denied: Message {
            title: "Access was not given",
            detail: "Nothing was shared. You can go back to the app, or close this page.",
        },
        client_refused: Message {
            title: "We do not know this app",
            detail: "It may be set up wrongly, or it may not be allowed to sign you in here. \
                     Do not enter your password anywhere else; tell the people who run the app.",
        },
        expired: Message {
            title: "This page is out of date",
            detail: "Too much time has passed, or it was used before. Go back to the app and \
                     start again.",
        },
        mistake: Message {
            title: "The app sent something we cannot use",
            detail: "You did nothing wrong. Go back to the app and try again; if that does not \
                     help, tell the people who run it.",
        },
        not_found: Message {
            title: "There is nothing here",
            detail: "The address may be mistyped, or the page may have moved.",
        },
        server_error: Message {
            title: "Something went wrong on our side",
            detail: "We have made a note of it. Go back to the app and try again in a moment.",
        },
        sign_in_needed: Message {
            title: "You need to sign in first",
            detail: "Go back to the app and choose to sign in there.",
        },
        unavailable: Message {
            title: "We are busy right now",
            detail: "Nothing is lost. Wait a moment, then go back to the app and try again.",
        },
    },
    index_headline: Phrase("Sign-in for ", ""),
    index_advice: "Apps send you here when you sign in. There is nothing you need to do on this \
                   page.",
    index_account: "Your account",
    index_issuer: "Issuer",
    index_discovery: "Metadata for developers",
};

//! German.

use super::{ErrorTexts, Message, Phrase, ScopeTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    lang: "de",
    new_tab: "(öffnet sich in einem neuen Tab)",
    logo_of: Phrase("Logo von ", ""),
    website: "Website",
    privacy_policy: "Datenschutz",
    terms: "Nutzungsbedingungen",
    signed_in_as: Phrase("Angemeldet als ", ""),
    go_on: "Weiter",
    sign_in_to: Phrase("Bei ", " anmelden"),
    to_continue_to: Phrase("weiter zu ", ""),
    username: "Benutzername",
    password: "Passwort",
    sign_in: "Anmelden",
    reauthenticate: "Bitte melden Sie sich noch einmal an, damit wir wissen, dass Sie es sind.",
    login_refused: "Der Benutzername oder das Passwort ist falsch. Bitte prüfen Sie beides und \
                    versuchen Sie es noch einmal.",
    login_throttled_minute: "Zu viele Versuche. Bitte warten Sie eine Minute und versuchen Sie es \
                             dann noch einmal.",
    login_throttled_minutes: Phrase(
        "Zu viele Versuche. Bitte versuchen Sie es in ",
        " Minuten noch einmal.",
    ),
    login_busy: "Gerade melden sich sehr viele Menschen an. Bitte versuchen Sie es in ein paar \
                 Sekunden noch einmal.",
    wants_access: Phrase("", " möchte auf Ihr Konto zugreifen"),
    unverified: Phrase(
        "Diese App hat sich selbst eingetragen; ",
        " hat nicht geprüft, wer dahintersteht. Erlauben Sie den Zugriff nur, wenn Sie die App \
         kennen und ihr vertrauen.",
    ),
    scopes_heading: "Wenn Sie es erlauben, kann sie",
    scopes_choice: "Entfernen Sie den Haken bei allem, was Sie lieber für sich behalten.",
    scope_needed: "Immer nötig",
    scope_at: Phrase("bei ", ""),
    allow: "Erlauben",
    deny: "Ablehnen",
    sent_back_to: Phrase("In beiden Fällen geht es danach zurück zu ", "."),
    scopes: ScopeTexts {
        address: Message {
            title: "Ihre Postanschrift sehen",
            detail: "So, wie sie in Ihrem Konto steht.",
        },
        email: Message { title: "Ihre E-Mail-Adresse sehen", detail: "Und ob sie bestätigt ist." },
        offline_access: Message {
            title: "Verbunden bleiben, wenn Sie weg sind",
            detail: "Der Zugriff bleibt bestehen, bis Sie ihn zurücknehmen.",
        },
        openid: Message {
            title: "Wissen, dass Sie es sind",
            detail: "Damit Sie dort angemeldet sind. Ihr Passwort sieht sie nie.",
        },
        phone: Message { title: "Ihre Telefonnummer sehen", detail: "Und ob sie bestätigt ist." },
        profile: Message {
            title: "Ihr Profil sehen",
            detail: "Ihren Namen, Ihr Bild, Ihre Sprache und Ähnliches.",
        },
    },
    sign_out_of: Phrase("Von ", " abmelden?"),
    asks_to_sign_out: Phrase("", " möchte Sie abmelden."),
    sign_out: "Abmelden",
    stay_signed_in: "Abbrechen",
    signed_out: "Sie sind abgemeldet",
    signed_out_advice: "Sie können diese Seite jetzt schließen.",
    back_to: Phrase("Zurück zu ", ""),
    form_post: "Gleich geschafft",
    form_post_advice: "Drücken Sie auf den Knopf, um zur App zurückzukehren.",
    error_technical: "Für die Betreiber der App",
    error_reference: "Kennung",
    error_help: "Wenn Sie um Hilfe bitten, geben Sie diese Kennung weiter.",
    errors: ErrorTexts {
        access_denied: Message {
            title: "Der Zugriff wurde nicht erlaubt",
            detail: "Es wurde nichts weitergegeben. Sie können zur App zurückkehren oder diese \
                     Seite schließen.",
        },
        client_refused: Message {
            title: "Wir kennen diese App nicht",
            detail: "Vielleicht ist sie falsch eingerichtet, oder sie darf Sie hier nicht \
                     anmelden. Geben Sie Ihr Passwort nirgendwo anders ein und sagen Sie den \
                     Betreibern der App Bescheid.",
        },
        expired: Message {
            title: "Diese Seite ist nicht mehr aktuell",
            detail: "Es ist zu viel Zeit vergangen, oder sie wurde schon benutzt. Kehren Sie zur \
                     App zurück und beginnen Sie noch einmal.",
        },
        mistake: Message {
            title: "Die App hat etwas Falsches geschickt",
            detail: "Sie haben nichts falsch gemacht. Versuchen Sie es von der App aus noch \
                     einmal. Hilft das nicht, sagen Sie ihren Betreibern Bescheid.",
        },
        not_found: Message {
            title: "Hier ist nichts",
            detail: "Vielleicht ist die Adresse vertippt, oder die Seite ist umgezogen.",
        },
        server_error: Message {
            title: "Bei uns ist etwas schiefgegangen",
            detail: "Wir haben es notiert. Kehren Sie zur App zurück und versuchen Sie es gleich \
                     noch einmal.",
        },
        sign_in_needed: Message {
            title: "Sie müssen sich zuerst anmelden",
            detail: "Kehren Sie zur App zurück und melden Sie sich von dort aus an.",
        },
        unavailable: Message {
            title: "Gerade ist viel los",
            detail: "Es geht nichts verloren. Warten Sie einen Moment, kehren Sie zur App zurück \
                     und versuchen Sie es noch einmal.",
        },
    },
    index_headline: Phrase("Anmeldung für ", ""),
    index_advice: "Apps leiten Sie hierher, wenn Sie sich anmelden. Auf dieser Seite brauchen \
                   Sie nichts zu tun.",
    index_account: "Ihr Konto",
    index_issuer: "Aussteller",
    index_discovery: "Metadaten für Entwickler",
};

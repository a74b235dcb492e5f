//! French.

use super::{ErrorTexts, Message, Phrase, ScopeTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    lang: "fr",
    new_tab: "(s’ouvre dans un nouvel onglet)",
    logo_of: Phrase("Logo de ", ""),
    website: "Site web",
    privacy_policy: "Confidentialité",
    terms: "Conditions d’utilisation",
    signed_in_as: Phrase("Session ouverte au nom de ", ""),
    go_on: "Continuer",
    sign_in_to: Phrase("Se connecter à ", ""),
    to_continue_to: Phrase("pour continuer vers ", ""),
    username: "Nom d’utilisateur",
    password: "Mot de passe",
    sign_in: "Se connecter",
    reauthenticate: "Connectez-vous encore une fois, pour que nous sachions que c’est bien vous.",
    login_refused: "Le nom d’utilisateur ou le mot de passe est incorrect. Vérifiez les deux et \
                    réessayez.",
    login_throttled_minute: "Trop de tentatives. Attendez une minute, puis réessayez.",
    login_throttled_minutes: Phrase("Trop de tentatives. Réessayez dans ", " minutes."),
    login_busy: "Beaucoup de personnes se connectent en ce moment. Réessayez dans quelques \
                 secondes.",
    wants_access: Phrase("", " souhaite accéder à votre compte"),
    unverified: Phrase(
        "Cette application s’est inscrite elle-même, et ",
        " n’a pas vérifié qui en est responsable. N’autorisez l’accès que si vous la connaissez \
         et lui faites confiance.",
    ),
    scopes_heading: "Si vous l’autorisez, elle pourra",
    scopes_choice: "Décochez ce que vous préférez garder pour vous.",
    scope_needed: "Toujours nécessaire",
    scope_at: Phrase("chez ", ""),
    allow: "Autoriser",
    deny: "Refuser",
    sent_back_to: Phrase("Dans les deux cas, vous retournerez ensuite vers ", "."),
    scopes: ScopeTexts {
        address: Message {
            title: "Voir votre adresse postale",
            detail: "Telle qu’elle figure dans votre compte.",
        },
        email: Message {
            title: "Voir votre adresse e-mail",
            detail: "Et savoir si elle est confirmée.",
        },
        offline_access: Message {
            title: "Rester connectée en votre absence",
            detail: "Elle garde son accès jusqu’à ce que vous le lui retiriez.",
        },
        openid: Message {
            title: "Savoir que c’est vous",
            detail: "Pour vous y connecter. Elle ne voit jamais votre mot de passe.",
        },
        phone: Message {
            title: "Voir votre numéro de téléphone",
            detail: "Et savoir s’il est confirmé.",
        },
        profile: Message {
            title: "Voir votre profil",
            detail: "Votre nom, votre photo, votre langue, etc.",
        },
    },
    sign_out_of: Phrase("Se déconnecter de ", "\u{a0}?"),
    asks_to_sign_out: Phrase("", " demande à vous déconnecter."),
    sign_out: "Se déconnecter",
    stay_signed_in: "Annuler",
    signed_out: "Votre session est fermée",
    signed_out_advice: "Vous pouvez maintenant fermer cette page.",
    back_to: Phrase("Retour vers ", ""),
    form_post: "C’est presque fini",
    form_post_advice: "Appuyez sur le bouton pour retourner à l’application.",
    error_technical: "Pour les responsables de l’application",
    error_reference: "Référence",
    error_help: "Si vous demandez de l’aide, transmettez cette référence.",
    errors: ErrorTexts {
        access_denied: Message {
            title: "L’accès n’a pas été autorisé",
            detail: "Rien n’a été transmis. Vous pouvez retourner à l’application ou fermer cette \
                     page.",
        },
        client_refused: Message {
            title: "Nous ne connaissons pas cette application",
            detail: "Elle est peut-être mal configurée, ou n’a pas le droit de vous connecter \
                     ici. Ne saisissez votre mot de passe nulle part ailleurs et prévenez les \
                     responsables de l’application.",
        },
        expired: Message {
            title: "Cette page n’est plus valable",
            detail: "Trop de temps a passé, ou elle a déjà servi. Retournez à l’application et \
                     recommencez.",
        },
        mistake: Message {
            title: "L’application a envoyé une demande inutilisable",
            detail: "Vous n’y êtes pour rien. Retournez à l’application et réessayez\u{a0}; si \
                     cela ne suffit pas, prévenez ses responsables.",
        },
        not_found: Message {
            title: "Il n’y a rien ici",
            detail: "L’adresse est peut-être mal saisie, ou la page a été déplacée.",
        },
        server_error: Message {
            title: "Un problème est survenu de notre côté",
            detail: "Nous en avons pris note. Retournez à l’application et réessayez dans un \
                     instant.",
        },
        sign_in_needed: Message {
            title: "Vous devez d’abord vous connecter",
            detail: "Retournez à l’application et connectez-vous à partir de là.",
        },
        unavailable: Message {
            title: "Nous sommes très sollicités",
            detail: "Rien n’est perdu. Attendez un instant, puis retournez à l’application et \
                     réessayez.",
        },
    },
    index_headline: Phrase("Connexion à ", ""),
    index_advice: "Les applications vous envoient ici pour vous connecter. Vous n’avez rien à \
                   faire sur cette page.",
    index_account: "Votre compte",
    index_issuer: "Émetteur",
    index_discovery: "Métadonnées pour les développeurs",
};

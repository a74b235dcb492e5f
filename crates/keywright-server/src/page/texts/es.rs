//! Spanish.

use super::{ErrorTexts, Message, Phrase, ScopeTexts, Texts};

pub(super) static TEXTS: Texts = Texts {
    lang: "es",
    new_tab: "(se abre en una pestaña nueva)",
    logo_of: Phrase("Logotipo de ", ""),
    website: "Sitio web",
    privacy_policy: "Privacidad",
    terms: "Condiciones de uso",
    signed_in_as: Phrase("Sesión iniciada como ", ""),
    go_on: "Continuar",
    sign_in_to: Phrase("Inicia sesión en ", ""),
    to_continue_to: Phrase("para continuar a ", ""),
    username: "Usuario",
    password: "Contraseña",
    sign_in: "Iniciar sesión",
    reauthenticate: "Inicia sesión una vez más, para que sepamos que eres tú.",
    login_refused: "El usuario o la contraseña no son correctos. \
        Revisa ambos e inténtalo de nuevo.",
    login_throttled_minute: "Demasiados intentos. Espera un minuto e inténtalo de nuevo.",
    login_throttled_minutes: Phrase(
        "Demasiados intentos. Inténtalo de nuevo dentro de ",
        " minutos.",
    ),
    login_busy: "Muchas personas están iniciando sesión ahora mismo. Inténtalo de nuevo dentro de \
                 unos segundos.",
    wants_access: Phrase("", " quiere acceder a tu cuenta"),
    unverified: Phrase(
        "Esta aplicación se registró por su cuenta y ",
        " no ha comprobado quién está detrás. Permite el acceso solo si la conoces y confías en \
         ella.",
    ),
    scopes_heading: "Si lo permites, podrá",
    scopes_choice: "Desmarca lo que prefieras no compartir.",
    scope_needed: "Siempre necesario",
    scope_at: Phrase("en ", ""),
    allow: "Permitir",
    deny: "Rechazar",
    sent_back_to: Phrase("En ambos casos volverás después a ", "."),
    scopes: ScopeTexts {
        address: Message {
            title: "Ver tu dirección postal",
            detail: "Tal como figura en tu cuenta.",
        },
        email: Message { title: "Ver tu correo electrónico", detail: "Y si está confirmado." },
        offline_access: Message {
            title: "Seguir conectada cuando no estés",
            detail: "Conserva el acceso hasta que se lo retires.",
        },
        openid: Message {
            title: "Saber que eres tú",
            detail: "Para iniciar tu sesión allí. Nunca ve tu contraseña.",
        },
        phone: Message { title: "Ver tu número de teléfono", detail: "Y si está confirmado." },
        profile: Message {
            title: "Ver tu perfil",
            detail: "Tu nombre, tu foto, tu idioma y datos parecidos.",
        },
    },
    sign_out_of: Phrase("¿Cerrar la sesión de ", "?"),
    asks_to_sign_out: Phrase("", " pide cerrar tu sesión."),
    sign_out: "Cerrar sesión",
    stay_signed_in: "Cancelar",
    signed_out: "Has cerrado la sesión",
    signed_out_advice: "Ya puedes cerrar esta página.",
    back_to: Phrase("Volver a ", ""),
    form_post: "Ya casi está",
    form_post_advice: "Pulsa el botón para volver a la aplicación.",
    error_technical: "Para los responsables de la aplicación",
    error_reference: "Referencia",
    error_help: "Si pides ayuda, indica esta referencia.",
    errors: ErrorTexts {
        access_denied: Message {
            title: "No se ha dado acceso",
            detail: "No se ha compartido nada. Puedes volver a la aplicación o cerrar esta página.",
        },
        client_refused: Message {
            title: "No conocemos esta aplicación",
            detail: "Puede que esté mal configurada o que no tenga permiso para iniciar tu sesión \
                     aquí. No escribas tu contraseña en ningún otro sitio y avisa a los \
                     responsables de la aplicación.",
        },
        expired: Message {
            title: "Esta página ya no es válida",
            detail: "Ha pasado demasiado tiempo o ya se había usado. Vuelve a la aplicación y \
                     empieza de nuevo.",
        },
        mistake: Message {
            title: "La aplicación ha enviado algo que no podemos usar",
            detail: "No has hecho nada mal. Vuelve a la aplicación e inténtalo de nuevo; si no \
                     funciona, avisa a sus responsables.",
        },
        not_found: Message {
            title: "Aquí no hay nada",
            detail: "Puede que la dirección esté mal escrita o que la página haya cambiado de \
                     sitio.",
        },
        server_error: Message {
            title: "Algo ha fallado por nuestra parte",
            detail: "Hemos tomado nota. Vuelve a la aplicación e inténtalo de nuevo dentro de un \
                     momento.",
        },
        sign_in_needed: Message {
            title: "Primero tienes que iniciar sesión",
            detail: "Vuelve a la aplicación e inicia sesión desde allí.",
        },
        unavailable: Message {
            title: "Ahora mismo estamos saturados",
            detail: "No se ha perdido nada. Espera un momento, vuelve a la aplicación e inténtalo \
                     de nuevo.",
        },
    },
    index_headline: Phrase("Acceso a ", ""),
    index_advice: "Las aplicaciones te envían aquí para iniciar sesión. En esta página no tienes \
                   que hacer nada.",
    index_account: "Tu cuenta",
    index_issuer: "Emisor",
    index_discovery: "Metadatos para desarrolladores",
};

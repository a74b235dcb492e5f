//! What actors ask of a node.

/// Places in the ledger.
pub(crate) type CodeAt = usize;
/// See [`CodeAt`].
pub(crate) type FamilyAt = usize;
/// See [`CodeAt`].
pub(crate) type RefreshAt = usize;
/// See [`CodeAt`].
pub(crate) type AccessAt = usize;
/// See [`CodeAt`].
pub(crate) type SessionAt = usize;

/// A registered client, by its place in [`CLIENTS`].
pub(crate) type ClientAt = usize;
/// A user, by number.
pub(crate) type UserAt = usize;

/// How many users there are.
pub(crate) const USERS: usize = 2;

/// A client of the simulation.
#[derive(Debug)]
pub(crate) struct ClientSpec {
    pub(crate) id: &'static str,
    pub(crate) secret: Option<&'static str>,
    /// What it asks for when it sends a person to sign in.
    pub(crate) scope: &'static str,
    /// What remains of that where a person gives only a part; nothing where nobody is asked.
    pub(crate) part: Option<&'static str>,
    /// A part of that, for a refresh.
    pub(crate) narrower: &'static str,
    /// More than that.
    pub(crate) wider: &'static str,
    /// RFC 7591 metadata.
    pub(crate) metadata: &'static str,
}

/// Signed tokens and ID tokens, families that outlive the session.
pub(crate) const WEB: ClientAt = 0;
/// Sealed tokens, families that end with the session.
pub(crate) const POS: ClientAt = 1;
/// Public.
pub(crate) const SPA: ClientAt = 2;
/// Asks people for their consent.
pub(crate) const APP: ClientAt = 3;
/// Introspects for both resources.
pub(crate) const API: ClientAt = 4;
/// Administers.
pub(crate) const ADMIN: ClientAt = 5;

/// The clients that act for people.
pub(crate) const FOR_PEOPLE: [ClientAt; 4] = [WEB, POS, SPA, APP];

/// Every client.
pub(crate) const CLIENTS: [ClientSpec; 6] = [
    ClientSpec {
        id: "web",
        secret: Some("the-secret-of-the-web-client-0001"),
        scope: "openid offline_access api:read api:write",
        part: None,
        narrower: "api:read",
        wider: "api:read api:write profile",
        metadata: r#"{"redirect_uris": ["https://web.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid offline_access profile api:read api:write",
            "id_token_signed_response_alg": "EdDSA",
            "keywright_consent": "implicit"}"#,
    },
    ClientSpec {
        id: "pos",
        secret: Some("the-secret-of-the-pos-client-0002"),
        scope: "sealed:read",
        part: None,
        narrower: "sealed:read",
        wider: "sealed:read sealed:write",
        metadata: r#"{"redirect_uris": ["https://pos.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "sealed:read sealed:write", "keywright_refresh": "always",
            "keywright_consent": "implicit"}"#,
    },
    ClientSpec {
        id: "spa",
        secret: None,
        scope: "offline_access api:read",
        part: None,
        narrower: "api:read",
        wider: "api:read api:write",
        metadata: r#"{"redirect_uris": ["https://spa.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            "scope": "offline_access api:read api:write",
            "keywright_consent": "implicit"}"#,
    },
    ClientSpec {
        id: "app",
        secret: Some("the-secret-of-the-other-people-0005"),
        scope: "openid offline_access api:read api:write",
        part: Some("openid offline_access api:read"),
        narrower: "api:read",
        wider: "api:read api:write profile",
        metadata: r#"{"redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid offline_access profile api:read api:write",
            "id_token_signed_response_alg": "EdDSA"}"#,
    },
    ClientSpec {
        id: "api",
        secret: Some("the-secret-of-the-api-server-0003"),
        scope: "",
        part: None,
        narrower: "",
        wider: "",
        metadata: r#"{"grant_types": ["client_credentials"], "response_types": [],
            "keywright_introspects": ["https://api.example", "https://sealed.example"]}"#,
    },
    ClientSpec {
        id: "admin",
        secret: Some("the-secret-of-the-administrator-4"),
        scope: "keywright:admin:write",
        part: None,
        narrower: "",
        wider: "",
        metadata: r#"{"grant_types": ["client_credentials"], "response_types": [],
            "scope": "keywright:admin:write"}"#,
    },
];

/// The client at a place.
pub(crate) fn client(at: ClientAt) -> &'static ClientSpec {
    CLIENTS.get(at).unwrap_or(&CLIENTS[WEB])
}

/// Which verifier is sent with a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verifier {
    Right,
    Wrong,
}

/// How much scope is asked for in a refresh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    Narrower,
    Unsaid,
    Wider,
}

/// Whether a client wants its people asked again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prompt {
    Consent,
    Unsaid,
}

/// Which password is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Password {
    Right,
    Wrong,
}

/// What a person gives of what is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ticked {
    All,
    Part,
}

impl Ticked {
    /// The scopes that a client gets with it.
    pub(crate) fn scope(self, of: ClientAt) -> &'static str {
        let of = client(of);
        match self {
            Self::All => of.scope,
            Self::Part => of.part.unwrap_or(of.scope),
        }
    }
}

/// A page with a form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Page {
    Consent,
    Login,
    Logout,
}

/// Where a browser is sent on its way to a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    Consent,
    Login,
    Resume,
}

/// What a form carries beside what a person types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    pub(crate) flow: String,
    pub(crate) csrf: String,
}

/// A token that is shown or revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    Access(AccessAt),
    Refresh(RefreshAt),
}

/// What an operator takes back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    Client(ClientAt),
    Family(FamilyAt),
    Grant(UserAt, ClientAt),
    Key(String),
    Session(SessionAt),
    /// What ends when its person signs out: less than when a session is taken away.
    SignedOut(SessionAt),
    User(UserAt),
}

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ask {
    /// A person's browser asks for a code.
    Authorize { session: Option<SessionAt>, client: ClientAt, prompt: Prompt },
    /// A person gives a client what it asks for, or a part of it.
    Consent { session: SessionAt, client: ClientAt, ticked: Ticked },
    /// A client asks what a token is.
    Introspect { token: Token, by: ClientAt },
    /// The administrator's client asks for a token of its own.
    Own,
    /// A client redeems a code.
    Redeem { code: CodeAt, by: ClientAt, verifier: Verifier },
    /// A client uses a refresh token.
    Refresh { token: RefreshAt, by: ClientAt, scope: Scope },
    /// A browser comes back to its flow.
    Resume { session: Option<SessionAt>, client: ClientAt },
    /// An operator takes something back.
    Revoke(Target),
    /// A client takes a token back, RFC 7009.
    RevokeToken { token: Token, by: ClientAt },
    /// An operator lets another key sign.
    RotateKey,
    /// A browser wants a form.
    Show { page: Page, session: Option<SessionAt> },
    /// A person signs in.
    SignIn { user: UserAt, password: Password },
    /// A person signs out; with an ID token of a family nobody needs to ask them.
    SignOut { session: SessionAt, hint: Option<FamilyAt> },
}

/// What a node answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: serde_json::Value,
    /// The form of a page.
    pub(crate) form: Option<Form>,
    /// The cookie that ties flows to a browser.
    pub(crate) browser: Option<String>,
    /// The cookie of a sign-in.
    pub(crate) session: Option<String>,
}

impl Answer {
    /// A member of the body that is a string.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member).and_then(serde_json::Value::as_str)
    }

    /// The code in a redirect to a client.
    pub(crate) fn code(&self) -> Option<String> {
        let query = self.location.as_deref()?.split_once('?')?.1;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
    }

    /// Where a browser is sent, and the flow that it takes along.
    pub(crate) fn leads_to(&self) -> Option<(Stop, &str)> {
        let (path, flow) = self.location.as_deref()?.split_once("?flow=")?;
        let stop = match path.rsplit('/').next()? {
            "consent" => Stop::Consent,
            "login" => Stop::Login,
            "resume" => Stop::Resume,
            _ => return None,
        };
        Some((stop, flow))
    }
}

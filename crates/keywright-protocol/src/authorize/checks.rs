//! THE GRID: every check of an authorization request, in order, and the entry points it guards.
//!
//! A request is checked when it arrives and again whenever it is resumed after a page, by the same
//! rows: a client disabled, a redirect URI removed or a scope withdrawn meanwhile ends the flow.

use crate::authorize::AuthorizeError;
use crate::authorize::pkce::CodeChallenge;
use crate::authorize::request::{
    AuthorizationRequest, Prompt, Refusal, ResponseMode, ResponseTarget,
};
use crate::client::{Client, GrantType};
use crate::grant::GrantError;
use crate::id::Subject;
use crate::limits::{LOGIN_HINT_BYTES_MAX, NONCE_BYTES_MAX, STATE_BYTES_MAX};
use crate::profile::{PkceRule, Profile};
use crate::resource::{ResourceCatalog, ResourceIndicator};
use crate::scope::ScopeSet;
use crate::wire::token::parse_resources;
use crate::wire::{Params, RequestError};

/// Where a request enters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The authorization endpoint.
    Authorize,
    /// Back from a page of this server.
    Resume,
}

/// What the checks compare with.
#[derive(Clone, Copy, Debug)]
pub struct GridContext<'a> {
    /// The client that `client_id` names, if there is one.
    pub client: Option<&'a Client>,
    /// The tenant's requirements.
    pub profile: Profile,
    /// The tenant's resources.
    pub catalog: &'a ResourceCatalog,
    /// The verdict on `id_token_hint`.
    pub hint: &'a Hint,
}

/// What became of `id_token_hint`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Hint {
    /// None was sent.
    #[default]
    Absent,
    /// Not signed by this issuer.
    Invalid,
    /// An ID token of this issuer, expired or not.
    Verified(Subject),
}

type Check = fn(&Params, &GridContext<'_>, &mut Draft) -> Result<(), AuthorizeError>;

const A: &[Entry] = &[Entry::Authorize];
const AR: &[Entry] = &[Entry::Authorize, Entry::Resume];

/// The rows: name, check, entry points. The first two decide who is told of a failure.
const GRID: [(&str, Check, &[Entry]); 14] = [
    ("client is known and enabled", check_client, AR),
    ("redirect_uri is registered", check_redirect_uri, AR),
    ("response_mode", check_response_mode, AR),
    ("state", check_state, AR),
    ("parameters are not repeated", check_repeats, A),
    ("no request object", check_request_object, A),
    ("response_type is code", check_response_type, AR),
    ("client may use codes", check_grant_type, AR),
    ("PKCE", check_pkce, AR),
    ("nonce", check_nonce, AR),
    ("prompt and max_age", check_prompt, AR),
    ("id_token_hint", check_hint, AR),
    ("hints", check_hints, AR),
    // Last, so that all else is known when this must wait for a sign-in.
    ("scope and resource", check_scope, AR),
];

/// The names of the rows, in order, for `explain`.
pub fn rows() -> impl Iterator<Item = &'static str> {
    GRID.into_iter().map(|(name, _, _)| name)
}

/// What the rows have found so far.
#[derive(Debug, Default)]
struct Draft {
    target: Option<ResponseTarget>,
    request: Option<AuthorizationRequest>,
}

/// Runs the grid.
pub fn check(
    params: &Params,
    context: &GridContext<'_>,
    entry: Entry,
) -> Result<AuthorizationRequest, Refusal> {
    let mut draft = Draft::default();
    for (_, check, entries) in GRID {
        if entries.contains(&entry) {
            check(params, context, &mut draft).map_err(|error| refuse(&mut draft, error))?;
        }
    }
    let missing = AuthorizeError::UnknownClient;
    draft.request.ok_or(Refusal::Page(missing))
}

/// RFC 6749 §4.1.2.1: without a proven redirect URI, the person is told and nobody else.
fn refuse(draft: &mut Draft, error: AuthorizeError) -> Refusal {
    match (draft.target.take(), draft.request.take()) {
        (Some(_), Some(request)) if error.is_about_permission() => {
            Refusal::Withheld(Box::new(request), error)
        }
        (Some(target), _) => Refusal::Redirect(target, error),
        (None, _) => Refusal::Page(error),
    }
}

fn check_client(
    params: &Params,
    context: &GridContext<'_>,
    _: &mut Draft,
) -> Result<(), AuthorizeError> {
    params.required("client_id")?;
    context.client.filter(|client| !client.disabled).ok_or(AuthorizeError::UnknownClient)?;
    Ok(())
}

fn check_redirect_uri(
    params: &Params,
    context: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let client = context.client.ok_or(AuthorizeError::UnknownClient)?;
    let registered = &client.metadata.redirect_uris;
    let (redirect_uri, uri) = match params.one("redirect_uri")? {
        // RFC 9700 §4.1.3: byte for byte.
        Some(asked) => {
            let found = registered.iter().find(|uri| uri.matches(asked));
            (asked, found.ok_or(AuthorizeError::RedirectUriUnregistered)?)
        }
        None => match registered.as_slice() {
            [only] => (only.as_str(), only),
            _ => return Err(RequestError::Missing("redirect_uri").into()),
        },
    };
    let port_chosen = redirect_uri != uri.as_str();
    let private = !redirect_uri.starts_with("http://") && !uri.proves_receiver();
    let target = ResponseTarget {
        redirect_uri: redirect_uri.to_owned(),
        mode: ResponseMode::default(),
        state: params.one("state").ok().flatten().map(str::to_owned),
    };
    draft.target = Some(target.clone());
    draft.request = Some(AuthorizationRequest {
        client: client.id.clone(),
        target,
        scope: ScopeSet::default(),
        resources: Vec::new(),
        nonce: None,
        challenge: None,
        prompt: Prompt::default(),
        max_age_s: None,
        login_hint: None,
        hinted_sub: None,
        ui_locales: None,
        receiver_unproven: !client.is_confidential() && (port_chosen || private),
    });
    Ok(())
}

impl Draft {
    fn request(&mut self) -> Result<&mut AuthorizationRequest, AuthorizeError> {
        self.request.as_mut().ok_or(AuthorizeError::UnknownClient)
    }
}

fn check_response_mode(
    params: &Params,
    _: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let mode = match params.one("response_mode")? {
        None | Some("query") => ResponseMode::Query,
        Some("form_post") => ResponseMode::FormPost,
        Some(_) => return Err(RequestError::Malformed("response_mode").into()),
    };
    draft.request()?.target.mode = mode;
    if let Some(target) = &mut draft.target {
        target.mode = mode;
    }
    Ok(())
}

fn check_state(
    params: &Params,
    _: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let state = params.one("state")?;
    // RFC 6749 appendix A.5: visible ASCII and space.
    let fits =
        |s: &str| s.len() <= STATE_BYTES_MAX && s.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if state.is_some_and(|s| !fits(s)) {
        if let Some(target) = &mut draft.target {
            target.state = None;
        }
        return Err(RequestError::Malformed("state").into());
    }
    Ok(())
}

fn check_repeats(
    params: &Params,
    _: &GridContext<'_>,
    _: &mut Draft,
) -> Result<(), AuthorizeError> {
    Ok(params.refuse_repeats(&["resource"])?)
}

/// OpenID Connect Core §6.1 and §7.2.1: what is not offered is said to be.
fn check_request_object(
    params: &Params,
    _: &GridContext<'_>,
    _: &mut Draft,
) -> Result<(), AuthorizeError> {
    for name in ["request", "request_uri", "registration"] {
        if params.one(name)?.is_some() {
            return Err(RequestError::Unsupported(name).into());
        }
    }
    Ok(())
}

fn check_response_type(
    params: &Params,
    _: &GridContext<'_>,
    _: &mut Draft,
) -> Result<(), AuthorizeError> {
    match params.required("response_type")? {
        "code" => Ok(()),
        _ => Err(AuthorizeError::ResponseTypeUnsupported),
    }
}

fn check_grant_type(
    _: &Params,
    context: &GridContext<'_>,
    _: &mut Draft,
) -> Result<(), AuthorizeError> {
    let may = context.client.is_some_and(|client| client.may_use(GrantType::AuthorizationCode));
    if may { Ok(()) } else { Err(AuthorizeError::GrantTypeNotAllowed) }
}

fn check_pkce(
    params: &Params,
    context: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let challenge = params.one("code_challenge")?.map(CodeChallenge::parse).transpose()?;
    let method = params.one("code_challenge_method")?;
    // RFC 7636 §4.3: the default is `plain`, which is not offered; so S256 must be said.
    if method != challenge.map(|_| "S256") {
        return Err(RequestError::Malformed("code_challenge_method").into());
    }
    let public = context.client.is_none_or(|client| !client.is_confidential());
    let required = match context.profile.requirements().pkce {
        PkceRule::Everybody => true,
        PkceRule::PublicClients => public,
    };
    if required && challenge.is_none() {
        return Err(RequestError::Missing("code_challenge").into());
    }
    draft.request()?.challenge = challenge;
    Ok(())
}

fn check_scope(
    params: &Params,
    context: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let client = context.client.ok_or(AuthorizeError::UnknownClient)?;
    let resources = parse_resources(params)?;
    let allowed = client.allowed_scope();
    let scope = match params.one("scope")? {
        Some(raw) => ScopeSet::parse(raw)?,
        None => default_scope(&allowed, context.catalog, &resources),
    };
    if scope.is_empty() || !scope.is_subset_of(&allowed) {
        return Err(AuthorizeError::ScopeNotAllowed);
    }
    context.catalog.check(&resources, &scope).map_err(|error| match error {
        GrantError::ResourceUnknown => AuthorizeError::ResourceUnknown,
        _ => AuthorizeError::ScopeNotAllowed,
    })?;
    let request = draft.request()?;
    // Settled now, not at each refresh: a resource that is registered later was not consented to.
    request.resources =
        if resources.is_empty() { context.catalog.owners(&scope) } else { resources };
    request.scope = scope;
    Ok(())
}

/// RFC 6749 §3.3: without `scope`, what the client registered for the asked resources.
pub(crate) fn default_scope(
    allowed: &ScopeSet,
    catalog: &ResourceCatalog,
    resources: &[ResourceIndicator],
) -> ScopeSet {
    allowed.of_resources().filtered(|name| catalog.belongs(resources, name))
}

fn check_nonce(
    params: &Params,
    _: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let nonce = params.one("nonce")?;
    if nonce.is_some_and(|nonce| nonce.len() > NONCE_BYTES_MAX) {
        return Err(RequestError::TooLarge("nonce").into());
    }
    draft.request()?.nonce = nonce.map(str::to_owned);
    Ok(())
}

fn check_prompt(
    params: &Params,
    context: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let request = draft.request()?;
    request.prompt = parse_prompt(params.one("prompt")?)?;
    let asked = params
        .one("max_age")?
        .map(|raw| raw.parse::<u32>().map_err(|_| RequestError::Malformed("max_age")))
        .transpose()?;
    request.max_age_s = asked.or(context.client.and_then(|c| c.metadata.default_max_age));
    Ok(())
}

fn parse_prompt(raw: Option<&str>) -> Result<Prompt, RequestError> {
    let Some(raw) = raw else { return Ok(Prompt::AsNeeded) };
    let values: Vec<&str> = raw.split(' ').filter(|v| !v.is_empty()).collect();
    // OpenID Connect Core §3.1.2.1: `none` stands alone.
    if values.contains(&"none") {
        return if values.len() == 1 {
            Ok(Prompt::None)
        } else {
            Err(RequestError::Malformed("prompt"))
        };
    }
    let known = ["consent", "login", "select_account"];
    if values.iter().any(|value| !known.contains(value)) {
        return Err(RequestError::Malformed("prompt"));
    }
    Ok(Prompt::Asked {
        login: values.contains(&"login") || values.contains(&"select_account"),
        consent: values.contains(&"consent"),
    })
}

fn check_hint(
    _: &Params,
    context: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    match context.hint {
        Hint::Absent => Ok(()),
        Hint::Invalid => Err(RequestError::Malformed("id_token_hint").into()),
        Hint::Verified(sub) => {
            draft.request()?.hinted_sub = Some(sub.clone());
            Ok(())
        }
    }
}

fn check_hints(
    params: &Params,
    _: &GridContext<'_>,
    draft: &mut Draft,
) -> Result<(), AuthorizeError> {
    let request = draft.request()?;
    // A hint that does not fit is no reason to refuse, OpenID Connect Core §3.1.2.1.
    request.login_hint = params
        .one("login_hint")?
        .filter(|hint| hint.len() <= LOGIN_HINT_BYTES_MAX)
        .map(str::to_owned);
    request.ui_locales = params.one("ui_locales")?.map(str::to_owned);
    Ok(())
}

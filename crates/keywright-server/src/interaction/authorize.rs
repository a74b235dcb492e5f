//! The authorization endpoint, RFC 6749 §4.1.1: from a request to a page or an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode, Uri};
use keywright_jose::{Claims, UnverifiedJws};
use keywright_protocol::audit::{Actor, EventType, Record};
use keywright_protocol::authorize::checks::{Entry, GridContext, Hint, check};
use keywright_protocol::authorize::prompt::{Situation, Step, next_step};
use keywright_protocol::authorize::{
    AuthorizationRequest, AuthorizeError, Prompt, Refusal, ResponseMode, ResponseTarget,
};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::id::{ClientId, GrantId, Subject};
use keywright_protocol::limits::AUTHORIZE_BYTES_MAX;
use keywright_protocol::resource::{ResourceCatalog, ResourceIndicator};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::session::Session;
use keywright_protocol::token::AuthorizationCode;
use keywright_protocol::wire::authorize::AuthorizationResponse;
use keywright_protocol::wire::{ErrorCode, Params, RequestError, WireError};
use keywright_store::code::{Issue, IssueCode};
use keywright_store::revocation::{Revoke, Revoked};

use crate::endpoint::form::{UnreadPage, is_form, read_body};
use crate::environment::random;
use crate::error::{Refused, ServerFault};
use crate::interaction::cookie::session_token;
use crate::interaction::flow::{Browser, Flow, FlowError, FlowKind};
use crate::interaction::page::{
    Policy, error_page, fault_page, html, remember_browser, see_other, site, texts,
};
use crate::page::{FORM_POST_SCRIPT_CSP, FormPostPage};
use crate::router::Ctx;
use crate::tenants::LoadedClient;

/// Why a flow stops without an answer to the client.
#[derive(Debug)]
pub enum Stopped {
    /// Ours.
    Fault(ServerFault),
    /// The flow cannot go on in this browser.
    Flow(FlowError),
    /// The form of a page cannot be read.
    Page(UnreadPage),
    /// The grid refused.
    Refusal(Refusal),
}

impl From<UnreadPage> for Stopped {
    fn from(error: UnreadPage) -> Self {
        Self::Page(error)
    }
}

impl From<ServerFault> for Stopped {
    fn from(fault: ServerFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<keywright_store::StoreFault> for Stopped {
    fn from(fault: keywright_store::StoreFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<FlowError> for Stopped {
    fn from(error: FlowError) -> Self {
        Self::Flow(error)
    }
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<RequestError> for Stopped {
    fn from(error: RequestError) -> Self {
        Self::Refusal(Refusal::Page(error.into()))
    }
}

/// Answers `GET /authorize`.
pub async fn authorize(ctx: Ctx, headers: HeaderMap, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default().to_owned();
    let browser = Browser::of(&ctx, &headers);
    let flow = Flow::begin(FlowKind::Authorize, query, &browser, ctx.now());
    let entered = Visit { ctx: &ctx, headers: &headers, browser: &browser, flow };
    let response = entered.proceed(Entry::Authorize).await;
    let response = response.unwrap_or_else(|stopped| stop(&ctx, &headers, &stopped));
    remember_browser(&ctx, response, &browser)
}

/// Answers `POST /authorize`, OpenID Connect Core §3.1.2.1: the browser asks again with GET, since
/// it withholds the session's cookie from a post that comes from elsewhere.
pub async fn authorize_post(ctx: Ctx, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let malformed = || WireError::new(ErrorCode::InvalidRequest, "the form cannot be read");
    if !is_form(&parts.headers) {
        return error_page(&ctx, &parts.headers, malformed());
    }
    match read_body(&ctx, body).await.map(|body| String::from_utf8(body.to_vec())) {
        Ok(Ok(query)) if query.bytes().all(|b| b.is_ascii_graphic()) => {
            see_other(&format!("{}/authorize?{query}", ctx.issuer()))
        }
        Err(Refused::Http(wire)) => error_page(&ctx, &parts.headers, wire),
        _ => error_page(&ctx, &parts.headers, malformed()),
    }
}

/// Answers `GET /authorize/resume`: back from a page.
pub async fn resume(ctx: Ctx, headers: HeaderMap, uri: Uri) -> Response {
    let browser = Browser::of(&ctx, &headers);
    let response = match Visit::open(&ctx, &headers, &browser, uri.query()) {
        Ok(visit) => visit.proceed(Entry::Resume).await,
        Err(stopped) => Err(stopped),
    };
    response.unwrap_or_else(|stopped| stop(&ctx, &headers, &stopped))
}

/// A browser at some stop of a flow.
pub struct Visit<'a> {
    /// The request at hand.
    pub ctx: &'a Ctx,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The browser.
    pub browser: &'a Browser,
    /// The flow.
    pub flow: Flow,
}

/// A flow whose request has passed the grid, with who asks and who is signed in.
pub struct Passed {
    /// The request.
    pub request: AuthorizationRequest,
    /// Who asks.
    pub client: Arc<LoadedClient>,
    /// The live session.
    pub session: Option<Session>,
    /// What was granted before.
    pub grant: Option<StoredGrant>,
    /// What comes next.
    pub step: Step,
}

impl<'a> Visit<'a> {
    /// Opens the flow that a page's address carries.
    pub fn open(
        ctx: &'a Ctx,
        headers: &'a HeaderMap,
        browser: &'a Browser,
        query: Option<&str>,
    ) -> Result<Self, Stopped> {
        let params = Params::parse_page(query.unwrap_or_default().as_bytes())?;
        Self::from_params(ctx, headers, browser, &params)
    }

    /// Opens the flow that a posted form carries.
    pub fn from_params(
        ctx: &'a Ctx,
        headers: &'a HeaderMap,
        browser: &'a Browser,
        params: &Params,
    ) -> Result<Self, Stopped> {
        let sealed = params.one("flow")?.unwrap_or_default();
        let flow = Flow::open(ctx, sealed, FlowKind::Authorize, browser)?;
        Ok(Self { ctx, headers, browser, flow })
    }

    /// Runs the grid and finds the next step.
    pub async fn pass(&self, entry: Entry) -> Result<Passed, Stopped> {
        let ctx = self.ctx;
        if self.flow.query.len() > AUTHORIZE_BYTES_MAX {
            return Err(RequestError::TooLarge("request").into());
        }
        let params = self.flow.params()?;
        let client = params.one("client_id").ok().flatten();
        let client = client.and_then(|id| ClientId::parse(id).ok());
        let client = client.and_then(|id| ctx.tenant.client(&id));
        let context = GridContext {
            client: client.as_ref().map(|loaded| &*loaded.client),
            profile: ctx.tenant.tenant.load().profile,
            catalog: &ctx.tenant.catalog.load(),
            hint: &verify_hint(ctx, params.one("id_token_hint").ok().flatten()),
        };
        let session = self.session().await?;
        let request = match check(&params, &context, entry) {
            Ok(request) => request,
            Err(Refusal::Withheld(request, error)) => {
                return withhold(*request, error, client, session.is_some());
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let client = client.ok_or(Refusal::Page(AuthorizeError::UnknownClient))?;
        let grant = match &session {
            Some(session) => {
                let store = &ctx.app.store;
                store.load_grant(&ctx.origin.tenant, &session.sub, &request.client).await?
            }
            None => None,
        };
        let situation = Situation {
            client: &client.client,
            session: session.as_ref(),
            grant: grant.as_ref(),
            started: self.flow.started,
        };
        let step = next_step(&request, situation);
        Ok(Passed { request, client, session, grant, step })
    }

    async fn session(&self) -> Result<Option<Session>, Stopped> {
        let Some(token) = session_token(self.ctx, self.headers) else { return Ok(None) };
        let (store, tenant) = (&self.ctx.app.store, &self.ctx.origin.tenant);
        Ok(store.load_session(tenant, token.hash(), self.ctx.now()).await?)
    }

    async fn proceed(&self, entry: Entry) -> Result<Response, Stopped> {
        let passed = self.pass(entry).await?;
        match passed.step {
            Step::Login | Step::Reauthenticate => self.to_page("login"),
            Step::Consent => self.to_page("consent"),
            Step::Refuse(error) => {
                Err(Refusal::Redirect(passed.request.target.clone(), error).into())
            }
            Step::Issue => {
                let scope = passed.request.scope.clone();
                self.issue(&passed, scope).await
            }
        }
    }

    fn to_page(&self, page: &str) -> Result<Response, Stopped> {
        let flow = self.flow.seal(self.ctx)?;
        Ok(see_other(&format!("{}/{page}?flow={flow}", self.ctx.issuer())))
    }

    /// Back into the flow after a form.
    pub fn to_resume(&self) -> Result<Response, Stopped> {
        self.to_page("authorize/resume")
    }

    /// Stores consent and code, and answers the client.
    pub async fn issue(&self, passed: &Passed, scope: ScopeSet) -> Result<Response, Stopped> {
        let Some(session) = &passed.session else {
            return self.to_page("login");
        };
        let code = AuthorizationCode::from_random(random(&*self.ctx.app.environment));
        self.end_withdrawn(passed, session, &scope).await?;
        let issue = self.plan(passed, session, &scope, &code);
        match self.ctx.app.store.issue_code(issue).await? {
            // The receipt is what lets the code leave.
            Issue::Committed(_receipt) => {
                let target = &passed.request.target;
                let wire = code.to_wire();
                let response = AuthorizationResponse::code(target, &wire, self.ctx.issuer());
                Ok(respond(self.ctx, self.headers, target, &response))
            }
            // The consent is not what it was when this was decided: decide again, from the start.
            Issue::LostRace => self.to_resume(),
            Issue::SubjectGone => self.to_page("login"),
        }
    }

    /// Withdrawing a part of a consent ends what was issued under the whole.
    async fn end_withdrawn(
        &self,
        passed: &Passed,
        session: &Session,
        scope: &ScopeSet,
    ) -> Result<(), Stopped> {
        let ctx = self.ctx;
        let narrowed = |grant: &&StoredGrant| withdraws(grant, &passed.request, scope);
        let Some(grant) = passed.grant.as_ref().filter(narrowed) else { return Ok(()) };
        let mut event = ctx
            .origin
            .event(EventType::TokenRevoked, Actor::User(session.sub.clone()), ctx.now())
            .client(&passed.request.client)
            .subject(&session.sub)
            .because("a part of the consent was withdrawn");
        event.grant_id = Some(grant.id.clone());
        let revoke = Revoke {
            tenant: ctx.origin.tenant.clone(),
            target: RevocationTarget::Grant(grant.id.clone()),
            tokens_expire_at: ctx.app.tokens_expire_at(&ctx.tenant, ctx.now()),
            record: Record::of(event),
        };
        match ctx.app.store.revoke(revoke).await? {
            Revoked::Done(entries) => ctx.app.learn(&entries),
            Revoked::Missing | Revoked::AssertionReplayed => {
                ctx.app.learn_and_follow(&[]).await?;
            }
        }
        Ok(())
    }

    fn plan(
        &self,
        passed: &Passed,
        session: &Session,
        scope: &ScopeSet,
        code: &AuthorizationCode,
    ) -> IssueCode {
        let ctx = self.ctx;
        let request = &passed.request;
        let kept = passed.grant.as_ref();
        let before = kept.filter(|grant| !withdraws(grant, request, scope));
        let resources = consented_resources(request, scope, &ctx.tenant.catalog.load());
        let grant = StoredGrant {
            id: before.map_or_else(
                || GrantId::from_random(random(&*ctx.app.environment)),
                |grant| grant.id.clone(),
            ),
            sub: session.sub.clone(),
            client: request.client.clone(),
            // What was asked and not given is withdrawn; what was not asked stays.
            scope: kept.map_or_else(
                || scope.clone(),
                |grant| grant.scope.filtered(|name| !request.scope.contains(name)).union(scope),
            ),
            resources: kept
                .map_or_else(|| resources.clone(), |grant| united(&grant.resources, &resources)),
            session: before.map_or_else(|| session.id.clone(), |grant| grant.session.clone()),
            updated_at: ctx.now(),
        };
        let mut event = ctx
            .origin
            .event(EventType::CodeIssued, Actor::User(session.sub.clone()), ctx.now())
            .client(&request.client)
            .subject(&session.sub)
            .because(format!("scope {scope}"));
        event.session_id = Some(session.id.clone());
        event.grant_id = Some(grant.id.clone());
        let stored = StoredCode {
            client: request.client.clone(),
            sub: session.sub.clone(),
            session: session.id.clone(),
            grant: grant.id.clone(),
            scope: scope.clone(),
            resources,
            redirect_uri: request.target.redirect_uri.clone(),
            challenge: request.challenge,
            nonce: request.nonce.clone(),
            authentication: session.authentication.clone(),
            created_at: ctx.now(),
            expires_at: ctx.now().plus(ctx.app.lifetimes().code),
            state: CodeState::Issued,
        };
        IssueCode {
            tenant: ctx.origin.tenant.clone(),
            hash: code.hash(),
            code: stored,
            granted_before: before.map(|grant| grant.scope.clone()),
            grant,
            record: Record::of(event),
        }
    }
}

/// Whether a consent takes back something that was asked again.
fn withdraws(grant: &StoredGrant, request: &AuthorizationRequest, scope: &ScopeSet) -> bool {
    grant.scope.iter().any(|name| request.scope.contains(name) && !scope.contains(name))
}

/// The asked resources, without those of which every scope was unticked.
fn consented_resources(
    request: &AuthorizationRequest,
    scope: &ScopeSet,
    catalog: &ResourceCatalog,
) -> Vec<ResourceIndicator> {
    let (asked, given) = (catalog.owners(&request.scope), catalog.owners(scope));
    let stays = |id: &&ResourceIndicator| given.contains(id) || !asked.contains(id);
    request.resources.iter().filter(stays).cloned().collect()
}

fn united(before: &[ResourceIndicator], new: &[ResourceIndicator]) -> Vec<ResourceIndicator> {
    let added = new.iter().filter(|id| !before.contains(id));
    before.iter().chain(added).cloned().collect()
}

/// A refusal that only a signed-in person's browser may carry to the client.
fn withhold(
    request: AuthorizationRequest,
    error: AuthorizeError,
    client: Option<Arc<LoadedClient>>,
    signed_in: bool,
) -> Result<Passed, Stopped> {
    match client {
        Some(client) if !signed_in && request.prompt != Prompt::None => {
            Ok(Passed { request, client, session: None, grant: None, step: Step::Login })
        }
        _ => Err(Refusal::Redirect(request.target, error).into()),
    }
}

/// Sends an authorization response on its way.
fn respond(
    ctx: &Ctx,
    headers: &HeaderMap,
    target: &ResponseTarget,
    response: &AuthorizationResponse,
) -> Response {
    if target.mode == ResponseMode::Query {
        return see_other(&response.redirect(&target.redirect_uri));
    }
    let text = texts(headers, None);
    let fields: Vec<(&str, &str)> =
        response.params().iter().map(|(n, v)| (*n, v.as_str())).collect();
    let site = site(ctx);
    let page =
        FormPostPage { text, site: &site, redirect_uri: &target.redirect_uri, fields: &fields };
    let Some(body) = page.html() else {
        let wire = WireError::new(
            ErrorCode::InvalidRequest,
            "response_mode form_post needs an http or https redirect_uri",
        );
        return error_page(ctx, headers, wire);
    };
    let mut policy = Policy::leading_to(&target.redirect_uri);
    policy.script = Some(FORM_POST_SCRIPT_CSP);
    html(StatusCode::OK, text, body, &policy)
}

/// Ends a flow: tells the client where its redirect URI is proven, and the person otherwise.
pub fn stop(ctx: &Ctx, headers: &HeaderMap, stopped: &Stopped) -> Response {
    match stopped {
        Stopped::Fault(fault) => fault_page(ctx, headers, fault),
        Stopped::Flow(error) => error_page(ctx, headers, error.wire()),
        Stopped::Page(error) => error_page(ctx, headers, error.wire()),
        Stopped::Refusal(Refusal::Page(error)) => {
            note(ctx, error);
            error_page(ctx, headers, WireError::from(error))
        }
        Stopped::Refusal(Refusal::Withheld(request, error)) => {
            note(ctx, error);
            let response = AuthorizationResponse::error(&request.target, error, ctx.issuer());
            respond(ctx, headers, &request.target, &response)
        }
        Stopped::Refusal(Refusal::Redirect(target, error)) => {
            note(ctx, error);
            let response = AuthorizationResponse::error(target, error, ctx.issuer());
            respond(ctx, headers, target, &response)
        }
    }
}

fn note(ctx: &Ctx, error: &AuthorizeError) {
    ctx.app.notebook.refused_authorization(ctx, error);
}

/// Verifies `id_token_hint`: an ID token of this issuer, expired or not.
pub fn verify_hint(ctx: &Ctx, hint: Option<&str>) -> Hint {
    let Some(text) = hint else { return Hint::Absent };
    match open_id_token(ctx, text) {
        Some(claims) => match claims.required_str("sub") {
            Ok(sub) => Hint::Verified(Subject::from_trusted(sub)),
            Err(_) => Hint::Invalid,
        },
        None => Hint::Invalid,
    }
}

/// The claims of an ID token of this issuer; its lifetime does not matter for a hint.
pub fn open_id_token(ctx: &Ctx, text: &str) -> Option<Claims> {
    let jws = UnverifiedJws::parse(text).ok()?;
    // An access token is signed with the same keys and says so, RFC 8725 §3.11.
    if !matches!(jws.header().typ.as_deref(), None | Some("JWT")) {
        return None;
    }
    let keys = ctx.tenant.keys.load();
    let verified = jws.verify(keys.verifying(), &SIGNING_ALGORITHMS).ok()?;
    let claims = Claims::parse(&verified.payload).ok()?;
    (claims.required_str("iss").ok()? == ctx.issuer()).then_some(claims)
}

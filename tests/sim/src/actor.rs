//! Who acts: applications with one or two tabs, thieves, operators.

use std::cell::RefCell;
use std::rc::Rc;

use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::token::SessionToken;

use crate::ask::{
    API, Ask, ClientAt, FOR_PEOPLE, POS, Scope, SessionAt, Target, Token, USERS, UserAt, Verifier,
    WEB,
};
use crate::chance::Chance;
use crate::executor::Owner;
use crate::ledger::{Brought, Issued};
use crate::stage::{Heard, Stage};
use crate::template::{ROTATIONS_MAX, subject};
use crate::wire::Extras;

/// How many asks on the way to tokens count as one use of them.
const ASKS_PER_ACTION: usize = 4;
/// How often an application tries again when it hears nothing.
const TRIES_MAX: usize = 3;

/// A browser and the application behind it: what its tabs share.
pub(crate) struct Device {
    pub(crate) user: UserAt,
    pub(crate) client: ClientAt,
    /// The cookie that ties flows to the browser.
    pub(crate) browser: Option<String>,
    pub(crate) session: Option<SessionAt>,
    pub(crate) code: Option<usize>,
    tokens: Option<Issued>,
}

/// Brings everybody onto the stage.
pub(crate) fn enter(stage: &Rc<Stage>) {
    for _ in 0..stage.plan.devices {
        let mut chance = stage.fork_chance();
        let device = Rc::new(RefCell::new(Device {
            user: chance.below(USERS),
            client: chance.among(&FOR_PEOPLE).unwrap_or(WEB),
            browser: None,
            session: None,
            code: None,
            tokens: None,
        }));
        for _ in 0..stage.plan.tabs {
            let tab =
                Tab { stage: Rc::clone(stage), device: Rc::clone(&device), chance: chance.fork() };
            stage.executor.spawn(Owner::Actor, Box::pin(tab.live()));
        }
    }
    for _ in 0..stage.plan.attackers {
        let thief = Thief { stage: Rc::clone(stage), chance: stage.fork_chance() };
        stage.executor.spawn(Owner::Actor, Box::pin(thief.live()));
    }
    for _ in 0..stage.plan.operators {
        let chance = stage.fork_chance();
        let operator = Operator { stage: Rc::clone(stage), chance, rotations: 0, bearer: None };
        stage.executor.spawn(Owner::Actor, Box::pin(operator.live()));
    }
}

pub(crate) struct Tab {
    pub(crate) stage: Rc<Stage>,
    pub(crate) device: Rc<RefCell<Device>>,
    pub(crate) chance: Chance,
}

impl Tab {
    async fn live(mut self) {
        let mut left = self.stage.plan.actions * ASKS_PER_ACTION;
        while left > 0 {
            // What leads to tokens costs a part of what using them does.
            let signed_in = self.device.borrow().tokens.is_some();
            left = left.saturating_sub(if signed_in { ASKS_PER_ACTION } else { 1 });
            self.act().await;
            let thought_ms = self.chance.millis_below(self.stage.plan.thought_ms);
            let leading = if signed_in { 1 } else { 50 };
            self.stage.kernel.sleep(thought_ms / leading).await;
        }
    }

    async fn act(&mut self) {
        let (code, tokens) = {
            let device = self.device.borrow();
            (device.code, device.tokens)
        };
        match (tokens, code) {
            (Some(tokens), _) => self.use_tokens(tokens).await,
            (None, Some(code)) => self.redeem(code).await,
            (None, None) => self.walk().await,
        }
    }

    async fn use_tokens(&mut self, tokens: Issued) {
        let client = self.device.borrow().client;
        match self.chance.below(14) {
            0 => {
                let token = Token::Access(tokens.access);
                self.hear(Ask::Introspect { token, by: API }).await;
            }
            1 => {
                let token = match tokens.refresh.filter(|_| self.chance.one_in(2)) {
                    Some(refresh) => Token::Refresh(refresh),
                    None => Token::Access(tokens.access),
                };
                self.hear(Ask::RevokeToken { token, by: client }).await;
            }
            2 => {
                // Signs in anew, and forgets what it had: that lives on by itself.
                let mut device = self.device.borrow_mut();
                (device.session, device.code, device.tokens) = (None, None, None);
            }
            3 => self.sign_out().await,
            _ => self.refresh(tokens).await,
        }
    }

    async fn refresh(&mut self, tokens: Issued) {
        let Some(token) = tokens.refresh else { return };
        let client = self.device.borrow().client;
        let scope = match self.chance.below(10) {
            0 => Scope::Narrower,
            1 => Scope::Wider,
            _ => Scope::Unsaid,
        };
        for _ in 0..TRIES_MAX {
            match self.hear(Ask::Refresh { token, by: client, scope }).await {
                Heard::Answer(_, Brought::Tokens(new)) => {
                    self.device.borrow_mut().tokens = Some(new);
                    return;
                }
                Heard::Answer(answer, _) if answer.status == 503 => {}
                Heard::Answer(..) => {
                    // Signed out: unless another tab has newer tokens.
                    let mut device = self.device.borrow_mut();
                    let newest = device.tokens.is_some_and(|t| t.refresh == tokens.refresh);
                    if newest && scope == Scope::Unsaid {
                        device.tokens = None;
                    }
                    return;
                }
                Heard::Nothing => {}
            }
            let pause_ms = self.chance.millis_below(3000);
            self.stage.kernel.sleep(pause_ms).await;
        }
    }

    async fn redeem(&mut self, code: usize) {
        let by = self.device.borrow().client;
        // The other tab must not redeem it too, but it may well happen.
        if !self.chance.one_in(4) {
            self.device.borrow_mut().code = None;
        }
        let verifier = if self.chance.one_in(12) { Verifier::Wrong } else { Verifier::Right };
        let heard = self.hear(Ask::Redeem { code, by, verifier }).await;
        if let Heard::Answer(_, Brought::Tokens(tokens)) = heard {
            let mut device = self.device.borrow_mut();
            device.tokens = Some(tokens);
            device.code = None;
        } else if self.chance.one_in(2) {
            self.device.borrow_mut().code = None;
        }
    }

    async fn hear(&mut self, ask: Ask) -> Heard {
        let node = self.stage.some_node(&mut self.chance).await;
        self.stage.call(node, ask, &Extras::default(), &mut self.chance).await
    }
}

/// Has stolen everything that was ever handed out, and sometimes a client's own secret as well.
struct Thief {
    stage: Rc<Stage>,
    chance: Chance,
}

impl Thief {
    async fn live(mut self) {
        for _ in 0..self.stage.plan.actions {
            let thought_ms = self.chance.millis_below(self.stage.plan.thought_ms);
            self.stage.kernel.sleep(1 + thought_ms).await;
            if let Some(ask) = self.choose() {
                let node = self.stage.some_node(&mut self.chance).await;
                let bare = Extras::default();
                let _kept = self.stage.call(node, ask, &bare, &mut self.chance).await;
            }
        }
    }

    fn choose(&mut self) -> Option<Ask> {
        let ledger = self.stage.ledger.borrow();
        let (codes, refreshes) = (ledger.codes.len(), ledger.refreshes.len());
        let stranger = self.chance.among(&FOR_PEOPLE);
        match self.chance.below(8) {
            0..3 if codes > 0 => {
                let code = self.chance.below(codes);
                let by = stranger.filter(|_| self.chance.one_in(3));
                let by = by.or_else(|| ledger.codes.get(code).map(|code| code.client))?;
                let wrong = self.chance.one_in(3);
                let verifier = if wrong { Verifier::Wrong } else { Verifier::Right };
                Some(Ask::Redeem { code, by, verifier })
            }
            0..6 if refreshes > 0 => {
                let token = self.chance.below(refreshes);
                let by = stranger.filter(|_| self.chance.one_in(3));
                let family = ledger.refreshes.get(token).map(|refresh| refresh.family);
                let family = family.and_then(|at| ledger.families.get(at));
                let by = by.or_else(|| family.map(|family| family.client))?;
                Some(Ask::Refresh { token, by, scope: Scope::Unsaid })
            }
            6 if refreshes > 0 => {
                let token = Token::Refresh(self.chance.below(refreshes));
                Some(Ask::RevokeToken { token, by: stranger.unwrap_or(POS) })
            }
            _ => {
                let at = self.chance.below(ledger.accesses.len());
                let by = ledger.accesses.get(at)?.introspected_by();
                Some(Ask::Introspect { token: Token::Access(at), by })
            }
        }
    }
}

/// Takes things back through the administration API.
struct Operator {
    stage: Rc<Stage>,
    chance: Chance,
    rotations: usize,
    /// Its own token, as long as it is accepted.
    bearer: Option<String>,
}

impl Operator {
    async fn live(mut self) {
        for _ in 0..self.stage.plan.actions.div_ceil(2) {
            let thought_ms = self.chance.millis_below(self.stage.plan.thought_ms.saturating_mul(2));
            self.stage.kernel.sleep(1 + thought_ms).await;
            self.act().await;
        }
    }

    async fn act(&mut self) {
        let Some(ask) = self.choose() else { return };
        let Some(extras) = self.prepare(&ask).await else { return };
        for _ in 0..TRIES_MAX {
            let node = self.stage.some_node(&mut self.chance).await;
            match self.stage.call(node, ask.clone(), &extras, &mut self.chance).await {
                // Each try may use up one of the keys that are there.
                _ if self.rotations >= ROTATIONS_MAX && uses_keys(&ask) => return,
                Heard::Answer(answer, _) if answer.status != 503 => {
                    self.bearer = self.bearer.take().filter(|_| answer.status != 401);
                    return;
                }
                _ => self.rotations += usize::from(uses_keys(&ask)),
            }
        }
    }

    fn choose(&mut self) -> Option<Ask> {
        let ledger = self.stage.ledger.borrow();
        let user = self.chance.below(USERS);
        let client = self.chance.among(&FOR_PEOPLE).unwrap_or(WEB);
        let target = match self.chance.below(8) {
            0 => Target::Client(client),
            1 => Target::User(user),
            2 => Target::Grant(user, client),
            3 | 4 if !ledger.families.is_empty() => {
                Target::Family(self.chance.below(ledger.families.len()))
            }
            5 if !ledger.sessions.is_empty() => {
                Target::Session(self.chance.below(ledger.sessions.len()))
            }
            6 if self.rotations < ROTATIONS_MAX => {
                let kids = ledger.accesses.iter().filter(|a| a.user.is_some());
                let kids: Vec<_> = kids.filter_map(|access| access.kid.clone()).collect();
                self.rotations += 1;
                Target::Key(self.chance.among(&kids)?)
            }
            7 if self.rotations < ROTATIONS_MAX => {
                self.rotations += 1;
                return Some(Ask::RotateKey);
            }
            _ => return None,
        };
        Some(Ask::Revoke(target))
    }

    /// A token of its own, and the name of what is revoked.
    async fn prepare(&mut self, ask: &Ask) -> Option<Extras> {
        let bearer = Some(self.own_token().await?);
        let (store, tenant) = (&self.stage.store, TenantId::default_tenant());
        let named = match ask {
            Ask::Revoke(Target::Grant(user, client)) => {
                let client = ClientId::from_trusted(crate::ask::client(*client).id);
                let grant = store.load_grant(&tenant, &subject(*user), &client).await;
                Some(grant.ok().flatten()?.id.to_string())
            }
            Ask::Revoke(Target::Session(at)) => {
                let cookie = self.stage.ledger.borrow().sessions.get(*at)?.cookie.clone();
                let (cookie, now) = (SessionToken::parse(&cookie)?.hash(), self.stage.now());
                let session = store.load_session(&tenant, cookie, now).await;
                Some(session.ok().flatten()?.id.to_string())
            }
            _ => None,
        };
        Some(Extras { bearer, named, ..Extras::default() })
    }

    async fn own_token(&mut self) -> Option<String> {
        if self.bearer.is_none() {
            let node = self.stage.some_node(&mut self.chance).await;
            let bare = Extras::default();
            let own = self.stage.call(node, Ask::Own, &bare, &mut self.chance).await;
            let Heard::Answer(answer, _) = own else { return None };
            self.bearer = answer.text("access_token").map(str::to_owned);
        }
        self.bearer.clone()
    }
}

const fn uses_keys(ask: &Ask) -> bool {
    matches!(ask, Ask::RotateKey | Ask::Revoke(Target::Key(_)))
}

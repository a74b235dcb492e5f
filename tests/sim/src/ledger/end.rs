//! What a node's answer must be, and what it makes true.

use keywright_protocol::token::RefreshToken;

use super::begin::{RETRY_MS, takes, takes_access};
use super::record::{Access, Death, Family, Fate, Refresh};
use super::{Call, CallId, Clocks, Invariant, Ledger};
use crate::ask::{ADMIN, Answer, Ask, ClientAt, Scope, SessionAt, Target, Token, Verifier, client};
use crate::published::{Published, kid_of};

/// What a client got with a 200 of the token endpoint, by its places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issued {
    pub(crate) access: usize,
    pub(crate) refresh: Option<usize>,
}

/// What an answer brought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Brought {
    Code(usize),
    Nothing,
    Session(SessionAt),
    Tokens(Issued),
}

/// A moment, as the ledger writes it down.
#[derive(Clone, Copy)]
pub(crate) struct Now<'a> {
    pub(crate) ms: i64,
    /// How far the answering node's clock is ahead.
    pub(crate) ahead_ms: i64,
    /// The keys that the answering node publishes.
    pub(crate) published: &'a Published,
}

impl Ledger {
    /// A node has answered, whether or not anybody hears it.
    pub(crate) fn end(&mut self, id: CallId, answer: &Answer, now: Now<'_>) -> Brought {
        self.count += 1;
        self.ended_ahead_ms = now.ahead_ms;
        let Some(call) = self.calls.remove(&id) else { return Brought::Nothing };
        self.close_revocation(&call, now.ms);
        if answer.status >= 500 && answer.status != 503 {
            self.accuse(Invariant::HonestFault, format!("{:?}: {}", call.ask, Self::told(answer)));
        }
        match call.ask.clone() {
            Ask::Authorize { session, client, .. } | Ask::Resume { session, client } => {
                self.authorized(&call, session, client, answer)
            }
            Ask::Consent { session, client, ticked } => {
                self.consented(&call, (session, client, ticked), answer)
            }
            Ask::Introspect { token: Token::Access(at), .. } => {
                self.shown_access(&call, at, answer, now);
                Brought::Nothing
            }
            Ask::Introspect { token: Token::Refresh(at), .. } => {
                self.shown_refresh(&call, at, answer);
                Brought::Nothing
            }
            Ask::Own => self.own(&call, answer, now),
            Ask::Redeem { code, by, verifier } => {
                self.redeemed(&call, (code, by, verifier), answer, now)
            }
            Ask::Refresh { token, by, scope } => {
                self.refreshed(&call, (token, by, scope), answer, now)
            }
            Ask::Revoke(target) => {
                if answer.status == 200 {
                    self.revoked(&call, &target);
                }
                Brought::Nothing
            }
            Ask::RevokeToken { token, by } => {
                if answer.status == 200 {
                    self.token_revoked(&call, token, by);
                }
                Brought::Nothing
            }
            Ask::RotateKey | Ask::Show { .. } => Brought::Nothing,
            Ask::SignIn { user, password } => self.signed_in(&call, user, password, answer),
            Ask::SignOut { session, .. } => {
                // Without a form: nobody is asked any more.
                if answer.status == 200 && answer.form.is_none() {
                    self.revoked(&call, &Target::SignedOut(session));
                }
                Brought::Nothing
            }
        }
    }

    fn redeemed(
        &mut self,
        call: &Call,
        (at, by, verifier): (usize, ClientAt, Verifier),
        answer: &Answer,
        now: Now<'_>,
    ) -> Brought {
        let Some(code) = self.codes.get(at).cloned() else { return Brought::Nothing };
        if answer.status != 200 {
            if call.promised && !code.fate.doubtful && answer.status != 503 {
                let what = format!("code {at} was refused: {}", Self::told(answer));
                self.accuse(Invariant::NothingLost, what);
            }
            let replay =
                code.accepted.filter(|(since, _)| *since < call.begun && code.client == by);
            if let Some((_, family)) =
                replay.filter(|_| answer.text("error") == Some("invalid_grant"))
            {
                self.kill_family(family, self.death(call));
            }
            return Brought::Nothing;
        }
        if code.client != by || verifier == Verifier::Wrong {
            self.accuse(Invariant::Bound, format!("code {at} was redeemed by a stranger"));
        }
        if code.accepted.is_some() {
            self.accuse(Invariant::OnceOnly, format!("code {at} was redeemed twice"));
        }
        if Self::dead_in_store(&code.fate, call) {
            let what = format!("code {at} is revoked and was redeemed");
            self.accuse(Invariant::StaysRevoked, what);
        }
        let granted = code.scope;
        self.families.push(Family {
            client: code.client,
            session: code.session,
            user: code.user,
            fate: Fate {
                doubtful: code.fate.doubtful
                    || self.may_be_revoked(code.user, code.client, call.begun),
                deaths: Vec::new(),
            },
            ended: self.count,
            scope: granted.to_owned(),
            id: answer.text("refresh_token").and_then(family_id),
            id_token: answer.text("id_token").map(str::to_owned),
        });
        let family = self.families.len() - 1;
        if let Some(code) = self.codes.get_mut(at) {
            code.accepted = Some((self.count, family));
        }
        self.issued(call, family, None, (granted, answer), now)
    }

    fn refreshed(
        &mut self,
        call: &Call,
        (at, by, scope): (usize, ClientAt, Scope),
        answer: &Answer,
        now: Now<'_>,
    ) -> Brought {
        let Some(refresh) = self.refreshes.get(at).cloned() else { return Brought::Nothing };
        let Some(family) = self.families.get(refresh.family).cloned() else {
            return Brought::Nothing;
        };
        let child = refresh.child.and_then(|child| self.refreshes.get(child));
        let child_used =
            child.and_then(|child| child.accepted).is_some_and(|(n, _)| n < call.begun);
        if answer.status != 200 {
            if call.promised && !family.fate.doubtful && answer.status != 503 {
                let what = format!("refresh token {at} was refused: {}", Self::told(answer));
                self.accuse(Invariant::NothingLost, what);
            }
            let reused = child_used && family.client == by && scope != Scope::Wider;
            if reused && answer.text("error") == Some("invalid_grant") {
                self.kill_family(refresh.family, self.death(call));
            }
            return Brought::Nothing;
        }
        if family.client != by {
            self.accuse(Invariant::Bound, format!("refresh token {at} was used by a stranger"));
        }
        if scope == Scope::Wider {
            self.accuse(Invariant::NarrowScope, format!("refresh token {at} gave more scope"));
        }
        if Self::dead_in_store(&family.fate, call) {
            let what =
                format!("family {} is revoked and refresh token {at} was used", refresh.family);
            self.accuse(Invariant::StaysRevoked, what);
        }
        let late = refresh.accepted.is_some_and(|(_, ms)| ms + RETRY_MS <= call.begun_ms);
        let late = late && self.clocks == Clocks::Agree && !self.reopens(call);
        if child_used || late {
            self.accuse(Invariant::OnceOnly, format!("refresh token {at} was used again"));
        }
        let asked =
            if scope == Scope::Narrower { client(by).narrower } else { family.scope.as_str() };
        if let Some(refresh) = self.refreshes.get_mut(at) {
            refresh.accepted.get_or_insert((self.count, now.ms));
        }
        self.issued(call, refresh.family, Some(at), (asked, answer), now)
    }

    fn own(&mut self, call: &Call, answer: &Answer, now: Now<'_>) -> Brought {
        if answer.status != 200 {
            if answer.status != 503 {
                let what = format!("the administrator's client: {}", Self::told(answer));
                self.accuse(Invariant::NothingLost, what);
            }
            return Brought::Nothing;
        }
        let access = self.access(call, (ADMIN, None, None), answer, now);
        Brought::Tokens(Issued { access, refresh: None })
    }

    /// Writes down what a 200 of the token endpoint holds.
    fn issued(
        &mut self,
        call: &Call,
        family: usize,
        parent: Option<usize>,
        (asked, answer): (&str, &Answer),
        now: Now<'_>,
    ) -> Brought {
        let scope = answer.text("scope").unwrap_or_default();
        if scope.split(' ').any(|name| !asked.split(' ').any(|asked| asked == name)) {
            self.accuse(Invariant::NarrowScope, format!("asked for {asked:?}, got {scope:?}"));
        }
        let Some(row) = self.families.get(family) else { return Brought::Nothing };
        let whose = (row.client, Some(row.user), Some(family));
        let access = self.access(call, whose, answer, now);
        let refresh = answer.text("refresh_token").map(str::to_owned);
        let refresh = refresh.map(|text| self.refresh(text, family, parent));
        if refresh.is_none() {
            let what = format!("family {family} has a token answer without a refresh token");
            self.accuse(Invariant::NothingLost, what);
        }
        Brought::Tokens(Issued { access, refresh })
    }

    fn refresh(&mut self, text: String, family: usize, parent: Option<usize>) -> usize {
        let known = self.refresh_by_text.get(&text).copied();
        let at = known.unwrap_or(self.refreshes.len());
        if known.is_none() {
            self.refresh_by_text.insert(text.clone(), at);
            let (child, first_shown_ms, accepted) = (None, None, None);
            let row = Refresh { text, family, parent, child, first_shown_ms, accepted };
            self.refreshes.push(row);
        }
        let child = parent.and_then(|at| self.refreshes.get_mut(at)).map(|parent| {
            let first = *parent.child.get_or_insert(at);
            first != at
        });
        if child == Some(true) {
            let what = format!("refresh token {parent:?} was used twice, for two children");
            self.accuse(Invariant::OnceOnly, what);
        }
        at
    }

    fn access(
        &mut self,
        call: &Call,
        (client, user, family): (ClientAt, Option<usize>, Option<usize>),
        answer: &Answer,
        now: Now<'_>,
    ) -> usize {
        let text = answer.text("access_token").unwrap_or_default().to_owned();
        let lifetime_s = answer.body.get("expires_in").and_then(serde_json::Value::as_i64);
        let kid = kid_of(&text);
        if let Some(kid) = &kid {
            self.signed(call, kid, now.published.verifies(&text));
        }
        let since = call.begun;
        let revoked = user.is_some_and(|user| self.may_be_revoked(user, client, since));
        let iat_s = call.begun_ms.div_euclid(1000);
        let doubtful = revoked || iat_s <= self.may_be_dead_until_s(user, client);
        let after = |ms: i64| ms + lifetime_s.unwrap_or(0) * 1000;
        let (expires_ms, over_ms) = (after(call.begun_ms), after(now.ms));
        let fate = Fate { doubtful, deaths: Vec::new() };
        let ended = self.count;
        let dated_ahead = call.ahead_ms > 0 || now.ahead_ms > 0;
        self.accesses.push(Access {
            text,
            client,
            user,
            family,
            kid,
            fate,
            ended,
            expires_ms,
            over_ms,
            dated_ahead,
        });
        self.accesses.len() - 1
    }

    /// A token was issued under a key.
    fn signed(&mut self, call: &Call, kid: &str, verifies: bool) {
        let fate = self.keys.get(kid);
        let told = fate.is_some_and(|fate| fate.deaths.iter().any(|d| call.known >= d.at));
        // A key that is being withdrawn may sign a last token: it is dead before anybody shows it.
        let withdrawn = fate.is_some_and(|fate| fate.doubtful);
        if told && self.clocks == Clocks::Agree {
            let what = "a token was issued under a key that its node knows to be withdrawn";
            self.accuse(Invariant::KnownKey, what);
        } else if !(verifies || withdrawn || told) {
            let what = "a token was issued that no published key verifies";
            self.accuse(Invariant::KnownKey, what);
        }
    }

    fn shown_access(&mut self, call: &Call, at: usize, answer: &Answer, now: Now<'_>) {
        let Some(access) = self.accesses.get(at) else { return };
        let active = answer.body.get("active").and_then(serde_json::Value::as_bool);
        let Some(active) = active.filter(|_| answer.status == 200) else {
            if answer.status != 503 {
                let what = format!("introspection: {}", Self::told(answer));
                self.accuse(Invariant::NothingLost, what);
            }
            return;
        };
        let agree = self.clocks == Clocks::Agree;
        // A whole second, since `iat` is rounded down or lies a second ahead.
        let expired = agree && access.over_ms + 1000 <= call.begun_ms;
        let in_time = agree && call.begun_ms < access.expires_ms - 1000;
        // Withdrawn while the answer was on its way; what was withdrawn before is dead.
        let withdrawn = access.kid.as_ref().and_then(|kid| self.keys.get(kid));
        let withdrawn = withdrawn.is_some_and(|fate| fate.doubtful);
        let unknown = access.kid.is_some() && !withdrawn && !now.published.verifies(&access.text);
        let dead = !access.dated_ahead && self.access_is_dead(access, call);
        let promised = in_time && !self.access_is_doubtful(access);
        if active && unknown {
            let what = format!("access token {at} was accepted, and no published key verifies it");
            self.accuse(Invariant::KnownKey, what);
        } else if active && dead {
            let what = format!("access token {at} is revoked and was accepted");
            self.accuse(Invariant::StaysRevoked, what);
        } else if active && expired {
            self.accuse(
                Invariant::Expires,
                format!("access token {at} was accepted after its end"),
            );
        } else if !active && promised {
            self.accuse(Invariant::NothingLost, format!("access token {at} was not accepted"));
        }
    }

    fn shown_refresh(&mut self, call: &Call, at: usize, answer: &Answer) {
        let Some(refresh) = self.refreshes.get(at) else { return };
        let Some(family) = self.families.get(refresh.family) else { return };
        let active = answer.body.get("active").and_then(serde_json::Value::as_bool);
        let dead = Self::dead_in_store(&family.fate, call);
        let promised = call.promised && self.is_promised_leaf(at) && self.clocks == Clocks::Agree;
        match active {
            Some(true) if dead => {
                let what = format!("refresh token {at} is revoked and is called active");
                self.accuse(Invariant::StaysRevoked, what);
            }
            Some(false) if promised => {
                self.accuse(Invariant::NothingLost, format!("refresh token {at} is not active"));
            }
            _ => {}
        }
    }

    pub(super) fn death(&self, call: &Call) -> Death {
        // What was in doubt before may have been ended by another node: this one knows of it from
        // the row, and from the log when it follows it.
        let said_by = if call.doubted { None } else { Some(call.life) };
        let right_clock = call.ahead_ms == 0 && self.ended_ahead_ms == 0;
        Death { at: self.count, said_by, right_clock }
    }

    fn kill_family(&mut self, at: usize, death: Death) {
        if let Some(family) = self.families.get_mut(at) {
            family.fate.doubtful = true;
            family.fate.deaths.push(death);
        }
    }

    fn token_revoked(&mut self, call: &Call, token: Token, by: ClientAt) {
        let death = self.death(call);
        match token {
            Token::Access(at) => {
                if let Some(access) = self.accesses.get_mut(at).filter(|a| a.client == by) {
                    access.fate.deaths.push(death);
                }
            }
            Token::Refresh(at) => {
                let family = self.refreshes.get(at).map(|refresh| refresh.family);
                let own = |at: &usize| self.families.get(*at).is_some_and(|f| f.client == by);
                if let Some(at) = family.filter(own) {
                    self.kill_family(at, death);
                }
            }
        }
    }

    /// What was there when the revocation began is dead; what came meanwhile is in doubt.
    pub(super) fn revoked(&mut self, call: &Call, target: &Target) {
        self.doubt(target);
        // A client or a user is taken back up to a moment, and a moment is what the clocks do not
        // agree about.
        if self.clocks == Clocks::Differ && matches!(target, Target::Client(_) | Target::User(_)) {
            return;
        }
        let death = self.death(call);
        let before = |ended: u64| ended < call.begun;
        for (at, session) in self.sessions.iter_mut().enumerate() {
            let user = matches!(target, Target::User(user) if *user == session.user);
            let named = *target == Target::Session(at) || *target == Target::SignedOut(at);
            if before(session.ended) && (user || named) {
                session.fate.deaths.push(death);
            }
        }
        for code in &mut self.codes {
            let taken = takes(target, code.user, code.client);
            let at = code.session;
            let born = *target == Target::Session(at) || *target == Target::SignedOut(at);
            if before(code.ended) && (taken || born) {
                code.fate.deaths.push(death);
            }
        }
        for (at, family) in self.families.iter_mut().enumerate() {
            let taken = takes(target, family.user, family.client);
            let signed_out = *target == Target::SignedOut(family.session);
            let named = *target == Target::Family(at)
                || *target == Target::Session(family.session)
                || signed_out && !family.outlives_session();
            if before(family.ended) && (taken || named) {
                family.fate.deaths.push(death);
            }
        }
        for access in &mut self.accesses {
            if before(access.ended) && takes_access(target, access.user, access.client) {
                access.fate.deaths.push(death);
            }
        }
        if let Target::Key(kid) = target {
            self.keys.entry(kid.clone()).or_default().deaths.push(death);
        }
    }
}

/// The name of a refresh token's family.
fn family_id(token: &str) -> Option<String> {
    RefreshToken::parse(token).map(|token| token.family().to_string())
}

//! What a call puts in doubt as soon as it begins, and what is promised of its answer.

use super::{Call, CallId, Clocks, Ledger, Revocation};
use crate::ask::{Ask, ClientAt, Password, Scope, Target, Token, Verifier};
use crate::kernel::Life;

/// How long an answer to a refresh may be asked for again.
pub(crate) const RETRY_MS: i64 = 10_000;
/// How long before the end of such a time a call may begin and be judged after it.
const JUDGED_MS: i64 = 1_000;
/// How long a code lives.
pub(crate) const CODE_MS: i64 = 60_000;
/// How many failures burn a code.
const GUESSES_MAX: u32 = 5;

impl Ledger {
    /// A node was asked.
    pub(crate) fn begin(&mut self, ask: Ask, life: Life, (now_ms, ahead_ms): (i64, i64)) -> CallId {
        self.count += 1;
        let doubted = self.is_doubted(&ask);
        self.calls_made += 1;
        let promised = match &ask {
            Ask::Authorize { session, .. } | Ask::Resume { session, .. } => {
                session.is_some_and(|at| self.is_promised_session(at))
            }
            Ask::Consent { session, client, ticked } => {
                self.begin_consent(*session, *client, *ticked)
            }
            Ask::Introspect { token, .. } => match token {
                Token::Access(_) => true,
                Token::Refresh(at) => self.is_promised_leaf(*at),
            },
            Ask::Own => true,
            Ask::Redeem { code, by, verifier } => self.show_code(*code, *by, *verifier, now_ms),
            Ask::Refresh { token, by, scope } => self.show_refresh(*token, *by, *scope, now_ms),
            Ask::Revoke(target) => {
                self.begin_revocation(target.clone());
                false
            }
            Ask::RevokeToken { token, by } => {
                self.doubt_token(*token, *by);
                false
            }
            Ask::RotateKey | Ask::Show { .. } => false,
            Ask::SignIn { password, .. } => *password == Password::Right,
            Ask::SignOut { session, .. } => {
                self.begin_revocation(Target::SignedOut(*session));
                false
            }
        };
        let known = self.known.get(life.node).copied().unwrap_or(0);
        let call = Call {
            ask,
            life,
            begun: self.count,
            begun_ms: now_ms,
            ahead_ms,
            doubted,
            known,
            promised,
        };
        let id = self.count;
        self.calls.insert(id, call);
        id
    }

    fn is_doubted(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Consent { session, client, .. } => self.is_consent_doubted(*session, *client),
            Ask::Refresh { token, .. } => {
                let family = self.refreshes.get(*token).and_then(|r| self.families.get(r.family));
                family.is_some_and(|family| family.fate.doubtful)
            }
            Ask::SignOut { session, .. } => !self.is_promised_session(*session),
            _ => false,
        }
    }

    /// Somebody has begun to take something back.
    pub(super) fn begin_revocation(&mut self, target: Target) {
        self.doubt(&target);
        self.revocations.push(Revocation { target, begun: self.count, ended: None });
    }

    fn show_code(&mut self, at: usize, by: ClientAt, verifier: Verifier, now_ms: i64) -> bool {
        let clocks = self.clocks;
        let Some(code) = self.codes.get_mut(at) else { return false };
        let own = code.client == by;
        let right = own && verifier == Verifier::Right;
        code.shown += u32::from(own);
        code.redeemed += u32::from(right);
        code.guesses += u32::from(!right);
        // RFC 6749 §4.1.2: what came of a code dies with its second use, whoever comes first.
        let replayed = code.shown > 1 && code.redeemed > 0;
        code.fate.doubtful |= replayed;
        let in_time = clocks == Clocks::Agree && now_ms + JUDGED_MS < code.begun_ms + CODE_MS;
        let promised = right && in_time && code.guesses < GUESSES_MAX && !code.fate.doubtful;
        let family = code.accepted.filter(|_| replayed).map(|(_, family)| family);
        if let Some(family) = family.and_then(|at| self.families.get_mut(at)) {
            family.fate.doubtful = true;
        }
        promised
    }

    fn show_refresh(&mut self, at: usize, by: ClientAt, scope: Scope, now_ms: i64) -> bool {
        let shown_in_flight = |ledger: &Self, at: usize| {
            ledger.calls.values().any(|call| {
                matches!(call.ask, Ask::Refresh { token, by: own, .. } if token == at && own == by)
            })
        };
        let Some(refresh) = self.refreshes.get(at) else { return false };
        let Some(family) = self.families.get(refresh.family) else { return false };
        if family.client != by {
            return false;
        }
        let child_shown = refresh.child.is_some_and(|child| {
            self.refreshes.get(child).is_some_and(|child| child.first_shown_ms.is_some())
        });
        let too_late = refresh
            .first_shown_ms
            .map(|first_ms| first_ms + RETRY_MS)
            .is_some_and(|end_ms| self.clocks == Clocks::Differ || now_ms + JUDGED_MS >= end_ms);
        // An ancestor that is still on its way will be judged after this one: as reuse.
        let mut ancestor = refresh.parent;
        let mut overtakes = false;
        while let Some(at) = ancestor {
            overtakes |= shown_in_flight(self, at);
            ancestor = self.refreshes.get(at).and_then(|refresh| refresh.parent);
        }
        let family = refresh.family;
        if let Some(refresh) = self.refreshes.get_mut(at) {
            refresh.first_shown_ms.get_or_insert(now_ms);
        }
        let Some(family) = self.families.get_mut(family) else { return false };
        family.fate.doubtful |= child_shown || too_late || overtakes;
        !family.fate.doubtful && scope != Scope::Wider
    }

    fn doubt_token(&mut self, token: Token, by: ClientAt) {
        match token {
            Token::Access(at) => {
                if let Some(access) = self.accesses.get_mut(at).filter(|a| a.client == by) {
                    access.fate.doubtful = true;
                }
            }
            Token::Refresh(at) => {
                let family = self.refreshes.get(at).map(|refresh| refresh.family);
                let family = family.and_then(|at| self.families.get_mut(at));
                if let Some(family) = family.filter(|family| family.client == by) {
                    family.fate.doubtful = true;
                }
            }
        }
    }

    /// Puts in doubt all that a revocation may take.
    pub(super) fn doubt(&mut self, target: &Target) {
        let user_of = |session: usize| self.sessions.get(session).map(|session| session.user);
        // With a session may go the grants that were given in it, and so the user's other families.
        let session_user = match target {
            Target::Session(at) => user_of(*at),
            _ => None,
        };
        for (at, session) in self.sessions.iter_mut().enumerate() {
            let user = matches!(target, Target::User(user) if *user == session.user);
            let named = *target == Target::Session(at) || *target == Target::SignedOut(at);
            session.fate.doubtful |= user || named;
        }
        for code in &mut self.codes {
            let taken = takes(target, code.user, code.client);
            let signed_out = *target == Target::SignedOut(code.session);
            code.fate.doubtful |= taken || signed_out || session_user == Some(code.user);
        }
        for (at, family) in self.families.iter_mut().enumerate() {
            let taken = takes(target, family.user, family.client);
            let signed_out = *target == Target::SignedOut(family.session);
            let named = *target == Target::Family(at) || signed_out && !family.outlives_session();
            family.fate.doubtful |= taken || named || session_user == Some(family.user);
        }
        for access in &mut self.accesses {
            access.fate.doubtful |= takes_access(target, access.user, access.client);
        }
        if let Target::Key(kid) = target {
            self.keys.entry(kid.clone()).or_default().doubtful = true;
        }
    }

    /// Whether a revocation was on its way at some time since, which may take something of a user
    /// and client; but for the one that began then.
    pub(super) fn may_be_revoked(&self, user: usize, client: ClientAt, since: u64) -> bool {
        let meanwhile = self
            .revocations
            .iter()
            .filter(|r| r.begun != since && r.ended.is_none_or(|(n, _)| n > since));
        meanwhile.map(|revocation| &revocation.target).any(|target| match target {
            Target::Session(at) | Target::SignedOut(at) => {
                self.sessions.get(*at).is_some_and(|s| s.user == user)
            }
            target => takes(target, user, client),
        })
    }

    /// The second of `iat` until which an access token may be dead that is issued now.
    ///
    /// `iat` has whole seconds: what is issued within the second of a revocation, by a node that
    /// has not heard of it yet, may die with it; and one that is repeated until all nodes have
    /// heard of it, or follows another, reaches a second further.
    pub(super) fn may_be_dead_until_s(&self, user: Option<usize>, client: ClientAt) -> i64 {
        let second = |ms: i64| ms.div_euclid(1000);
        let taking = self.revocations.iter().filter(|r| takes_access(&r.target, user, client));
        taking.fold(i64::MIN, |dead_until_s, revocation| {
            let at_s = revocation.ended.map_or(i64::MAX, |(_, ended_ms)| second(ended_ms));
            dead_until_s.max(at_s.saturating_add(1))
        })
    }
}

/// Whether a revocation takes all that a client holds for a user.
pub(super) fn takes(target: &Target, user: usize, client: ClientAt) -> bool {
    match target {
        Target::Client(taken) => *taken == client,
        Target::Grant(of, to) => *of == user && *to == client,
        Target::User(taken) => *taken == user,
        Target::Family(_) | Target::Key(_) | Target::Session(_) | Target::SignedOut(_) => false,
    }
}

/// The same for an access token, which may be of a client alone.
pub(super) fn takes_access(target: &Target, user: Option<usize>, client: ClientAt) -> bool {
    match user {
        Some(user) => takes(target, user, client),
        None => *target == Target::Client(client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Clocks;

    #[test]
    fn a_further_revocation_reaches_a_second_further() {
        let until = |ends_ms: &[Option<i64>]| {
            let mut ledger = Ledger::new(Clocks::Agree, 1);
            for ended_ms in ends_ms {
                let (target, ended) = (Target::User(0), ended_ms.map(|ms| (0, ms)));
                ledger.revocations.push(Revocation { target, begun: 0, ended });
            }
            ledger.may_be_dead_until_s(Some(0), 0)
        };
        assert_eq!(until(&[]), i64::MIN);
        assert_eq!(until(&[Some(4900)]), 5, "it may be repeated");
        assert_eq!(until(&[Some(4900), Some(4990)]), 5);
        assert_eq!(until(&[Some(4200), Some(4400), Some(5100)]), 6);
        assert_eq!(until(&[Some(4200), Some(5400)]), 6, "another second");
        assert_eq!(until(&[None]), i64::MAX, "not ended");
    }
}

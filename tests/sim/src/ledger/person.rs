//! What a person does in a browser: signs in, gives a client something or less, signs out.

use super::record::{Code, Fate, Session};
use super::{Brought, Call, Clocks, Invariant, Ledger};
use crate::ask::{
    ADMIN, Answer, ClientAt, Password, SessionAt, Stop, Target, Ticked, UserAt, client,
};

impl Ledger {
    /// Whether a sign-in must be known if nothing more happens.
    pub(super) fn is_promised_session(&self, at: SessionAt) -> bool {
        self.sessions.get(at).is_some_and(|session| !session.fate.doubtful)
    }

    /// A person gives something; with less than all, what was issued under more ends.
    pub(super) fn begin_consent(
        &mut self,
        session: SessionAt,
        to: ClientAt,
        ticked: Ticked,
    ) -> bool {
        let promised = self.is_promised_session(session);
        if let Some(user) = self.sessions.get(session).map(|session| session.user) {
            match ticked {
                Ticked::All => drop(self.consents.insert((user, to))),
                Ticked::Part => self.begin_revocation(Target::Grant(user, to)),
            }
        }
        promised
    }

    /// Whether something has put in doubt before what this person gave to this client.
    pub(super) fn is_consent_doubted(&self, session: SessionAt, to: ClientAt) -> bool {
        let Some(user) = self.sessions.get(session).map(|session| session.user) else {
            return true;
        };
        let codes = self.codes.iter().map(|code| (code.user, code.client, &code.fate));
        let families =
            self.families.iter().map(|family| (family.user, family.client, &family.fate));
        codes.chain(families).any(|(of, by, fate)| (of, by) == (user, to) && fate.doubtful)
    }

    /// A form with a password was answered.
    pub(super) fn signed_in(
        &mut self,
        call: &Call,
        user: UserAt,
        password: Password,
        answer: &Answer,
    ) -> Brought {
        let Some(cookie) = answer.session.clone() else {
            // 200 is the form again, which says that the password is wrong.
            if call.promised && answer.status == 200 {
                let what = format!("user {user} has the right password and is not let in");
                self.accuse(Invariant::NothingLost, what);
            }
            return Brought::Nothing;
        };
        if password == Password::Wrong {
            self.accuse(Invariant::Bound, format!("a wrong password let in as user {user}"));
        }
        let doubtful = self.may_be_revoked(user, ADMIN, call.begun);
        let fate = Fate { doubtful, deaths: Vec::new() };
        self.sessions.push(Session { user, cookie, fate, ended: self.count });
        Brought::Session(self.sessions.len() - 1)
    }

    /// A browser that asked for a code was sent on.
    pub(super) fn authorized(
        &mut self,
        call: &Call,
        session: Option<SessionAt>,
        to: ClientAt,
        answer: &Answer,
    ) -> Brought {
        let user_of = |at| self.sessions.get(at).map(|session: &Session| session.user);
        // What ends meanwhile, of the client too, sends the browser round once more.
        let ends =
            session.and_then(user_of).is_some_and(|user| self.may_be_revoked(user, to, call.begun));
        let lost = answer.leads_to().is_some_and(|(stop, _)| stop == Stop::Login);
        let promised = session.is_some_and(|at| call.promised && self.is_promised_session(at));
        if lost && promised && !ends && self.clocks == Clocks::Agree {
            self.accuse(Invariant::NothingLost, format!("sign-in {session:?} is not known"));
        }
        let Some(text) = answer.code() else { return Brought::Nothing };
        let Some(at) = session else {
            self.accuse(Invariant::Bound, "a browser that nobody has signed in with got a code");
            return Brought::Nothing;
        };
        let user = self.sessions.get(at).map_or(0, |session| session.user);
        if client(to).part.is_some() && !self.consents.contains(&(user, to)) {
            let what = format!("client {to} got a code for user {user}, who has not consented");
            self.accuse(Invariant::NarrowScope, what);
        }
        self.code(call, (at, to), text, client(to).scope)
    }

    /// A form with a consent was answered.
    pub(super) fn consented(
        &mut self,
        call: &Call,
        (session, to, ticked): (SessionAt, ClientAt, Ticked),
        answer: &Answer,
    ) -> Brought {
        let Some(text) = answer.code() else { return Brought::Nothing };
        let scope = ticked.scope(to);
        if let Some(user) = self.sessions.get(session).map(|session| session.user) {
            self.withdrawn(call, (user, to), scope);
        }
        self.code(call, (session, to), text, scope)
    }

    /// What was issued under more than is granted now is over.
    fn withdrawn(&mut self, call: &Call, whose: (UserAt, ClientAt), scope: &str) {
        let death = self.death(call);
        let more = |of: &str| of.split(' ').any(|name| !scope.split(' ').any(|own| own == name));
        for code in &mut self.codes {
            if code.ended < call.begun && (code.user, code.client) == whose && more(code.scope) {
                code.fate.deaths.push(death);
            }
        }
        for family in &mut self.families {
            let own = (family.user, family.client) == whose;
            if family.ended < call.begun && own && more(&family.scope) {
                family.fate.deaths.push(death);
            }
        }
    }

    fn code(
        &mut self,
        call: &Call,
        (session, to): (SessionAt, ClientAt),
        text: String,
        scope: &'static str,
    ) -> Brought {
        let Some(row) = self.sessions.get(session) else { return Brought::Nothing };
        let (user, dead) = (row.user, Self::dead_in_store(&row.fate, call));
        if dead {
            let what = format!("session {session} is revoked and gave a code");
            self.accuse(Invariant::StaysRevoked, what);
        }
        let doubtful = self.may_be_revoked(user, to, call.begun);
        let fate = Fate { doubtful, deaths: Vec::new() };
        self.codes.push(Code {
            text,
            client: to,
            session,
            user,
            scope,
            fate,
            ended: self.count,
            begun_ms: call.begun_ms,
            shown: 0,
            redeemed: 0,
            guesses: 0,
            accepted: None,
        });
        Brought::Code(self.codes.len() - 1)
    }
}

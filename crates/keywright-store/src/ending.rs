//! What ends with sessions: one rule for every backend.

use keywright_protocol::id::{FamilyId, GrantId, SessionId};
use keywright_protocol::revocation::RevocationTarget;

use crate::session::SessionEnd;

/// What a user has.
#[derive(Default)]
pub(crate) struct Holdings {
    /// Families that are not revoked.
    pub(crate) families: Vec<HeldFamily>,
    /// Grants, and the sessions in which they were given.
    pub(crate) grants: Vec<(GrantId, SessionId)>,
    /// Sessions.
    pub(crate) sessions: Vec<SessionId>,
}

/// A family of a user.
pub(crate) struct HeldFamily {
    pub(crate) id: FamilyId,
    pub(crate) grant: GrantId,
    pub(crate) session: SessionId,
    pub(crate) offline: bool,
}

/// What of it ends.
pub(crate) struct Ending {
    /// Families to mark.
    pub(crate) families: Vec<FamilyId>,
    /// Grants to delete.
    pub(crate) grants: Vec<GrantId>,
    /// Sessions to delete.
    pub(crate) sessions: Vec<SessionId>,
    /// What the revocation log gains.
    pub(crate) targets: Vec<RevocationTarget>,
}

impl Ending {
    /// What ends with the sessions that `ends` chooses. It may choose sessions that are forgotten
    /// already: what was born in them still ends, so that nothing depends on the sweeper.
    pub(crate) fn of(held: Holdings, how: SessionEnd, ends: impl Fn(&SessionId) -> bool) -> Self {
        let sessions: Vec<_> = held.sessions.into_iter().filter(|s| ends(s)).collect();
        let revoked = how == SessionEnd::Revoked;
        let given = held.grants.into_iter().filter(|(_, session)| revoked && ends(session));
        let grants: Vec<_> = given.map(|(grant, _)| grant).collect();
        let mut families = held.families;
        families.retain(|family| {
            let born_there = ends(&family.session) && (revoked || !family.offline);
            born_there || grants.contains(&family.grant)
        });
        let mut targets: Vec<_> = sessions.iter().cloned().map(RevocationTarget::Session).collect();
        targets.extend(grants.iter().cloned().map(RevocationTarget::Grant));
        // Tokens of an offline family name no session; those of a forgotten one have no entry.
        let unnamed = families.iter().filter(|family| {
            let by_session = !family.offline && sessions.contains(&family.session);
            !by_session && !grants.contains(&family.grant)
        });
        targets.extend(unnamed.map(|family| RevocationTarget::Family(family.id.clone())));
        let families = families.into_iter().map(|family| family.id).collect();
        Self { families, grants, sessions, targets }
    }
}

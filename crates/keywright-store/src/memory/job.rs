//! Housekeeping in memory.

use async_trait::async_trait;
use keywright_protocol::limits::CODE_REMEMBERED;
use keywright_protocol::time::Timestamp;

use super::{MemoryStore, State};
use crate::StoreFault;
use crate::job::{
    CHANGE_REMEMBERED, EXPIRED_REMEMBERED, FAMILY_REMEMBERED, JobStore, KEY_REMEMBERED, Lease,
    NODE_REMEMBERED, Swept,
};

#[async_trait]
impl JobStore for MemoryStore {
    async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreFault> {
        let mut state = self.state()?;
        let before = state.rows();
        state.sweep(now);
        Ok(Swept { rows: (before - state.rows()) as u64 })
    }

    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreFault> {
        let mut state = self.state()?;
        match state.leases.get(name) {
            Some((other, theirs)) if other != holder && *theirs > now => {
                Ok(Lease::HeldByAnother { until: *theirs })
            }
            _ => {
                state.leases.insert(name.to_owned(), (holder.to_owned(), until));
                Ok(Lease::Held)
            }
        }
    }

    async fn ping(&self) -> Result<(), StoreFault> {
        self.state().map(drop)
    }

    async fn close(&self) {
        if let Ok(mut state) = self.state() {
            state.closed = true;
        }
    }
}

impl State {
    fn sweep(&mut self, now: Timestamp) {
        let codes = now.minus(CODE_REMEMBERED);
        self.codes.retain(|_, row| row.code.created_at > codes);
        let families = now.minus(FAMILY_REMEMBERED);
        self.families.retain(|_, family| family.absolute_expires_at > families);
        let expired = now.minus(EXPIRED_REMEMBERED);
        self.sessions.retain(|_, row| row.session.expires_at > expired);
        self.used.retain(|_, expires_at| *expires_at > expired);
        self.revocations.retain(|entry| entry.expires_at > expired);
        self.listed.retain(|_, token| token.expires_at > expired);
        let keys = now.minus(KEY_REMEMBERED);
        self.keys.retain(|_, key| key.times.gone_at.is_none_or(|gone_at| gone_at > keys));
        let changes = now.minus(CHANGE_REMEMBERED);
        self.changes.retain(|(at, _)| *at > changes);
        let nodes = now.minus(NODE_REMEMBERED);
        self.nodes.retain(|_, node| node.seen_at > nodes);
    }

    /// How many rows a sweep could delete.
    fn rows(&self) -> usize {
        self.codes.len()
            + self.families.len()
            + self.sessions.len()
            + self.used.len()
            + self.revocations.len()
            + self.listed.len()
            + self.keys.len()
            + self.changes.len()
            + self.nodes.len()
    }
}

//! Whose turn it is to make keys: of many nodes, one at a time for a tenant.

use std::time::Duration;

use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;
use keywright_store::SharedStore;
use keywright_store::job::Lease;

use crate::environment::{Environment, random};
use crate::error::ServerFault;

/// Longer than making keys takes; a node that dies meanwhile is not waited for any longer.
const LEASE_LASTS: Duration = Duration::from_secs(5);
/// Time between two looks at a lease that another node holds.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Looks after which the clocks must differ: two keys are better than none.
const LOOKS_MAX: u32 = 150;

/// The right to make keys of a tenant.
#[must_use]
pub(crate) struct KeyTurn<'a> {
    store: &'a SharedStore,
    name: String,
    holder: String,
}

impl<'a> KeyTurn<'a> {
    /// Waits for the turn.
    pub(crate) async fn wait(
        store: &'a SharedStore,
        tenant: &TenantId,
        environment: &dyn Environment,
    ) -> Result<Self, ServerFault> {
        let holder = keywright_jose::base64url_encode(&random::<12>(environment));
        let turn = Self { store, name: format!("keys/{tenant}"), holder };
        for _ in 0..LOOKS_MAX {
            let now = environment.now();
            if turn.take(now, now.plus(LEASE_LASTS)).await? == Lease::Held {
                break;
            }
            environment.sleep(LOOK_AGAIN).await;
        }
        Ok(turn)
    }

    /// Gives the turn to the next.
    pub(crate) async fn end(self, now: Timestamp) -> Result<(), ServerFault> {
        // Somebody else's it is only if this one lasted too long.
        let _whose = self.take(now, now).await?;
        Ok(())
    }

    async fn take(&self, now: Timestamp, until: Timestamp) -> Result<Lease, ServerFault> {
        Ok(self.store.take_lease(&self.name, &self.holder, now, until).await?)
    }
}

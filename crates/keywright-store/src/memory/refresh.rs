//! Refresh families in memory.

use async_trait::async_trait;
use keywright_protocol::grant::refresh_token::StoredFamily;
use keywright_protocol::id::{FamilyId, TenantId};
use keywright_protocol::wire::response::Receipt;

use super::{MemoryStore, State};
use crate::StoreFault;
use crate::attempt::Undo;
use crate::refresh::{RefreshStore, Rotate, Rotation, RotationStep};

#[async_trait]
impl RefreshStore for MemoryStore {
    async fn load_family(
        &self,
        tenant: &TenantId,
        family: &FamilyId,
    ) -> Result<Option<StoredFamily>, StoreFault> {
        self.read(|state| state.families.get(&(tenant.clone(), family.clone())).cloned())
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotate, StoreFault> {
        let rotated = self.write(|state| {
            state.refuse_used(&rotation.record, Undo::Verdict(Rotate::AssertionReplayed))?;
            let key = (rotation.tenant.clone(), rotation.family.clone());
            let family = state.families.get(&key).filter(|f| f.origin.client == rotation.client);
            let Some(family) = family else { return Err(Undo::Verdict(Rotate::LostRace)) };
            if !state.is_backed(&rotation.tenant, family) {
                return Err(Undo::Verdict(Rotate::SubjectGone));
            }
            if !fits(family, &rotation) {
                return Err(Undo::Verdict(Rotate::LostRace));
            }
            state.admit(&rotation.record)?;
            if let Some(family) = state.families.get_mut(&key) {
                advance(family, rotation);
            }
            Ok(())
        })?;
        Ok(rotated.map_or_else(|refused| refused, |()| Rotate::Committed(Receipt::of_commit())))
    }
}

impl State {
    /// Whether everybody on whom a family depends still is.
    fn is_backed(&self, tenant: &TenantId, family: &StoredFamily) -> bool {
        let origin = &family.origin;
        self.has_grant(tenant, &origin.grant, &origin.sub, &origin.client)
            && self.accepts_user(tenant, &origin.sub, origin.created_at)
            && self.accepts_client(tenant, &origin.client, origin.created_at)
    }
}

fn fits(family: &StoredFamily, rotation: &Rotation) -> bool {
    let now = rotation.record.now;
    let alive = !family.revoked && family.idle_expires_at > now && family.absolute_expires_at > now;
    alive
        && match &rotation.step {
            RotationStep::Adopt { generation, .. } => {
                family.restored && family.generation < *generation
            }
            RotationStep::Advance(_) => family.current == rotation.presented,
            RotationStep::Retry { since } => {
                family.parent == Some(rotation.presented) && family.rotated_at > *since
            }
        }
}

fn advance(family: &mut StoredFamily, rotation: Rotation) {
    let (child, generation) = match rotation.step {
        RotationStep::Adopt { generation, child } => (child, generation),
        RotationStep::Advance(child) => (child, family.generation),
        RotationStep::Retry { .. } => return,
    };
    family.parent = Some(rotation.presented);
    family.current = child.hash;
    family.sealed_child = Some(child.sealed);
    family.generation = generation + 1;
    family.restored = false;
    family.rotated_at = rotation.record.now;
    family.idle_expires_at = child.idle_expires_at.min(family.absolute_expires_at);
}

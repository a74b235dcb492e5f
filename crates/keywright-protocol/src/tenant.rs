//! A tenant: an issuer with clients, users and keys of its own.

use serde::{Deserialize, Serialize};

use crate::id::TenantId;
use crate::profile::Profile;
use crate::time::Timestamp;

/// A tenant as it is stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tenant {
    /// Its name, a path segment of its issuer.
    pub id: TenantId,
    /// What people read on its pages.
    pub display_name: String,
    /// The requirements that it keeps.
    pub profile: Profile,
    /// Whether it serves anybody.
    pub disabled: bool,
    /// Nothing issued at or before this moment is accepted.
    pub not_before: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// The longest lifetime that its access tokens ever had, seconds, where that is beyond the
    /// usual: for so long a revocation must be remembered, whatever lifetimes are now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub longest_lifetime_s: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this form")]
const fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}

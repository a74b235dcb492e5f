//! Clients: what they register, and how they prove who they are.

pub mod assertion;
pub mod authenticate;
pub mod metadata;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, TenantId};
use crate::scope::{IDENTITY_SCOPES, ScopeSet};
use crate::time::Timestamp;

pub use authenticate::{AuthenticatedClient, ClientAuthError, Credentials};
pub use metadata::{AuthMethod, ClientMetadata, ConsentRule, GrantType, RefreshRule};

/// A client as it is stored: RFC 7591 metadata and what this server adds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Client {
    /// Whose client.
    pub tenant: TenantId,
    /// Its identifier.
    pub id: ClientId,
    /// What it registered.
    pub metadata: ClientMetadata,
    /// Its live secrets, by hash.
    pub secrets: Vec<StoredSecret>,
    /// Whether it may do anything.
    pub disabled: bool,
    /// Nothing issued at or before this moment is accepted.
    pub not_before: Timestamp,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A client secret as it is stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredSecret {
    /// SHA-256 of the secret: it has 256 random bits, so a slow hash would add nothing.
    pub sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, after a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// Whether the client keeps a credential, RFC 6749 §2.1.
    pub fn is_confidential(&self) -> bool {
        self.metadata.token_endpoint_auth_method != AuthMethod::None
    }

    /// Whether the client registered for a grant type.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant)
    }

    /// The scopes that it may have: those registered, or those that name a person's claims.
    pub fn allowed_scope(&self) -> ScopeSet {
        match &self.metadata.scope {
            Some(scope) => scope.clone(),
            None if self.may_use(GrantType::AuthorizationCode) => {
                ScopeSet::parse(&IDENTITY_SCOPES.join(" ")).unwrap_or_default()
            }
            None => ScopeSet::default(),
        }
    }

    /// The name that people read.
    pub fn display_name(&self) -> &str {
        self.metadata.client_name.as_deref().unwrap_or(self.id.as_str())
    }

    /// Origins from which a browser may call the endpoints, CONTRACT: CORS.
    pub fn origins(&self) -> Vec<String> {
        let redirects =
            self.metadata.redirect_uris.iter().filter_map(super::redirect_uri::RedirectUri::origin);
        redirects.chain(self.metadata.keywright_origins.iter().cloned()).collect()
    }
}

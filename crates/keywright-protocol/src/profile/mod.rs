//! Profiles: named sets of requirements, data rather than `if`s.

use serde::{Deserialize, Serialize};

/// Which requirements a tenant keeps.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OAuth 2.1: PKCE for every client, exact redirect URIs, no token in the front channel.
    #[default]
    Oauth21,
    /// What OpenID certification exercises beside that: confidential clients without PKCE.
    Oidc,
}

/// What a profile demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Requirements {
    /// Who must send a `code_challenge`.
    pub pkce: PkceRule,
}

/// Who must use PKCE, RFC 9700 §2.1.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PkceRule {
    /// Every client.
    Everybody,
    /// Public clients; confidential ones may.
    PublicClients,
}

impl Profile {
    /// Its requirements.
    pub const fn requirements(self) -> Requirements {
        match self {
            Self::Oauth21 => Requirements { pkce: PkceRule::Everybody },
            Self::Oidc => Requirements { pkce: PkceRule::PublicClients },
        }
    }
}

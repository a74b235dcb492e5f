//! A browser's sign-in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{SessionId, Subject};
use crate::time::Timestamp;

/// The authentication context class of a password, returned as `acr`.
pub const ACR_PASSWORD: &str = "urn:keywright:acr:password";

/// How and when a person proved who they are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Authentication {
    /// When, `auth_time`.
    pub time: Timestamp,
    /// How strongly, `acr`.
    pub acr: String,
    /// By which methods, RFC 8176.
    pub amr: Vec<String>,
}

impl Authentication {
    /// A sign-in by password alone.
    pub fn by_password(time: Timestamp) -> Self {
        Self { time, acr: ACR_PASSWORD.to_owned(), amr: vec!["pwd".to_owned()] }
    }
}

/// A session as it is stored; the cookie is known by its hash only.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    /// The public identifier, `sid`.
    pub id: SessionId,
    /// Who is signed in.
    pub sub: Subject,
    /// How they proved it.
    pub authentication: Authentication,
    /// When the session ends by itself.
    pub expires_at: Timestamp,
    /// The address that signed in.
    pub ip: Option<Arc<str>>,
    /// The browser that signed in.
    pub user_agent: Option<Arc<str>>,
}

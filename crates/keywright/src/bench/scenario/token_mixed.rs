//! `token-mixed`: what a busy server sees in an hour, in fixed shares.

use keywright_protocol::secret::Secret;

use super::client_credentials::ClientCredentials;
use super::introspect::Introspect;
use super::refresh::Refresh;
use super::{Ground, Lease, Scenario, Shot};
use crate::bench::Stop;
use crate::bench::http::{Answer, Failure};

pub(super) struct TokenMixed {
    client_credentials: ClientCredentials,
    introspect: Introspect,
    refresh: Option<Refresh>,
}

impl TokenMixed {
    pub(super) async fn prepare(
        ground: &Ground<'_>,
        refresh_tokens: Vec<Secret<String>>,
    ) -> Result<Self, Stop> {
        let families = (!refresh_tokens.is_empty()).then_some(refresh_tokens);
        Ok(Self {
            client_credentials: ClientCredentials::new(ground)?,
            introspect: Introspect::prepare(ground).await?,
            refresh: families.map(|tokens| Refresh::new(ground, tokens)).transpose()?,
        })
    }

    /// The kinds alternate, so that no second has more of one than the next.
    fn at(&self, turn: u64) -> &dyn Scenario {
        match (turn % 10, &self.refresh) {
            (1 | 4 | 7, _) => &self.introspect,
            (9, Some(refresh)) => refresh,
            _ => &self.client_credentials,
        }
    }
}

impl Scenario for TokenMixed {
    fn shot(&self, turn: u64) -> Result<Shot, Failure> {
        self.at(turn).shot(turn)
    }

    fn judge(&self, turn: u64, lease: Lease, answer: &Answer) -> Result<(), Failure> {
        self.at(turn).judge(turn, lease, answer)
    }

    fn lost(&self, turn: u64, lease: Lease) {
        self.at(turn).lost(turn, lease);
    }
}

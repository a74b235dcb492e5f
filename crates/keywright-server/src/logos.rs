//! The logos that were fetched: one place for each client's, and a bound over all of them.
//!
//! A logo that could not be fetched is remembered too: otherwise every view of a page would knock
//! at a dead address again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use keywright_protocol::time::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::outbound::Image;
use crate::tenants::LoadedClient;

/// Logos kept at a time, those of all tenants: 32 MiB, if each is as large as it may be.
const LOGOS_MAX: usize = 256;
/// How long a logo is shown before it is fetched again.
pub const LOGO_KEPT: Duration = Duration::from_hours(1);
/// How long an address that gave no logo is left alone.
const FAILURE_KEPT: Duration = Duration::from_mins(1);

/// What asking for a logo came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fetched {
    /// The logo.
    Image(Image),
    /// None that can be shown.
    Nothing,
}

/// The place of one client's logo.
#[derive(Debug, Default)]
pub struct LogoPlace {
    kept: Mutex<Option<(Fetched, Timestamp)>>,
    fetching: Arc<tokio::sync::Mutex<()>>,
}

/// The turn to fetch: who waits for it finds what the one before has fetched.
#[derive(Debug)]
pub struct FetchTurn(OwnedMutexGuard<()>);

impl LogoPlace {
    /// What was fetched last, unless that is too long ago.
    pub fn fresh(&self, now: Timestamp) -> Option<Fetched> {
        let (fetched, at) = self.kept.lock().ok()?.clone()?;
        let lifetime = match fetched {
            Fetched::Image(_) => LOGO_KEPT,
            Fetched::Nothing => FAILURE_KEPT,
        };
        (now.since(at) < lifetime).then_some(fetched)
    }

    /// Waits until nobody else fetches this logo.
    pub async fn turn(&self) -> FetchTurn {
        FetchTurn(Arc::clone(&self.fetching).lock_owned().await)
    }

    fn put(&self, content: Option<(Fetched, Timestamp)>) {
        if let Ok(mut kept) = self.kept.lock() {
            *kept = content;
        }
    }
}

/// Whose logos are kept, the oldest first.
#[derive(Debug, Default)]
pub struct LogoShelf(Mutex<VecDeque<Weak<LoadedClient>>>);

impl LogoShelf {
    /// Keeps what was fetched, and ends the turn; the oldest logo goes if there are too many.
    pub fn keep(
        &self,
        client: &Arc<LoadedClient>,
        fetched: Fetched,
        now: Timestamp,
        turn: FetchTurn,
    ) {
        let Ok(mut owners) = self.0.lock() else { return };
        // A client that was changed since has a new place, and its old logo went with the old one.
        owners.retain(|owner| {
            owner.strong_count() > 0 && !std::ptr::eq(owner.as_ptr(), Arc::as_ptr(client))
        });
        if matches!(fetched, Fetched::Image(_)) {
            owners.push_back(Arc::downgrade(client));
        }
        client.logo.put(Some((fetched, now)));
        if owners.len() > LOGOS_MAX
            && let Some(oldest) = owners.pop_front().and_then(|owner| owner.upgrade())
        {
            oldest.logo.put(None);
        }
        drop(turn.0);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use keywright_protocol::client::{Client, ClientMetadata};
    use keywright_protocol::id::{ClientId, TenantId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn client() -> Arc<LoadedClient> {
        let metadata = br#"{"grant_types":["client_credentials"],"response_types":[]}"#;
        LoadedClient::new(Client {
            tenant: TenantId::default_tenant(),
            id: ClientId::parse("web").unwrap(),
            metadata: ClientMetadata::parse(metadata).unwrap(),
            secrets: Vec::new(),
            disabled: false,
            not_before: Timestamp::from_millis(0),
            created_at: NOW,
        })
    }

    fn logo() -> Fetched {
        Fetched::Image(Image { content_type: "image/png", bytes: Bytes::from_static(b"x") })
    }

    async fn keep(shelf: &LogoShelf, client: &Arc<LoadedClient>, fetched: Fetched) {
        shelf.keep(client, fetched, NOW, client.logo.turn().await);
    }

    #[tokio::test]
    async fn a_logo_lasts_an_hour_and_a_failure_a_minute() {
        for (fetched, lifetime) in [(logo(), LOGO_KEPT), (Fetched::Nothing, FAILURE_KEPT)] {
            let client = client();
            assert_eq!(client.logo.fresh(NOW), None);
            keep(&LogoShelf::default(), &client, fetched.clone()).await;
            let last = NOW.plus(lifetime).minus(Duration::from_millis(1));
            assert_eq!(client.logo.fresh(last), Some(fetched));
            assert_eq!(client.logo.fresh(NOW.plus(lifetime)), None);
        }
    }

    #[tokio::test]
    async fn the_oldest_logo_goes() {
        let shelf = LogoShelf::default();
        let clients: Vec<_> = (0..LOGOS_MAX).map(|_| client()).collect();
        for client in clients.iter().chain(&clients) {
            keep(&shelf, client, logo()).await;
        }
        assert!(clients.iter().all(|client| client.logo.fresh(NOW).is_some()), "they just fit");
        keep(&shelf, &client(), Fetched::Nothing).await;
        assert!(clients[0].logo.fresh(NOW).is_some(), "a failure takes no room");
        let one_more = client();
        keep(&shelf, &one_more, logo()).await;
        assert_eq!(clients[0].logo.fresh(NOW), None);
        assert!(clients[1].logo.fresh(NOW).is_some() && one_more.logo.fresh(NOW).is_some());
    }

    #[tokio::test]
    async fn a_client_that_is_gone_takes_no_room() {
        let shelf = LogoShelf::default();
        let first = client();
        keep(&shelf, &first, logo()).await;
        for _ in 0..LOGOS_MAX {
            keep(&shelf, &client(), logo()).await;
        }
        assert!(first.logo.fresh(NOW).is_some());
    }
}

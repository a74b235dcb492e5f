//! Keeps keys in time and tables small. Nothing depends on it for being refused: expiry is checked
//! where a thing is used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keywright_protocol::time::Timestamp;
use keywright_store::job::Lease;
use tokio::sync::watch;

use crate::app::App;
use crate::environment::random;
use crate::jobs::pause;
use crate::keys::lifecycle::Thoroughness;

/// How often tables and keys are looked after.
const PERIOD: Duration = Duration::from_secs(30);
/// The name of the lease: of many nodes one looks after what all share.
const LEASE: &str = "housekeeping";
/// How long the lease is held without being renewed; a node that dies is replaced after that.
const LEASE_LASTS: Duration = Duration::from_mins(1);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let holder = keywright_jose::base64url_encode(&random::<12>(&*app.environment));
    let (mut trust, begun) = (Trust::begin(app.now()), Instant::now());
    loop {
        look_after_own(&app);
        let trusted = match app.store.clock().await {
            Ok(store) => trust.in_clock(app.now(), store, begun.elapsed()),
            Err(_) => Err("the store does not answer"),
        };
        if let Err(why) = trusted {
            tracing::warn!(why, "housekeeping is left alone");
        }
        let held = trusted.is_ok() && look_after_shared(&app, &holder).await;
        if !pause(&mut stop, PERIOD).await {
            if held {
                give_up(&app, &holder).await;
            }
            break;
        }
    }
}

/// Two clocks that differ by more say that one of them is wrong.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_mins(5);
/// After so long a clock that was set is believed: somebody would have set it back.
const CLOCK_BELIEVED: Duration = Duration::from_hours(1);

/// Whether the clock may be trusted with what is deleted for being old. What a wrong clock deletes
/// is gone: sessions, families, keys.
struct Trust {
    /// When a time that nobody sets began to be counted, by the clock.
    begun_at: Timestamp,
    /// So long after that, the clock was found to have been set.
    set_after: Option<Duration>,
}

impl Trust {
    const fn begin(now: Timestamp) -> Self {
        Self { begun_at: now, set_after: None }
    }

    /// `store` is what the store's own clock says; `elapsed` is how long ago the beginning was.
    fn in_clock(
        &mut self,
        now: Timestamp,
        store: Option<Timestamp>,
        elapsed: Duration,
    ) -> Result<(), &'static str> {
        let differ = |a: Timestamp, b: Timestamp| a.since(b).max(b.since(a)) > CLOCKS_DIFFER_MAX;
        if store.is_some_and(|store| differ(store, now)) {
            return Err("this clock and the database's differ");
        }
        if !differ(self.begun_at.plus(elapsed), now) {
            self.set_after = None;
            return Ok(());
        }
        let set_after = *self.set_after.get_or_insert(elapsed);
        if elapsed.saturating_sub(set_after) < CLOCK_BELIEVED {
            return Err("the clock was set less than an hour ago");
        }
        Ok(())
    }
}

/// What every process keeps for itself.
fn look_after_own(app: &App) {
    let now = app.now();
    app.forget_expired(now);
    for throttle in [
        &app.guesses_at_account,
        &app.guesses_everywhere,
        &app.guesses_from_address,
        &app.guesses_at_client,
    ] {
        throttle.forget_expired(now);
    }
}

/// What all nodes share, if this one holds the lease; answers whether it does.
async fn look_after_shared(app: &App, holder: &str) -> bool {
    let now = app.now();
    let lease = app.store.take_lease(LEASE, holder, now, now.plus(LEASE_LASTS)).await;
    let held = match lease {
        Ok(lease) => lease == Lease::Held,
        Err(fault) => {
            tracing::warn!(error = %fault, "cannot ask whose turn housekeeping is");
            false
        }
    };
    // Without the lease a node still sees to it that it can sign.
    let thoroughness = if held { Thoroughness::Everything } else { Thoroughness::Signing };
    for tenant in app.tenants() {
        if let Err(fault) = app.remember_lifetimes(&tenant).await {
            tracing::warn!(error = %fault, tenant = %tenant.id(), "cannot note a lifetime");
        }
        if let Err(fault) = app.maintain_keys(&tenant, thoroughness).await {
            tracing::error!(error = %fault, tenant = %tenant.id(), "cannot look after keys");
        }
    }
    if held {
        match app.store.sweep(now).await {
            Ok(swept) if swept.rows > 0 => tracing::debug!(rows = swept.rows, "swept"),
            Ok(_) => {}
            Err(fault) => tracing::warn!(error = %fault, "cannot sweep"),
        }
    }
    held
}

/// Lets another node go on at once. One that cannot be told waits for the lease's end.
async fn give_up(app: &App, holder: &str) {
    let now = app.now();
    if let Err(fault) = app.store.take_lease(LEASE, holder, now, now).await {
        tracing::debug!(error = %fault, "the lease ends by itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_deleted_by_a_clock_that_may_be_wrong() {
        let (start, hour) = (Timestamp::from_unix_s(1_800_000_000), Duration::from_hours(1));
        let mut trust = Trust::begin(start);
        let mut may = |ahead: Duration, store_ahead: Option<Duration>, elapsed: Duration| {
            let at = |ahead| start.plus(elapsed).plus(ahead);
            trust.in_clock(at(ahead), store_ahead.map(at), elapsed).is_ok()
        };
        assert!(may(Duration::ZERO, None, Duration::ZERO));
        assert!(may(CLOCKS_DIFFER_MAX, None, hour), "a small step");
        assert!(!may(14 * hour, None, hour));
        assert!(!may(14 * hour, None, hour + hour / 2));
        assert!(may(Duration::ZERO, None, 2 * hour), "it is right again");
        assert!(!may(14 * hour, None, 3 * hour));
        assert!(may(14 * hour, None, 4 * hour), "nobody has set it back");
        assert!(may(14 * hour, Some(14 * hour), 4 * hour), "the database agrees");
        assert!(!may(14 * hour, Some(Duration::ZERO), 4 * hour), "the database differs");
        assert!(!may(Duration::ZERO, Some(hour), 5 * hour), "in either direction");
    }
}

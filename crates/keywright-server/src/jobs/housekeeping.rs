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
    let mut watch = Watch::begin(app.now());
    loop {
        look_after_own(&app);
        let held = watch.may_judge(&app).await && look_after_shared(&app, &holder).await;
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

/// Sees whether the clock may be trusted with what is deleted for being old. What a wrong clock
/// deletes is gone: sessions, families, keys.
struct Watch {
    begun_at: Timestamp,
    begun: Instant,
    set: Option<Instant>,
}

impl Watch {
    fn begin(now: Timestamp) -> Self {
        Self { begun_at: now, begun: Instant::now(), set: None }
    }

    async fn may_judge(&mut self, app: &App) -> bool {
        let now = app.now();
        let differ = |a: Timestamp, b: Timestamp| a.since(b).max(b.since(a)) > CLOCKS_DIFFER_MAX;
        match app.store.clock().await {
            Ok(Some(clock)) if differ(clock, now) => {
                tracing::warn!("this clock and the database's differ: housekeeping is left alone");
                return false;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
        if !differ(self.begun_at.plus(self.begun.elapsed()), now) {
            self.set = None;
            return true;
        }
        let set = *self.set.get_or_insert_with(Instant::now);
        if set.elapsed() >= CLOCK_BELIEVED {
            *self = Self::begin(now);
            return true;
        }
        tracing::warn!("the clock was set: for an hour housekeeping is left alone");
        false
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
    use crate::admin::testing::World;

    #[tokio::test]
    async fn nothing_is_deleted_by_a_clock_that_was_set() {
        let World { app, clock, .. } = World::start().await;
        let mut watch = Watch::begin(app.now());
        assert!(watch.may_judge(&app).await);
        clock.advance(CLOCKS_DIFFER_MAX / 2);
        assert!(watch.may_judge(&app).await, "a small step");
        clock.advance(Duration::from_hours(14));
        assert!(!watch.may_judge(&app).await);
        clock.set_back(Duration::from_hours(14));
        assert!(watch.may_judge(&app).await, "it is right again");
    }
}

//! Follows what other processes change, and tells them how far it has come.

use std::sync::Arc;
use std::time::Duration;

use keywright_protocol::time::Timestamp;
use keywright_store::StoreFault;
use keywright_store::change::{LogHeads, NodeReport};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::environment::random;
use crate::error::ServerFault;
use crate::jobs::pause;

/// How often the logs are asked for their ends, even if nothing was heard: two look-ups.
const PERIOD: Duration = Duration::from_millis(50);
/// The same where a store can tell of changes, and mostly does so first.
const PERIOD_WHERE_TOLD: Duration = Duration::from_millis(250);
/// How often a node says that it lives, if nothing else happens.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// A node that has not reported for this long has stopped without saying so.
pub const NODE_SILENT: Duration = Duration::from_secs(5);

/// The name of this machine, the same for every process on it until it restarts.
pub fn machine_name() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}/{}", host.trim(), boot.trim())
}

/// A node that follows the logs and says so.
pub struct Follower {
    app: Arc<App>,
    id: String,
    machine: String,
    reported: LogHeads,
    reported_at: Timestamp,
}

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut follower = Follower::new(app);
    let mut failing_since = None;
    // What is revoked must not wait while changes are taken over: a new client may want keys.
    let mut applying = JoinSet::new();
    let mut applied = true;
    loop {
        match follower.step().await {
            Ok(heads) => {
                failing_since = None;
                if heads.change != follower.app.followed().change && applying.is_empty() {
                    let app = Arc::clone(&follower.app);
                    applying.spawn(async move { app.follow_changes().await });
                }
            }
            Err(fault) => {
                let now = follower.app.now();
                if failing_since.is_none() {
                    tracing::error!(error = %fault, "cannot follow the store");
                }
                failing_since.get_or_insert(now);
            }
        }
        let lag = failing_since.map(|since| follower.app.now().since(since));
        follower.app.metrics.revocation_lag(lag.unwrap_or_default());
        follower.app.metrics.feed.followers(follower.app.feeds.followers());
        let store = &follower.app.store;
        let period = if store.tells_of_changes() { PERIOD_WHERE_TOLD } else { PERIOD };
        tokio::select! {
            goes_on = pause(&mut stop, period) => if !goes_on { break },
            () = store.wait_for_change() => {}
            Some(ended) = applying.join_next() => {
                let outcome = ended.map_err(|e| ServerFault::Internal(e.to_string())).flatten();
                if let (Err(fault), true) = (&outcome, applied) {
                    tracing::error!(error = %fault, "cannot take over what was changed");
                }
                applied = outcome.is_ok();
                if !applied && !pause(&mut stop, period).await {
                    break;
                }
            }
        }
    }
    // A node that is not removed is forgotten after an hour.
    let _removed = follower.leave().await;
}

impl Follower {
    /// A node with a new name, which has said nothing yet.
    pub fn new(app: Arc<App>) -> Self {
        let id = keywright_jose::base64url_encode(&random::<12>(&*app.environment));
        let never = Timestamp::from_millis(0);
        Self { app, id, machine: machine_name(), reported: LogHeads::default(), reported_at: never }
    }

    /// Forgets this node, and those that died while it lived: they are no sign of an outage.
    async fn leave(&self) -> Result<(), StoreFault> {
        let (store, now) = (&self.app.store, self.app.now());
        for node in store.list_nodes(Timestamp::from_millis(0)).await? {
            if node.id == self.id || now.since(node.seen_at) > NODE_SILENT {
                store.remove_node(&node.id).await?;
            }
        }
        Ok(())
    }

    /// Follows the log of revocations to its end, and reports where something changed or a report
    /// is due. Answers where the logs ended; changes are followed by [`App::follow_changes`].
    pub async fn step(&mut self) -> Result<LogHeads, ServerFault> {
        let asked_at = self.app.now();
        // In this order: whatever was followed before was in the store before.
        let followed = self.app.followed();
        let mut heads = self.app.store.log_heads().await?;
        if heads.change < followed.change || heads.revocation < followed.revocation {
            self.app.raise_epoch("the logs ended before what this node had followed").await?;
            heads = self.app.store.log_heads().await?;
        }
        if heads.revocation != self.app.followed().revocation || self.app.forgot_too_early() {
            self.app.follow_revocations().await?;
        }
        self.app.feeds.mark_current(asked_at);
        if heads.change == self.app.followed().change {
            self.app.heard(asked_at);
        }
        self.report().await?;
        self.app.reached_store(asked_at);
        Ok(heads)
    }

    async fn report(&mut self) -> Result<(), ServerFault> {
        let followed = self.app.followed();
        let now = self.app.now();
        let due = now >= self.reported_at.plus(REPORT_EVERY) || now < self.reported_at;
        if followed == self.reported && !due {
            return Ok(());
        }
        let report = NodeReport {
            id: self.id.clone(),
            machine: self.machine.clone(),
            seen_at: now,
            followed,
        };
        self.app.store.report_node(report).await?;
        (self.reported, self.reported_at) = (followed, now);
        Ok(())
    }
}

//! Work beside the requests: following other processes, keeping keys in time, sweeping.

mod follow;
mod housekeeping;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;

pub use follow::{Follower, machine_name};

/// Starts every job; they end when `stop` says so.
pub fn start(app: &Arc<App>, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(follow::run(Arc::clone(app), stop.clone()));
    jobs.spawn(housekeeping::run(Arc::clone(app), stop.clone()));
    jobs
}

/// Waits a while, or until the server stops: whether it goes on.
async fn pause(stop: &mut watch::Receiver<bool>, period: std::time::Duration) -> bool {
    let stopped = stop.wait_for(|stopping| *stopping);
    tokio::time::timeout(period, stopped).await.is_err()
}

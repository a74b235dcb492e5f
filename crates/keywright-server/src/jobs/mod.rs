//! Work beside the requests: following other processes, keeping keys in time, sweeping.

mod follow;
mod housekeeping;
mod redis_sink;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::config::{Config, ConfigError};

pub use follow::{Follower, NODE_SILENT, machine_name};
pub use redis_sink::RedisSink;

/// The sinks of revocations that are configured; nothing is connected yet.
pub fn sinks(config: &Config) -> Result<Vec<RedisSink>, ConfigError> {
    let sinks = config.revocation.sinks.iter().zip(1..);
    sinks.map(|(sink, number)| RedisSink::open(sink, number)).collect()
}

/// Starts every job; they end when `stop` says so.
pub fn start(app: &Arc<App>, sinks: Vec<RedisSink>, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    for sink in sinks {
        jobs.spawn(sink.run(Arc::clone(app), stop.clone()));
    }
    jobs.spawn(follow::run(Arc::clone(app), stop.clone()));
    jobs.spawn(housekeeping::run(Arc::clone(app), stop.clone()));
    jobs
}

/// Waits a while, or until the server stops: whether it goes on.
async fn pause(stop: &mut watch::Receiver<bool>, period: std::time::Duration) -> bool {
    let stopped = stop.wait_for(|stopping| *stopping);
    tokio::time::timeout(period, stopped).await.is_err()
}

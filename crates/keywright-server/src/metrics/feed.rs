//! Metrics of those who follow revocations: validators and sinks.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct SinkKey {
    sink: String,
}

/// Metrics of those who follow revocations.
#[derive(Clone, Debug, Default)]
pub struct FeedMetrics {
    followers: Gauge,
    sink_lag: Family<SinkKey, Gauge<f64, AtomicU64>>,
    sink_failures: Family<SinkKey, Counter>,
}

impl FeedMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "revocation_feed_followers",
            "Validators that listen to the revocation feed or wait for it",
            metrics.followers.clone(),
        );
        registry.register(
            "revocation_sink_failures",
            "Failed attempts to write to a sink of revocations",
            metrics.sink_failures.clone(),
        );
        registry.register_with_unit(
            "revocation_sink_lag",
            "How long a sink of revocations has not been known to hold everything",
            Unit::Seconds,
            metrics.sink_lag.clone(),
        );
        metrics
    }

    /// How many validators listen or wait.
    pub fn followers(&self, followers: usize) {
        self.followers.set(i64::try_from(followers).unwrap_or(i64::MAX));
    }

    /// How long a sink has not been known to hold everything.
    pub fn sink_lag(&self, sink: &str, lag: Duration) {
        let key = SinkKey { sink: sink.to_owned() };
        self.sink_lag.get_or_create(&key).set(lag.as_secs_f64());
    }

    /// A sink could not be written to.
    pub fn sink_failed(&self, sink: &str) {
        self.sink_failures.get_or_create(&SinkKey { sink: sink.to_owned() }).inc();
    }
}

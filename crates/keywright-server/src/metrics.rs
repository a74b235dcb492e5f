//! Metrics, as the operations listener shows them.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

mod feed;

pub use self::feed::FeedMetrics;

/// Labels whose values are all of this program's own making.
type Labels<const N: usize> = [(&'static str, &'static str); N];

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Key {
    alg: &'static str,
}

/// Every metric of the server.
#[derive(Debug)]
pub struct Metrics {
    /// Of those who follow revocations.
    pub feed: FeedMetrics,
    registry: Registry,
    tokens_issued: Family<Labels<1>, Counter>,
    token_errors: Family<Labels<2>, Counter>,
    refresh_reuse: Counter,
    revocations: Family<Labels<1>, Counter>,
    introspections: Family<Labels<1>, Counter>,
    validations: Family<Labels<1>, Counter>,
    logins: Family<Labels<2>, Counter>,
    key_age: Family<Key, Gauge>,
    requests: Family<Labels<1>, Histogram, fn() -> Histogram>,
    requests_shed: Family<Labels<1>, Counter>,
    revocation_entries: Gauge,
    revocation_lag: Gauge,
    store_commit: Histogram,
    store_batch: Histogram,
}

/// A commit takes from a twentieth of a millisecond to some seconds.
fn commit_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 3.0, 11))
}

/// A request takes from a tenth of a millisecond to some seconds.
fn request_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 3.0, 12))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("keywright");
        let metrics = Self {
            feed: FeedMetrics::register(&mut registry),
            tokens_issued: Family::default(),
            token_errors: Family::default(),
            refresh_reuse: Counter::default(),
            revocations: Family::default(),
            introspections: Family::default(),
            validations: Family::default(),
            logins: Family::default(),
            key_age: Family::default(),
            requests: Family::new_with_constructor(request_buckets),
            requests_shed: Family::default(),
            revocation_entries: Gauge::default(),
            revocation_lag: Gauge::default(),
            store_commit: commit_buckets(),
            store_batch: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            registry: Registry::default(),
        };
        let m = &metrics;
        registry.register("tokens_issued", "Tokens issued", m.tokens_issued.clone());
        registry.register("token_errors", "Token requests refused", m.token_errors.clone());
        registry.register("refresh_reuse", "Refresh tokens reused", m.refresh_reuse.clone());
        registry.register("revocations", "Revocations", m.revocations.clone());
        registry.register("introspections", "Introspections", m.introspections.clone());
        registry.register("validations", "Access tokens validated here", m.validations.clone());
        registry.register("logins", "Sign-ins", m.logins.clone());
        let shed = "Requests sent away because too many ran, by class";
        registry.register("requests_shed", shed, m.requests_shed.clone());
        registry.register("revocation_entries", "Live revocations", m.revocation_entries.clone());
        registry.register_with_unit(
            "signing_key_age",
            "Age of the signing key",
            Unit::Seconds,
            m.key_age.clone(),
        );
        registry.register_with_unit(
            "http_requests",
            "Time to answer a request",
            Unit::Seconds,
            m.requests.clone(),
        );
        registry.register_with_unit(
            "revocation_lag",
            "Since when the revocation log could not be followed",
            Unit::Seconds,
            m.revocation_lag.clone(),
        );
        registry.register_with_unit(
            "store_commit",
            "Time of a transaction, its sync included",
            Unit::Seconds,
            m.store_commit.clone(),
        );
        registry.register("store_batch_size", "Verbs in a transaction", m.store_batch.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A token was issued.
    pub fn token_issued(&self, grant_type: &'static str) {
        self.tokens_issued.get_or_create(&[("grant_type", grant_type)]).inc();
    }

    /// A token request was refused.
    pub fn token_refused(&self, grant_type: &'static str, error: &'static str) {
        self.token_errors.get_or_create(&[("grant_type", grant_type), ("error", error)]).inc();
    }

    /// A used refresh token came again.
    pub fn refresh_reused(&self) {
        self.refresh_reuse.inc();
    }

    /// Something was revoked.
    pub fn revoked(&self, kind: &'static str) {
        self.revocations.get_or_create(&[("kind", kind)]).inc();
    }

    /// A token was introspected.
    pub fn introspected(&self, active: bool) {
        let active = if active { "true" } else { "false" };
        self.introspections.get_or_create(&[("active", active)]).inc();
    }

    /// A token was validated by this server's own endpoints.
    pub fn validated(&self, result: &'static str) {
        self.validations.get_or_create(&[("result", result)]).inc();
    }

    /// Somebody tried to sign in.
    pub fn login(&self, result: &'static str, method: &'static str) {
        self.logins.get_or_create(&[("result", result), ("method", method)]).inc();
    }

    /// A request was answered.
    pub fn request(&self, endpoint: &'static str, seconds: f64) {
        self.requests.get_or_create(&[("endpoint", endpoint)]).observe(seconds);
    }

    /// A request was sent away because too many ran.
    pub fn request_shed(&self, class: &'static str) {
        self.requests_shed.get_or_create(&[("class", class)]).inc();
    }

    /// How old the signing key of an algorithm is.
    pub fn key_age(&self, alg: &'static str, seconds: i64) {
        self.key_age.get_or_create(&Key { alg }).set(seconds);
    }

    /// How many revocations are held in memory.
    pub fn revocation_entries(&self, entries: usize) {
        self.revocation_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// How long the revocation log has not been followed.
    pub fn revocation_lag(&self, lag: Duration) {
        self.revocation_lag.set(i64::try_from(lag.as_secs()).unwrap_or(i64::MAX));
    }

    /// What a store tells of each transaction: how many verbs, and how long it took.
    pub fn commit_observer(&self) -> impl Fn(usize, Duration) + Send + Sync + 'static {
        let (commit, batch) = (self.store_commit.clone(), self.store_batch.clone());
        move |verbs, took| {
            commit.observe(took.as_secs_f64());
            batch.observe(u32::try_from(verbs).map_or(f64::MAX, f64::from));
        }
    }

    /// All of them, in the OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _written = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

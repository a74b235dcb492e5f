//! `[limits]`: how much is too much.

use std::time::Duration;

use super::document::Document;
use super::error::ConfigError;
use super::setting::{Effect, Fallback, Section, Setting};

/// How much is too much.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LimitsConfig {
    /// Threads that check passwords.
    pub password_threads: usize,
    /// Sign-ins that may wait for such a thread.
    pub password_queue: usize,
    /// How long a sign-in lasts.
    pub session_lifetime: Duration,
    /// Connections at the same time.
    pub connections: usize,
    /// Requests that run at the same time.
    pub requests: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long running requests may take when the server stops.
    pub drain: Duration,
    /// Wrong passwords for one account in five minutes.
    pub login_failures_per_account: u32,
    /// Wrong passwords from one address in five minutes.
    pub login_failures_per_address: u32,
    /// Validators that follow the revocation feed at the same time.
    pub feed_followers: usize,
    /// Those of them from one address.
    pub feed_followers_per_address: usize,
}

const SECOND: Duration = Duration::from_secs(1);

pub(super) static SECTION: Section = Section {
    name: "limits",
    what: "How much is too much.",
    settings: &[
        Setting {
            name: "password_threads",
            fallback: Fallback::Unset { example: "2", meaning: "one for each processor" },
            effect: Effect::Restart,
            what: "Threads that check passwords; each check takes 19 MiB for some 50 ms.",
        },
        Setting {
            name: "password_queue",
            fallback: Fallback::Integer(64),
            effect: Effect::Restart,
            what: "Sign-ins that may wait for such a thread; the next one gets 503.",
        },
        Setting {
            name: "session_lifetime",
            fallback: Fallback::Text("12h"),
            effect: Effect::Reload,
            what: "How long a sign-in lasts.",
        },
        Setting {
            name: "connections",
            fallback: Fallback::Integer(10_000),
            effect: Effect::Restart,
            what: "Connections at the same time; the next one waits.",
        },
        Setting {
            name: "requests",
            fallback: Fallback::Integer(4096),
            effect: Effect::Reload,
            what: "Requests that run at the same time; beyond half of it sign-ins get 503, then \
                   administration, then tokens, and key sets and metadata last of all. One \
                   network (an IPv4 address, an IPv6 /64) gets 503 beyond a quarter of it; \
                   behind a proxy, name it in `server.trusted_proxies`.",
        },
        Setting {
            name: "request_timeout",
            fallback: Fallback::Text("30s"),
            effect: Effect::Reload,
            what: "How long one request may take.",
        },
        Setting {
            name: "drain",
            fallback: Fallback::Text("8s"),
            effect: Effect::Restart,
            what: "How long running requests may take to end when the server is told to stop.",
        },
        Setting {
            name: "login_failures_per_account",
            fallback: Fallback::Integer(10),
            effect: Effect::Restart,
            what: "Wrong passwords for one account within five minutes before it must wait.",
        },
        Setting {
            name: "login_failures_per_address",
            fallback: Fallback::Integer(100),
            effect: Effect::Restart,
            what: "Wrong passwords from one address within five minutes before it must wait.",
        },
        Setting {
            name: "feed_followers",
            fallback: Fallback::Integer(4_000),
            effect: Effect::Restart,
            what: "Streams and waiting polls of the revocation feed at the same time; the next one \
                   gets 503. A poll that does not wait is always answered.",
        },
        Setting {
            name: "feed_followers_per_address",
            fallback: Fallback::Integer(400),
            effect: Effect::Restart,
            what: "Those of them from one address, so that nobody can take all places.",
        },
    ],
    reserved: &[],
};

pub(super) fn read(document: &Document) -> Result<LimitsConfig, ConfigError> {
    let given = |name| document.given(&SECTION, name);
    let password_threads = match document.optional(&SECTION, "password_threads") {
        Some(threads) => threads.count(1, 1024)?,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    Ok(LimitsConfig {
        password_threads,
        password_queue: given("password_queue").count(0, 100_000)?,
        session_lifetime: given("session_lifetime").duration(SECOND)?,
        connections: given("connections").count(1, 1_000_000)?,
        requests: given("requests").count(16, 1_000_000)?,
        request_timeout: given("request_timeout").duration(SECOND)?,
        drain: given("drain").duration(SECOND)?,
        login_failures_per_account: given("login_failures_per_account").count(1, 1_000_000)?,
        login_failures_per_address: given("login_failures_per_address").count(1, 1_000_000)?,
        feed_followers: given("feed_followers").count(1, 1_000_000)?,
        feed_followers_per_address: given("feed_followers_per_address").count(1, 1_000_000)?,
    })
}

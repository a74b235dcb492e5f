//! Logs: what the process says about itself, on standard error.

use std::io::{self, IsTerminal as _};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::{LogFormat, TelemetryConfig};

/// The crates of this program begin so.
const OURS: &str = "keywright";

/// Starts logging; a second call changes nothing.
pub fn init_logging(config: &TelemetryConfig) {
    let layer = match config.log {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
        LogFormat::Text => {
            fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).boxed()
        }
    };
    let started = registry().with(layer.with_filter(filter(config.level))).try_init();
    if started.is_err() {
        tracing::debug!("logging had already been started");
    }
}

/// Libraries tell only what is wrong: at finer levels those of HTTP write down the headers that
/// they see, and so the tokens in them.
fn filter(level: Level) -> Targets {
    let libraries = LevelFilter::from_level(level).min(LevelFilter::WARN);
    Targets::new().with_default(libraries).with_target(OURS, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_never_tell_more_than_warnings() {
        for level in [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR] {
            let filter = filter(level);
            assert!(!filter.would_enable("h2::proto", &Level::DEBUG), "{level}: headers");
            assert!(!filter.would_enable("hyper", &Level::INFO), "{level}");
            assert_eq!(filter.would_enable("rustls", &Level::WARN), level >= Level::WARN);
            assert!(filter.would_enable("rustls", &Level::ERROR), "{level}");
            assert!(filter.would_enable("keywright_server::start", &level), "{level}: ours");
        }
        assert!(!filter(Level::INFO).would_enable("keywright_server", &Level::DEBUG));
    }

    #[test]
    fn a_second_start_changes_nothing() {
        let config = |log| TelemetryConfig { log, level: Level::ERROR };
        init_logging(&config(LogFormat::Text));
        init_logging(&config(LogFormat::Json));
    }
}

//! `[telemetry]`: how the server speaks about itself.

use tracing::Level;

use super::document::Document;
use super::error::{ConfigError, ValueError};
use super::setting::{Effect, Fallback, Section, Setting};

/// How the server speaks about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TelemetryConfig {
    /// How a line of the log is written.
    pub log: LogFormat,
    /// The least important lines that are written.
    pub level: Level,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON document a line, for programs.
    Json,
    /// For people.
    Text,
}

pub(super) static SECTION: Section = Section {
    name: "telemetry",
    what: "How the server speaks about itself, on standard error.",
    settings: &[
        Setting {
            name: "log",
            fallback: Fallback::Text("text"),
            effect: Effect::Restart,
            what: "`text` for people, `json` for programs: one document a line.",
        },
        Setting {
            name: "level",
            fallback: Fallback::Text("info"),
            effect: Effect::Restart,
            what: "`error`, `warn`, `info`, `debug` or `trace`. No level writes a secret.",
        },
    ],
    reserved: &["otlp"],
};

pub(super) fn read(document: &Document) -> Result<TelemetryConfig, ConfigError> {
    let log = document.given(&SECTION, "log").parsed(|raw| match raw {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(ValueError::new(format!("{raw:?} is neither"), "write \"text\" or \"json\"")),
    })?;
    Ok(TelemetryConfig { log, level: document.given(&SECTION, "level").parsed(parse_level)? })
}

fn parse_level(raw: &str) -> Result<Level, ValueError> {
    Ok(match raw {
        "debug" => Level::DEBUG,
        "error" => Level::ERROR,
        "info" => Level::INFO,
        "trace" => Level::TRACE,
        "warn" => Level::WARN,
        _ => {
            let remedy = "write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
            return Err(ValueError::new(format!("{raw:?} is no level"), remedy));
        }
    })
}

//! `keywright explain`: every check of one request, the one that failed marked.

use keywright_server::admin::document;
use keywright_server::admin::operations::explain;
use serde_json::Value;

use super::Place;
use super::audit;
use super::backend::Local;
use super::failure::Failure;
use super::output::{Output, cell, print};

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The identifier that the response carried as X-Request-Id
    request_id: String,
}

pub(super) async fn run(place: Place, args: ExplainArgs) -> Result<(), Failure> {
    let local = Local::open(&place).await?;
    let output = Output { json: place.json };
    let explanation = explain::explain(&local.app, &local.operator, &args.request_id).await?;
    let document = document::explanation(&explanation);
    if output.json {
        return output.show(&document);
    }
    let rows = |name: &str| document.get(name).and_then(Value::as_array).cloned();
    if document.get("outcome").and_then(Value::as_str) == Some("refused") {
        for name in ["request_id", "time", "endpoint", "client_id", "error", "reason"] {
            let value = cell(name, document.get(name).unwrap_or(&Value::Null));
            print(&format!("{name:<12} {value}"))?;
        }
        print("")?;
        show_checks(&rows("checks").unwrap_or_default())?;
        print("")?;
    }
    match rows("events") {
        Some(events) if !events.is_empty() => output.list(&events, audit::COLUMNS),
        // A request that was refused mostly leaves none.
        _ => Ok(()),
    }
}

/// A line for each check.
pub(super) fn show_checks(checks: &[Value]) -> Result<(), Failure> {
    checks.iter().try_for_each(|check| {
        let word = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
        let mark = match word("mark") {
            "passed" => "ok     ",
            "failed" => "FAILED ",
            _ => "-      ",
        };
        print(&format!("{mark} {}", word("check")))
    })
}

//! `keywright doctor`: what is wrong with this installation, and what to do about it.
//!
//! It changes nothing and migrates nothing; it looks at as much as it can reach.

mod machine;
mod store;

use keywright_server::Config;
use keywright_server::keys::MasterKey;
use serde_json::{Value, json};

use super::read_config;
use crate::cli::Place;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, plain, print};

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    /// As it should be.
    Good,
    /// Worth knowing; nothing to do.
    Note,
    /// To be put right.
    Problem,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// What a check found.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    what: String,
    remedy: Option<String>,
}

impl Finding {
    fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: Level::Good, what: what.into(), remedy: None }
    }

    fn note(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: Level::Note, what: what.into(), remedy: None }
    }

    fn problem(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (what, remedy) = (what.into(), Some(remedy.into()));
        Self { check, level: Level::Problem, what, remedy }
    }

    fn document(&self) -> Value {
        json!({
            "check": self.check,
            "level": self.level.name(),
            "what": self.what,
            "remedy": self.remedy,
        })
    }
}

pub(in crate::cli) async fn run(place: Place) -> Result<(), Failure> {
    let config = read_config(&place, "doctor")?;
    let findings = examine(&config).await;
    let problems = findings.iter().filter(|f| f.level == Level::Problem).count();
    tell(Output { json: place.json }, &findings, problems)?;
    match problems {
        0 => Ok(()),
        1 => Err(Failure::refused("one thing is to be put right")),
        many => Err(Failure::refused(format!("{many} things are to be put right"))),
    }
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = machine::master_key(config);
    let master = config.keys.master_secret().ok().map(|secret| MasterKey::new(&secret));
    findings.extend(store::examine(config, master.as_ref()).await);
    findings.extend(machine::disk(config));
    findings.extend(machine::certificate(config));
    findings.push(machine::issuer(config).await);
    findings
}

fn tell(output: Output, findings: &[Finding], problems: usize) -> Result<(), Failure> {
    if output.json {
        let checks: Vec<_> = findings.iter().map(Finding::document).collect();
        return output.done(&json!({ "problems": problems, "checks": checks }), "");
    }
    for finding in findings {
        let what = plain(&finding.what);
        print(&format!("{:<8}{:<12}{what}", finding.level.name(), finding.check))?;
        if let Some(remedy) = &finding.remedy {
            print(&format!("{:20}-> {}", "", plain(remedy)))?;
        }
    }
    Ok(())
}

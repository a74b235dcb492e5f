//! Everything that a developer or CI runs: `cargo xtask COMMAND`.
//!
//! `main` reads the command line; each command is a module. Nothing here speaks to the network
//! itself: what is missing is installed by the package managers that the machine already has.
//!
//! Architecture invariant: this crate depends on no other crate of the workspace, so that it is
//! built in seconds and still runs when the rest does not compile.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command line program: results on stdout, progress on stderr"
)]

mod ci;
mod finding;
mod metadata;
mod process;
mod rfc;
mod sim;
mod source;
mod test;
mod tidy;
mod tree;

use anyhow::Result;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--only FILTER] [--no-install]   set up what is missing and run every test
  tidy [--exposures]                    check what the compiler cannot; list uses of secrets
  sim [--schedules N] [--seed S] [--jobs J]  the simulator over many seeds; SEED=S runs that one
  rfc [--check]                         write docs/rfc-coverage.md, or fail when it is stale
  ci                                    what CI runs: fmt, tidy, clippy, test";

/// What a command came to. An `Err` beside it is a fault of the machine, not of the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Clean,
    Findings,
}

#[derive(Debug, Eq, PartialEq)]
enum Request {
    Ci,
    Exposures,
    Help,
    RfcCheck,
    RfcWrite,
    Sim(Vec<String>),
    Test(test::Options),
    Tidy,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(request) = parse(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(request) {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Findings) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("xtask: {fault:#}");
            ExitCode::from(3)
        }
    }
}

fn run(request: Request) -> Result<Verdict> {
    match request {
        Request::Ci => ci::run(),
        Request::Exposures => tidy::list_exposures(),
        Request::Help => {
            println!("{USAGE}");
            Ok(Verdict::Clean)
        }
        Request::RfcCheck => rfc::check(),
        Request::RfcWrite => rfc::write(),
        Request::Sim(options) => sim::run(&options),
        Request::Test(options) => test::run(&options),
        Request::Tidy => tidy::run(),
    }
}

fn parse(words: &[String]) -> Option<Request> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ci"] => Some(Request::Ci),
        ["rfc"] => Some(Request::RfcWrite),
        ["rfc", "--check"] => Some(Request::RfcCheck),
        ["sim", options @ ..] => sim::parse(options).map(Request::Sim),
        ["tidy"] => Some(Request::Tidy),
        ["tidy", "--exposures"] => Some(Request::Exposures),
        ["test", options @ ..] => test::Options::parse(options).map(Request::Test),
        ["help" | "--help" | "-h"] => Some(Request::Help),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn commands_parse() {
        assert_eq!(parse(&words("ci")), Some(Request::Ci));
        assert_eq!(parse(&words("rfc --check")), Some(Request::RfcCheck));
        assert_eq!(parse(&words("tidy --exposures")), Some(Request::Exposures));
        assert!(matches!(parse(&words("sim --schedules 10")), Some(Request::Sim(_))));
        assert!(matches!(parse(&words("test --only pkce")), Some(Request::Test(_))));
    }

    #[test]
    fn unknown_words_are_refused() {
        for line in ["", "tidy --fix", "rfc now", "ci --fast", "sim 7", "test --only", "test stray"]
        {
            assert_eq!(parse(&words(line)), None, "{line}");
        }
    }
}

//! The program's other commands, run on the server's configuration.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Server, secrets};

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// The one document on stdout of a command that succeeded.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// The items of a list.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().expect("a list prints { \"items\": [...] }").clone()
    }

    #[track_caller]
    pub(crate) fn expect_status(&self, status: i32) {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
    }
}

impl Server {
    /// `keywright ARGS --config .. --json`.
    pub(crate) fn cli(&self, args: &[&str]) -> Output {
        self.cli_with(args, "")
    }

    /// The same with something on standard input.
    pub(crate) fn cli_with(&self, args: &[&str], input: &str) -> Output {
        let args = [args, &["--json"]].concat();
        let output = self.cli_plain(&args, input);
        for line in output.stdout.lines().chain([output.stdout.as_str()]) {
            let document = serde_json::from_str(line).unwrap_or_default();
            secrets::note_document(self.authority(), &document);
        }
        let leaked = secrets::found_in(self.authority(), &output.stderr);
        assert!(leaked.is_empty(), "{args:?} logs a secret: {}", output.stderr);
        output
    }

    /// Exactly these arguments, and the configuration.
    pub(crate) fn cli_plain(&self, args: &[&str], input: &str) -> Output {
        let config = self.config.to_str().expect("a path that is text");
        self.program(&[args, &["--config", config]].concat(), input)
    }

    /// Exactly these arguments.
    pub(crate) fn program(&self, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts (KEYWRIGHT_BIN)");
        let mut stdin = child.stdin.take().expect("piped");
        // A command that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        Output {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

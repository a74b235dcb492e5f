//! Other people's programs, run with a bound on their time.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{secrets, wait};

const PATIENCE: Duration = Duration::from_mins(3);

/// Runs a script of this folder under node.
#[track_caller]
pub(crate) fn node(script: &str, env: &[(&str, &str)]) {
    assert!(
        tests().join("node_modules").is_dir(),
        "the npm packages are missing: run `npm ci` in tests/, or `cargo xtask test`"
    );
    run(Command::new("node").arg(tests().join(script)), script, env);
}

/// Runs a script of this folder under the python that has the pinned packages.
#[track_caller]
pub(crate) fn python(script: &str, env: &[(&str, &str)]) {
    let python = std::env::var("KEYWRIGHT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    run(Command::new(python).arg("-B").arg(tests().join(script)), script, env);
}

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn run(command: &mut Command, script: &str, env: &[(&str, &str)]) {
    let name = script.replace('/', ".");
    let scenario = env.iter().find(|(key, _)| *key == "SCENARIO").map_or("", |(_, value)| *value);
    let path = secrets::output().join(format!("{name}.{scenario}.log"));
    let log = std::fs::File::create(&path).expect("writable");
    let errors = log.try_clone().expect("a second handle");
    command.current_dir(tests()).envs(env.iter().copied());
    command.env("KEYWRIGHT_TEST_OUTPUT", secrets::output());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|e| panic!("{script} cannot be run: {e}"));
    let status = wait::until_or_kill(PATIENCE, &mut child);
    let said = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(status.success(), "{script} {scenario} ended with {status}:\n{said}");
}

//! Running other programs: seen while they run, bounded in time, and never left behind.
//!
//! Each program leads a process group of its own. A guard, a shell that waits on a pipe which
//! only this process holds open, ends that group when the step is over and also when this process
//! dies in any way, a kill included. Nothing else works for the last case without unsafe code.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);
/// How long output may still arrive after the program and its group have ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Waits for the pipe to close, asks the group to stop, and insists two seconds later.
const GUARD: &str = r#"read -r _
kill -TERM "-$1" 2>/dev/null || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 0.2
  kill -0 "-$1" 2>/dev/null || exit 0
done
kill -KILL "-$1" 2>/dev/null"#;

/// A named piece of work with the longest time that it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) name: &'a str,
    pub(crate) limit: Duration,
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) ending: Ending,
    pub(crate) output: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    Failed,
    Succeeded,
    TimedOut,
}

/// Whether the lines that a program prints are for the reader too, or only for this one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Echo {
    Quiet,
    Shown,
}

/// Runs the step, passing on what it prints, and says how long it took.
pub(crate) fn run(step: Step<'_>, command: &mut Command) -> Result<Finished> {
    announced(step, command, Echo::Shown)
}

/// As `run`, for a program whose output is only read by us.
pub(crate) fn run_quietly(step: Step<'_>, command: &mut Command) -> Result<Finished> {
    announced(step, command, Echo::Quiet)
}

/// Does the program exist and does it answer well? It says nothing, whatever it is.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn announced(step: Step<'_>, command: &mut Command, echo: Echo) -> Result<Finished> {
    let started = Instant::now();
    eprintln!("==> {}", step.name);
    let finished = supervise(step, command, echo)?;
    let seconds = started.elapsed().as_secs_f32();
    match finished.ending {
        Ending::Succeeded => eprintln!("<== {}: done in {seconds:.1} s", step.name),
        Ending::Failed => eprintln!("<== {}: FAILED after {seconds:.1} s", step.name),
        Ending::TimedOut => eprintln!("<== {}: STOPPED, over its {:?}", step.name, step.limit),
    }
    Ok(finished)
}

fn supervise(step: Step<'_>, command: &mut Command, echo: Echo) -> Result<Finished> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let guard = Guard::over(&child)?;
    let output = collect(child.stdout.take(), echo);
    let status = wait(&mut child, Instant::now() + step.limit)?;
    guard.end_group(&mut child)?;
    let ending = match status {
        Some(status) if status.success() => Ending::Succeeded,
        Some(_) => Ending::Failed,
        None => Ending::TimedOut,
    };
    Ok(Finished { ending, output: output.recv_timeout(LAST_WORDS).unwrap_or_default() })
}

fn wait(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if deadline <= Instant::now() {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Reads to the end on a thread of its own. What a stray process outside the group still holds
/// open must not hold up the end of the step.
fn collect(stdout: Option<ChildStdout>, echo: Echo) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let mut reader = BufReader::new(stdout.expect("stdout was asked to be a pipe"));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if echo == Echo::Shown {
                // A closed terminal is no reason to stop counting.
                let _ = std::io::stdout().write_all(&line);
                let _ = std::io::stdout().flush();
            }
            text.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
        let _ = sender.send(text);
    });
    receiver
}

struct Guard {
    shell: Child,
    pipe: ChildStdin,
}

impl Guard {
    fn over(child: &Child) -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let pipe = shell.stdin.take().context("the guard has no pipe")?;
        Ok(Self { shell, pipe })
    }

    /// Ends whatever is left of the group and returns when it is gone. The leader is reaped
    /// first: until then the guard would still see a group.
    fn end_group(self, leader: &mut Child) -> Result<()> {
        let Self { mut shell, pipe } = self;
        drop(pipe);
        leader.wait()?;
        shell.wait()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Finished {
        let step = Step { name: "a test", limit };
        supervise(step, Command::new("sh").args(["-c", script]), Echo::Quiet).expect("sh runs")
    }

    #[test]
    fn output_and_ending_are_told() {
        let good = shell("echo one; echo two", Duration::from_secs(20));
        assert_eq!((good.ending, good.output.as_str()), (Ending::Succeeded, "one\ntwo\n"));
        assert_eq!(shell("exit 3", Duration::from_secs(20)).ending, Ending::Failed);
    }

    #[test]
    fn a_step_over_its_time_is_stopped() {
        let started = Instant::now();
        let finished = shell("echo begun; sleep 60", Duration::from_millis(300));
        assert_eq!((finished.ending, finished.output.as_str()), (Ending::TimedOut, "begun\n"));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn children_left_behind_are_stopped() {
        let finished = shell("sleep 60 & echo $!", Duration::from_secs(20));
        assert_eq!(finished.ending, Ending::Succeeded);
        let still_runs = succeeds(Command::new("kill").args(["-0", finished.output.trim()]));
        assert!(!still_runs, "process {} outlived its step", finished.output.trim());
    }
}

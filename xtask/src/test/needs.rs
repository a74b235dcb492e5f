//! What the tests need besides Rust, how to see whether it is there, and how it is installed.

use super::postgres::{Instance, USER};
use super::previous;
use crate::process::{self, Ending, Step};
use anyhow::Result;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const INSTALL: Duration = Duration::from_mins(10);

/// What a suite may ask for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Need {
    Chromium,
    /// Node and the packages of `tests/package-lock.json`.
    Npm,
    /// PostgreSQL, of which a server is started for the tests.
    Postgresql,
    /// The program as it was at the commit that `tests/races/previous` names.
    Previous,
    /// Python and the packages of `tests/requirements.txt`.
    Pypi,
    Redis,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Installing {
    Allowed,
    Refused,
}

/// A program of the system. A new one is a new line here.
struct Program {
    need: Need,
    /// Succeeds where the program is there and new enough.
    probe: &'static [&'static str],
    debian: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program { need: Need::Chromium, probe: &["chromium", "--version"], debian: &["chromium"] },
    Program {
        need: Need::Npm,
        probe: &["node", "-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)"],
        debian: &["nodejs"],
    },
    Program { need: Need::Npm, probe: &["npm", "--version"], debian: &["npm"] },
    Program {
        need: Need::Postgresql,
        // Debian keeps it off the path, beside other versions of it.
        probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb"],
        debian: &["postgresql"],
    },
    Program {
        need: Need::Pypi,
        probe: &["python3", "-c", "import ensurepip, venv"],
        debian: &["python3", "python3-venv"],
    },
    Program { need: Need::Redis, probe: &["redis-server", "--version"], debian: &["redis-server"] },
];

/// What was found or installed, and what stands in the way of the rest.
#[derive(Default)]
pub(super) struct Setup {
    obstacles: BTreeMap<Need, String>,
    environment: Vec<(&'static str, OsString)>,
    /// Stopped when the tests are over.
    postgres: Option<Instance>,
}

impl Setup {
    pub(super) fn prepare(root: &Path, target: &Path, installing: Installing) -> Result<Self> {
        let mut setup = Self::default();
        let missing: Vec<&Program> =
            PROGRAMS.iter().filter(|program| !program.is_there()).collect();
        if !missing.is_empty() {
            let obstacle = install_programs(&missing, installing)?;
            for program in missing.into_iter().filter(|program| !program.is_there()) {
                let what = format!("no {}: {obstacle}", program.debian.join(", no "));
                setup.obstacles.insert(program.need, what);
            }
        }
        setup.chromium();
        setup.postgresql();
        setup.previous(root, target)?;
        setup.npm(&root.join("tests"), installing)?;
        setup.pypi(&root.join("tests"), &target.join("test-venv"), installing)?;
        Ok(setup)
    }

    /// Why the need is not met, if it is not.
    pub(super) fn obstacle(&self, need: Need) -> Option<&str> {
        self.obstacles.get(&need).map(String::as_str)
    }

    /// The variables by which the tests find what was set up.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, &OsString)> {
        self.environment.iter().map(|(name, value)| (*name, value))
    }

    fn chromium(&mut self) {
        if let Some(path) = on_path("chromium") {
            self.environment.push(("KEYWRIGHT_TEST_CHROMIUM", path.into()));
        }
    }

    fn postgresql(&mut self) {
        if self.obstacles.contains_key(&Need::Postgresql) {
            return;
        }
        let server = Instance::create(&["-A", "trust"], "fsync = off").and_then(|mut server| {
            server.start()?;
            Ok(server)
        });
        match server {
            Ok(server) => {
                let url = format!("postgres://{USER}@127.0.0.1:{}/postgres", server.port);
                self.environment.push(("KEYWRIGHT_TEST_POSTGRES", url.into()));
                self.postgres = Some(server);
            }
            Err(obstacle) => {
                self.obstacles.insert(Need::Postgresql, obstacle);
            }
        }
    }

    fn previous(&mut self, root: &Path, target: &Path) -> Result<()> {
        match previous::program(root, target)? {
            Ok(program) => self.environment.push(("KEYWRIGHT_TEST_PREVIOUS", program.into())),
            Err(obstacle) => drop(self.obstacles.insert(Need::Previous, obstacle)),
        }
        Ok(())
    }

    fn npm(&mut self, tests: &Path, installing: Installing) -> Result<()> {
        if self.obstacles.contains_key(&Need::Npm) {
            return Ok(());
        }
        let modules = tests.join("node_modules");
        let stamp = Stamp::new(&tests.join("package-lock.json"), &modules);
        if !stamp.is_fresh() {
            let step = Step { name: "install the npm packages", limit: INSTALL };
            let mut command = Command::new("npm");
            command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(tests);
            if let Err(obstacle) = install(step, &mut command, installing)? {
                self.obstacles.insert(Need::Npm, obstacle);
                return Ok(());
            }
            stamp.write()?;
        }
        self.environment.push(("NODE_PATH", modules.into()));
        Ok(())
    }

    fn pypi(&mut self, tests: &Path, venv: &Path, installing: Installing) -> Result<()> {
        if self.obstacles.contains_key(&Need::Pypi) {
            return Ok(());
        }
        let requirements = tests.join("requirements.txt");
        let stamp = Stamp::new(&requirements, venv);
        let python = venv.join("bin/python");
        let works = || process::succeeds(Command::new(&python).args(["-c", ""]));
        if !(stamp.is_fresh() && works()) {
            let make = Step { name: "make the Python environment", limit: INSTALL };
            let mut command = Command::new("python3");
            command.args(["-m", "venv", "--clear"]).arg(venv);
            let mut done = install(make, &mut command, installing)?;
            if done.is_ok() {
                let fill = Step { name: "install the PyPI packages", limit: INSTALL };
                let mut command = Command::new(&python);
                command.args(["-m", "pip", "install", "--quiet", "--no-input", "-r"]);
                done = install(fill, command.arg(&requirements), installing)?;
            }
            if let Err(obstacle) = done {
                self.obstacles.insert(Need::Pypi, obstacle);
                return Ok(());
            }
            stamp.write()?;
        }
        self.environment.push(("KEYWRIGHT_TEST_PYTHON", python.into()));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn without(need: Need, why: &str) -> Self {
        let obstacles = BTreeMap::from([(need, why.to_owned())]);
        Self { obstacles, ..Self::default() }
    }
}

impl Program {
    fn is_there(&self) -> bool {
        let (program, arguments) = self.probe.split_first().expect("every probe names a program");
        process::succeeds(Command::new(program).args(arguments))
    }
}

/// A copy of the lock file beside what was installed from it.
struct Stamp {
    lock: PathBuf,
    copy: PathBuf,
}

impl Stamp {
    fn new(lock: &Path, installed: &Path) -> Self {
        Self { lock: lock.to_owned(), copy: installed.join(".installed-from") }
    }

    fn is_fresh(&self) -> bool {
        let lock = fs::read(&self.lock).ok();
        lock.is_some() && lock == fs::read(&self.copy).ok()
    }

    fn write(&self) -> Result<()> {
        fs::copy(&self.lock, &self.copy)?;
        Ok(())
    }
}

/// Tries once for all of them, and returns what to tell of those that are missing afterwards.
fn install_programs(missing: &[&Program], installing: Installing) -> Result<String> {
    let packages: Vec<&str> = missing.iter().flat_map(|program| program.debian).copied().collect();
    let by_hand = format!("`apt-get install {}` adds it", packages.join(" "));
    if installing == Installing::Refused || on_path("apt-get").is_none() {
        return Ok(by_hand);
    }
    let Some(prefix) = root_prefix() else {
        return Ok(format!("no root and no passwordless sudo; {by_hand}"));
    };
    let step = Step { name: "read the package lists", limit: INSTALL };
    process::run(step, &mut apt(prefix, &["update", "-qq"]))?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&packages);
    let step = Step { name: "install the system's packages", limit: INSTALL };
    process::run(step, &mut apt(prefix, &arguments))?;
    Ok("apt-get did not bring it, or not a new enough one".to_owned())
}

/// The words before a command that must run as root, if that can be had without a question.
fn root_prefix() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    process::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    if let Some((program, rest)) = prefix.split_first() {
        command = Command::new(program);
        command.args(rest).arg("env");
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
    command
}

fn install(
    step: Step<'_>,
    command: &mut Command,
    installing: Installing,
) -> Result<Result<(), String>> {
    if installing == Installing::Refused {
        return Ok(Err(format!("`{}` was not allowed", step.name)));
    }
    let finished = process::run(step, command)?;
    let failed = || format!("`{}` failed", step.name);
    Ok(if finished.ending == Ending::Succeeded { Ok(()) } else { Err(failed()) })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program-anywhere"), None);
    }

    #[test]
    fn a_probe_fails_where_the_program_is_missing() {
        let there = Program { need: Need::Npm, probe: &["sh", "-c", "exit 0"], debian: &[] };
        let missing = Program { need: Need::Npm, probe: &["no-such-program"], debian: &[] };
        assert!(there.is_there());
        assert!(!missing.is_there());
    }

    #[test]
    fn nothing_is_installed_where_that_is_refused() {
        let step = Step { name: "x", limit: INSTALL };
        let mut command = Command::new("no-such-program");
        let refused = install(step, &mut command, Installing::Refused).expect("nothing ran");
        assert_eq!(refused, Err("`x` was not allowed".to_owned()));
    }
}

//! A PostgreSQL server of one's own: made in a folder, on the loopback interface, gone afterwards.
//!
//! The server refuses to run as root, so it runs as somebody who may do nothing. A guard, a shell
//! that waits on a pipe which only this process holds open, ends it also when this process dies.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// The superuser of every server made here.
pub(crate) const USER: &str = "keywright";

const START: Duration = Duration::from_secs(60);

const GUARD: &str = r#""$@" </dev/null & server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server""#;

/// A server; dropping it stops it and removes its folder.
pub(crate) struct Instance {
    /// Where everything of it is.
    pub(crate) folder: PathBuf,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    guard: Option<Child>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.end();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

impl Instance {
    /// Makes a database cluster; `settings` are lines of its configuration.
    pub(crate) fn create(initdb: &[&str], settings: &str) -> Result<Self, String> {
        let instance = Self::empty()?;
        let data = instance.data();
        let mut arguments = vec!["-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        arguments.push(&data);
        arguments.extend(initdb);
        instance.run("initdb", &arguments)?;
        instance.configure(settings)?;
        Ok(instance)
    }

    /// A folder and a port, and nothing in it.
    pub(crate) fn empty() -> Result<Self, String> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("keywright-postgres-{process}-{number}"));
        let _old = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let instance = Self { folder, port: free_port(), guard: None };
        instance.own(&instance.folder)?;
        Ok(instance)
    }

    /// Gives a file to the server's user alone.
    pub(crate) fn own(&self, path: &Path) -> Result<(), String> {
        if let Some(user) = other_user() {
            run(Command::new("chown").arg(user).arg(path))?;
        }
        run(Command::new("chmod").arg("go=").arg(path))?;
        Ok(())
    }

    /// Adds lines to the configuration.
    pub(crate) fn configure(&self, settings: &str) -> Result<(), String> {
        let path = self.folder.join("data/postgresql.conf");
        let old = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
        let (port, folder) = (self.port, self.folder.display());
        let own = format!(
            "{old}\nlisten_addresses = '127.0.0.1'\nport = {port}\n\
             unix_socket_directories = '{folder}'\nmax_connections = 300\n{settings}\n"
        );
        std::fs::write(path, own).map_err(|e| e.to_string())
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        self.launch()?;
        let begun = Instant::now();
        let port = self.port.to_string();
        while self.run("pg_isready", &["-q", "-h", "127.0.0.1", "-p", &port]).is_err() {
            if begun.elapsed() > START {
                return Err(format!("PostgreSQL does not start: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Starts the server and does not wait.
    pub(crate) fn launch(&mut self) -> Result<(), String> {
        self.end();
        let mut log = std::fs::OpenOptions::new();
        let log = log.create(true).append(true).open(self.folder.join("log"));
        let log = log.map_err(|e| e.to_string())?;
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]);
        command.args(as_other_user()).arg(program("postgres")?).args(["-D", &self.data()]);
        command.stdin(Stdio::piped()).stdout(log).stderr(errors).current_dir(&self.folder);
        self.guard = Some(command.spawn().map_err(|e| e.to_string())?);
        Ok(())
    }

    /// Runs one of PostgreSQL's own programs as the server's user.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let program = program(name)?.display().to_string();
        let words = as_other_user();
        let words: Vec<&str> = words.iter().map(String::as_str).chain([program.as_str()]).collect();
        let (first, rest) = words.split_first().ok_or("no program")?;
        run(Command::new(first).args(rest).args(arguments).current_dir(&self.folder))
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let from = log.len().saturating_sub(2000);
        log.get(from..).unwrap_or_default().to_owned()
    }

    /// The folder of the cluster, as an argument.
    pub(crate) fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// Ends the server at once, if it runs.
    pub(crate) fn end(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        drop(guard.stdin.take());
        let _ended = guard.wait();
    }
}

/// The folder of the newest version's programs.
pub(crate) fn program(name: &str) -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = folders.iter().rev().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("no {name}: install PostgreSQL"))
}

/// Whom the server runs as, if this process is root.
fn other_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let known = Command::new("id").args(["-u", "postgres"]).output();
    let known = known.is_ok_and(|known| known.status.success());
    Some(if known { "postgres" } else { "nobody" })
}

fn as_other_user() -> Vec<String> {
    other_user().map_or_else(Vec::new, |user| {
        let user = format!("--reuid={user}");
        ["setpriv", &user, "--clear-groups"].map(str::to_owned).to_vec()
    })
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A port that nobody listens on, below those that the kernel gives to outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 190).unwrap_or_default() * 10;
    loop {
        let port = 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 1_900;
        let free = TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free && TcpStream::connect(("127.0.0.1", port)).is_err() {
            return port;
        }
    }
}

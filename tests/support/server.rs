//! The program as a child process, in a folder of its own.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::http::{Request, Response};
use super::{secrets, wait};

const START: Duration = Duration::from_mins(1);
/// CONTRACT §5: SIGTERM drains and exits 0 within 10 s.
const STOP: Duration = Duration::from_secs(10);

/// A running server; dropping it kills it.
pub(crate) struct Server {
    pub(crate) issuer: String,
    pub(crate) ops: String,
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) config: PathBuf,
    /// What runs, and what its commands are.
    pub(crate) program: PathBuf,
    child: Option<Child>,
    wrapper: Vec<String>,
    // Removed when the server is dropped.
    _folder: TempDir,
}

/// What differs from the defaults.
#[derive(Default)]
pub(crate) struct Builder {
    settings: Vec<(&'static str, String)>,
    data: Option<PathBuf>,
    postgres: Option<String>,
    /// Of another node: its issuer and its master key.
    node_of: Option<(String, PathBuf)>,
    scheme: Option<&'static str>,
    path: &'static str,
    program: Option<PathBuf>,
    wrapper: Vec<String>,
}

impl Builder {
    /// Adds lines to a section of the configuration.
    pub(crate) fn set(mut self, section: &'static str, lines: &str) -> Self {
        self.settings.push((section, lines.to_owned()));
        self
    }

    /// Keeps the data in this folder rather than beside the configuration.
    pub(crate) fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Keeps everything but the master key in this PostgreSQL database.
    pub(crate) fn postgres(mut self, url: &str) -> Self {
        self.postgres = Some(url.to_owned());
        self
    }

    /// Makes it another node of the same installation: the issuer and master key are that one's.
    pub(crate) fn node_of(mut self, first: &Server) -> Self {
        self.node_of = Some((first.issuer.clone(), first.folder.join("data/master.key")));
        self
    }

    /// Makes the issuer an https address; the settings of `[tls]` are the test's.
    pub(crate) fn https(mut self) -> Self {
        self.scheme = Some("https");
        self
    }

    /// Gives the issuer a path.
    pub(crate) fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Runs another version of the program.
    pub(crate) fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// Runs the program under another one, such as a shell that sets a limit.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Writes the configuration and starts nothing.
    pub(crate) fn prepare(self) -> Server {
        let root = TempDir::new().expect("a temporary folder");
        let folder = root.path().to_owned();
        let (listen, ops) = (free_address(), free_address());
        let data = self.data.unwrap_or_else(|| folder.join("data"));
        let issuer = format!("{}://{listen}{}", self.scheme.unwrap_or("http"), self.path);
        let told = self.node_of.as_ref().map_or(&issuer, |(first, _)| first);
        let mut text = format!("issuer = \"{told}\"\n");
        let store = match &self.postgres {
            Some(url) => format!("url = \"{url}\""),
            None => format!("url = \"sqlite:{}\"", data.join("keywright.db").display()),
        };
        let addresses = format!("listen = \"{listen}\"\nops_listen = \"{ops}\"");
        let mut settings = vec![("server", addresses), ("store", store)];
        if let Some((_, key)) = &self.node_of {
            settings.push(("keys", format!("master = \"file:{}\"", key.display())));
        }
        settings.extend(self.settings);
        settings.sort_by_key(|(section, _)| *section);
        let mut last = "";
        for (section, lines) in &settings {
            if *section != last {
                text.extend(["\n[", section, "]\n"]);
                last = section;
            }
            text.extend([lines, "\n"]);
        }
        let config = folder.join("keywright.toml");
        std::fs::write(&config, text).expect("writable");
        Server {
            log: log_path(&listen),
            issuer,
            ops: format!("http://{ops}"),
            folder,
            config,
            program: self.program.unwrap_or_else(program),
            child: None,
            wrapper: self.wrapper,
            _folder: root,
        }
    }

    pub(crate) fn start(self) -> Server {
        let mut server = self.prepare();
        server.spawn();
        server.wait_ready();
        server
    }
}

impl Server {
    /// A server with nothing but its addresses configured.
    pub(crate) fn start() -> Self {
        Builder::default().start()
    }

    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    pub(crate) fn authority(&self) -> &str {
        let (_, rest) = self.issuer.split_once("://").expect("an address");
        rest.split('/').next().expect("an authority")
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        Request::get(&self.url(path)).send()
    }

    /// Starts the process and does not wait.
    pub(crate) fn spawn(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("writable");
        let errors = log.try_clone().expect("a second handle");
        let mut command = match self.wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(["serve", "--config"]).arg(&self.config).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child = Some(command.spawn().expect("the program starts (KEYWRIGHT_BIN)"));
    }

    /// Waits for `/readyz`, or for the process to end.
    pub(crate) fn wait_ready(&mut self) {
        let url = format!("{}/readyz", self.ops);
        let (log, child) = (&self.log, self.child.as_mut().expect("spawned"));
        wait::until_true(START, "the server is ready", || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("the server ended with {status}: {}", tail(log));
            }
            Request::get(&url).try_send().is_ok_and(|r| r.status == 200)
        });
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait_exit(&mut self, bound: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("spawned");
        wait::until(bound, "the process ends", || child.try_wait().expect("a child"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("spawned").id()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        let child = self.child.as_mut().expect("spawned");
        child.try_wait().expect("a child").is_none()
    }

    /// `kill -9`: no warning, no flush.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("spawned");
        child.kill().expect("a living child");
        child.wait().expect("a child");
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(status.expect("kill exists").success(), "SIG{name} could be sent");
    }

    /// SIGTERM; asserts the exit status, the time, and that the log holds no secret.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait_exit(STOP);
        assert_eq!(status.code(), Some(0), "SIGTERM ends with 0: {}", tail(&self.log));
        self.assert_no_secret_in_log();
    }

    /// The log so far.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read(&self.log)
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn assert_no_secret_in_log(&self) {
        let leaked = secrets::found_in(self.authority(), &self.log_text());
        assert!(leaked.is_empty(), "secrets in {}: {leaked:?}", self.log.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            self.assert_no_secret_in_log();
        }
    }
}

/// Cargo's folder of the profile under test.
pub(crate) fn target() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    this.ancestors().nth(3).expect("target/PROFILE/deps/TEST").to_owned()
}

/// The program under test.
pub(crate) fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("KEYWRIGHT_BIN") {
        return PathBuf::from(path);
    }
    let this = std::env::current_exe().expect("a path");
    this.ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("keywright")
}

/// A loopback address that nobody listens on.
///
/// Below the range that the kernel gives to outgoing connections, and counted up, so that two
/// servers that start at the same time do not race for one port.
pub(crate) fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 200).expect("below 200") * 90;
    loop {
        let port = 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

fn log_path(listen: &str) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("main").replace("::", ".");
    let port = listen.rsplit(':').next().unwrap_or_default();
    let path = secrets::output().join(format!("{test}-{port}.log"));
    File::create(&path).expect("writable");
    path
}

/// The end of a log, for a failure's message.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

//! The servers under test: processes on one core of their own, and what the kernel counts of them.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::client::{Answer, Call, Connection};

/// Servers here, the load on the core before it.
const CORE: &str = "1";
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; it ends with this value, and with this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first good answer.
    pub(crate) start: Duration,
    child: Child,
}

/// How to start one.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<&'a OsStr>,
    /// Where it runs.
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    /// The library that makes every disk the same.
    pub(crate) steady_disk: Option<&'a Path>,
    pub(crate) log: &'a Path,
}

/// Keeps this process, and what it starts unpinned, off the servers' core.
pub(crate) fn pin_load() -> anyhow::Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-acp", "0", &pid]).stdout(Stdio::null()).status();
    if !status.context("taskset is needed, of util-linux")?.success() {
        bail!("two processors are needed: one for the server, one for the load");
    }
    Ok(())
}

/// A port that is free now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Server {
    /// Starts it and asks `first` until it answers well.
    pub(crate) async fn start(start: &Start<'_>, first: &Call) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, start.port));
        // Killed by the kernel if this process dies without saying so.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "taskset", "-c", CORE]).arg(start.program);
        command.args(&start.arguments).current_dir(start.folder).stdin(Stdio::piped());
        let log = fs::File::options().create(true).append(true).open(start.log)?;
        command.stdout(log.try_clone()?).stderr(log);
        if let Some(library) = start.steady_disk {
            command.env("LD_PRELOAD", library);
        }
        let began = Instant::now();
        let child = command.spawn().context("setpriv is needed, of util-linux")?;
        let mut server = Self { address, start: Duration::ZERO, child };
        server.wait(first, began, start.log).await?;
        Ok(server)
    }

    async fn wait(&mut self, first: &Call, began: Instant, log: &Path) -> anyhow::Result<()> {
        loop {
            let answer = ask(self.address, first.clone()).await;
            let Err(refusal) = answer.and_then(|answer| answer.json()) else {
                self.start = began.elapsed();
                return Ok(());
            };
            if self.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(refusal.context(format!("the server did not start:\n{log}")));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// CPU time of all of its threads so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end between the listing and the reading.
            let schedstat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanos += schedstat.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        number.context("no VmRSS")?.trim().parse().context("VmRSS")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, call: Call) -> anyhow::Result<Answer> {
    Connection::open(address).await?.send(call).await
}

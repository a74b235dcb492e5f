//! Databases for one test: on the server that all tests share, or on one that a test may stop,
//! restart, copy and promote.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

mod instance;

use instance::{Instance, USER, program};

/// The server that all tests share.
const SHARED: &str = "KEYWRIGHT_TEST_POSTGRES";

/// An empty database on the shared server; its address.
#[track_caller]
pub(crate) fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var(SHARED).expect("KEYWRIGHT_TEST_POSTGRES: run `cargo xtask test`");
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let name = format!("test_{process}_{number}");
    query(&server, &format!("DROP DATABASE IF EXISTS {name}"));
    query(&server, &format!("CREATE DATABASE {name}"));
    let (address, _) = server.rsplit_once('/').expect("an address names a database");
    format!("{address}/{name}")
}

/// What a statement answers, a row a line.
#[track_caller]
pub(crate) fn query(url: &str, sql: &str) -> String {
    let psql = program("psql").expect("PostgreSQL is installed");
    let output = Command::new(psql).args(["-X", "-A", "-t", "-q", "-c", sql, url]).output();
    let output = output.expect("psql runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A server of a test's own.
pub(crate) struct Postgres {
    instance: Instance,
}

impl Postgres {
    /// A server that runs.
    pub(crate) fn start() -> Self {
        let mut instance = Instance::create(&["-A", "trust"], "wal_level = replica").expect("made");
        instance.start().expect("started");
        Self { instance }
    }

    /// A server that takes only encrypted connections with a password.
    pub(crate) fn with_tls(password: &str, certificate: &str, key: &str) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), password).expect("writable");
        let all_may_read = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(file.path(), all_may_read).expect("ours");
        let password_file = format!("--pwfile={}", file.path().display());
        let made = Instance::create(&["-A", "scram-sha-256", &password_file], "ssl = on");
        let mut instance = made.expect("made");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = instance.folder.join("data").join(name);
            std::fs::write(&path, text).expect("writable");
            instance.own(&path).expect("owned");
        }
        let rules = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(instance.folder.join("data/pg_hba.conf"), rules).expect("writable");
        instance.start().expect("started");
        Self { instance }
    }

    /// The address of its only database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@{}/postgres", self.authority())
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.instance.port)
    }

    /// Stops it, as `fast` or `immediate` as `pg_ctl` can.
    pub(crate) fn stop(&mut self, mode: &str) {
        let data = self.instance.data();
        self.instance.run("pg_ctl", &["-D", &data, "-m", mode, "-w", "stop"]).expect("stopped");
        self.instance.end();
    }

    /// Starts it again and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        self.instance.start().expect("started");
    }

    /// Another server that follows this one, and answers no transaction before all of it is there.
    pub(crate) fn standby(&self) -> Self {
        let mut instance = Instance::empty().expect("a folder");
        let (port, data) = (self.instance.port.to_string(), instance.data());
        let copy = ["-h", "127.0.0.1", "-p", &port, "-U", USER, "-D", &data, "-R", "-c", "fast"];
        instance.run("pg_basebackup", &copy).expect("copied");
        instance.configure("").expect("configured");
        instance.start().expect("started");
        query(&self.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'");
        query(&self.url(), "SELECT pg_reload_conf()");
        Self { instance }
    }

    /// Makes the standby the primary.
    pub(crate) fn promote(&self) {
        let data = self.instance.data();
        self.instance.run("pg_ctl", &["-D", &data, "-w", "promote"]).expect("promoted");
    }
}

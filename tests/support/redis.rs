//! A Redis of a test's own, and the few words of its protocol that a test speaks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::server::free_address;
use super::wait;

const START: Duration = Duration::from_secs(20);

/// A running `redis-server`; dropping it kills it.
pub(crate) struct Redis {
    pub(crate) address: String,
    password: String,
    child: Child,
    folder: TempDir,
}

/// What Redis answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    Error(String),
    Integer(i64),
    List(Vec<Reply>),
    Nothing,
    Text(String),
}

impl Redis {
    pub(crate) fn start(password: &str) -> Self {
        let (address, folder) = (free_address(), TempDir::new().expect("a temporary folder"));
        let child = spawn(&address, password, &folder);
        let mut redis = Self { address, password: password.to_owned(), child, folder };
        redis.wait_ready();
        redis
    }

    /// Its address for a configuration.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@{}", self.password, self.address)
    }

    /// `kill -9`: what it held is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, empty, at the same address.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.address, &self.password, &self.folder);
        self.wait_ready();
    }

    /// SIGSTOP or SIGCONT: it takes connections and answers nothing.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(status.expect("kill exists").success(), "SIG{name} could be sent");
    }

    pub(crate) fn command(&self, words: &[&str]) -> Reply {
        self.try_command(words).expect("Redis answers")
    }

    /// A key's value.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        match self.command(&["GET", key]) {
            Reply::Text(text) => Some(text),
            Reply::Nothing => None,
            other => panic!("GET {key}: {other:?}"),
        }
    }

    /// How many milliseconds a key has left.
    pub(crate) fn life_ms(&self, key: &str) -> i64 {
        match self.command(&["PTTL", key]) {
            Reply::Integer(life) => life,
            other => panic!("PTTL {key}: {other:?}"),
        }
    }

    fn try_command(&self, words: &[&str]) -> std::io::Result<Reply> {
        let mut tcp = TcpStream::connect(&self.address)?;
        tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut lines = BufReader::new(tcp.try_clone()?);
        for words in [&["AUTH", &self.password], words] {
            let mut request = format!("*{}\r\n", words.len());
            for word in words {
                request.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
            }
            tcp.write_all(request.as_bytes())?;
            if words.first() == Some(&"AUTH") {
                read(&mut lines)?;
            }
        }
        read(&mut lines)
    }

    fn wait_ready(&mut self) {
        wait::until_true(START, "Redis is ready", || {
            self.try_command(&["PING"]).is_ok_and(|reply| reply == Reply::Text("PONG".into()))
        });
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(address: &str, password: &str, folder: &TempDir) -> Child {
    let port = address.rsplit(':').next().expect("a port");
    let mut command = Command::new("redis-server");
    command.args(["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.args(["--requirepass", password, "--dir"]).arg(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed")
}

fn read(lines: &mut BufReader<TcpStream>) -> std::io::Result<Reply> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let line = line.trim_end();
    let broken = || std::io::Error::other(format!("not an answer of Redis: {line:?}"));
    let (kind, rest) = line.split_at_checked(1).ok_or_else(broken)?;
    let number = || rest.parse::<i64>().map_err(|_| broken());
    Ok(match kind {
        "+" => Reply::Text(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Integer(number()?),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                lines.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(_) => Reply::Nothing,
        },
        "*" => {
            let items = (0..number()?).map(|_| read(lines));
            Reply::List(items.collect::<std::io::Result<_>>()?)
        }
        _ => return Err(broken()),
    })
}

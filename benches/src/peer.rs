//! Another authorization server in the place of the reference: what a token and an answer to
//! introspection cost each, what they take when they rest, and how long they take to start.
//!
//! Nothing of a peer is here but the file that says how to start it and what to ask of it; ours
//! runs as it is configured by default, with a durable audit row for each token, unless
//! `--buffered` lets these rows wait.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::client::Call;
use crate::measure::{Effort, Side, compare};
use crate::rows::{ACCESS_TOKEN, ACTIVE, Bench, KIB_PER_MIB, alike, token_call};
use crate::seed::{Client, Installation};
use crate::server::{Server, Start, ask, free_port};

/// What is known of a peer. `{port}` and `{second}` in words are its ports.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    /// The program and its arguments, run in the folder of the file.
    start: Vec<String>,
    /// A path that answers with JSON as soon as it serves.
    ready: String,
    /// On the second port.
    #[serde(default)]
    ready_on_second: bool,
    /// What registers clients, once it serves.
    #[serde(default)]
    prepare: Vec<String>,
    token: String,
    introspection: String,
    #[serde(default)]
    introspection_on_second: bool,
    /// Which kind of token is asked about.
    introspected: String,
    /// Requests for each connection in half a pair.
    each: u32,
    /// How many halves before anything counts.
    warm: u32,
    kinds: Vec<Kind>,
}

/// A kind of token, under the name that it has in our own installation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    name: String,
    client_id: String,
    client_secret: String,
    #[serde(default)]
    parameters: Vec<(String, String)>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    peer: String,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    unit: &'static str,
    ours: f64,
    theirs: f64,
    /// How many times as much theirs is; in time, the median of the pairs' ratios.
    times: f64,
}

impl Table {
    pub(crate) fn text(&self) -> String {
        let mut text = format!("| | Keywright | {} | times |\n|---|---|---|---|\n", self.peer);
        for Row { what, unit, ours, theirs, times } in &self.rows {
            let _ =
                writeln!(text, "| {what} | {ours:.1} {unit} | {theirs:.1} {unit} | {times:.1} |");
        }
        text
    }
}

pub(crate) async fn compare_with(
    bench: &Bench<'_>,
    file: &Path,
    issuance: &str,
) -> anyhow::Result<Table> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let peer: Peer = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    let folder = file.canonicalize()?.parent().context("a file is in a folder")?.to_owned();
    let installation =
        Installation { program: bench.program, folder: bench.folder, port: free_port()? };
    let config = installation.configure(issuance)?;
    installation.add_resources(&config)?;
    let machine = installation.add_machine(&config)?;
    let ours = bench.start_ours(&config, installation.port, &machine).await?;
    let ports = Ports { first: free_port()?, second: free_port()? };
    progress(&format!("starting {}", peer.name));
    let theirs = start(bench, &peer, &folder, ports).await?;
    run(&peer.prepare, &folder, ports)?;
    let ring = Ring { peer: &peer, ours: &ours, theirs: &theirs, ports, machine: &machine };
    let mut rows = ring.rest()?;
    for kind in &peer.kinds {
        rows.push(ring.tokens(bench.pairs, kind).await?);
    }
    rows.push(ring.introspection(bench.pairs).await?);
    let (ours, theirs) = (ours.resident_kib()?, theirs.resident_kib()?);
    rows.push(memory("memory after the run", ours, theirs));
    Ok(Table { peer: peer.name, rows })
}

#[derive(Clone, Copy)]
struct Ports {
    first: u16,
    second: u16,
}

impl Ports {
    fn fill(self, word: &str) -> String {
        let word = word.replace("{port}", &self.first.to_string());
        word.replace("{second}", &self.second.to_string())
    }
}

async fn start(
    bench: &Bench<'_>,
    peer: &Peer,
    folder: &Path,
    ports: Ports,
) -> anyhow::Result<Server> {
    let words: Vec<String> = peer.start.iter().map(|word| ports.fill(word)).collect();
    let (program, arguments) = words.split_first().context("start: a program")?;
    let start = Start {
        program: Path::new(program),
        arguments: arguments.iter().map(OsStr::new).collect(),
        folder,
        port: if peer.ready_on_second { ports.second } else { ports.first },
        steady_disk: bench.steady_disk.as_deref(),
        log: &bench.folder.join("peer.log"),
    };
    Server::start(&start, &Call::get(&peer.ready)).await
}

fn run(words: &[String], folder: &Path, ports: Ports) -> anyhow::Result<()> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let arguments = arguments.iter().map(|word| ports.fill(word));
    let output = Command::new(program).args(arguments).current_dir(folder).output()?;
    if !output.status.success() {
        bail!("prepare: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Two servers that run.
struct Ring<'a> {
    peer: &'a Peer,
    ours: &'a Server,
    theirs: &'a Server,
    ports: Ports,
    machine: &'a Client,
}

impl Ring<'_> {
    /// Before the first request.
    fn rest(&self) -> anyhow::Result<Vec<Row>> {
        let start = |server: &Server| server.start.as_secs_f64() * 1e3;
        let (ours, theirs) = (start(self.ours), start(self.theirs));
        let what = "start to the first answer".to_owned();
        let start = Row { what, unit: "ms", ours, theirs, times: theirs / ours };
        let memory =
            memory("memory at rest", self.ours.resident_kib()?, self.theirs.resident_kib()?);
        Ok(vec![start, memory])
    }

    async fn tokens(&self, pairs: u32, kind: &Kind) -> anyhow::Result<Row> {
        progress(&format!("a token: {}", kind.name));
        let ours = alike(&token_call(self.machine, &kind.name), ACCESS_TOKEN);
        let theirs = alike(&self.their_token(kind)?, ACCESS_TOKEN);
        let theirs = Side::new(self.theirs, theirs).at(self.ports.first);
        let what = format!("a token by client credentials, {}", kind.name);
        self.cost(what, pairs, Side::new(self.ours, ours), theirs).await
    }

    async fn introspection(&self, pairs: u32) -> anyhow::Result<Row> {
        progress("introspection");
        let name = &self.peer.introspected;
        let kind =
            self.peer.kinds.iter().find(|kind| kind.name == *name).context("introspected")?;
        let own = ask(self.ours.address, token_call(self.machine, name)).await?;
        let own = Call::form("/introspect", &[("token", &own.member("access_token")?)]);
        let own = own.authorized(&self.machine.authorization);
        let mut first = self.theirs.address;
        first.set_port(self.ports.first);
        let token = ask(first, self.their_token(kind)?).await?.member("access_token")?;
        let theirs = Call::form(&self.peer.introspection, &[("token", &token)]);
        let theirs = theirs.authorized(&authorization(kind)?);
        let Ports { first, second } = self.ports;
        let port = if self.peer.introspection_on_second { second } else { first };
        let theirs = Side::new(self.theirs, alike(&theirs, ACTIVE)).at(port);
        let what = format!("introspection, {name}");
        self.cost(what, pairs, Side::new(self.ours, alike(&own, ACTIVE)), theirs).await
    }

    async fn cost(
        &self,
        what: String,
        pairs: u32,
        ours: Side<'_>,
        mut theirs: Side<'_>,
    ) -> anyhow::Result<Row> {
        let each = self.peer.each;
        for _ in 0..self.peer.warm {
            theirs.warm(each).await?;
        }
        let found = compare(theirs, ours, Effort { pairs, each }).await?;
        let (ours, theirs) = (found.reference_us, found.ours_us);
        Ok(Row { what, unit: "us", ours, theirs, times: found.ratio })
    }

    fn their_token(&self, kind: &Kind) -> anyhow::Result<Call> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(kind.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(Call::form(&self.peer.token, &form).authorized(&authorization(kind)?))
    }
}

fn memory(what: &str, ours_kib: u32, theirs_kib: u32) -> Row {
    let mib = |kib: u32| f64::from(kib) / KIB_PER_MIB;
    let (ours, theirs) = (mib(ours_kib), mib(theirs_kib));
    Row { what: what.to_owned(), unit: "MiB", ours, theirs, times: theirs / ours }
}

fn authorization(kind: &Kind) -> anyhow::Result<HeaderValue> {
    let pair = STANDARD.encode(format!("{}:{}", kind.client_id, kind.client_secret));
    Ok(HeaderValue::from_str(&format!("Basic {pair}"))?)
}

fn progress(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

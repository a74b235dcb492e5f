//! The rows of the table: what is compared with what, and what it should come to.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::client::{Call, Connection, Source};
use crate::measure::{Comparison, Effort, Side, compare, median};
use crate::seed::{Client, Installation, identifier};
use crate::server::{Server, Start, ask, free_port};
use crate::sign_in;
use crate::source::{Proof, Rota};
use crate::table::{Goal, Row};

/// In flight at once, on either side.
const CONNECTIONS: u32 = 32;
const STARTS: u32 = 5;
pub(crate) const KIB_PER_MIB: f64 = 1024.0;

/// Everything that a run needs to know.
pub(crate) struct Bench<'a> {
    pub(crate) program: &'a Path,
    pub(crate) bare: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) steady_disk: Option<PathBuf>,
    pub(crate) pairs: u32,
    pub(crate) only: String,
}

/// One comparison of equal calls.
struct Match {
    goal: Goal,
    ours: Call,
    proof: Proof,
    reference: Call,
    each: u32,
}

/// The two servers of a comparison.
struct Ring<'a> {
    ours: &'a Server,
    bare: &'a Server,
    machine: &'a Client,
}

const CREDENTIALS_ES256: Goal = Goal {
    id: "G1",
    what: "client credentials ES256, buffered / (bare + encode)",
    most: 1.3,
    reach: "<= 1.3, then 1.15",
};
const CREDENTIALS_DURABLE: Goal = Goal {
    id: "G1d",
    what: "client credentials ES256, durable audit row / (bare + encode)",
    most: 1.8,
    reach: "<= 1.8",
};
const CREDENTIALS_RS256: Goal = Goal {
    id: "G2",
    what: "client credentials RS256, buffered / (bare + encode)",
    most: 1.10,
    reach: "<= 1.10",
};
const OPAQUE: Goal =
    Goal { id: "G3", what: "opaque issue, buffered / bare", most: 2.0, reach: "<= 2.0" };
const INTROSPECT_OPAQUE: Goal =
    Goal { id: "G4o", what: "introspection, opaque / bare", most: 1.5, reach: "<= 1.5" };
const INTROSPECT_FIRST: Goal = Goal {
    id: "G4f",
    what: "introspection, JWT first time / (bare + verify)",
    most: 1.2,
    reach: "<= 1.2",
};
const INTROSPECT_AGAIN: Goal =
    Goal { id: "G4c", what: "introspection, JWT cached / bare", most: 1.6, reach: "<= 1.6" };
const REFRESH: Goal = Goal {
    id: "G8",
    what: "refresh over HTTP, ES256 / (bare + encode + store)",
    most: 1.4,
    reach: "<= 1.4",
};
const CODE_FLOW: Goal = Goal {
    id: "G10",
    what: "code flow without password, ES256 / (2 bare + 2 encode + store)",
    most: 1.5,
    reach: "<= 1.5",
};
const JWKS: Goal = Goal { id: "JWKS", what: "key set / bare", most: 1.5, reach: "<= 1.5" };
const MEMORY: Goal =
    Goal { id: "G13m", what: "idle memory / bare server", most: 3.0, reach: "<= 3" };
const MEMORY_MIB: Goal =
    Goal { id: "G13i", what: "idle memory, MiB", most: 32.0, reach: "<= 32 MiB" };
const START: Goal = Goal {
    id: "G13s",
    what: "start to first token - bare start, ms",
    most: 50.0,
    reach: "+ 50 ms",
};

impl Bench<'_> {
    pub(crate) async fn run(&self) -> anyhow::Result<Vec<Row>> {
        let (program, folder, port) = (self.program, self.folder, free_port()?);
        let installation = Installation { program, folder, port };
        let buffered = installation.configure("buffered")?;
        let durable = installation.configure("durable")?;
        installation.add_resources(&buffered)?;
        installation.add_user(&buffered)?;
        let machine = installation.add_machine(&buffered)?;
        let site = installation.add_site(&buffered)?;
        let app = installation.add_app(&buffered)?;

        let mut rows = Vec::new();
        if [MEMORY, MEMORY_MIB, START].iter().any(|goal| self.wants(goal.id)) {
            rows.extend(self.starts(&durable, port, &machine).await?);
        }
        let bare = self.start_bare().await?;
        let ours = self.start_ours(&buffered, port, &machine).await?;
        let ring = Ring { ours: &ours, bare: &bare, machine: &machine };
        for row in issuing(&machine) {
            rows.extend(self.equal(&ring, row).await);
        }
        rows.extend(self.introspection(&ring).await?);
        drop(ours);
        let ours = self.start_ours(&durable, port, &machine).await?;
        let ring = Ring { ours: &ours, bare: &bare, machine: &machine };
        rows.extend(self.equal(&ring, issuing_durably(&machine)).await);
        if self.wants(REFRESH.id) {
            rows.push(settled(REFRESH, self.refresh(&ring, &site).await));
        }
        if self.wants(CODE_FLOW.id) {
            rows.push(settled(CODE_FLOW, self.code_flow(&ring, &app).await));
        }
        Ok(rows)
    }

    fn wants(&self, id: &str) -> bool {
        id.starts_with(&self.only)
    }

    fn effort(&self, each: u32) -> Effort {
        Effort { pairs: self.pairs, each }
    }

    /// Both sides send one call again and again.
    async fn equal(&self, ring: &Ring<'_>, row: Match) -> Option<Row> {
        if !self.wants(row.goal.id) {
            return None;
        }
        progress(row.goal.what);
        let ours = Side::new(ring.ours, alike(&row.ours, row.proof));
        let reference = Side::new(ring.bare, alike(&row.reference, ANY_JSON));
        let found = compare(ours, reference, self.effort(row.each)).await;
        Some(settled(row.goal, found))
    }

    async fn introspection(&self, ring: &Ring<'_>) -> anyhow::Result<Vec<Row>> {
        let bare = || Call::form("/bare", &[("token", "x")]);
        let mut rows = Vec::new();
        for (goal, scope) in [(INTROSPECT_OPAQUE, "opaque"), (INTROSPECT_AGAIN, "es256")] {
            let token = ring.token(scope).await?;
            let (ours, reference) = (ring.introspect(&token), bare());
            let row = Match { goal, ours, proof: ACTIVE, reference, each: 250 };
            rows.extend(self.equal(ring, row).await);
        }
        if self.wants(INTROSPECT_FIRST.id) {
            rows.push(settled(INTROSPECT_FIRST, self.introspect_first(ring).await));
        }
        Ok(rows)
    }

    /// No token is asked about twice.
    async fn introspect_first(&self, ring: &Ring<'_>) -> anyhow::Result<Comparison> {
        const EACH: u32 = 60;
        progress(INTROSPECT_FIRST.what);
        let mut connection = Connection::open(ring.ours.address).await?;
        let mut sources = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut calls = Vec::new();
            for _ in 0..EACH * (self.pairs + 1) {
                let answer = connection.send(token_call(ring.machine, "es256")).await?;
                calls.push(ring.introspect(&answer.member("access_token")?));
            }
            sources.push(Rota::boxed(calls, ACTIVE));
        }
        let token = ask(ring.bare.address, Call::form("/bare-encode/es256", &[])).await?;
        let token = token.member("access_token")?;
        let verify = Call::form("/bare-verify", &[("token", &token)]);
        let ours = Side::new(ring.ours, sources);
        let reference = Side::new(ring.bare, alike(&verify, ANY_JSON));
        compare(ours, reference, self.effort(EACH)).await
    }

    async fn refresh(&self, ring: &Ring<'_>, site: &Client) -> anyhow::Result<Comparison> {
        progress(REFRESH.what);
        let families = sign_in::families(ring.ours, site, CONNECTIONS).await?;
        let sources = families.into_iter().map(|family| Box::new(family) as Box<dyn Source>);
        let ours = Side::new(ring.ours, sources.collect());
        let store = Call::form("/bare-store", &[("grant_type", "refresh_token")]);
        let reference = Side::new(ring.bare, alike(&store, ANY_JSON));
        compare(ours, reference, self.effort(150)).await
    }

    /// Somebody who is signed in and has consented: `/authorize`, `/token`, and again.
    async fn code_flow(&self, ring: &Ring<'_>, app: &Client) -> anyhow::Result<Comparison> {
        progress(CODE_FLOW.what);
        let flows = sign_in::flows(ring.ours, app, CONNECTIONS).await?;
        let sources = flows.into_iter().map(|flow| Box::new(flow) as Box<dyn Source>);
        let ours = Side::new(ring.ours, sources.collect());
        let encode = Call::form("/bare-encode/es256", &[("grant_type", "authorization_code")]);
        let store = Call::form("/bare-store", &[("grant_type", "authorization_code")]);
        let rota = || Rota::boxed(vec![encode.clone(), store.clone()], ANY_JSON);
        let reference = Side::new(ring.bare, (0..CONNECTIONS).map(|_| rota()).collect());
        compare(ours, reference, self.effort(150)).await
    }

    /// Memory and time of fresh processes, in turn. Of the times the least counts: neighbours only
    /// ever add to it.
    async fn starts(&self, config: &Path, port: u16, machine: &Client) -> anyhow::Result<[Row; 3]> {
        progress(START.what);
        let (mut memory, mut mib) = (Vec::new(), Vec::new());
        let (mut ours_ms, mut bare_ms) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..STARTS {
            let bare = self.start_bare().await?;
            let ours = self.start_ours(config, port, machine).await?;
            let kib = (f64::from(ours.resident_kib()?), f64::from(bare.resident_kib()?));
            memory.push(kib.0 / kib.1);
            mib.push(kib.0 / KIB_PER_MIB);
            ours_ms = ours_ms.min(ours.start.as_secs_f64() * 1e3);
            bare_ms = bare_ms.min(bare.start.as_secs_f64() * 1e3);
        }
        let (memory, mib, later_ms) = (median(memory)?, median(mib)?, ours_ms - bare_ms);
        let start = format!("{later_ms:+.1} ({ours_ms:.1} - {bare_ms:.1} ms)");
        Ok([
            Row::new(MEMORY, memory, format!("{memory:.2}")),
            Row::new(MEMORY_MIB, mib, format!("{mib:.1}")),
            Row::new(START, later_ms, start),
        ])
    }

    pub(crate) async fn start_ours(
        &self,
        config: &Path,
        port: u16,
        machine: &Client,
    ) -> anyhow::Result<Server> {
        let arguments = vec![OsStr::new("serve"), OsStr::new("--config"), config.as_os_str()];
        self.start(self.program, arguments, port, &token_call(machine, "es256")).await
    }

    async fn start_bare(&self) -> anyhow::Result<Server> {
        let port = free_port()?;
        // A database of its own at each start.
        let folder = self.folder.join(format!("bare-{port}"));
        std::fs::create_dir(&folder)?;
        let (word, first) = (port.to_string(), Call::form("/bare-encode/es256", &[]));
        let arguments = vec![OsStr::new(&word), folder.as_os_str()];
        self.start(self.bare, arguments, port, &first).await
    }

    async fn start(
        &self,
        program: &Path,
        arguments: Vec<&OsStr>,
        port: u16,
        first: &Call,
    ) -> anyhow::Result<Server> {
        let log = self.folder.join(format!("{port}.log"));
        let (steady_disk, folder) = (self.steady_disk.as_deref(), self.folder);
        let start = Start { program, arguments, folder, port, steady_disk, log: &log };
        Server::start(&start, first).await
    }
}

impl Ring<'_> {
    async fn token(&self, scope: &str) -> anyhow::Result<String> {
        let answer = ask(self.ours.address, token_call(self.machine, scope)).await?;
        answer.member("access_token")
    }

    fn introspect(&self, token: &str) -> Call {
        let call = Call::form("/introspect", &[("token", token)]);
        call.authorized(&self.machine.authorization)
    }
}

/// What every good answer of the program's has, and what the reference server's has.
pub(crate) const ACCESS_TOKEN: Proof = b"\"access_token\"";
pub(crate) const ACTIVE: Proof = b"\"active\":true";
const KEYS: Proof = b"\"keys\"";
const ANY_JSON: Proof = b"{";

fn issuing(machine: &Client) -> [Match; 4] {
    let (proof, bare) = (ACCESS_TOKEN, "/bare");
    let issue = |goal, scope, path, each| {
        let (ours, reference) = (token_call(machine, scope), token_form(path, scope));
        Match { goal, ours, proof, reference, each }
    };
    let keys = (Call::get("/jwks"), Call::get(bare));
    [
        issue(CREDENTIALS_ES256, "es256", "/bare-encode/es256", 150),
        issue(CREDENTIALS_RS256, "rs256", "/bare-encode/rs256", 40),
        issue(OPAQUE, "opaque", bare, 250),
        Match { goal: JWKS, ours: keys.0, proof: KEYS, reference: keys.1, each: 250 },
    ]
}

fn issuing_durably(machine: &Client) -> Match {
    let (ours, reference) =
        (token_call(machine, "es256"), token_form("/bare-encode/es256", "es256"));
    Match { goal: CREDENTIALS_DURABLE, ours, proof: ACCESS_TOKEN, reference, each: 150 }
}

pub(crate) fn token_call(machine: &Client, scope: &str) -> Call {
    token_form("/token", scope).authorized(&machine.authorization)
}

fn token_form(path: &str, scope: &str) -> Call {
    let resource = identifier(scope);
    let grant = ("grant_type", "client_credentials");
    Call::form(path, &[grant, ("scope", scope), ("resource", &resource)])
}

pub(crate) fn alike(call: &Call, proof: Proof) -> Vec<Box<dyn Source>> {
    (0..CONNECTIONS).map(|_| Rota::boxed(vec![call.clone()], proof)).collect()
}

/// One row that fails takes no other with it.
fn settled(goal: Goal, found: anyhow::Result<Comparison>) -> Row {
    found.map_or_else(|why| Row::failed(goal, &why), |found| Row::ratio(goal, found))
}

fn progress(what: &str) {
    let _ = writeln!(std::io::stderr(), "measuring {what}");
}

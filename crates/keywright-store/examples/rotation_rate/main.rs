//! How many refresh tokens a second a store rotates durably, each with its audit event.
//!
//! `cargo run --release -p keywright-store --example rotation_rate -- [FOLDER [FAMILIES [URL]]]`
//!
//! With a URL it is PostgreSQL, an empty database on the disk of FOLDER, and the same work is also
//! done as most programs would do it: six statements and a transaction for each rotation. Without
//! it is SQLite in FOLDER.
//!
//! The disk decides, so its raw sync rate is measured before and after, and every rate is also
//! told as a multiple of it.

mod six;

use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keywright_jose::sha256;
use keywright_protocol::audit::{Actor, EventType, Origin, Record};
use keywright_protocol::client::{Client, ClientMetadata};
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::grant::refresh_token::FamilyOrigin;
use keywright_protocol::id::{
    ClientId, FamilyId, GrantId, Jti, RequestId, SessionId, Subject, TenantId,
};
use keywright_protocol::resource::ResourceIndicator;
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::session::{Authentication, Session};
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::{CodeHash, RefreshHash, SessionHash};
use keywright_protocol::user::{User, Username};
use keywright_store::SharedStore;
use keywright_store::code::{Issue, IssueCode, Redeem, RedeemCode};
use keywright_store::postgres::{Address, PostgresStore};
use keywright_store::refresh::{Child, NewFamily, Rotate, Rotation, RotationStep};
use keywright_store::session::SignIn;
use keywright_store::sqlite::SqliteStore;
use keywright_store::user::NewUser;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const START: Timestamp = Timestamp::from_unix_s(1_900_000_000);
const MONTH: Duration = Duration::from_hours(24 * 30);
const MEASURED: Duration = Duration::from_secs(4);
/// Point reads that are measured.
const READS: u64 = 100_000;
/// Callers that fill the store before anything is measured.
const FILLERS: u64 = 256;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(parent)?;
    let folder = folder.path();
    let families: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let url = arguments.next();
    let file = folder.join("rotation_rate.db");
    let commits = Arc::new(Commits::default());
    let store = open(url.as_deref(), &file, &commits).await?;
    let shop = Arc::new(Shop::open(store, families).await?);
    let mut out = stdout().lock();
    writeln!(out, "{families} families")?;
    writeln!(out, "raw syncs: {:.0}/s", syncs_per_second(folder)?)?;
    writeln!(out, "callers   ops/s  p50 ms  p99 ms  verbs/commit  CPU us/op  x raw syncs")?;
    for callers in [1, 64, 512] {
        let before = (commits.read(), cpu_time_s()?);
        let run = run(&shop, callers).await?;
        let (verbs, made) = (commits.read().0 - before.0.0, commits.read().1 - before.0.1);
        let cpu_us = (cpu_time_s()? - before.1) * 1e6 / number(run.latencies.len() as u64);
        let raw = syncs_per_second(folder)?;
        writeln!(
            out,
            "{callers:>7} {:>7.0} {:>7.2} {:>7.2} {:>13.1} {cpu_us:>10.1} {:>12.1}",
            run.rate(),
            run.percentile_ms(50),
            run.percentile_ms(99),
            number(verbs) / number(made),
            run.rate() / raw,
        )?;
    }
    if let Some(url) = &url {
        for callers in [64, 512] {
            let rate = six::rate(&shop, url, callers).await?;
            writeln!(out, "{callers:>7} {rate:>7.0} as six statements on 64 connections")?;
        }
    }
    writeln!(out, "raw syncs: {:.0}/s", syncs_per_second(folder)?)?;
    writeln!(out, "a point read: {:.1} us of CPU", shop.read_cost_us().await?)?;
    shop.store.close().await;
    if url.is_none() {
        writeln!(out, "the file holds {} bytes", std::fs::metadata(&file)?.len())?;
    }
    Ok(())
}

/// Opens the store that was asked for, and counts its commits.
async fn open(
    url: Option<&str>,
    file: &Path,
    commits: &Arc<Commits>,
) -> Result<SharedStore, Failure> {
    let counted = Arc::clone(commits);
    let observer = move |commit: keywright_store::sqlite::Commit| {
        counted.commits.fetch_add(1, Ordering::Relaxed);
        counted.verbs.fetch_add(commit.verbs as u64, Ordering::Relaxed);
    };
    if let Some(url) = url {
        let store = PostgresStore::open(Address::parse(url)?).await?;
        store.observe(observer);
        return Ok(Arc::new(store));
    }
    let store = SqliteStore::open(file)?;
    store.observe(observer);
    Ok(Arc::new(store))
}

#[derive(Default)]
struct Commits {
    commits: AtomicU64,
    verbs: AtomicU64,
}

impl Commits {
    fn read(&self) -> (u64, u64) {
        (self.verbs.load(Ordering::Relaxed), self.commits.load(Ordering::Relaxed))
    }
}

/// What a run measured.
struct Run {
    latencies: Vec<Duration>,
    took: Duration,
}

impl Run {
    fn rate(&self) -> f64 {
        number(self.latencies.len() as u64) / self.took.as_secs_f64()
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        let at = self.latencies.len() * percent / 100;
        self.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// Rotates with so many callers at once, each the next family that nobody has at hand.
async fn run(shop: &Arc<Shop>, callers: usize) -> Result<Run, Failure> {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < MEASURED {
                    let rotation = shop.next_rotation()?;
                    let asked = Instant::now();
                    let Rotate::Committed(_) = shop.store.rotate(rotation).await? else {
                        return Err("a rotation was refused".into());
                    };
                    latencies.push(asked.elapsed());
                }
                Ok::<_, Failure>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let took = begun.elapsed();
    latencies.sort_unstable();
    Ok(Run { latencies, took })
}

/// A client, its user, and their families.
struct Shop {
    store: SharedStore,
    tenant: TenantId,
    client: ClientId,
    sub: Subject,
    session: SessionId,
    grant: GrantId,
    families: u64,
    turn: AtomicUsize,
    generations: Mutex<Vec<u32>>,
}

impl Shop {
    async fn open(store: SharedStore, families: u64) -> Result<Self, Failure> {
        let shop = Self {
            store,
            tenant: TenantId::default_tenant(),
            client: ClientId::from_random(short(1)),
            sub: Subject::from_random(short(2)),
            session: SessionId::from_random(short(3)),
            grant: GrantId::from_random(short(4)),
            families,
            turn: AtomicUsize::new(0),
            generations: Mutex::new(vec![0; usize::try_from(families)?]),
        };
        shop.register().await?;
        // The first one brings the consent.
        shop.begin(0).await?;
        let shop = Arc::new(shop);
        let fillers: Vec<_> = (0..FILLERS)
            .map(|filler| {
                let shop = shop.clone();
                tokio::spawn(async move {
                    for family in (filler + 1..families).step_by(usize::try_from(FILLERS)?) {
                        shop.begin(family).await?;
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for filler in fillers {
            filler.await??;
        }
        Arc::into_inner(shop).ok_or_else(|| "the fillers are done".into())
    }

    async fn register(&self) -> Result<(), Failure> {
        let json = br#"{"redirect_uris":["https://shop.test/cb"]}"#;
        let client = Client {
            tenant: self.tenant.clone(),
            id: self.client.clone(),
            metadata: ClientMetadata::parse(json)?,
            secrets: Vec::new(),
            disabled: false,
            not_before: Timestamp::from_millis(0),
            created_at: START,
        };
        let _ = self.store.create_client(client, self.record(0)).await?;
        let user = User {
            sub: self.sub.clone(),
            username: Username::parse("ann").map_err(|_| "a user name")?,
            email: None,
            email_verified: false,
            claims: serde_json::Map::new(),
            disabled: false,
            not_before: Timestamp::from_millis(0),
            created_at: START,
            updated_at: START,
        };
        let (tenant, record) = (self.tenant.clone(), self.record(0));
        let _ =
            self.store.create_user(NewUser { tenant, user, password_hash: None, record }).await?;
        let session = Session {
            id: self.session.clone(),
            sub: self.sub.clone(),
            authentication: Authentication::by_password(START),
            expires_at: START.plus(MONTH),
            ip: None,
            user_agent: None,
        };
        let sign_in = SignIn {
            tenant: self.tenant.clone(),
            cookie: SessionHash::from_bytes([0; 32]),
            session,
            previous: None,
            tokens_expire_at: START,
            record: self.record(0),
        };
        let _ = self.store.sign_in(sign_in).await?;
        Ok(())
    }

    /// A family begins as they all do: a code is issued and redeemed.
    async fn begin(&self, family: u64) -> Result<(), Failure> {
        let scope = ScopeSet::parse("openid profile offline_access").map_err(|_| "a scope")?;
        let api = ResourceIndicator::parse("https://api.shop.test/").map_err(|_| "a resource")?;
        let authentication = Authentication::by_password(START);
        let code = StoredCode {
            client: self.client.clone(),
            sub: self.sub.clone(),
            session: self.session.clone(),
            grant: self.grant.clone(),
            scope: scope.clone(),
            resources: vec![api.clone()],
            redirect_uri: "https://shop.test/cb".to_owned(),
            challenge: None,
            nonce: None,
            authentication: authentication.clone(),
            created_at: START,
            expires_at: START.plus(MONTH),
            state: CodeState::Issued,
        };
        let grant = StoredGrant {
            resources: Vec::new(),
            id: self.grant.clone(),
            sub: self.sub.clone(),
            client: self.client.clone(),
            scope: scope.clone(),
            session: self.session.clone(),
            updated_at: START,
        };
        let (tenant, hash) = (self.tenant.clone(), CodeHash::from_bytes(long(family, "code")));
        let record = self.record(family);
        let issue = IssueCode {
            tenant: tenant.clone(),
            hash,
            code: code.clone(),
            granted_before: (family > 0).then(|| scope.clone()),
            grant,
            record,
        };
        let issued = self.store.issue_code(issue).await?;
        let Issue::Committed(_) = issued else { return Err(format!("{issued:?}").into()) };
        let origin = FamilyOrigin {
            client: self.client.clone(),
            sub: self.sub.clone(),
            grant: self.grant.clone(),
            session: self.session.clone(),
            offline: true,
            scope,
            resources: vec![api],
            authentication,
            created_at: START,
        };
        let new = NewFamily {
            id: family_id(family),
            origin,
            current: token(family, 0),
            idle_expires_at: START.plus(MONTH),
            absolute_expires_at: START.plus(MONTH),
        };
        let (jti, record) = (Jti::from_random(short(family)), self.record(family));
        let redeem = RedeemCode { tenant, hash, code, jti, family: Some(new), record };
        match self.store.redeem_code(redeem).await? {
            Redeem::Committed(_) => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }

    /// What loading one of the families costs in processor time, on average.
    async fn read_cost_us(&self) -> Result<f64, Failure> {
        let begun = cpu_time_s()?;
        for turn in 0..READS {
            let family = family_id(turn.wrapping_mul(0x9e37_79b1) % self.families);
            let loaded = self.store.load_family(&self.tenant, &family).await?;
            loaded.ok_or("no such family")?;
        }
        Ok((cpu_time_s()? - begun) * 1e6 / number(READS))
    }

    /// The next rotation: families take turns in an order that disks dislike.
    fn next_rotation(&self) -> Result<Rotation, Failure> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) as u64;
        let family = turn.wrapping_mul(0x9e37_79b1) % self.families;
        let generation = {
            let mut generations = self.generations.lock().map_err(|_| "a caller panicked")?;
            let generation =
                generations.get_mut(usize::try_from(family)?).ok_or("no such family")?;
            *generation += 1;
            *generation
        };
        Ok(Rotation {
            tenant: self.tenant.clone(),
            family: family_id(family),
            client: self.client.clone(),
            presented: token(family, generation - 1),
            step: RotationStep::Advance(Child {
                hash: token(family, generation),
                sealed: vec![7; 76],
                idle_expires_at: START.plus(MONTH),
            }),
            record: self.record(turn),
        })
    }

    /// An event as the token endpoint writes it.
    fn record(&self, number: u64) -> Record {
        let origin = Origin {
            tenant: self.tenant.clone(),
            request_id: Some(RequestId::new(START.plus(Duration::from_millis(number)), [0; 10])),
            ip: Some("192.0.2.77".into()),
            user_agent: Some("okhttp/5.1.0".into()),
        };
        let actor = Actor::Client(self.client.clone());
        let mut event = origin.event(EventType::TokenIssued, actor, START);
        event.grant_id = Some(self.grant.clone());
        event.family_id = Some(family_id(number));
        event.jti = Some(Jti::from_random(short(number)));
        Record::of(event.client(&self.client).subject(&self.sub).because("refresh_token"))
    }
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn long(number: u64, what: &str) -> [u8; 32] {
    sha256(&[&number.to_be_bytes(), what.as_bytes()].concat())
}

fn short(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(long(number, "id").split_at(16).0);
    bytes
}

fn family_id(family: u64) -> FamilyId {
    FamilyId::of_handle(&short(family))
}

fn token(family: u64, generation: u32) -> RefreshHash {
    RefreshHash::from_bytes(long(family, &generation.to_string()))
}

/// What the disk can do at most: a page appended and synced, again and again.
fn syncs_per_second(folder: &Path) -> Result<f64, Failure> {
    let path = folder.join("rotation_rate.syncs");
    let mut file = std::fs::File::create(&path)?;
    let (begun, mut syncs) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    std::fs::remove_file(path)?;
    Ok(f64::from(syncs) / begun.elapsed().as_secs_f64())
}

/// The processor time of this process: the callers' and the store's together.
fn cpu_time_s() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // Fields 14 and 15: user and system time in ticks of 10 ms.
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks = ticks.sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / 100.0)
}

//! Writes revocations into Redis or Valkey, as keys that expire, for gateways in any language.
//!
//! | key | value |
//! |---|---|
//! | `keywright:revoked:TENANT:KIND:IDENTIFIER` | a second since 1970 |
//! | `keywright:revoked:TENANT:tenant` | the same, for all tokens of the tenant |
//! | `keywright:revocations` | a hash: `seq`, `at` |
//! | `keywright:revocations:epoch` | the name of this filling |
//!
//! A token is dead if a key names its `jti` (`token`), `fid` (`family`), `gid` (`grant`), `sid`
//! (`session`) or `kid` (`signing_key`); or if its `iat` is not after the value for its `client_id`
//! (`client`), `sub` (`user`) or tenant. A key lives as long as the last token that it concerns.
//!
//! While there is an epoch, everything that was revoked until `at`, milliseconds since 1970, is
//! there. Whoever reads the keys should trust them only while there is one and `at` is young.
//!
//! The sink keeps nothing: it reads on in the log in memory from where it was. An epoch that is
//! gone or a new one means that Redis has lost its contents: then everything is written again, and
//! an epoch appears only if nothing was lost meanwhile. Several nodes may write into one Redis:
//! they write the same, and one after the other take over the epoch of the first. A floor is only
//! ever raised: one of them may be behind.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::RevocationKind;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::revocations::RevocationDigest;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisResult, cmd};
use tokio::sync::watch;

use crate::app::App;
use crate::config::{ConfigError, SinkConfig};
use crate::environment::random;
use crate::feed::{Logged, TenantFeed};
use crate::jobs::pause;

/// Says how far Redis was brought, and when.
const PLACE: &str = "keywright:revocations";
/// Is there while nothing is missing.
const EPOCH: &str = "keywright:revocations:epoch";
/// Stands for an epoch until Redis is filled.
const FILLING: &str = "keywright:revocations:filling";
/// How long filling may take, seconds.
const FILLING_S_MAX: u32 = 600;
/// How often Redis is asked whether it still has everything.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);
/// The pause after a failure.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long Redis may take for anything.
const PATIENCE: Duration = Duration::from_secs(2);
/// Writes a floor, KEYS[1], with its value and its end, ARGV. A node that is behind must neither
/// lower a floor that another has raised nor let it end earlier: then tokens would live again.
const RAISE_FLOOR: &str = "
    local held, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
    local value = ARGV[1]
    if (tonumber(held) or 0) > tonumber(value) then value = held end
    redis.call('SET', KEYS[1], value, 'PXAT', ARGV[2])
    if left > 0 and left > redis.call('PTTL', KEYS[1]) then
        redis.call('SET', KEYS[1], value, 'PX', left)
    end";
/// Keys in one pipeline.
const BATCH: usize = 1000;

/// A Redis that gets every revocation.
#[derive(Debug)]
pub struct RedisSink {
    /// Its name in metrics.
    name: String,
    client: Client,
}

impl RedisSink {
    /// A sink as it is configured.
    pub(super) fn open(config: &SinkConfig, number: usize) -> Result<Self, ConfigError> {
        let name = if number == 1 { "redis".to_owned() } else { format!("redis_{number}") };
        // Only an address is taken apart here, and it was judged.
        let client = Client::open(config.connection()?).expect("a judged address");
        Ok(Self { name, client })
    }

    /// Writes until the server stops.
    pub(super) async fn run(self, app: Arc<App>, mut stop: watch::Receiver<bool>) {
        let whole_as_of = app.now();
        let mut writer = Writer { app, known: None, whole_as_of, name: self.name };
        let mut failing = false;
        loop {
            let Err(error) = tokio::select! {
                failed = writer.write(&self.client, &mut failing) => failed,
                () = stopped(&mut stop) => break,
            };
            writer.app.metrics.feed.sink_failed(&writer.name);
            writer.tell_lag();
            if !failing {
                // No address: it may hold a password.
                let why = error.category();
                tracing::error!(sink = writer.name, error = why, "cannot write revocations");
            }
            failing = true;
            if !pause(&mut stop, RETRY_AFTER).await {
                break;
            }
        }
    }
}

/// What Redis is known to hold.
struct Known {
    epoch: String,
    seq: u64,
}

struct Writer {
    app: Arc<App>,
    known: Option<Known>,
    /// When Redis was last known to hold everything.
    whole_as_of: Timestamp,
    name: String,
}

impl Writer {
    /// Connects and writes until something fails.
    async fn write(&mut self, client: &Client, failing: &mut bool) -> RedisResult<Infallible> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut redis = client.get_multiplexed_async_connection_with_config(&config).await?;
        // Behind a new connection may stand a Redis that came back with an older dump.
        let seq: Option<u64> = cmd("HGET").arg(PLACE).arg("seq").query_async(&mut redis).await?;
        self.known.take_if(|known| seq.is_none_or(|seq| seq < known.seq));
        let mut followed = self.app.feeds.watch();
        loop {
            followed.borrow_and_update();
            self.bring_up_to_date(&mut redis).await?;
            if std::mem::take(failing) {
                tracing::info!(sink = self.name, "revocations are written again");
            }
            self.tell_lag();
            // Nothing new: look whether Redis is still the same.
            let _changed = tokio::time::timeout(LOOKED_AT_EVERY, followed.changed()).await;
        }
    }

    /// Writes what Redis does not have, then says so.
    async fn bring_up_to_date(&mut self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        // The date first: what is followed after it can only add.
        let as_of = self.app.feeds.current_as_of();
        let upto = *self.app.feeds.watch().borrow();
        let epoch: Option<String> = cmd("GET").arg(EPOCH).query_async(redis).await?;
        self.known.take_if(|known| epoch.as_ref() != Some(&known.epoch));
        match self.known.as_ref().map(|known| known.seq) {
            None => self.known = Some(Known { epoch: self.fill(redis).await?, seq: upto }),
            Some(from) if from < upto => self.write_tenants(redis, from).await?,
            Some(_) => {}
        }
        if let Some(known) = &mut self.known {
            known.seq = upto;
        }
        let mut place = cmd("HSET");
        place.arg(PLACE).arg("seq").arg(upto).arg("at").arg(as_of.as_millis());
        place.exec_async(redis).await?;
        self.whole_as_of = as_of;
        Ok(())
    }

    /// Writes everything; returns the epoch that says so.
    async fn fill(&self, redis: &mut MultiplexedConnection) -> RedisResult<String> {
        let own = keywright_jose::base64url_encode(&random::<9>(&*self.app.environment));
        let filling = format!("{FILLING}:{own}");
        let mut begin = cmd("SET");
        begin.arg(&filling).arg(&own).arg("EX").arg(FILLING_S_MAX).exec_async(redis).await?;
        self.write_tenants(redis, 0).await?;
        // Fails if the name is gone, and everything else with it; does nothing if another node was
        // first.
        let mut end = redis::pipe();
        end.cmd("RENAMENX").arg(&filling).arg(EPOCH).ignore();
        end.cmd("PERSIST").arg(EPOCH).ignore().cmd("DEL").arg(&filling).ignore();
        end.cmd("GET").arg(EPOCH);
        let (epoch,): (String,) = end.query_async(redis).await?;
        Ok(epoch)
    }

    async fn write_tenants(&self, redis: &mut MultiplexedConnection, from: u64) -> RedisResult<()> {
        for (tenant, feed) in self.app.feeds.tenants() {
            self.write_tenant(redis, &tenant, &feed, from).await?;
        }
        Ok(())
    }

    async fn write_tenant(
        &self,
        redis: &mut MultiplexedConnection,
        tenant: &TenantId,
        feed: &TenantFeed,
        from: u64,
    ) -> RedisResult<()> {
        let now = self.app.now();
        let mut after = from;
        let newest = newest_floors(feed, after, now);
        loop {
            let batch = feed.entries_after(after, BATCH, now);
            let Some(last) = batch.last() else { return Ok(()) };
            after = last.seq;
            let mut keys = Pipeline::with_capacity(batch.len());
            for logged in &batch {
                // An older floor in the place of a newer one would let tokens live again.
                if newest.get(&logged.entry.digest).is_none_or(|newest| logged.seq >= *newest) {
                    add_key(&mut keys, tenant, logged);
                }
            }
            keys.exec_async(redis).await?;
        }
    }

    fn tell_lag(&self) {
        let lag = self.app.now().since(self.whole_as_of);
        self.app.metrics.feed.sink_lag(&self.name, lag);
    }
}

/// The last entry of each client, user and tenant.
fn newest_floors(feed: &TenantFeed, after: u64, now: Timestamp) -> HashMap<RevocationDigest, u64> {
    let (mut newest, mut after) = (HashMap::new(), after);
    loop {
        let batch = feed.entries_after(after, BATCH, now);
        let Some(last) = batch.last() else { return newest };
        after = last.seq;
        let floors = batch.iter().filter(|logged| logged.entry.kind.is_floor());
        newest.extend(floors.map(|logged| (logged.entry.digest, logged.seq)));
    }
}

fn add_key(keys: &mut Pipeline, tenant: &TenantId, logged: &Logged) {
    let Some(named) = &logged.named else { return };
    let kind = logged.entry.kind;
    let key = match kind {
        RevocationKind::Tenant => format!("keywright:revoked:{tenant}:{}", kind.name()),
        _ => format!("keywright:revoked:{tenant}:{}:{}", kind.name(), named.identifier),
    };
    let value_s =
        logged.entry.floor.as_ref().map_or_else(|| named.at.as_unix_s(), |f| f.issued_until_s);
    let ends_ms = Timestamp::from_unix_s(logged.entry.ends_s).as_millis();
    if kind.is_floor() {
        keys.cmd("EVAL").arg(RAISE_FLOOR).arg(1).arg(key).arg(value_s).arg(ends_ms).ignore();
    } else {
        keys.cmd("SET").arg(key).arg(value_s).arg("PXAT").arg(ends_ms).ignore();
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _told = stop.wait_for(|stopping| *stopping).await;
}

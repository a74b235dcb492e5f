//! The feed of revocations: what validators follow so that they need not ask.
//!
//! Each tenant has a log in memory of what matters still ([`log`]), in the order of the store,
//! fed as the node follows the store. Who waits is woken by it, and gets a message that was
//! composed and signed once for all who stand at the same place ([`compose`]). Nothing here reads
//! the store.

mod compose;
mod log;
mod slots;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use keywright_protocol::id::TenantId;
use keywright_protocol::revocation::{Floor, RevocationEntry};
use keywright_protocol::time::Timestamp;
use tokio::sync::watch;

pub use self::compose::{Cursor, Message};
pub use self::log::{Identifiers, Logged, Named};
pub use self::slots::{Slot, SlotLimits};

use self::compose::Composed;
use self::log::TenantLog;
use self::slots::Slots;

/// How many entries a node may be behind its followers.
const BEHIND_MAX: u64 = 100_000;

/// The feeds of all tenants.
#[derive(Debug)]
pub struct Feeds {
    tenants: RwLock<HashMap<TenantId, Arc<TenantFeed>>>,
    /// The place in the store's log up to which this node has followed, of all tenants.
    followed: watch::Sender<u64>,
    /// When the node last knew that it had followed to the end, milliseconds.
    current_as_of: AtomicI64,
    closing: watch::Sender<bool>,
    slots: Slots,
    identifiers: Identifiers,
}

/// The logs of all tenants, written anew.
#[derive(Debug, Default)]
pub struct Logs(HashMap<TenantId, TenantLog>);

/// The feed of one tenant.
#[derive(Debug)]
pub struct TenantFeed {
    log: RwLock<TenantLog>,
    /// The last entry's place.
    head: watch::Sender<u64>,
    composed: Mutex<Vec<Composed>>,
}

impl Feeds {
    /// Feeds without entries.
    pub fn new(identifiers: Identifiers, limits: SlotLimits) -> Self {
        Self {
            tenants: RwLock::default(),
            followed: watch::Sender::new(0),
            current_as_of: AtomicI64::new(0),
            closing: watch::Sender::new(false),
            slots: Slots::new(limits),
            identifiers,
        }
    }

    /// The feed of a tenant.
    pub fn tenant(&self, id: &TenantId) -> Arc<TenantFeed> {
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        known.unwrap_or_else(|| {
            let mut feeds = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(feeds.entry(id.clone()).or_insert_with(TenantFeed::new))
        })
    }

    /// Every tenant of which there is a feed.
    pub fn tenants(&self) -> Vec<(TenantId, Arc<TenantFeed>)> {
        let feeds = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        feeds.iter().map(|(id, feed)| (id.clone(), Arc::clone(feed))).collect()
    }

    /// Adds an entry that was followed; one that is there already is passed over. `floor` is
    /// where its floor stands with it.
    pub fn append(&self, entry: &RevocationEntry, floor: Option<Floor>) {
        let logged = Logged::new(entry, floor, self.identifiers);
        self.tenant(&entry.tenant).log_mut(|log| log.push(logged));
    }

    /// The same for logs that are written anew.
    pub fn append_to(&self, logs: &mut Logs, entry: &RevocationEntry, floor: Option<Floor>) {
        let log = logs.0.entry(entry.tenant.clone()).or_default();
        log.push(Logged::new(entry, floor, self.identifiers));
    }

    /// Puts logs that were written anew in the place of those that there are; what these have
    /// beyond their ends is kept.
    pub fn replace(&self, logs: Logs) {
        for (tenant, mut anew) in logs.0 {
            let feed = self.tenant(&tenant);
            feed.log_mut(|log| {
                anew.go_on_with(log);
                *log = anew;
            });
            feed.composed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Wakes who waits: entries up to this place were added.
    pub fn followed_to(&self, seq: u64) {
        for (_, feed) in self.tenants() {
            let head = feed.log(TenantLog::head);
            feed.head.send_if_modified(|known| std::mem::replace(known, head) != head);
        }
        self.followed.send_if_modified(|known| {
            let later = seq > *known;
            *known = seq.max(*known);
            later
        });
    }

    /// Says that at this moment nothing was missing.
    pub fn mark_current(&self, now: Timestamp) {
        // Not the greatest: a clock that was ahead for a moment must not date what comes after.
        self.current_as_of.store(now.as_millis(), Ordering::Relaxed);
    }

    /// As of when nothing is missing: the date of a message.
    pub fn current_as_of(&self) -> Timestamp {
        Timestamp::from_millis(self.current_as_of.load(Ordering::Relaxed))
    }

    /// The place up to which this node has followed, and word of the next.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.followed.subscribe()
    }

    /// Returns once this node has followed up to a place. At once where that is far ahead: it is
    /// the place of another log, or nobody's, and will not be reached by waiting.
    pub async fn reach(&self, seq: u64) {
        let mut followed = self.watch();
        let behind = seq.saturating_sub(*followed.borrow());
        if behind < BEHIND_MAX {
            let _reached = followed.wait_for(|followed| *followed >= seq).await;
        }
    }

    /// A place for one who waits or listens, unless all are taken.
    pub fn take_slot(&self, network: &str) -> Option<Slot> {
        self.slots.take(network)
    }

    /// How many wait or listen.
    pub fn followers(&self) -> usize {
        self.slots.taken()
    }

    /// Ends all waiting, now and from now on: the server stops.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Word of the end.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Forgets what can concern no living token.
    pub fn forget_expired(&self, now: Timestamp) {
        for (_, feed) in self.tenants() {
            feed.log_mut(|log| log.forget_expired(now));
            feed.composed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

impl TenantFeed {
    fn new() -> Arc<Self> {
        let (log, composed) = (RwLock::default(), Mutex::default());
        Arc::new(Self { log, head: watch::Sender::new(0), composed })
    }

    /// The last entry's place, and word of the next.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Entries after a place, oldest first, that matter still.
    pub fn entries_after(&self, seq: u64, limit: usize, now: Timestamp) -> Vec<Logged> {
        self.log(|log| log.after(seq, now).take(limit).cloned().collect())
    }

    fn log<T>(&self, read: impl FnOnce(&TenantLog) -> T) -> T {
        read(&self.log.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn log_mut<T>(&self, write: impl FnOnce(&mut TenantLog) -> T) -> T {
        write(&mut self.log.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;

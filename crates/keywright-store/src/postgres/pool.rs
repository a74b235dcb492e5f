//! A few connections of each kind; each is made when it is needed and replaced when it is lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::connection::{Connection, Plans};
use crate::StoreFault;

/// How long a verb waits for a connection before it is told that the store is busy.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// After a failure to connect nobody else tries for so long: all are told the same.
const COOL_DOWN: Duration = Duration::from_millis(50);
/// Connections that all point reads share.
const READERS: usize = 2;

/// Where the database is, ready to connect to.
pub(super) struct Place {
    pub(super) address: Address,
    pub(super) connector: Option<Arc<MakeRustlsConnect>>,
}

/// What connections are for. Each kind has its own, so that none waits for the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    /// Batches: two in flight, so that one is filled while the other is written.
    Batch,
    /// Verbs that run one at a time anyway: one runs, one waits.
    Exclusive,
    /// Reads of many rows, and moving events into the chain.
    Scan,
    /// Verbs that run together; the server lets them share a sync of the disk.
    Verb,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Batch, Self::Exclusive, Self::Scan, Self::Verb];

    /// How many connections.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Batch | Self::Exclusive => 2,
            Self::Scan => 3,
            Self::Verb => 6,
        }
    }

    const fn plans(self) -> Plans {
        match self {
            Self::Scan => Plans::Estimated,
            Self::Batch | Self::Exclusive | Self::Verb => Plans::ByIndex,
        }
    }
}

/// All connections of a store but the one that listens.
pub(super) struct Pool {
    pub(super) place: Place,
    lanes: [(Arc<Semaphore>, Mutex<Vec<Connection>>); 4],
    readers: [tokio::sync::Mutex<Option<Arc<Connection>>>; READERS],
    next_reader: AtomicUsize,
    failed: Mutex<Option<(Instant, StoreFault)>>,
    closed: AtomicBool,
}

impl Pool {
    pub(super) fn new(place: Place) -> Self {
        let lane = |lane: Lane| (Arc::new(Semaphore::new(lane.width())), Mutex::default());
        Self {
            place,
            lanes: Lane::ALL.map(lane),
            readers: Default::default(),
            next_reader: AtomicUsize::new(0),
            failed: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    fn lane(&self, lane: Lane) -> &(Arc<Semaphore>, Mutex<Vec<Connection>>) {
        let [batch, exclusive, scan, verb] = &self.lanes;
        match lane {
            Lane::Batch => batch,
            Lane::Exclusive => exclusive,
            Lane::Scan => scan,
            Lane::Verb => verb,
        }
    }

    /// A connection of its own for a verb.
    pub(super) async fn take(self: &Arc<Self>, lane: Lane) -> Result<Taken, StoreFault> {
        let (permits, idle) = self.lane(lane);
        let permit = timeout(WAIT_MAX, Arc::clone(permits).acquire_owned()).await;
        let permit = permit.map_err(|_| StoreFault::Busy("all connections are in use".to_owned()));
        let permit = permit?.map_err(|_| closed())?;
        let mut found = held(idle).pop();
        while found.as_ref().is_some_and(|connection| !connection.is_usable()) {
            found = held(idle).pop();
        }
        let connection = match found {
            Some(connection) => connection,
            None => self.connect(lane.plans()).await?,
        };
        Ok(Taken { connection: Some(connection), pool: Arc::clone(self), lane, _permit: permit })
    }

    /// A connection that point reads share.
    pub(super) async fn reader(&self) -> Result<Arc<Connection>, StoreFault> {
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        let [first, ..] = &self.readers;
        let mut reader = self.readers.get(turn).unwrap_or(first).lock().await;
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        match &*reader {
            Some(connection) if connection.is_usable() => Ok(Arc::clone(connection)),
            _ => {
                let connection = Arc::new(self.connect(Plans::ByIndex).await?);
                *reader = Some(Arc::clone(&connection));
                Ok(connection)
            }
        }
    }

    async fn connect(&self, plans: Plans) -> Result<Connection, StoreFault> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        if let Some((when, fault)) = &*held(&self.failed)
            && when.elapsed() < COOL_DOWN
        {
            return Err(fault.clone());
        }
        let opened = Connection::open(&self.place, plans).await;
        let failure = opened.as_ref().err().map(|fault| (Instant::now(), fault.clone()));
        *held(&self.failed) = failure;
        opened
    }

    /// Uses no connection again that was made before now and is not in use.
    pub(super) fn give_up_old(&self) {
        for (_, idle) in &self.lanes {
            let old = std::mem::take(&mut *held(idle));
            old.iter().for_each(Connection::condemn);
        }
        // One that is locked is being replaced.
        for mut reader in self.readers.iter().filter_map(|reader| reader.try_lock().ok()) {
            if let Some(old) = reader.take() {
                old.condemn();
            }
        }
    }

    /// Refuses new work, and closes every connection that nobody uses.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for (permits, idle) in &self.lanes {
            permits.close();
            held(idle).clear();
        }
        for reader in &self.readers {
            reader.lock().await.take();
        }
    }
}

/// A connection in use. Unless it is given back it is closed, which undoes what it had begun.
pub(super) struct Taken {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    lane: Lane,
    _permit: OwnedSemaphorePermit,
}

impl std::ops::Deref for Taken {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only `give_back` takes it, and ends this value")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.condemn();
        }
    }
}

impl Taken {
    /// For the next verb; between transactions only.
    pub(super) fn give_back(mut self) {
        let Some(connection) = self.connection.take() else { return };
        let open = !self.pool.closed.load(Ordering::Acquire);
        if open && connection.is_usable() {
            held(&self.pool.lane(self.lane).1).push(connection);
        }
    }
}

pub(super) fn closed() -> StoreFault {
    StoreFault::Unavailable("closed".to_owned())
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

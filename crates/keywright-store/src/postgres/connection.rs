//! A connection, its prepared statements, and what became of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::epoch;
use super::fault::{Remedy, remedy};
use super::pool::Place;
use crate::StoreFault;

/// What a statement is given.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The longest that the server works on a statement or waits for a lock.
const STATEMENT_MAX: Duration = Duration::from_secs(3);
/// The longest that the server waits for a node in the middle of a transaction: a node that stands
/// still must not keep its locks.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// How the server plans the statements of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Plans {
    /// As its statistics say.
    Estimated,
    /// By index, once for all: these statements touch few rows of tables that may be empty when
    /// they are planned and huge when they run.
    ByIndex,
}

/// A connection to the primary.
pub(super) struct Connection {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    driver: AbortHandle,
    broken: AtomicBool,
    conflicted: AtomicBool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A sound one says goodbye; a broken one may never get an answer to wait for.
        if self.broken.load(Ordering::Relaxed) {
            self.driver.abort();
        }
    }
}

impl Connection {
    /// Connects, within bounds.
    pub(super) async fn open(place: &Place, plans: Plans) -> Result<Self, StoreFault> {
        let opened = timeout(place.address.patience(), Self::greet(place, plans)).await;
        let told = |why: String| StoreFault::Unavailable(format!("{}: {why}", place.address));
        match opened {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(StoreFault::Unavailable(why))) => Err(told(why)),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(told("no answer in time".to_owned())),
        }
    }

    async fn greet(place: &Place, plans: Plans) -> Result<Self, StoreFault> {
        let config = &place.address.config;
        let (client, driver) = match &place.connector {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                (client, tokio::spawn(async { log_end(connection.await) }))
            }
            Some(connector) => {
                let (client, connection) = config.connect((**connector).clone()).await?;
                (client, tokio::spawn(async { log_end(connection.await) }))
            }
        };
        let connection = Self {
            client,
            statements: Mutex::default(),
            driver: driver.abort_handle(),
            broken: AtomicBool::new(false),
            conflicted: AtomicBool::new(false),
        };
        connection.client.batch_execute(&settings(plans)).await?;
        if connection.one("SELECT 1 WHERE pg_is_in_recovery()", &[]).await?.is_some() {
            return Err(StoreFault::Unavailable("a standby answers, no primary".to_owned()));
        }
        epoch::follow_timeline(&connection).await?;
        Ok(connection)
    }

    /// Whether it is of use for another transaction.
    pub(super) fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.broken.load(Ordering::Relaxed)
    }

    /// Says that it must not be used again.
    pub(super) fn condemn(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Whether another transaction stood in the way since somebody asked last.
    pub(super) fn take_conflict(&self) -> bool {
        self.conflicted.swap(false, Ordering::Relaxed)
    }

    /// A prepared statement.
    pub(super) async fn statement(&self, sql: &str) -> Result<Statement, StoreFault> {
        if let Some(statement) = self.prepared().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.noted(self.client.prepare(sql).await)?;
        self.prepared().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn prepared(&self) -> std::sync::MutexGuard<'_, HashMap<String, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a statement; answers how many rows it changed.
    pub(super) async fn run(&self, sql: &str, values: Values<'_>) -> Result<u64, StoreFault> {
        let statement = self.statement(sql).await?;
        self.noted(self.client.execute(&statement, values).await)
    }

    /// All rows.
    pub(super) async fn all(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreFault> {
        let statement = self.statement(sql).await?;
        self.noted(self.client.query(&statement, values).await)
    }

    /// The first row, if there is one.
    pub(super) async fn one(
        &self,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<Row>, StoreFault> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Runs statements that take and answer nothing, in one round trip.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), StoreFault> {
        self.noted(self.client.batch_execute(sql).await)
    }

    fn noted<T>(&self, outcome: Result<T, tokio_postgres::Error>) -> Result<T, StoreFault> {
        outcome.map_err(|error| {
            match remedy(&error) {
                Remedy::Again => self.conflicted.store(true, Ordering::Relaxed),
                Remedy::None => {}
                Remedy::Reconnect => self.condemn(),
            }
            error.into()
        })
    }
}

fn settings(plans: Plans) -> String {
    let (statement, idle) = (STATEMENT_MAX.as_millis(), IDLE_MAX.as_millis());
    let plans = match plans {
        Plans::Estimated => "",
        Plans::ByIndex => {
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
             SET plan_cache_mode = force_generic_plan; SET jit = off;"
        }
    };
    // What was committed is durable, whatever the database's default says. A stricter default, such
    // as waiting for a standby to apply it, stays.
    format!(
        "SET statement_timeout = {statement}; SET idle_in_transaction_session_timeout = {idle};
         {plans}
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'"
    )
}

fn log_end(ended: Result<(), tokio_postgres::Error>) {
    if let Err(error) = ended {
        tracing::debug!(error = %StoreFault::from(error), "a connection to the database ended");
    }
}

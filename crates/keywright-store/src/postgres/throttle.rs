//! Guesses in PostgreSQL: the one place where all nodes count.

use std::time::Duration;

use async_trait::async_trait;
use keywright_protocol::time::Timestamp;

use super::PostgresStore;
use super::column::Columns as _;
use super::transaction::Mode;
use crate::StoreFault;
use crate::attempt::kept;
use crate::throttle::{Failures, ThrottleStore};

/// $1 key, $2 now, $3 the beginning of a window that ends now. A window from the future is of a
/// clock that was set back: it must not prolong a wait.
const COUNT: &str = "INSERT INTO failure AS f (key, since, count) VALUES ($1, $2, 1)
     ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN f.since > $3 AND f.since < $2 + ($2 - $3) THEN f.count + 1 ELSE 1 END,
        since = CASE WHEN f.since > $3 AND f.since < $2 + ($2 - $3) THEN f.since ELSE $2 END
     RETURNING count, since";

#[async_trait]
impl ThrottleStore for PostgresStore {
    async fn count_failure(
        &self,
        key: [u8; 32],
        window: Duration,
        now: Timestamp,
    ) -> Result<Option<Failures>, StoreFault> {
        let wish = (key, now.as_millis(), now.minus(window).as_millis());
        let counted = self.write(Mode::Together, wish, |tx, (key, now, earliest)| {
            Box::pin(async move { Ok(tx.one(COUNT, &[&key.as_slice(), now, earliest]).await?) })
        });
        let Some(row) = kept(counted.await?) else { return Ok(None) };
        let count: i64 = row.value(0)?;
        let since = Timestamp::from_millis(row.value(1)?);
        Ok(Some(Failures { count: u32::try_from(count).unwrap_or(u32::MAX), since }))
    }

    async fn forget_failures(&self, key: [u8; 32]) -> Result<(), StoreFault> {
        let forgotten = self.write(Mode::Together, key, |tx, key| {
            Box::pin(async move {
                tx.run("DELETE FROM failure WHERE key = $1", &[&key.as_slice()]).await?;
                Ok(())
            })
        });
        forgotten.await.map(kept)
    }
}

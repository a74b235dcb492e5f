//! The same work as most programs do it: a connection for each request from a pool, and one
//! statement after another.

use std::sync::Arc;
use std::time::Instant;

use keywright_store::refresh::{Rotation, RotationStep};
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls, Statement};

use super::{Failure, MEASURED, Shop, number};

/// More would not be faster, and no server is given more.
const CONNECTIONS: usize = 64;

struct Connection {
    client: Client,
    load: Statement,
    shape: Statement,
    update: Statement,
    record: Statement,
}

impl Connection {
    async fn open(url: &str) -> Result<Self, Failure> {
        let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(driver);
        let load = client
            .prepare("SELECT shape, current, revoked FROM family WHERE id = $1 FOR UPDATE")
            .await?;
        let shape = client
            .prepare(
                "SELECT c.disabled, t.disabled FROM family_shape h JOIN client c ON c.key = h.client
                 JOIN tenant t ON t.id = c.tenant WHERE h.key = $1",
            )
            .await?;
        let update = client
            .prepare(
                "UPDATE family SET parent = current, current = $2, sealed_child = $3,
                    generation = generation + 1, rotated_at = $4 WHERE id = $1",
            )
            .await?;
        let record =
            client.prepare("INSERT INTO audit_outbox (tenant, body) VALUES ($1, $2)").await?;
        Ok(Self { client, load, shape, update, record })
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<(), Failure> {
        let RotationStep::Advance(next) = &rotation.step else {
            return Err("only tokens that count".into());
        };
        let name = rotation.family.as_str().strip_prefix("family_").ok_or("a random family")?;
        let handle = keywright_jose::base64url_decode(name).map_err(|_| "a random family")?;
        let (handle, child) = (handle.as_slice(), next.hash.as_bytes().as_slice());
        self.client.batch_execute("BEGIN").await?;
        let family = self.client.query_one(&self.load, &[&handle]).await?;
        let (shape, current): (i64, &[u8]) = (family.get(0), family.get(1));
        if current != rotation.presented.as_bytes() {
            return Err("another token is current".into());
        }
        self.client.query_one(&self.shape, &[&shape]).await?;
        let now = rotation.record.now.as_millis();
        self.client.execute(&self.update, &[&handle, &child, &next.sealed, &now]).await?;
        let body = serde_json::to_string(&rotation.record.events)?;
        self.client.execute(&self.record, &[&rotation.tenant.as_str(), &body]).await?;
        self.client.batch_execute("COMMIT").await?;
        Ok(())
    }
}

/// Rotations a second with so many callers.
pub(super) async fn rate(shop: &Arc<Shop>, url: &str, callers: usize) -> Result<f64, Failure> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Arc::new(Mutex::new(Connection::open(url).await?)));
    }
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .zip(connections.iter().cycle().cloned())
        .map(|(_, connection)| {
            let shop = Arc::clone(shop);
            tokio::spawn(async move {
                let mut done = 0;
                while begun.elapsed() < MEASURED {
                    let rotation = shop.next_rotation()?;
                    connection.lock().await.rotate(&rotation).await?;
                    done += 1;
                }
                Ok::<u64, Failure>(done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(number(done) / begun.elapsed().as_secs_f64())
}

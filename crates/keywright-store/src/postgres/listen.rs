//! Hears of changes that other nodes made. What is heard is only a hint to look sooner.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, NoTls, Socket};

use super::Shared;
use crate::StoreFault;

/// The time between tries to connect.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Listens, on one connection after another, until the store is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let place = &shared.pool.place;
        let heard = match &place.connector {
            None => listen(&shared, NoTls).await,
            Some(connector) => listen(&shared, (**connector).clone()).await,
        };
        if let Err(fault) = heard {
            tracing::debug!(error = %fault, "not listening to the database");
        }
        sleep(RETRY_AFTER).await;
    }
}

async fn listen<T>(shared: &Shared, tls: T) -> Result<(), StoreFault>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let address = &shared.pool.place.address;
    let connected = timeout(address.patience(), address.config.connect(tls)).await;
    let (client, mut connection) = connected.map_err(|_| super::no_answer())??;
    let listening = client.batch_execute("LISTEN keywright");
    let mut listening = std::pin::pin!(listening);
    let mut asked = false;
    poll_fn(|cx| {
        loop {
            if !asked && let std::task::Poll::Ready(answer) = listening.as_mut().poll(cx) {
                asked = true;
                if let Err(error) = answer {
                    return std::task::Poll::Ready(Err(error.into()));
                }
                // Something may have happened while nobody listened.
                ring(shared);
            }
            match std::task::ready!(connection.poll_message(cx)) {
                Some(Ok(AsyncMessage::Notification(_))) => ring(shared),
                Some(Ok(_)) => {}
                Some(Err(error)) => return std::task::Poll::Ready(Err(error.into())),
                None => return std::task::Poll::Ready(Ok(())),
            }
        }
    })
    .await
}

/// Wakes all who wait, and one who is about to.
fn ring(shared: &Shared) {
    shared.changes.notify_waiters();
    shared.changes.notify_one();
}

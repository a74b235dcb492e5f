//! What became of a request, for `explain`: refused ones are kept, a bounded number of them, by a
//! task that nobody waits for.

use std::sync::Arc;
use std::time::Duration;

use keywright_protocol::audit::AuditEvent;
use keywright_protocol::authorize::AuthorizeError;
use keywright_protocol::wire::WireError;
use keywright_protocol::{client, grant};
use keywright_store::SharedStore;
use keywright_store::audit::{Recorded, RefusedRequest};
use tokio::sync::mpsc;

use crate::environment::SharedEnvironment;
use crate::error::Refused;
use crate::router::Ctx;

/// Refused requests and buffered events that wait to be stored; beyond it refusals are dropped.
const WAITING_MAX: usize = 8192;
/// How long more are waited for before they are stored.
const GATHERING: Duration = Duration::from_millis(20);
/// How many are stored at once.
const BATCH_MAX: usize = 512;

/// What a background task stores.
#[derive(Debug)]
enum Item {
    Event(AuditEvent),
    Flush(tokio::sync::oneshot::Sender<()>),
    Refusal(RefusedRequest),
}

/// The way to the background task.
#[derive(Clone, Debug)]
pub struct Notebook(mpsc::Sender<Item>);

impl Notebook {
    /// Starts the task; it ends when every notebook is gone.
    pub fn start(store: SharedStore, environment: &SharedEnvironment) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        environment.spawn(Box::pin(keep(store, receiver, Arc::clone(environment))));
        Self(sender)
    }

    /// Keeps an event without waiting: `audit.issuance = "buffered"` and failed sign-ins.
    ///
    /// # Errors
    /// Gives the event back when too many wait: the caller then waits for the store itself.
    pub fn event(&self, event: AuditEvent) -> Result<(), Box<AuditEvent>> {
        match self.0.try_reserve() {
            Ok(place) => {
                place.send(Item::Event(event));
                Ok(())
            }
            Err(_) => Err(Box::new(event)),
        }
    }

    /// Waits until everything noted so far is stored.
    pub async fn flush(&self) {
        let (done, wait) = tokio::sync::oneshot::channel();
        if self.0.send(Item::Flush(done)).await.is_ok() {
            let _ended = wait.await;
        }
    }

    /// Keeps a refused request.
    pub fn refusal(&self, ctx: &Ctx, asked: Asked<'_>, refused: &Refused) {
        let (wire, Asked { endpoint, client, .. }) = (refused.wire(), asked);
        tracing::info!(
            request.id = %ctx.request_id(),
            endpoint,
            error = wire.code.as_str(),
            reason = %refused,
            "request refused"
        );
        let item = RefusedRequest {
            request_id: ctx.request_id().clone(),
            tenant: ctx.tenant.id(),
            time: ctx.now(),
            endpoint: endpoint.to_owned(),
            client_id: client.map(str::to_owned),
            checks: checks_of(asked, refused),
            failed: refused.check().to_owned(),
            reason: refused.to_string(),
            error: wire.code.as_str().to_owned(),
        };
        let _dropped_when_full = self.0.try_send(Item::Refusal(item));
    }

    /// Keeps a refused authorization request.
    pub fn refused_authorization(&self, ctx: &Ctx, error: &AuthorizeError) {
        let wire = WireError::from(error);
        tracing::info!(
            request.id = %ctx.request_id(),
            endpoint = "authorize",
            error = wire.code.as_str(),
            reason = %error,
            "request refused"
        );
        let item = RefusedRequest {
            request_id: ctx.request_id().clone(),
            tenant: ctx.tenant.id(),
            time: ctx.now(),
            endpoint: "authorize".to_owned(),
            client_id: None,
            checks: error.checks().map(str::to_owned).collect(),
            failed: error.check().to_owned(),
            reason: error.to_string(),
            error: wire.code.as_str().to_owned(),
        };
        let _dropped_when_full = self.0.try_send(Item::Refusal(item));
    }
}

/// What is known of a request when it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The endpoint's label.
    pub endpoint: &'static str,
    /// Who it says that it is.
    pub client: Option<&'a str>,
    /// For which grant it is, at the token endpoint.
    pub grant_type: &'a str,
}

impl Asked<'_> {
    /// A request of which nothing else is known.
    pub const fn at(endpoint: &'static str) -> Self {
        Self { endpoint, client: None, grant_type: "" }
    }
}

/// The checks of an endpoint, in order. A bearer endpoint looks at the token alone; the others
/// prove the client first, and the token endpoint then judges the grant.
fn checks_of(asked: Asked<'_>, refused: &Refused) -> Vec<String> {
    let bearer: &[&str] = &["access token", "scope"];
    let client: &[&str] = &client::authenticate::CHECKS;
    let groups: &[&[&str]] = match (asked.endpoint, refused) {
        ("token", _) => &[&["not throttled"], client, grant::checks(asked.grant_type)],
        ("userinfo" | "api", _) | (_, Refused::Token(_) | Refused::Scope(_)) => &[bearer],
        _ => &[&["not throttled"], client],
    };
    let first = std::iter::once("request is well-formed");
    first.chain(groups.iter().flat_map(|group| group.iter().copied())).map(str::to_owned).collect()
}

async fn keep(store: SharedStore, mut items: mpsc::Receiver<Item>, environment: SharedEnvironment) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while items.recv_many(&mut batch, BATCH_MAX).await > 0 {
        // Nobody waits for these: a moment more makes one transaction of many.
        if batch.len() < BATCH_MAX && !batch.iter().any(|item| matches!(item, Item::Flush(_))) {
            environment.sleep(GATHERING).await;
            gather(&mut items, &mut batch);
        }
        let (mut events, mut refusals, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        for item in batch.drain(..) {
            match item {
                Item::Event(event) => events.push(event),
                Item::Refusal(refusal) => refusals.push(refusal),
                Item::Flush(done) => flushed.push(done),
            }
        }
        store_events(&store, events).await;
        if !refusals.is_empty() {
            warn_of(store.keep_refusals(refusals).await.err());
        }
        for done in flushed {
            // Whoever waited may have gone.
            let _gone = done.send(());
        }
    }
}

/// Takes what has come meanwhile, up to a batch.
fn gather(items: &mut mpsc::Receiver<Item>, batch: &mut Vec<Item>) {
    while batch.len() < BATCH_MAX
        && let Ok(item) = items.try_recv()
    {
        batch.push(item);
    }
}

async fn store_events(store: &SharedStore, events: Vec<AuditEvent>) {
    let Some(now) = events.last().map(|event| event.time) else { return };
    let record = keywright_protocol::audit::Record { now, events, once: None };
    match store.record(record).await {
        // Nothing in the record had to be unused, so there is nothing to refuse.
        Ok(Recorded::Committed(_) | Recorded::AssertionReplayed) => {}
        Err(fault) => warn_of(Some(fault)),
    }
}

fn warn_of(fault: Option<keywright_store::StoreFault>) {
    if let Some(fault) = fault {
        tracing::error!(error = %fault, "buffered audit events were lost");
    }
}

//! Keeps keys in time and tables small. Nothing depends on it for being refused: expiry is checked
//! where a thing is used.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::jobs::pause;

/// How often tables and keys are looked after.
const PERIOD: Duration = Duration::from_secs(30);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while pause(&mut stop, PERIOD).await {
        let now = app.now();
        app.forget_expired(now);
        for tenant in app.tenants() {
            if let Err(fault) = app.maintain_keys(&tenant).await {
                tracing::error!(error = %fault, tenant = %tenant.id(), "cannot look after keys");
            }
        }
        match app.store.sweep(now).await {
            Ok(swept) if swept.rows > 0 => tracing::debug!(rows = swept.rows, "swept"),
            Ok(_) => {}
            Err(fault) => tracing::warn!(error = %fault, "cannot sweep"),
        }
    }
}

//! Keeps keys in time and tables small. Nothing depends on it for being refused: expiry is checked
//! where a thing is used.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::jobs::pause;
use crate::keys::lifecycle::Thoroughness;

/// How often tables and keys are looked after.
const PERIOD: Duration = Duration::from_secs(30);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        look_after(&app).await;
        if !pause(&mut stop, PERIOD).await {
            break;
        }
    }
}

async fn look_after(app: &App) {
    let now = app.now();
    app.forget_expired(now);
    for throttle in [
        &app.guesses_at_account,
        &app.guesses_everywhere,
        &app.guesses_from_address,
        &app.guesses_at_client,
    ] {
        throttle.forget_expired(now);
    }
    for tenant in app.tenants() {
        if let Err(fault) = app.maintain_keys(&tenant, Thoroughness::Everything).await {
            tracing::error!(error = %fault, tenant = %tenant.id(), "cannot look after keys");
        }
    }
    match app.store.sweep(now).await {
        Ok(swept) if swept.rows > 0 => tracing::debug!(rows = swept.rows, "swept"),
        Ok(_) => {}
        Err(fault) => tracing::warn!(error = %fault, "cannot sweep"),
    }
}

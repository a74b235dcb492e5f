//! A server in memory, for the tests of this folder.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keywright_protocol::client::ClientMetadata;
use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;
use keywright_store::memory::MemoryStore;
use serde_json::Value;

use super::operations::Operator;
use crate::app::App;
use crate::config::Config;
use crate::environment::{Environment, SystemEnvironment};

/// A clock that tests set.
pub(crate) struct Clock(AtomicI64);

impl Clock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn fill(&self, bytes: &mut [u8]) {
        SystemEnvironment.fill(bytes);
    }
}

/// A server, its clock and an operator of the default tenant.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) operator: Operator,
}

impl World {
    pub(crate) async fn start() -> Self {
        let text = "issuer = 'http://127.0.0.1:8080'\n\
                    [keys]\nmaster = 'a master key that is long enough for a test'";
        let config = Config::parse(text, Path::new("keywright.toml"), []).unwrap();
        let clock = Arc::new(Clock(AtomicI64::new(1_800_000_000_000)));
        let store = Arc::new(MemoryStore::new());
        let app = App::open(config, store, clock.clone()).await.unwrap();
        Self { app, clock, operator: Operator::at_command_line(TenantId::default_tenant()) }
    }
}

pub(crate) fn metadata(document: &Value) -> ClientMetadata {
    ClientMetadata::parse(document.to_string().as_bytes()).unwrap()
}

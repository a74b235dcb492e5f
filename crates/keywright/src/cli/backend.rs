//! Who carries a command out: this process on the configured store, or a server elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use keywright_server::admin::operations::{OperationError, Operator};
use keywright_server::config::{self, StoreUrl, TelemetryConfig};
use keywright_server::{App, Config, start, telemetry};
use keywright_store::{Listed, Page};
use serde_json::Value;
use tracing::Level;

use super::Place;
use super::failure::Failure;
use super::output::Output;
use super::remote::{Api, RemoteArgs};

/// Who carries a command out.
pub(crate) enum Backend {
    /// A server, through its administration API.
    Remote(Box<Api>),
    /// This process.
    Store(Local),
}

/// The store, opened.
pub(crate) struct Local {
    pub(crate) app: Arc<App>,
    pub(crate) operator: Operator,
}

/// A backend, and where its answers go.
pub(crate) struct Acting {
    pub(crate) backend: Backend,
    pub(crate) output: Output,
}

impl Acting {
    /// Opens what the options name.
    pub(crate) async fn open(place: &Place, remote: RemoteArgs) -> Result<Self, Failure> {
        let output = Output { json: place.json };
        let backend = match remote.connect(place)? {
            Some(api) => Backend::Remote(Box::new(api)),
            None => Backend::Store(Local::open(place).await?),
        };
        Ok(Self { backend, output })
    }
}

impl Local {
    /// Opens the configured store.
    pub(crate) async fn open(place: &Place) -> Result<Self, Failure> {
        let config = load_config(place)?;
        if config.store.url == StoreUrl::Memory {
            let what = "the configured store is the memory of the server's own process";
            return Err(Failure::usage(what).hint("name the server with --issuer and --token"));
        }
        // Standard error is for hints and errors of the command itself.
        let quiet = TelemetryConfig { level: Level::WARN, ..config.telemetry.clone() };
        telemetry::init_logging(&quiet);
        let url = config.store.url.clone();
        let is_new = matches!(&url, StoreUrl::Sqlite(path) if !path.exists());
        let app = open_app(config).await?;
        if is_new {
            let output = Output { json: place.json };
            output.hint(&format!("there was no store yet: {url} is new"))?;
        }
        Ok(Self { app, operator: Operator::at_command_line(place.tenant()) })
    }

    /// The issuer of the tenant that is administered.
    pub(crate) fn issuer(&self) -> String {
        self.app.issuer_of(self.operator.tenant())
    }
}

/// Reads the configuration that the options name.
pub(crate) fn load_config(place: &Place) -> Result<Config, Failure> {
    Config::load(place.config.as_deref(), config::environment())
        .map_err(|error| Failure::usage(error.to_string()))
}

/// Opens the store, and makes its folder on the first start.
pub(crate) async fn open_app(config: Config) -> Result<Arc<App>, Failure> {
    if config.store.url != StoreUrl::Memory {
        make_folder(&config.data_folder())?;
    }
    Ok(start::open_app(config).await?)
}

/// Makes the folder of what belongs beside a store.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    make_private_folder(folder).map_err(|error| {
        Failure::unreachable(format!("the store's folder {}: {error}", folder.display()))
            .hint("make it writable, or name another file in store.url")
    })
}

/// Makes a folder that only its owner can enter; one that is there stays as it is.
fn make_private_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// All rows of a list, page by page, as documents.
pub(crate) async fn every_page<T, F>(
    read: impl Fn(Page) -> F,
    document: impl Fn(&T) -> Value,
) -> Result<Vec<Value>, Failure>
where
    F: Future<Output = Result<Listed<T>, OperationError>>,
{
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let part = read(Page { after, limit: 0 }).await?;
        items.extend(part.items.iter().map(&document));
        after = part.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Fault(fault) => fault.into(),
            refused => Self::refused(refused.to_string()),
        }
    }
}

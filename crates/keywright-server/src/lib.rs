//! The shell: HTTP in, protocol, store, keys, HTTP out.
//!
//! A request enters in [`listen`], gets its tenant, identifier and peer in [`router`], and reaches
//! a thin file of [`endpoint`] or [`interaction`]. That file reads bytes into protocol types, loads
//! a snapshot, asks the protocol for a decision, mints ([`mint`]), commits, and answers. Everything
//! that a request needs hangs on [`App`].
//!
//! **Architecture invariant:** only this crate reads a clock or draws random numbers, through
//! [`environment`]; only [`mint`] and [`keys`] touch private keys; nothing leaves the process
//! before the store has given a receipt.
//!
//! Start with `endpoint/token.rs`.

pub mod admin;
pub mod app;
pub mod config;
pub mod endpoint;
pub mod environment;
pub mod error;
pub mod explain;
pub mod feed;
pub mod interaction;
pub mod jobs;
pub mod keys;
pub mod listen;
pub mod load;
pub mod logos;
pub mod metrics;
pub mod mint;
pub mod outage;
pub mod outbound;
pub mod page;
pub mod password;
pub mod router;
pub mod start;
pub mod status_list;
pub mod telemetry;
pub mod tenants;
pub mod throttle;
pub mod tls;

pub use app::App;
pub use config::Config;

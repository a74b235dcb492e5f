//! The one executable: every role of Keywright is a command of it.
//!
//! [`cli`] reads the command line and carries commands out, on the configured store or through the
//! administration API of a server elsewhere. [`demo`] is everything at once on loopback, [`bench`]
//! a load generator for any server. [`peer`] is how all of them speak to a server over HTTP.
//!
//! **Architecture invariant:** nothing is decided here. What an operator orders goes through the
//! same operations as the administration API; what a client asks goes over HTTP like anybody's.

mod bench;
mod cli;
mod demo;
mod peer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}

//! Signing keys: sealed in the store, parsed in memory, rotated by themselves.

pub mod lifecycle;
pub mod master;
pub mod ring;
mod turn;
pub mod verified;

pub use master::MasterKey;
pub use ring::KeyRing;
pub(crate) use turn::KeyTurn;

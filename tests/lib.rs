//! The integration tests live in `all.rs`: black box, over real HTTP, against the real program.
//!
//! This library is empty on purpose. Architecture invariant: nothing here links a crate of the
//! product, so a test can know only what an outsider knows.

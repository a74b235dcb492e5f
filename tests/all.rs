//! One binary for every test from outside, so that the program under test is linked to nothing.
//!
//! - `flows`: what must work, one file per endpoint or command;
//! - `attacks`: what must be refused, each beside the nearest request that is accepted;
//! - `races`: many at once, and the program killed at the worst moment;
//! - `interop`: other people's clients (`interop::rust` needs nothing, the rest node or python);
//! - `browser`: the pages in headless Chromium.
//!
//! Every test starts its own server over its own store: none depends on another's order.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod races;
#[cfg(test)]
mod support;

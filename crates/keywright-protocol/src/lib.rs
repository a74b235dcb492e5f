//! OAuth 2.0 and OpenID Connect as values and pure functions.
//!
//! Bytes become types in [`wire`]; [`client`] proves who asks; [`authorize`] and [`grant`] judge a
//! request against a stored snapshot and return a plan or a reason; [`policy`] narrows the plan;
//! [`claims`] says what the tokens will hold; [`wire::response`] turns a receipt into bytes again.
//! The road of a token request is `wire::token` -> `client::authenticate` ->
//! `grant::authorization_code` -> `policy` -> (mint and commit, elsewhere) -> `wire::response`.
//!
//! **Architecture invariant:** nothing here waits, opens a socket, reads a clock, draws a random
//! number or knows that a database exists. Time and stored facts are arguments. The server crate
//! is the only caller that has them.
//!
//! **Architecture invariant:** only `wire::error` knows `error` codes and HTTP statuses. Everything
//! else speaks of reasons ([`grant::GrantError`], [`wire::RequestError`]).

pub mod audit;
pub mod authorize;
pub mod claims;
pub mod client;
#[cfg(test)]
mod fixture;
pub mod grant;
pub mod id;
pub mod limits;
#[cfg(test)]
mod model;
pub mod policy;
pub mod profile;
pub mod redirect_uri;
pub mod resource;
pub mod revocation;
pub mod scope;
pub mod secret;
pub mod session;
pub mod status_list;
pub mod tenant;
pub mod time;
pub mod token;
pub mod user;
pub mod wire;

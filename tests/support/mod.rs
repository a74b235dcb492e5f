//! What every test needs: the program as a child process, a plain HTTP client, and a person
//! without JavaScript who fills in the forms.

pub(crate) mod browserless;
pub(crate) mod cli;
pub(crate) mod cookies;
pub(crate) mod feed;
pub(crate) mod flow;
pub(crate) mod html;
pub(crate) mod http;
pub(crate) mod jwt;
pub(crate) mod network;
pub(crate) mod peers;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod secrets;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod wait;
pub(crate) mod world;

pub(crate) use browserless::{Browser, Callback, Page};
pub(crate) use flow::Authorize;
pub(crate) use http::{Request, Response};
pub(crate) use server::Server;
pub(crate) use tokens::Tokens;
pub(crate) use world::{API, Client, User, World};

//! What must work, by endpoint and by command.

mod administration;
mod audit;
mod authorization_code;
mod backup;
mod client_credentials;
mod commands;
mod consent;
mod demo;
mod discovery;
mod id_token;
mod introspection;
mod keys;
mod logo;
mod logout;
mod opaque;
mod operations;
mod prompt;
mod refresh;
mod remote;
mod resource;
mod response_mode;
mod revocation;
mod tabs;
mod tenants;
mod tls;
mod userinfo;

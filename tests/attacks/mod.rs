//! What must be refused. Each refusal stands beside the nearest request that is accepted: a
//! server that refuses everything fails too.

mod assertion;
mod client_auth;
mod code;
mod confusion;
mod cors;
mod csrf;
mod escalation;
mod feed;
mod front_channel;
mod injection;
mod lag;
mod logo;
mod methods;
mod noise;
mod outbound;
mod overload;
mod pages;
mod parameters;
mod pkce;
mod proxy;
mod redirect_uri;
mod throttle;

//! The other side of the wire: speaks to an authorization server as its clients and APIs do, over
//! HTTP, knowing nothing of it but its issuer.

mod feed;
mod grant;
mod http;
mod keys;
mod metadata;

pub(crate) use self::feed::{FeedFollower, Standing};
pub(crate) use self::grant::{ClientCredentials, Grant, SecretMethod, Tokens, request_token};
pub(crate) use self::http::{Http, HttpError, is_untrusted};
pub(crate) use self::keys::KeyCache;
pub(crate) use self::metadata::{Issuer, Metadata};

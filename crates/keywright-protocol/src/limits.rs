//! Every bound in one place, each with its reason. A caller who passes one is told so.

use std::time::Duration;

/// How long a token waits for the second that no known revocation takes: nobody revokes one thing
/// more often within a second, and a client waits longer than that for an answer.
pub const ISSUE_WAIT_MAX: Duration = Duration::from_secs(8);

/// How old a node's knowledge of revocations may be when it calls a token active: a store that is
/// away for a moment costs nothing, one that stays away must not keep the dead alive.
pub const REVOCATIONS_AGE_MAX: Duration = Duration::from_secs(10);
/// A request body or query string, bytes. The largest honest one carries a 4 KiB assertion.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// One parameter, bytes: room for an ID token hint with many claims.
pub const PARAMETER_BYTES_MAX: usize = 8 * 1024;
/// A sealed flow in a page's address or form, bytes: an authorization request and a half.
pub const FLOW_BYTES_MAX: usize = 24 * 1024;
/// An authorization request, bytes: it must fit into a page's address after sealing.
pub const AUTHORIZE_BYTES_MAX: usize = 14 * 1024;
/// Parameters in one request.
pub const PARAMETERS_MAX: usize = 64;
/// `state`, bytes; clients pack their own data into it.
pub const STATE_BYTES_MAX: usize = 4 * 1024;
/// `nonce`, bytes.
pub const NONCE_BYTES_MAX: usize = 512;
/// `login_hint`, bytes.
pub const LOGIN_HINT_BYTES_MAX: usize = 256;
/// A user name, bytes.
pub const USERNAME_BYTES_MAX: usize = 255;
/// A password, bytes: Argon2 cost does not grow with it, memory does.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// The least length of a password, characters: NIST SP 800-63B-4 §3.1.1.2 for a sole factor is 15;
/// 8 is its floor, and what the operator's own policy raises.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// A redirect URI, bytes.
pub const REDIRECT_URI_BYTES_MAX: usize = 2 * 1024;
/// Redirect URIs of one client.
pub const REDIRECT_URIS_MAX: usize = 100;
/// Scopes in one request.
pub const SCOPES_MAX: usize = 64;
/// One scope name, bytes.
pub const SCOPE_BYTES_MAX: usize = 256;
/// `resource` parameters in one request, RFC 8707 §2.
pub const RESOURCES_MAX: usize = 8;
/// A client identifier, bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 255;
/// A client's secret as presented, bytes.
pub const CLIENT_SECRET_BYTES_MAX: usize = 512;
/// Live secrets of one client: rotation needs two, an incident a few more.
pub const CLIENT_SECRETS_MAX: usize = 8;
/// Client metadata as JSON, bytes.
pub const CLIENT_METADATA_BYTES_MAX: usize = 64 * 1024;
/// A client assertion, bytes.
pub const ASSERTION_BYTES_MAX: usize = 8 * 1024;
/// How long a client assertion may live: its `jti` is remembered for as long.
pub const ASSERTION_LIFETIME_MAX: Duration = Duration::from_hours(1);
/// How far ahead `iat` and `nbf` of a peer may lie: FAPI 2.0 §5.3.2.1 note 4 asks for 10 to 60 s.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(10);
/// Failed redemptions that burn a code, five do.
pub const CODE_FAILURES_MAX: u32 = 5;
/// How long a redeemed code is remembered, so that its replay kills the first tokens.
pub const CODE_REMEMBERED: Duration = Duration::from_hours(24);
/// How long a person may take to sign in and consent.
pub const INTERACTION_LIFETIME: Duration = Duration::from_mins(30);
/// Rows in one page of a list.
pub const PAGE_ROWS_MAX: u32 = 500;
/// Rows in a page that does not say.
pub const PAGE_ROWS_DEFAULT: u32 = 100;
/// Access tokens in one status list, a power of two: 2 KiB before compression.
pub const STATUS_LIST_TOKENS_MAX: u32 = 1 << 14;
/// How long a status list may be kept: what a revocation takes to reach those who follow lists.
pub const STATUS_LIST_TTL: Duration = Duration::from_secs(10);
/// Tries of a commit that lost a race before the caller is asked to come again.
pub const COMMIT_TRIES_MAX: u32 = 4;

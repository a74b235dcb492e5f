//! Which changes a running server cannot follow.

use super::Config;

/// The settings that differ and only count after a restart.
pub fn changes_needing_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (was, is) = (&old.limits, &new.limits);
    let changes = [
        ("issuer", old.issuer != new.issuer),
        ("server.listen", old.server.listen != new.server.listen),
        ("server.ops_listen", old.server.ops_listen != new.server.ops_listen),
        ("store.url", old.store != new.store),
        ("keys.master", old.keys.master != new.keys.master),
        ("revocation.sinks", old.revocation.sinks != new.revocation.sinks),
        ("outbound.extra_ca", old.outbound.extra_ca != new.outbound.extra_ca),
        ("outbound.allow_addresses", old.outbound.allow_addresses != new.outbound.allow_addresses),
        ("limits.password_threads", was.password_threads != is.password_threads),
        ("limits.password_queue", was.password_queue != is.password_queue),
        ("limits.connections", was.connections != is.connections),
        ("limits.drain", was.drain != is.drain),
        (
            "limits.login_failures_per_account",
            was.login_failures_per_account != is.login_failures_per_account,
        ),
        (
            "limits.login_failures_per_address",
            was.login_failures_per_address != is.login_failures_per_address,
        ),
        ("limits.feed_followers", was.feed_followers != is.feed_followers),
        (
            "limits.feed_followers_per_address",
            was.feed_followers_per_address != is.feed_followers_per_address,
        ),
        ("telemetry.log", old.telemetry.log != new.telemetry.log),
        ("telemetry.level", old.telemetry.level != new.telemetry.level),
    ];
    changes.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

//! `[server]`: where it listens, and whom it believes about addresses.

use std::net::{IpAddr, SocketAddr};

use super::address::AddressBlock;
use super::document::{Document, Given};
use super::error::{ConfigError, ValueError};
use super::setting::{Effect, Fallback, Section, Setting};

/// Where the server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// The world's listener.
    pub listen: SocketAddr,
    /// The operators' listener: health and metrics.
    pub ops_listen: SocketAddr,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<AddressBlock>,
}

pub(super) static SECTION: Section = Section {
    name: "server",
    what: "Where the server listens.",
    settings: &[
        Setting {
            name: "listen",
            fallback: Fallback::Text("127.0.0.1:8080"),
            effect: Effect::Restart,
            what: "Address and port for clients and people.",
        },
        Setting {
            name: "ops_listen",
            fallback: Fallback::Text("127.0.0.1:9080"),
            effect: Effect::Restart,
            what: "Address and port for `/livez`, `/readyz` and `/metrics`; keep it private.",
        },
        Setting {
            name: "trusted_proxies",
            fallback: Fallback::EmptyList,
            effect: Effect::Reload,
            what: "Addresses or blocks of your own proxies. Only what they add to \
                   `X-Forwarded-For` is believed; from anybody else the header is ignored.",
        },
    ],
    reserved: &[],
};

pub(super) fn read(document: &Document) -> Result<ServerConfig, ConfigError> {
    let listen = document.given(&SECTION, "listen");
    let ops_listen = document.given(&SECTION, "ops_listen");
    let config = ServerConfig {
        listen: address(&listen)?,
        ops_listen: address(&ops_listen)?,
        trusted_proxies: document.given(&SECTION, "trusted_proxies").list(str::parse)?,
    };
    if config.listen == config.ops_listen && config.listen.port() != 0 {
        let what = "the same address as server.listen";
        return Err(ops_listen.refuse(what, "give each listener a port of its own"));
    }
    Ok(config)
}

fn address(given: &Given<'_>) -> Result<SocketAddr, ConfigError> {
    given.parsed(|raw| {
        raw.parse().map_err(|_| {
            ValueError::new(
                format!("{raw:?} is not an address with a port"),
                "write one such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
            )
        })
    })
}

impl ServerConfig {
    /// Who asks: the peer, or what its own chain of trusted proxies says.
    ///
    /// `forwarded_for` are the values of all `X-Forwarded-For` lines in their order. They are read
    /// from the right, because each proxy appends the address that it saw: the first one that is
    /// not a proxy of ours is the client, and all left of it is the client's own invention. What
    /// cannot be read ends the search (CVE-2024-47070).
    pub fn client_address<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut hops = forwarded_for.rev().flat_map(|line| line.rsplit(',')).map(str::trim);
        let mut client = peer.to_canonical();
        while self.trusts(client) {
            match hops.next().and_then(|hop| hop.parse::<IpAddr>().ok()) {
                Some(hop) => client = hop.to_canonical(),
                None => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|block| block.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let config = ServerConfig {
            listen: "127.0.0.1:1".parse().expect("an address"),
            ops_listen: "127.0.0.1:2".parse().expect("an address"),
            trusted_proxies: proxies.iter().map(|raw| raw.parse().expect("a block")).collect(),
        };
        let peer = peer.parse().expect("an address");
        config.client_address(peer, forwarded.iter().copied()).to_string()
    }

    /// requirement A36; CVE-2024-47070, CVE-2026-76835.
    #[test]
    fn only_declared_proxies_are_believed() {
        type Case<'a> = (&'a str, &'a [&'a str], &'a str, &'a [&'a str], &'a str);
        let proxies: &[&str] = &["10.0.0.0/8"];
        let cases: &[Case<'_>] = &[
            ("nobody is trusted by default", &[], "10.0.0.1", &["203.0.113.9"], "10.0.0.1"),
            ("a stranger is not", proxies, "192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("a proxy is", proxies, "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            (
                "also as a mapped address",
                proxies,
                "::ffff:10.0.0.1",
                &["203.0.113.9"],
                "203.0.113.9",
            ),
            ("not beyond the first", proxies, "10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("through two", proxies, "10.0.0.1", &["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("lines join", proxies, "10.0.0.1", &["203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            ("spoofed proxies", proxies, "10.0.0.1", &["10.9.9.9, 203.0.113.9"], "203.0.113.9"),
            ("no header", proxies, "10.0.0.1", &[], "10.0.0.1"),
            ("unreadable", proxies, "10.0.0.1", &["203.0.113.9, x"], "10.0.0.1"),
            ("unreadable after one", proxies, "10.0.0.1", &["x, 10.0.0.2"], "10.0.0.2"),
            ("empty", proxies, "10.0.0.1", &["", ","], "10.0.0.1"),
            ("only proxies", proxies, "10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ];
        for (name, proxies, peer, forwarded, want) in cases {
            assert_eq!(client(proxies, peer, forwarded), *want, "A36: {name}");
        }
    }
}

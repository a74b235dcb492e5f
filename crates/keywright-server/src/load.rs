//! Overload: how many requests run at once, and who is sent away first.
//!
//! A server that has more to do than it can is of use to nobody unless it chooses. It sends people
//! who want to sign in away first, for they try again by themselves; then administration; then
//! programs that want tokens; and the documents by which everybody else checks tokens last of all.
//! Nor may one network take the places of all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::endpoint::status_list;

/// One network has at most one in so many of all places.
const NETWORK_PART: usize = 4;

/// What a request is to those who wait for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// The administration API.
    Administration,
    /// Keys and metadata: without them every API refuses every token.
    Document,
    /// Pages.
    Person,
    /// Tokens, and questions about them.
    Token,
}

impl Class {
    /// The class of a path below an issuer; none for the revocation feed, whose followers wait and
    /// have a bound of their own.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/revocations" => None,
            "/jwks" => Some(Self::Document),
            "/introspect" | "/revoke" | "/token" | "/userinfo" => Some(Self::Token),
            _ if path.starts_with("/.well-known/") || path.starts_with(status_list::PATH) => {
                Some(Self::Document)
            }
            _ if path.starts_with("/api/") => Some(Self::Administration),
            _ => Some(Self::Person),
        }
    }

    /// The part of all places, in sixteenths, beyond which this class is sent away.
    const fn sixteenths(self) -> usize {
        match self {
            Self::Person => 8,
            Self::Administration => 12,
            Self::Token => 15,
            Self::Document => 16,
        }
    }

    /// The name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administration => "administration",
            Self::Document => "document",
            Self::Person => "person",
            Self::Token => "token",
        }
    }
}

/// The requests that run.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    all: usize,
    /// Those with requests that run.
    networks: HashMap<IpAddr, usize>,
}

impl Load {
    /// Takes a place among `places`; nothing where the class or the network has none left.
    pub fn enter(&self, class: Class, network: IpAddr, places: usize) -> Option<Place> {
        let most = (places * class.sixteenths() / 16).max(1);
        let share = (places / NETWORK_PART).max(1);
        let mut running = self.running();
        if running.all >= most {
            return None;
        }
        let of_network = running.networks.entry(network).or_default();
        // One that has no place yet gets one: no entry is left behind.
        if *of_network >= share {
            return None;
        }
        *of_network += 1;
        running.all += 1;
        drop(running);
        Some(Place { load: self.clone(), network })
    }

    fn leave(&self, network: IpAddr) {
        let mut running = self.running();
        running.all -= 1;
        if let Some(of_network) = running.networks.get_mut(&network) {
            *of_network -= 1;
            if *of_network == 0 {
                running.networks.remove(&network);
            }
        }
    }

    /// Held for a few additions only; they do not panic half-way.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that runs, until this is dropped.
#[derive(Debug)]
pub struct Place {
    load: Load,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.leave(self.network);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn network(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn people_go_first_and_documents_last() {
        let (load, mut held) = (Load::default(), Vec::new());
        let full = |load: &Load, class| load.enter(class, network(0), 16).is_none();
        for (class, places) in [
            (Class::Person, 8),
            (Class::Administration, 4),
            (Class::Token, 3),
            (Class::Document, 1),
        ] {
            for _ in 0..places {
                let other = network(u32::try_from(held.len()).expect("few") + 1);
                held.push(load.enter(class, other, 16).expect("a place is left"));
            }
            assert!(full(&load, class), "{class:?}");
        }
        held.pop();
        assert!(full(&load, Class::Token));
        assert!(!full(&load, Class::Document));
        held.clear();
        assert!(!full(&load, Class::Person), "places come back");
    }

    #[test]
    fn one_network_does_not_take_the_places_of_all() {
        let load = Load::default();
        let enter = |from| load.enter(Class::Person, network(from), 16);
        let mut held: Vec<Place> = (0..4).map(|_| enter(1).expect("its share")).collect();
        assert!(enter(1).is_none(), "it has a quarter");
        let other = enter(2);
        assert!(other.is_some(), "others have theirs");
        held.pop();
        assert!(enter(1).is_some(), "its places come back");
        held.clear();
        drop(other);
        let running = load.running();
        assert_eq!((running.all, running.networks.len()), (0, 0), "nothing is kept");
    }

    #[test]
    fn each_path_has_its_class() {
        for (path, class) in [
            ("/jwks", Class::Document),
            ("/.well-known/openid-configuration", Class::Document),
            ("/token", Class::Token),
            ("/introspect", Class::Token),
            ("/api/v1/clients", Class::Administration),
            ("/login", Class::Person),
            ("/token/", Class::Person),
        ] {
            assert_eq!(Class::of(path), Some(class), "{path}");
        }
        assert_eq!(Class::of("/revocations"), None);
    }
}

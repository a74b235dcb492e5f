//! Overload: how many requests run at once, and who is sent away first.
//!
//! A server that has more to do than it can is of use to nobody unless it chooses. It sends people
//! who want to sign in away first, for they try again by themselves; then administration; then
//! programs that want tokens; and the documents by which everybody else checks tokens last of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a request is to those who wait for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// The administration API and the console.
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
            _ if path.starts_with("/.well-known/") => Some(Self::Document),
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
pub struct Load(Arc<AtomicUsize>);

impl Load {
    /// Takes a place among `places`; nothing where the class has none left.
    pub fn enter(&self, class: Class, places: usize) -> Option<Place> {
        let most = (places * class.sixteenths() / 16).max(1);
        let running = self.0.fetch_add(1, Ordering::AcqRel);
        // Dropped again where there is no room.
        let place = Place(Arc::clone(&self.0));
        (running < most).then_some(place)
    }
}

/// A request that runs, until this is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_go_first_and_documents_last() {
        let (load, mut held) = (Load::default(), Vec::new());
        let full = |load: &Load, class| load.enter(class, 16).is_none();
        for (class, places) in [
            (Class::Person, 8),
            (Class::Administration, 4),
            (Class::Token, 3),
            (Class::Document, 1),
        ] {
            for _ in 0..places {
                held.push(load.enter(class, 16).expect("a place is left"));
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

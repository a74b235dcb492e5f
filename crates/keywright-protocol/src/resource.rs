//! Protected resources and their indicators, RFC 8707.

use std::sync::Arc;
use std::time::Duration;

use fluent_uri::Uri;
use keywright_jose::Algorithm;
use serde::{Deserialize, Serialize};

use crate::grant::GrantError;
use crate::limits::REDIRECT_URI_BYTES_MAX;
use crate::scope::{ADMIN_SCOPES, IDENTITY_SCOPES, ScopeSet};
use crate::wire::RequestError;

/// The identifier of a protected resource, RFC 8707 §2: an absolute URI without fragment.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceIndicator(Arc<str>);

impl ResourceIndicator {
    /// Reads a resource indicator.
    pub fn parse(raw: &str) -> Result<Self, RequestError> {
        let malformed = RequestError::Malformed("resource");
        if raw.len() > REDIRECT_URI_BYTES_MAX {
            return Err(malformed);
        }
        let uri = Uri::parse(raw).map_err(|_| malformed)?;
        if uri.fragment().is_some() { Err(malformed) } else { Ok(Self(raw.into())) }
    }

    /// Its text; compared as bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl From<ResourceIndicator> for String {
    fn from(indicator: ResourceIndicator) -> Self {
        indicator.as_str().to_owned()
    }
}

impl TryFrom<String> for ResourceIndicator {
    type Error = RequestError;

    fn try_from(raw: String) -> Result<Self, RequestError> {
        Self::parse(&raw)
    }
}

/// How an access token is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// Signed, RFC 9068.
    Jwt,
    /// Sealed: only this server can read it.
    Opaque,
}

/// A scope of a resource, with the words that a person reads on the consent page.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ResourceScope {
    /// Its name on the wire.
    pub name: String,
    /// What it allows, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An API that accepts this server's tokens. Members that a later version adds are passed over: a
/// store may be shared with it for a while.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProtectedResource {
    /// What stands in `aud`.
    pub identifier: ResourceIndicator,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<ResourceScope>,
    /// How its tokens are written.
    #[serde(default = "ProtectedResource::default_format")]
    pub token_format: TokenFormat,
    /// With which algorithm they are signed.
    #[serde(default = "ProtectedResource::default_alg")]
    pub alg: Algorithm,
    /// How long they live, seconds; the server's default otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_s: Option<u64>,
    /// Whether its tokens are entered in a status list; signed ones only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub status_list: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks with")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl ResourceScope {
    /// What a document of one may say.
    pub const MEMBERS: &[&str] = &["name", "description"];
}

impl ProtectedResource {
    /// What a document of one may say.
    pub const MEMBERS: &[&str] =
        &["identifier", "scopes", "token_format", "alg", "lifetime_s", "status_list"];

    const fn default_format() -> TokenFormat {
        TokenFormat::Jwt
    }

    const fn default_alg() -> Algorithm {
        Algorithm::Es256
    }

    fn has_scope(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.name == name)
    }
}

/// How and for whom an access token is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The resources in `aud`; the issuer is added at minting.
    pub resources: Vec<ResourceIndicator>,
    /// The format that they share.
    pub format: TokenFormat,
    /// The algorithm that they share.
    pub alg: Algorithm,
    /// The shortest of their lifetimes; the server's default where none says.
    pub lifetime: Option<Duration>,
    /// Whether one of them wants its tokens listed.
    pub status_list: bool,
}

/// All resources of a tenant.
#[derive(Clone, Debug, Default)]
pub struct ResourceCatalog {
    resources: Vec<ProtectedResource>,
    longest_lifetime: Option<Duration>,
}

impl ResourceCatalog {
    /// A catalog of these resources.
    pub fn new(resources: Vec<ProtectedResource>) -> Self {
        let longest_lifetime = resources.iter().filter_map(|r| r.lifetime_s).max();
        Self { resources, longest_lifetime: longest_lifetime.map(Duration::from_secs) }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ProtectedResource> {
        self.resources.iter()
    }

    /// The longest of the lifetimes that they set for their tokens.
    pub const fn longest_lifetime(&self) -> Option<Duration> {
        self.longest_lifetime
    }

    /// A resource by its identifier.
    pub fn find(&self, identifier: &ResourceIndicator) -> Option<&ProtectedResource> {
        self.resources.iter().find(|resource| resource.identifier == *identifier)
    }

    /// Whether a scope exists at all.
    pub fn knows_scope(&self, name: &str) -> bool {
        IDENTITY_SCOPES.contains(&name)
            || ADMIN_SCOPES.contains(&name)
            || self.resources.iter().any(|resource| resource.has_scope(name))
    }

    /// The description of a resource's scope.
    pub fn describe_scope(&self, name: &str) -> Option<(&ProtectedResource, &ResourceScope)> {
        self.resources.iter().find_map(|resource| {
            resource.scopes.iter().find(|scope| scope.name == name).map(|scope| (resource, scope))
        })
    }

    /// Whether every asked resource exists and every API scope belongs to one of them.
    pub fn check(
        &self,
        resources: &[ResourceIndicator],
        scope: &ScopeSet,
    ) -> Result<(), GrantError> {
        if resources.iter().any(|asked| self.find(asked).is_none()) {
            return Err(GrantError::ResourceUnknown);
        }
        let fits = |name: &str| self.knows_scope(name) && self.belongs(resources, name);
        if scope.iter().all(fits) { Ok(()) } else { Err(GrantError::ScopeNotAllowed) }
    }

    /// The resources that some of the scopes belong to.
    pub fn owners(&self, scope: &ScopeSet) -> Vec<ResourceIndicator> {
        let owns = |resource: &&ProtectedResource| scope.iter().any(|n| resource.has_scope(n));
        self.resources.iter().filter(owns).map(|resource| resource.identifier.clone()).collect()
    }

    /// Where a token with this scope goes: the asked resources, or those the scopes belong to.
    pub fn target(
        &self,
        asked: &[ResourceIndicator],
        scope: &ScopeSet,
    ) -> Result<Target, GrantError> {
        let chosen: Vec<&ProtectedResource> = if asked.is_empty() {
            self.resources.iter().filter(|r| scope.iter().any(|name| r.has_scope(name))).collect()
        } else {
            asked
                .iter()
                .map(|identifier| self.find(identifier).ok_or(GrantError::ResourceUnknown))
                .collect::<Result<_, _>>()?
        };
        let format = shared(chosen.iter().map(|r| r.token_format), TokenFormat::Jwt)?;
        let alg = shared(chosen.iter().map(|r| r.alg), Algorithm::Es256)?;
        let lifetimes = chosen.iter().filter_map(|r| r.lifetime_s.map(Duration::from_secs));
        Ok(Target {
            resources: chosen.iter().map(|r| r.identifier.clone()).collect(),
            format,
            alg,
            lifetime: lifetimes.min(),
            status_list: chosen.iter().any(|r| r.status_list),
        })
    }

    /// Whether a scope may stand in a token for these resources; all may when none is chosen.
    pub fn belongs(&self, resources: &[ResourceIndicator], scope: &str) -> bool {
        if resources.is_empty() || IDENTITY_SCOPES.contains(&scope) {
            return true;
        }
        resources.iter().filter_map(|id| self.find(id)).any(|resource| resource.has_scope(scope))
    }
}

fn shared<T: PartialEq + Copy>(
    mut values: impl Iterator<Item = T>,
    default: T,
) -> Result<T, GrantError> {
    let Some(first) = values.next() else { return Ok(default) };
    if values.all(|value| value == first) { Ok(first) } else { Err(GrantError::ResourcesDiffer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> ResourceCatalog {
        let resource = |id: &str, scope: &str, token_format, lifetime_s| ProtectedResource {
            identifier: ResourceIndicator::parse(id).unwrap(),
            scopes: vec![ResourceScope { name: scope.into(), description: None }],
            token_format,
            alg: Algorithm::Es256,
            lifetime_s,
            status_list: false,
        };
        ResourceCatalog::new(vec![
            resource("https://a.example", "a:read", TokenFormat::Jwt, Some(60)),
            resource("https://b.example", "b:read", TokenFormat::Opaque, None),
        ])
    }

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn rfc8707_2_indicators() {
        assert!(ResourceIndicator::parse("https://api.example/v1?x").is_ok());
        assert!(ResourceIndicator::parse("urn:example:api").is_ok());
        for bad in ["", "/relative", "api.example", "https://a/#f", "https://a b"] {
            assert!(ResourceIndicator::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn audience_follows_the_scopes_or_the_parameter() {
        let catalog = catalog();
        let target = catalog.target(&[], &scopes("openid a:read")).unwrap();
        assert_eq!(target.resources, [ResourceIndicator::parse("https://a.example").unwrap()]);
        assert_eq!(target.lifetime, Some(Duration::from_mins(1)));
        let none = catalog.target(&[], &scopes("openid")).unwrap();
        assert!(none.resources.is_empty());
        let mixed = catalog.target(&[], &scopes("a:read b:read"));
        assert_eq!(mixed, Err(GrantError::ResourcesDiffer));
    }

    #[test]
    fn a_scope_of_another_resource_is_refused() {
        let (catalog, a) = (catalog(), ResourceIndicator::parse("https://a.example").unwrap());
        let asked = [a];
        assert!(catalog.check(&asked, &scopes("openid a:read")).is_ok());
        assert_eq!(catalog.check(&asked, &scopes("b:read")), Err(GrantError::ScopeNotAllowed));
        assert_eq!(catalog.check(&[], &scopes("nope")), Err(GrantError::ScopeNotAllowed));
        let unknown = [ResourceIndicator::parse("https://c.example").unwrap()];
        assert_eq!(catalog.check(&unknown, &scopes("openid")), Err(GrantError::ResourceUnknown));
    }
}

//! The specifications that citations name: how they are written, and where they are read.

/// A document that is not an RFC.
#[derive(Debug)]
pub(super) struct Named {
    /// As in test names: `OIDCC-3.1.2.1`.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    address: &'static str,
    /// As comments write it, besides `id`.
    pub(super) spellings: &'static [&'static str],
}

pub(super) const NAMED: &[Named] = &[
    Named {
        id: "OIDCC",
        title: "OpenID Connect Core 1.0",
        address: "https://openid.net/specs/openid-connect-core-1_0.html",
        spellings: &["OpenID Connect Core", "OpenID Core", "OIDC Core"],
    },
    Named {
        id: "OIDCD",
        title: "OpenID Connect Discovery 1.0",
        address: "https://openid.net/specs/openid-connect-discovery-1_0.html",
        spellings: &["OpenID Connect Discovery", "OpenID Discovery", "OIDC Discovery"],
    },
    Named {
        id: "OIDCR",
        title: "OpenID Connect Dynamic Client Registration 1.0",
        address: "https://openid.net/specs/openid-connect-registration-1_0.html",
        spellings: &[
            "OpenID Connect Dynamic Client Registration",
            "OpenID Connect Registration",
            "OIDC Registration",
        ],
    },
    Named {
        id: "OIDCRIL",
        title: "OpenID Connect RP-Initiated Logout 1.0",
        address: "https://openid.net/specs/openid-connect-rpinitiated-1_0.html",
        spellings: &[
            "OpenID Connect RP-Initiated Logout",
            "OIDC RP-Initiated Logout",
            "RP-Initiated Logout",
        ],
    },
    Named {
        id: "OIDCBCL",
        title: "OpenID Connect Back-Channel Logout 1.0",
        address: "https://openid.net/specs/openid-connect-backchannel-1_0.html",
        spellings: &["OpenID Connect Back-Channel Logout", "Back-Channel Logout"],
    },
    Named {
        id: "OIDCFCL",
        title: "OpenID Connect Front-Channel Logout 1.0",
        address: "https://openid.net/specs/openid-connect-frontchannel-1_0.html",
        spellings: &["OpenID Connect Front-Channel Logout", "Front-Channel Logout"],
    },
    Named {
        id: "TSL",
        title: "Token Status List (draft)",
        address: "https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/",
        spellings: &["draft-ietf-oauth-status-list", "Token Status List"],
    },
    Named {
        id: "OIDCSM",
        title: "OpenID Connect Session Management 1.0",
        address: "https://openid.net/specs/openid-connect-session-1_0.html",
        spellings: &["OpenID Connect Session Management", "OIDC Session Management"],
    },
    Named {
        id: "OAUTH21",
        title: "OAuth 2.1 (draft-ietf-oauth-v2-1)",
        address: "https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1",
        spellings: &["OAuth 2.1"],
    },
    Named {
        id: "FORMPOST",
        title: "OAuth 2.0 Form Post Response Mode",
        address: "https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html",
        spellings: &["OAuth 2.0 Form Post Response Mode", "Form Post Response Mode"],
    },
    Named {
        id: "MULTIRESP",
        title: "OAuth 2.0 Multiple Response Type Encoding Practices",
        address: "https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html",
        spellings: &["OAuth 2.0 Multiple Response Types", "Multiple Response Types"],
    },
    Named {
        id: "FAPI2",
        title: "FAPI 2.0 Security Profile",
        address: "https://openid.net/specs/fapi-security-profile-2_0-final.html",
        spellings: &["FAPI 2.0 Security Profile", "FAPI 2.0"],
    },
];

/// Only those that the product is about; any other is shown by its number.
const RFC_TITLES: &[(u32, &str)] = &[
    (2104, "HMAC"),
    (3339, "Date and Time on the Internet: Timestamps"),
    (3986, "Uniform Resource Identifier (URI): Generic Syntax"),
    (4648, "The Base16, Base32, and Base64 Data Encodings"),
    (5869, "HMAC-based Extract-and-Expand Key Derivation Function (HKDF)"),
    (6265, "HTTP State Management Mechanism"),
    (6585, "Additional HTTP Status Codes"),
    (6749, "The OAuth 2.0 Authorization Framework"),
    (6750, "Bearer Token Usage"),
    (6819, "OAuth 2.0 Threat Model and Security Considerations"),
    (7009, "OAuth 2.0 Token Revocation"),
    (7235, "HTTP/1.1: Authentication"),
    (7515, "JSON Web Signature (JWS)"),
    (7516, "JSON Web Encryption (JWE)"),
    (7517, "JSON Web Key (JWK)"),
    (7518, "JSON Web Algorithms (JWA)"),
    (7519, "JSON Web Token (JWT)"),
    (7520, "Examples of Protecting Content Using JOSE"),
    (7521, "Assertion Framework for OAuth 2.0"),
    (7523, "JWT Profile for OAuth 2.0 Client Authentication and Authorization Grants"),
    (7591, "OAuth 2.0 Dynamic Client Registration Protocol"),
    (7592, "OAuth 2.0 Dynamic Client Registration Management Protocol"),
    (7617, "The 'Basic' HTTP Authentication Scheme"),
    (7636, "Proof Key for Code Exchange (PKCE)"),
    (7638, "JSON Web Key (JWK) Thumbprint"),
    (7662, "OAuth 2.0 Token Introspection"),
    (7748, "Elliptic Curves for Security"),
    (7797, "JWS Unencoded Payload Option"),
    (8037, "CFRG Elliptic Curve Signatures in JOSE"),
    (8252, "OAuth 2.0 for Native Apps"),
    (8259, "The JavaScript Object Notation (JSON) Data Interchange Format"),
    (8410, "Curve25519 and Curve448 Identifiers in X.509"),
    (8414, "OAuth 2.0 Authorization Server Metadata"),
    (8628, "OAuth 2.0 Device Authorization Grant"),
    (8693, "OAuth 2.0 Token Exchange"),
    (8705, "OAuth 2.0 Mutual-TLS Client Authentication"),
    (8707, "Resource Indicators for OAuth 2.0"),
    (8725, "JSON Web Token Best Current Practices"),
    (9068, "JWT Profile for OAuth 2.0 Access Tokens"),
    (9101, "JWT-Secured Authorization Request (JAR)"),
    (9106, "Argon2"),
    (9110, "HTTP Semantics"),
    (9111, "HTTP Caching"),
    (9126, "OAuth 2.0 Pushed Authorization Requests"),
    (9207, "OAuth 2.0 Authorization Server Issuer Identification"),
    (9396, "OAuth 2.0 Rich Authorization Requests"),
    (9449, "OAuth 2.0 Demonstrating Proof of Possession (DPoP)"),
    (9457, "Problem Details for HTTP APIs"),
    (9470, "OAuth 2.0 Step Up Authentication Challenge Protocol"),
    (9700, "Best Current Practice for OAuth 2.0 Security"),
    (9701, "JWT Response for OAuth Token Introspection"),
    (9728, "OAuth 2.0 Protected Resource Metadata"),
];

/// RFCs come first, by number.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Specification {
    Rfc(u32),
    Other(&'static str),
}

impl Specification {
    pub(super) fn heading(&self) -> String {
        match self {
            Self::Rfc(number) => {
                let known = RFC_TITLES.iter().find(|(known, _)| known == number);
                let title = known.map_or(String::new(), |(_, title)| format!(": {title}"));
                format!("RFC {number}{title}")
            }
            Self::Other(id) => {
                let title = Self::named(id).map_or("", |named| named.title);
                format!("{id}: {title}")
            }
        }
    }

    /// Where the section is read. Only RFCs name their anchors after the numbers.
    pub(super) fn address(&self, section: &str) -> String {
        match self {
            Self::Rfc(number) => {
                let appendix = section.starts_with(|c: char| c.is_ascii_uppercase());
                let kind = if appendix { "appendix" } else { "section" };
                format!("https://www.rfc-editor.org/rfc/rfc{number}#{kind}-{section}")
            }
            Self::Other(id) => Self::named(id).map_or(String::new(), |n| n.address.to_owned()),
        }
    }

    fn named(id: &str) -> Option<&'static Named> {
        NAMED.iter().find(|named| named.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_and_addresses() {
        let rfc = Specification::Rfc(7009);
        assert_eq!(rfc.heading(), "RFC 7009: OAuth 2.0 Token Revocation");
        assert_eq!(rfc.address("2.1"), "https://www.rfc-editor.org/rfc/rfc7009#section-2.1");
        assert_eq!(rfc.address("A.1"), "https://www.rfc-editor.org/rfc/rfc7009#appendix-A.1");
        assert_eq!(Specification::Rfc(1).heading(), "RFC 1");
        assert!(Specification::Other("OIDCC").heading().contains("Core"));
    }

    #[test]
    fn tables_are_in_order_and_without_repetition() {
        assert!(RFC_TITLES.is_sorted_by(|a, b| a.0 < b.0));
        let ids: std::collections::BTreeSet<_> = NAMED.iter().map(|named| named.id).collect();
        assert_eq!(ids.len(), NAMED.len());
    }
}

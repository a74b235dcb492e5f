//! What userinfo says for which scope, OpenID Connect Core §5.4.

use serde_json::{Map, Value};

use crate::user::User;

/// The claims that a scope opens.
const SCOPE_CLAIMS: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// All claims that userinfo can say, as discovery lists them.
pub fn supported_claims() -> impl Iterator<Item = &'static str> {
    std::iter::once("sub").chain(SCOPE_CLAIMS.iter().flat_map(|(_, claims)| claims.iter().copied()))
}

/// Claims of a user that an operator may set, OpenID Connect Core §5.1.
pub fn is_settable_claim(name: &str) -> bool {
    let derived = ["sub", "email", "email_verified", "preferred_username", "updated_at"];
    !derived.contains(&name) && supported_claims().any(|claim| claim == name)
}

/// The claims of a user for the scopes of a token.
pub fn userinfo_claims(user: &User, has_scope: impl Fn(&str) -> bool) -> Map<String, Value> {
    let mut all = user.claims.clone();
    all.insert("preferred_username".into(), user.username.as_str().into());
    all.insert("updated_at".into(), user.updated_at.as_unix_s().into());
    if let Some(email) = &user.email {
        all.insert("email".into(), email.as_str().into());
        all.insert("email_verified".into(), user.email_verified.into());
    }
    let mut claims = Map::new();
    claims.insert("sub".into(), user.sub.as_str().into());
    for (_, names) in SCOPE_CLAIMS.iter().filter(|(scope, _)| has_scope(scope)) {
        for name in *names {
            if let Some(value) = all.get(*name) {
                claims.insert((*name).to_owned(), value.clone());
            }
        }
    }
    claims
}

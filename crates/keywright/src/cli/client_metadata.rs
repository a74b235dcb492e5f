//! Client metadata from flags that are named after the fields of RFC 7591 §2.

use keywright_protocol::client::ClientMetadata;
use keywright_server::admin::operations::OperationError;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::input::Source;

/// Metadata, as a document or as flags; flags lie over the document.
#[derive(Debug, clap::Args)]
pub(super) struct MetadataArgs {
    /// The whole metadata as JSON (RFC 7591): a file, or - for standard input
    #[arg(long, value_name = "FILE|-")]
    metadata: Option<Source>,
    /// Where authorization responses go; may be repeated
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// authorization_code, client_credentials or refresh_token; may be repeated
    #[arg(long, value_name = "TYPE")]
    grant_type: Vec<String>,
    /// What it may ask for: separated by spaces, or repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// client_secret_basic, client_secret_post, private_key_jwt or none
    #[arg(long, value_name = "METHOD")]
    token_endpoint_auth_method: Option<String>,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    client_name: Option<String>,
    /// Its identifier; a random one otherwise
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Its home page
    #[arg(long, value_name = "URL")]
    client_uri: Option<String>,
    /// Its logo
    #[arg(long, value_name = "URL")]
    logo_uri: Option<String>,
    /// Its terms of service
    #[arg(long, value_name = "URL")]
    tos_uri: Option<String>,
    /// Its privacy policy
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// Whom to ask; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    contact: Vec<String>,
    /// Its public keys: a file with a JWK set, or - for standard input
    #[arg(long, value_name = "FILE|-")]
    jwks: Option<Source>,
    /// Where its public keys are
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// web or native
    #[arg(long, value_name = "TYPE")]
    application_type: Option<String>,
    /// How its ID tokens are signed
    #[arg(long, value_name = "ALG")]
    id_token_signed_response_alg: Option<String>,
    /// The oldest acceptable sign-in, seconds
    #[arg(long, value_name = "SECONDS")]
    default_max_age: Option<u32>,
    /// Where a person may be sent after signing out; may be repeated
    #[arg(long, value_name = "URI")]
    post_logout_redirect_uri: Vec<String>,
    /// A resource whose tokens it may introspect; may be repeated
    #[arg(long, value_name = "URI")]
    keywright_introspects: Vec<String>,
    /// always, or offline_access
    #[arg(long, value_name = "RULE")]
    keywright_refresh: Option<String>,
    /// required, or implicit for a first-party application
    #[arg(long, value_name = "RULE")]
    keywright_consent: Option<String>,
    /// A further browser origin that may call the endpoints; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    keywright_origin: Vec<String>,
    /// The channel that it belongs to
    #[arg(long, value_name = "NAME")]
    keywright_cohort: Option<String>,
}

impl MetadataArgs {
    /// Whether nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        self.metadata.is_none() && self.jwks.is_none() && self.flags().is_empty()
    }

    /// The metadata over what there is already: members that are not given stay.
    pub(super) fn over(&self, mut known: Map<String, Value>) -> Result<Value, Failure> {
        if let Some(source) = &self.metadata {
            known = read_object(source, "metadata")?;
        }
        if let Some(source) = &self.jwks {
            known.remove("jwks_uri");
            known.insert("jwks".to_owned(), Value::Object(read_object(source, "jwks")?));
        }
        known.extend(self.flags());
        imply_response_types(&mut known, self.metadata.is_none());
        Ok(Value::Object(known))
    }

    fn flags(&self) -> Map<String, Value> {
        let scope = Some(self.scope.join(" ")).filter(|scope| !scope.is_empty());
        let texts = [
            ("token_endpoint_auth_method", &self.token_endpoint_auth_method),
            ("client_name", &self.client_name),
            ("client_id", &self.client_id),
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("tos_uri", &self.tos_uri),
            ("policy_uri", &self.policy_uri),
            ("jwks_uri", &self.jwks_uri),
            ("application_type", &self.application_type),
            ("id_token_signed_response_alg", &self.id_token_signed_response_alg),
            ("keywright_refresh", &self.keywright_refresh),
            ("keywright_consent", &self.keywright_consent),
            ("keywright_cohort", &self.keywright_cohort),
            ("scope", &scope),
        ];
        let lists = [
            ("redirect_uris", &self.redirect_uri),
            ("grant_types", &self.grant_type),
            ("contacts", &self.contact),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uri),
            ("keywright_introspects", &self.keywright_introspects),
            ("keywright_origins", &self.keywright_origin),
        ];
        let age = self.default_max_age.map(|age| ("default_max_age", Value::from(age)));
        let texts = texts.into_iter().filter_map(|(name, text)| {
            text.as_ref().map(|text| (name, Value::from(text.as_str())))
        });
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let lists = lists.map(|(name, list)| (name, Value::from(list.clone())));
        texts.chain(lists).chain(age).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// RFC 7591 §2.1: only the code grant goes with the response type `code`, which is the default.
fn imply_response_types(metadata: &mut Map<String, Value>, by_flags: bool) {
    let grants = metadata.get("grant_types").and_then(Value::as_array);
    let without_code = grants.is_some_and(|all| !all.iter().any(|g| g == "authorization_code"));
    if by_flags && without_code {
        metadata.insert("response_types".to_owned(), Value::Array(Vec::new()));
    } else if by_flags && grants.is_some() {
        metadata.insert("response_types".to_owned(), Value::from(vec!["code"]));
    }
}

/// Reads metadata as the server would, to say what is wrong before anything is asked.
pub(super) fn parse(metadata: &Value) -> Result<ClientMetadata, Failure> {
    let parsed = ClientMetadata::parse(metadata.to_string().as_bytes());
    parsed.map_err(|error| OperationError::from(error).into())
}

fn read_object(source: &Source, field: &str) -> Result<Map<String, Value>, Failure> {
    let refuse = |why: String| Failure::refused(format!("invalid_client_metadata: {field} {why}"));
    match serde_json::from_slice(&source.read()?) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(refuse("is not an object".to_owned())),
        Err(error) => Err(refuse(format!("is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use serde_json::json;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        metadata: MetadataArgs,
    }

    fn flags(args: &[&str]) -> MetadataArgs {
        let args = ["client"].iter().chain(args);
        Flags::try_parse_from(args).unwrap().metadata
    }

    #[test]
    fn flags_are_the_fields_of_rfc7591_2() {
        let metadata = flags(&[
            "--redirect-uri",
            "https://a.example/cb",
            "--redirect-uri",
            "https://b.example/cb",
            "--grant-type",
            "authorization_code",
            "--scope",
            "openid email",
            "--scope",
            "orders:read",
            "--token-endpoint-auth-method",
            "none",
            "--default-max-age",
            "60",
        ]);
        assert_eq!(
            metadata.over(Map::new()).unwrap(),
            json!({
                "redirect_uris": ["https://a.example/cb", "https://b.example/cb"],
                "grant_types": ["authorization_code"],
                "response_types": ["code"],
                "scope": "openid email orders:read",
                "token_endpoint_auth_method": "none",
                "default_max_age": 60,
            })
        );
        assert!(flags(&[]).is_empty() && !metadata.is_empty());
    }

    #[test]
    fn what_is_not_given_stays() {
        let known = json!({ "client_name": "A", "scope": "x", "response_types": ["code"] });
        let over = flags(&["--scope", "y"]).over(known.as_object().unwrap().clone()).unwrap();
        assert_eq!(over, json!({ "client_name": "A", "scope": "y", "response_types": ["code"] }));
    }

    #[test]
    fn a_machine_has_no_response_type() {
        let machine = flags(&["--grant-type", "client_credentials"]).over(Map::new()).unwrap();
        assert_eq!(machine["response_types"], json!([]), "RFC7591-2.1");
        assert!(parse(&machine).is_ok());
        let failure = parse(&flags(&["--grant-type", "password"]).over(Map::new()).unwrap());
        assert!(failure.unwrap_err().to_string().contains("invalid_client_metadata"));
    }
}

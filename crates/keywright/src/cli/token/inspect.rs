//! `keywright token inspect`: every check that an API makes, each explained.

use keywright_jose::{JwsError, UnverifiedJws, base64url_decode};
use keywright_protocol::claims::access_token::{AccessClaims, TYP};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::limits::CLOCK_SKEW_MAX;
use keywright_protocol::time::Timestamp;
use keywright_server::admin::document;
use keywright_server::admin::operations::{Operator, tokens};
use keywright_server::environment::{Environment as _, SystemEnvironment};
use serde_json::{Map, Value};

use super::read_token;
use super::verdict::{Mark, Verdict};
use crate::cli::Place;
use crate::cli::backend::Local;
use crate::cli::explain::show_checks;
use crate::cli::failure::{Failure, Status};
use crate::cli::output::{Output, print, time};
use crate::cli::remote::RemoteArgs;
use crate::peer::{Http, Issuer, KeyCache, Metadata};

#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// The token, or - for standard input
    token: String,
    /// The API that it should be for
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
}

pub(super) async fn run(
    place: &Place,
    remote: RemoteArgs,
    args: InspectArgs,
) -> Result<(), Failure> {
    let token = read_token(args.token)?;
    let output = Output { json: place.json };
    let local = match remote.issuer {
        Some(_) => None,
        None => Some(Local::open(place).await?),
    };
    if UnverifiedJws::parse(&token).is_err()
        && let Some(local) = &local
    {
        // Refresh tokens and sealed access tokens: only the server can open them.
        return inspect_here(local, output, &token).await;
    }
    let http = Http::new(remote.ca.as_deref())?;
    let inspector = Inspector { place, local, http, issuer: remote.issuer };
    inspector.inspect(&token, args.resource.as_deref()).await?.show(output)
}

/// The claims of a token that nobody has verified; none where it is no JWT.
pub(super) fn unverified_claims(token: &str) -> Map<String, Value> {
    let payload = UnverifiedJws::parse(token).map(|jws| jws.unverified_payload().to_vec());
    payload.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Lets the server's own code open the token.
async fn inspect_here(local: &Local, output: Output, token: &str) -> Result<(), Failure> {
    let inspection = tokens::inspect(&local.app, &local.operator, token).await?;
    let document = document::inspection(&inspection);
    if output.json {
        output.show(&document)?;
    } else {
        let checks = document.get("checks").and_then(Value::as_array).cloned();
        show_checks(&checks.unwrap_or_default())?;
        if let Some(claims) = document.get("claims").filter(|claims| claims.is_object()) {
            print("")?;
            output.show(claims)?;
        }
    }
    match inspection.reason {
        Some(reason) => Err(Failure::refused(format!("the token is not good: {reason}"))),
        None => Ok(()),
    }
}

/// Reads tokens as an API would, from outside; asks the store, if it is here, what is revoked.
struct Inspector<'a> {
    place: &'a Place,
    local: Option<Local>,
    http: Http,
    issuer: Option<Issuer>,
}

/// How the signature was judged.
enum Signature {
    /// The issuer's keys, and what they say.
    Judged(Result<(), JwsError>),
    /// Not the issuer whose keys could be asked for.
    NotAsked,
}

impl Inspector<'_> {
    async fn inspect(&self, token: &str, resource: Option<&str>) -> Result<Verdict, Failure> {
        let mut verdict = Verdict::default();
        let jws = match UnverifiedJws::parse(token) {
            Ok(jws) => jws,
            Err(why) => {
                verdict.judge("form", false, why.to_string());
                return Ok(verdict);
            }
        };
        let header = token.split('.').next().unwrap_or_default();
        let header = base64url_decode(header).unwrap_or_default();
        verdict.header = serde_json::from_slice(&header).unwrap_or_default();
        verdict.claims = unverified_claims(token);
        verdict.judge("form", true, "a signed token of three parts (RFC 7515)");
        judge_header(&mut verdict, &jws);
        let issuer = self.expected_issuer(&verdict);
        let known = issuer.is_some();
        let told = verdict.claims.get("iss").and_then(Value::as_str).unwrap_or("none").to_owned();
        let signature = match issuer {
            Some(issuer) => Signature::Judged(self.verify(token, &issuer).await?),
            None => Signature::NotAsked,
        };
        judge_signature(&mut verdict, &jws, &signature);
        verdict.judge(
            "iss",
            known,
            if known { told } else { format!("{told}: not the one asked") },
        );
        self.judge_claims(&mut verdict, &jws, resource);
        Ok(verdict)
    }

    /// The token's issuer, if it is the one that is asked about.
    fn expected_issuer(&self, verdict: &Verdict) -> Option<Issuer> {
        let told = verdict.claims.get("iss").and_then(Value::as_str)?;
        let expected = match (&self.issuer, &self.local) {
            (Some(issuer), _) => told == self.place.issuer_below(issuer.as_str()),
            (None, Some(local)) if self.place.tenant.is_some() => told == local.issuer(),
            // Nobody named a tenant: any of this installation's will do.
            (None, Some(local)) => local.app.tenants().iter().any(|state| *state.issuer == *told),
            (None, None) => false,
        };
        expected.then(|| told.parse().ok()).flatten()
    }

    /// Verifies with the keys that the issuer publishes. While it does not run, the store's.
    async fn verify(&self, token: &str, issuer: &Issuer) -> Result<Result<(), JwsError>, Failure> {
        let failure = match self.verify_over_http(token, issuer).await {
            Ok(judged) => return Ok(judged),
            Err(failure) => failure,
        };
        let tenants = self.local.as_ref().map(|local| local.app.tenants()).unwrap_or_default();
        let state = tenants.into_iter().find(|state| *state.issuer == *issuer.as_str());
        match state {
            Some(state) if failure.status == Status::Unreachable => {
                let keys = state.keys.load();
                let jws = UnverifiedJws::parse(token);
                Ok(jws.and_then(|jws| jws.verify(keys.verifying(), &SIGNING_ALGORITHMS)).map(drop))
            }
            _ => Err(failure),
        }
    }

    async fn verify_over_http(
        &self,
        token: &str,
        issuer: &Issuer,
    ) -> Result<Result<(), JwsError>, Failure> {
        let metadata = Metadata::load(&self.http, issuer).await?;
        let keys = KeyCache::new(self.http.clone(), metadata.jwks_uri);
        Ok(keys.verify(token, &SIGNING_ALGORITHMS, SystemEnvironment.now()).await?.map(drop))
    }

    fn judge_claims(&self, verdict: &mut Verdict, jws: &UnverifiedJws<'_>, resource: Option<&str>) {
        judge_audience(verdict, resource);
        judge_times(verdict, SystemEnvironment.now());
        let kid = jws.header().kid.as_deref();
        match (AccessClaims::parse(jws.unverified_payload()), &self.local) {
            (Ok(claims), Some(local)) => {
                let revoked = local.is_revoked(&claims, kid);
                let detail =
                    if revoked { "in the revocation log" } else { "not in the revocation log" };
                verdict.judge("revoked", !revoked, detail);
            }
            (Ok(_), None) => verdict.note("revoked", Mark::NotReached, "the store is not at hand"),
            (Err(_), _) if jws.header().typ_is(TYP) => {
                verdict.judge(
                    "claims",
                    false,
                    "not those of an access token (RFC 9068 section 2.2)",
                );
            }
            (Err(_), _) => {
                verdict.note("revoked", Mark::NotReached, "this is no access token");
            }
        }
    }
}

impl Local {
    fn is_revoked(&self, claims: &AccessClaims, kid: Option<&str>) -> bool {
        let tenants = self.app.tenants();
        let issuing = tenants.iter().find(|state| state.issuer == claims.iss);
        let tenant = issuing.map_or_else(|| Operator::tenant(&self.operator).clone(), |s| s.id());
        self.app.with_revocations(|set| set.revokes(&tenant, &claims.facts(kid)))
    }
}

fn judge_header(verdict: &mut Verdict, jws: &UnverifiedJws<'_>) {
    let header = jws.header();
    let typ = header.typ.as_deref().unwrap_or("none");
    let meaning = if header.typ_is(TYP) {
        "an access token (RFC 9068)"
    } else {
        "no access token: it opens nothing"
    };
    verdict.judge("typ", true, format!("{typ}: {meaning}"));
    let allowed = SIGNING_ALGORITHMS.contains(&header.alg);
    let judged =
        if allowed { "one that this server signs with" } else { "not one of this server's" };
    verdict.judge("alg", allowed, format!("{}: {judged}", header.alg));
}

fn judge_signature(verdict: &mut Verdict, jws: &UnverifiedJws<'_>, signature: &Signature) {
    let kid = jws.header().kid.clone().unwrap_or_else(|| "none".to_owned());
    match signature {
        Signature::NotAsked => {
            verdict.note("kid", Mark::NotReached, format!("{kid}: not looked up"));
            verdict.note(
                "signature",
                Mark::NotReached,
                "the keys of that issuer are not asked for",
            );
        }
        Signature::Judged(Err(JwsError::UnknownKey)) => {
            verdict.judge("kid", false, format!("{kid}: not among the published keys"));
            verdict.note("signature", Mark::NotReached, "no key to verify it with");
        }
        Signature::Judged(judged) => {
            verdict.judge("kid", true, format!("{kid}: published"));
            let detail = judged.as_ref().err().map_or("fits".to_owned(), ToString::to_string);
            verdict.judge("signature", judged.is_ok(), detail);
        }
    }
}

fn judge_audience(verdict: &mut Verdict, resource: Option<&str>) {
    let told: Vec<String> = match verdict.claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let fits = resource.map_or(!told.is_empty(), |wanted| told.iter().any(|aud| aud == wanted));
    let all = if told.is_empty() { "none".to_owned() } else { told.join(" ") };
    verdict.judge(
        "aud",
        fits,
        match resource {
            Some(wanted) if !fits => format!("{all}: not for {wanted}"),
            _ => format!("for {all}"),
        },
    );
}

/// RFC 9068 §4 with the leeway of every check of this server.
fn judge_times(verdict: &mut Verdict, now: Timestamp) {
    let claim = |name: &str| verdict.claims.get(name).and_then(Value::as_i64);
    let (exp, iat) = (claim("exp"), claim("iat"));
    let now_s = now.as_unix_s();
    match exp {
        Some(exp) if exp > now_s => {
            verdict.judge("exp", true, format!("{}, in {} s", at(exp), exp.saturating_sub(now_s)));
        }
        Some(exp) => verdict.judge("exp", false, format!("expired at {}", at(exp))),
        None => verdict.judge("exp", false, "missing"),
    }
    match iat {
        Some(iat) if iat <= now.plus(CLOCK_SKEW_MAX).as_unix_s() => {
            verdict.judge("iat", true, at(iat));
        }
        Some(iat) => verdict.judge("iat", false, format!("issued in the future, at {}", at(iat))),
        None => verdict.judge("iat", false, "missing"),
    }
}

fn at(seconds: i64) -> String {
    time(Timestamp::from_unix_s(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(claims: &Value, judge: impl Fn(&mut Verdict)) -> Vec<(&'static str, bool)> {
        let claims = claims.as_object().unwrap().clone();
        let mut verdict = Verdict { claims, ..Verdict::default() };
        judge(&mut verdict);
        verdict.checks.iter().map(|check| (check.name, check.mark == Mark::Passed)).collect()
    }

    #[test]
    fn rfc9068_4_times() {
        let judge = |verdict: &mut Verdict| judge_times(verdict, Timestamp::from_unix_s(100));
        let all = |claims: Value| judged(&claims, judge);
        assert_eq!(all(json!({ "exp": 101, "iat": 110 })), [("exp", true), ("iat", true)]);
        assert_eq!(all(json!({ "exp": 100, "iat": 111 })), [("exp", false), ("iat", false)]);
        assert_eq!(all(json!({ "exp": "101" })), [("exp", false), ("iat", false)]);
    }

    #[test]
    fn rfc9068_4_audience() {
        let judge = |wanted| move |verdict: &mut Verdict| judge_audience(verdict, wanted);
        let one = json!({ "aud": "https://a" });
        let many = json!({ "aud": ["https://b", "https://a"] });
        for claims in [&one, &many] {
            assert_eq!(judged(claims, judge(None)), [("aud", true)]);
            assert_eq!(judged(claims, judge(Some("https://a"))), [("aud", true)]);
            assert_eq!(judged(claims, judge(Some("https://c"))), [("aud", false)]);
        }
        assert_eq!(judged(&json!({}), judge(None)), [("aud", false)]);
    }
}

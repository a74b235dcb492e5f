//! The `openidconnect` crate, over this suite's own HTTP.

use openidconnect::core::{
    CoreClient, CoreProviderMetadata, CoreResponseType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse as _,
};

use crate::support::{Browser, Client, Request, User, World};

/// What `CoreClient` becomes once discovery has filled in its endpoints.
type Discovered = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The crate's HTTP client: a function.
fn send(request: HttpRequest) -> Result<HttpResponse, std::io::Error> {
    let (parts, body) = request.into_parts();
    let mut ours = Request::new(parts.method.as_str(), &parts.uri.to_string());
    for (name, value) in &parts.headers {
        if name != "content-type" {
            ours = ours.header(name.as_str(), value.to_str().expect("a header of text"));
        }
    }
    if !body.is_empty() {
        let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
        ours = ours.body(kind.unwrap_or_default(), body);
    }
    let answer = ours.try_send()?;
    let kind = answer.header("content-type").unwrap_or_default();
    let builder = http::Response::builder().status(answer.status).header("content-type", kind);
    Ok(builder.body(answer.body.clone()).expect("a well-formed response"))
}

fn discover(world: &World, client: &Client) -> Discovered {
    let issuer = IssuerUrl::new(world.server.issuer.clone()).expect("a URL");
    let metadata = CoreProviderMetadata::discover(&issuer, &send).expect("OIDCD-4.3");
    let secret = client.secret.clone().map(ClientSecret::new);
    CoreClient::from_provider_metadata(metadata, ClientId::new(client.id.clone()), secret)
        .set_redirect_uri(RedirectUrl::new(client.redirect_uri.clone()).expect("a URL"))
}

/// Signs in; the crate makes the address and this suite's person answers it.
fn sign_in(peer: &Discovered, alice: &User) -> (String, PkceCodeVerifier, Nonce) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let (url, state, nonce) = peer
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["email", "offline_access", "orders:read"].map(|s| Scope::new(s.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let mut browser = Browser::default();
    let page = browser.open(url.as_str());
    let callback = browser.finish(page, alice).expect_callback();
    assert_eq!(callback.get("state"), state.secret(), "RFC6749-4.1.2");
    (callback.code().to_owned(), verifier, nonce)
}

fn check(peer: &Discovered, tokens: &CoreTokenResponse, nonce: &Nonce) {
    let id_token = tokens.id_token().expect("OIDCC-3.1.3.3");
    let verifier = peer.id_token_verifier();
    let claims = id_token.claims(&verifier, nonce).expect("OIDCC-3.1.3.7");
    let expected = claims.access_token_hash().expect("OIDCC-3.1.3.6: at_hash");
    let alg = id_token.signing_alg().expect("signed");
    let key = id_token.signing_key(&verifier).expect("published");
    let actual = AccessTokenHash::from_token(tokens.access_token(), alg, key).expect("hashed");
    assert_eq!(&actual, expected, "OIDCC-3.1.3.6");
    let subject = Some(claims.subject().clone());
    let request = peer.user_info(tokens.access_token().clone(), subject).expect("discovered");
    let info: CoreUserInfoClaims = request.request(&send).expect("OIDCC-5.3.2");
    assert_eq!(info.email().map(|email| email.as_str()), Some("alice@example.com"));
}

#[test]
fn openidconnect() {
    let world = World::start();
    for client in [&world.web, &world.spa] {
        let peer = discover(&world, client);
        let (code, verifier, nonce) = sign_in(&peer, &world.alice);
        let tokens = peer
            .exchange_code(AuthorizationCode::new(code))
            .expect("discovered")
            .set_pkce_verifier(verifier)
            .request(&send)
            .expect("RFC6749-4.1.4");
        check(&peer, &tokens, &nonce);
        let refresh = tokens.refresh_token().expect("CONTRACT-3: offline_access");
        let next = peer
            .exchange_refresh_token(refresh)
            .expect("discovered")
            .request(&send)
            .expect("RFC6749-6");
        let rotated = next.refresh_token().expect("RFC9700-4.14.2");
        assert_ne!(rotated.secret(), refresh.secret(), "RFC9700-4.14.2");
    }
    world.server.stop();
}

/// The nearest failure: another nonce than the one that was sent.
#[test]
fn openidconnect_refuses_another_nonce() {
    let world = World::start();
    let peer = discover(&world, &world.web);
    let (code, verifier, nonce) = sign_in(&peer, &world.alice);
    let exchange = peer.exchange_code(AuthorizationCode::new(code)).expect("discovered");
    let tokens = exchange.set_pkce_verifier(verifier).request(&send).expect("RFC6749-4.1.4");
    let id_token = tokens.id_token().expect("OIDCC-3.1.3.3");
    let verifier = peer.id_token_verifier();
    id_token.claims(&verifier, &nonce).expect("the right one");
    let other = Nonce::new("something-else".to_owned());
    assert!(id_token.claims(&verifier, &other).is_err(), "OIDCC-3.1.3.7");
}

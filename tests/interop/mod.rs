//! Other people's clients run against the real program.

use std::path::Path;

use serde_json::json;

use crate::support::jwt::Key;
use crate::support::server::program;
use crate::support::world::{service_metadata, web_metadata, with};
use crate::support::{API, World};

mod npm;
mod pypi;
mod rust;

const SIGNED_OUT: &str = "https://app.example.com/bye";

/// A world, and what a foreign script is told of it by its environment.
struct Stage {
    world: World,
    environment: Vec<(&'static str, String)>,
}

impl Stage {
    fn new() -> Self {
        let world = World::start();
        let key = Key::generate();
        let out = json!({ "post_logout_redirect_uris": [SIGNED_OUT] });
        let web = world.server.client(&with(web_metadata(), &out));
        let own_key = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.set() });
        let signer = world.server.client(&with(service_metadata("orders:read"), &own_key));
        let environment = vec![
            ("ISSUER", world.server.issuer.clone()),
            ("API", API.to_owned()),
            ("WEB_ID", web.id.clone()),
            ("WEB_SECRET", web.secret().to_owned()),
            ("WEB_REDIRECT_URI", web.redirect_uri.clone()),
            ("SIGNED_OUT_URI", SIGNED_OUT.to_owned()),
            ("SPA_ID", world.spa.id.clone()),
            ("SPA_REDIRECT_URI", world.spa.redirect_uri.clone()),
            ("SERVICE_ID", world.service.id.clone()),
            ("SERVICE_SECRET", world.service.secret().to_owned()),
            ("SIGNER_ID", signer.id),
            ("SIGNER_KEY", key.pem()),
            ("SIGNER_KID", key.kid),
            ("USERNAME", world.alice.username.clone()),
            ("PASSWORD", world.alice.password.clone()),
            ("KEYWRIGHT", text(&program())),
            ("CONFIG", text(&world.server.config)),
        ];
        Self { world, environment }
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}

//! JavaScript: the certified clients `openid-client` and `oauth4webapi`, and a reader of status
//! lists.

use super::Stage;
use crate::support::Server;
use crate::support::peers::node;
use crate::support::world::service_metadata;

#[test]
fn openid_client() {
    let stage = Stage::new();
    node("interop/openid-client.mjs", &stage.environment());
    stage.world.server.stop();
}

#[test]
fn oauth4webapi() {
    let stage = Stage::new();
    node("interop/oauth4webapi.mjs", &stage.environment());
    stage.world.server.stop();
}

#[test]
fn jwt_status_list() {
    let server = Server::start();
    server.resource("https://listed.example.com", &["listed:read"], &["--status-list"]);
    let client = server.client(&service_metadata("listed:read"));
    let environment = [
        ("ISSUER", server.issuer.as_str()),
        ("CLIENT_ID", client.id.as_str()),
        ("CLIENT_SECRET", client.secret()),
        ("SCOPE", "listed:read"),
    ];
    node("interop/status-list.mjs", &environment);
    server.stop();
}

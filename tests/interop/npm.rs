//! The certified JavaScript clients: `openid-client` and `oauth4webapi`.

use super::Stage;
use crate::support::peers::node;

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

//! The Python clients: Authlib, and joserfc for agreement about JOSE in both directions.

use super::Stage;
use crate::support::peers::python;

#[test]
fn authlib() {
    let stage = Stage::new();
    python("interop/with_authlib.py", &stage.environment());
    stage.world.server.stop();
}

#[test]
fn joserfc() {
    let stage = Stage::new();
    python("interop/with_joserfc.py", &stage.environment());
    stage.world.server.stop();
}

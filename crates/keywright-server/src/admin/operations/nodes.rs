//! CONTRACT: a command returns when the nodes on this machine have seen its change.

use std::time::Duration;

use keywright_store::change::{LogHeads, NodeReport};

use crate::app::App;
use crate::environment::within;
use crate::error::ServerFault;
use crate::jobs::{NODE_SILENT, machine_name};

/// How long a command waits for nodes; the change itself is durable already.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Follows the logs here: whoever is told of a change may count on this node.
pub(super) async fn follow(app: &App) {
    let following = async {
        while let Err(fault) = app.follow().await {
            tracing::warn!(error = %fault, "a change is stored and not yet followed");
            app.environment.sleep(LOOK_EVERY).await;
        }
    };
    // The node follows by itself as soon as it can.
    let _followed = within(&*app.environment, WAIT_MAX, following).await;
}

/// Waits until every node of this machine has followed the logs to where they end now.
pub(super) async fn wait_for_nodes(app: &App) {
    match within(&*app.environment, WAIT_MAX, wait(app)).await {
        Some(Ok(())) => {}
        Some(Err(fault)) => tracing::warn!(error = %fault, "nodes could not be asked"),
        None => tracing::warn!("a node of this machine has not followed within a second"),
    }
}

async fn wait(app: &App) -> Result<(), ServerFault> {
    let heads = app.store.log_heads().await?;
    let machine = machine_name();
    loop {
        let nodes = app.store.list_nodes(app.now().minus(NODE_SILENT)).await?;
        let behind = |node: &NodeReport| node.machine == machine && !reached(node.followed, heads);
        if !nodes.iter().any(behind) {
            return Ok(());
        }
        app.environment.sleep(LOOK_EVERY).await;
    }
}

const fn reached(followed: LogHeads, heads: LogHeads) -> bool {
    followed.change >= heads.change && followed.revocation >= heads.revocation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_behind_in_either_log() {
        let heads = |change, revocation| LogHeads { change, revocation };
        assert!(reached(heads(2, 3), heads(2, 3)));
        assert!(reached(heads(5, 5), heads(2, 3)));
        assert!(!reached(heads(1, 3), heads(2, 3)));
        assert!(!reached(heads(2, 2), heads(2, 3)));
    }
}

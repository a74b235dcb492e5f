//! The last act: nothing goes wrong any more, and everything that was handed out is looked at.

use std::rc::Rc;

use crate::ask::{Ask, SPA, Scope, Token};
use crate::chance::Chance;
use crate::executor::Owner;
use crate::ledger::{Access, Invariant};
use crate::stage::{Heard, Stage};
use crate::wire::Extras;

/// Lets the last actor enter.
pub(crate) fn enter(stage: &Rc<Stage>) {
    let probe = Probe { stage: Rc::clone(stage), chance: stage.fork_chance() };
    stage.executor.spawn(Owner::Actor, Box::pin(probe.look()));
}

struct Probe {
    stage: Rc<Stage>,
    chance: Chance,
}

impl Probe {
    async fn look(mut self) {
        for node in 0..self.stage.plan.nodes {
            self.stage.caught_up(node).await;
            self.look_at_accesses(node).await;
        }
        self.look_at_leaves().await;
        self.use_leaves().await;
    }

    /// Each node judges each access token.
    async fn look_at_accesses(&mut self, node: usize) {
        let count = self.stage.ledger.borrow().accesses.len();
        for at in 0..count {
            let by = self.stage.ledger.borrow().accesses.get(at).map(Access::introspected_by);
            let Some(by) = by else { return };
            self.ask(node, Ask::Introspect { token: Token::Access(at), by }).await;
        }
    }

    /// Of each family one token at most is live.
    async fn look_at_leaves(&mut self) {
        let families = self.stage.ledger.borrow().families.len();
        for family in 0..families {
            let (by, tokens) = {
                let ledger = self.stage.ledger.borrow();
                let Some(row) = ledger.families.get(family) else { return };
                let rows = ledger.refreshes.iter().enumerate();
                let own = rows.filter(|(_, refresh)| refresh.family == family);
                (row.client, own.map(|(at, _)| at).collect::<Vec<_>>())
            };
            // A public client has no credential to ask with.
            if by == SPA {
                continue;
            }
            let mut live = Vec::new();
            for at in tokens {
                let node = self.chance.below(self.stage.plan.nodes);
                let ask = Ask::Introspect { token: Token::Refresh(at), by };
                if let Heard::Answer(answer, _) = self.ask(node, ask).await
                    && answer.body.get("active") == Some(&serde_json::Value::Bool(true))
                {
                    live.push(at);
                }
            }
            if live.len() > 1 {
                let what = format!("family {family} has the live refresh tokens {live:?}");
                self.stage.ledger.borrow_mut().accuse(Invariant::OneLeaf, what);
            }
        }
    }

    /// What is promised is kept: each promised leaf is used once more.
    async fn use_leaves(&mut self) {
        let count = self.stage.ledger.borrow().refreshes.len();
        for token in 0..count {
            let by = {
                let ledger = self.stage.ledger.borrow();
                let family = ledger.refreshes.get(token).map(|refresh| refresh.family);
                let family = family.and_then(|at| ledger.families.get(at));
                family.filter(|_| ledger.is_promised_leaf(token)).map(|family| family.client)
            };
            let Some(by) = by else { continue };
            let node = self.chance.below(self.stage.plan.nodes);
            self.ask(node, Ask::Refresh { token, by, scope: Scope::Unsaid }).await;
        }
    }

    async fn ask(&mut self, node: usize, ask: Ask) -> Heard {
        self.stage.call(node, ask, &Extras::default(), &mut self.chance).await
    }
}

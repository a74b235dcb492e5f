//! The stage: the nodes over one store, what befalls them, and the calls that actors make.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Arguments;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keywright_protocol::id::TenantId;
use keywright_protocol::time::Timestamp;
use keywright_server::app::App;
use keywright_server::config::Config;
use keywright_server::jobs::Follower;
use keywright_server::keys::lifecycle::Thoroughness;
use keywright_server::router::Dispatch;
use keywright_store::SharedStore;
use tokio::sync::oneshot;
use tower::Service as _;

use crate::ask::{Answer, Ask};
use crate::chance::Chance;
use crate::executor::{Executor, Owner, Step, TaskId};
use crate::fault::Faults;
use crate::kernel::{Kernel, Life, NodeEnvironment};
use crate::ledger::{Brought, CallId, Ledger, Now, RETRY_MS};
use crate::plan::Plan;
use crate::published::Published;
use crate::store::NodeStore;
use crate::wire::{Extras, answer, request};

/// How often a schedule may crash a node: each start costs as much as many requests.
const CRASHES_MAX: u32 = 3;
/// Nodes look at the store several times a second; so many of the looks are played.
const LOOK_EVERY: usize = 500;
const LOOK_MS: i64 = 600;
const RETRY: Duration = Duration::from_secs(10);

/// A place for a node, and whoever lives there now.
struct Node {
    life: Life,
    ahead_ms: Arc<AtomicI64>,
    running: Option<Running>,
    cut_off: bool,
    /// When it last reached the store, by a right clock.
    reached_ms: i64,
}

#[derive(Clone)]
struct Running {
    app: Arc<App>,
    dispatch: Dispatch,
    follower: Rc<RefCell<Option<Follower>>>,
}

/// What an actor hears of a call.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Answer(Answer, Brought),
    /// The answer was lost, the node is down or crashed, or the actor gave up.
    Nothing,
}

/// Whether the stage still makes trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    Calm,
    Wild,
}

/// See the module.
pub(crate) struct Stage {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) executor: Executor,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) plan: Plan,
    pub(crate) store: SharedStore,
    pub(crate) faults: Arc<Faults>,
    config: Config,
    dispatch: Dispatch,
    chance: RefCell<Chance>,
    nodes: RefCell<Vec<Node>>,
    published: RefCell<HashMap<Vec<u8>, Rc<Published>>>,
    trace: RefCell<Option<Vec<String>>>,
    mood: Cell<Mood>,
    crashes: Cell<u32>,
}

/// What a stage is built from.
pub(crate) struct Setting {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) store: SharedStore,
    pub(crate) config: Config,
    pub(crate) dispatch: Dispatch,
    /// Whether every step is written down.
    pub(crate) traced: Option<Vec<String>>,
}

impl Stage {
    pub(crate) fn new(setting: Setting) -> Rc<Self> {
        let Setting { plan, mut chance, store, config, dispatch, traced } = setting;
        let kernel = Kernel::new(chance.fork());
        let place = |node| Node {
            life: Life { node, number: 0 },
            ahead_ms: Arc::new(AtomicI64::new(0)),
            running: None,
            cut_off: false,
            reached_ms: i64::MIN,
        };
        let stage = Rc::new(Self {
            executor: Executor::new(Arc::clone(&kernel)),
            kernel,
            ledger: RefCell::new(Ledger::new(plan.clocks(), plan.nodes)),
            faults: Arc::new(Faults::new(plan.failing, chance.fork())),
            nodes: RefCell::new((0..plan.nodes).map(place).collect()),
            plan,
            store,
            config,
            dispatch,
            chance: RefCell::new(chance),
            published: RefCell::default(),
            trace: RefCell::new(traced),
            mood: Cell::new(Mood::Wild),
            crashes: Cell::new(0),
        });
        (0..stage.plan.nodes).for_each(|node| stage.start(node));
        stage
    }

    /// Writes a line of the trace.
    pub(crate) fn say(&self, what: Arguments<'_>) {
        if let Some(trace) = self.trace.borrow_mut().as_mut() {
            let ms = self.kernel.now_ms() - crate::kernel::START_MS;
            trace.push(format!("{ms:>9} ms  {what}"));
        }
    }

    /// The trace so far.
    pub(crate) fn take_trace(&self) -> Vec<String> {
        self.trace.borrow_mut().take().unwrap_or_default()
    }

    /// Draws for an actor.
    pub(crate) fn fork_chance(&self) -> Chance {
        self.chance.borrow_mut().fork()
    }

    /// Runs until every actor has done its part; whether they could.
    pub(crate) fn run(self: &Rc<Self>) -> bool {
        while self.executor.is_acting() && self.ledger.borrow().violation().is_none() {
            self.befall();
            if self.executor.step() == Step::Idle {
                let slept_ms = self.kernel.now_ms();
                if !self.kernel.jump() {
                    return false;
                }
                self.idle_since(slept_ms);
            }
        }
        true
    }

    /// From now on nothing goes wrong: clocks are right, nodes start and follow.
    pub(crate) fn calm(self: &Rc<Self>) {
        self.mood.set(Mood::Calm);
        self.faults.stop();
        for node in self.nodes.borrow_mut().iter_mut() {
            node.cut_off = false;
            node.ahead_ms.store(0, Ordering::Relaxed);
        }
    }

    /// Ends everything: the tasks hold the stage, and the stage holds them.
    pub(crate) fn close(&self) {
        self.executor.clear();
        self.nodes.borrow_mut().clear();
    }

    /// What may happen to the nodes before the next step.
    fn befall(self: &Rc<Self>) {
        let (pass_ms, node) = {
            let mut chance = self.chance.borrow_mut();
            (chance.millis_below(3), chance.below(self.plan.nodes))
        };
        self.kernel.advance(pass_ms);
        let happens = |rate| self.chance.borrow_mut().one_in(rate);
        if happens(self.plan.follow) {
            self.follow(node);
        }
        if self.mood.get() == Mood::Calm {
            return;
        }
        if happens(self.plan.sweep) {
            self.sweep(node);
        }
        if happens(self.plan.partition) {
            let cut_off = self.with_node(node, |node| {
                node.cut_off = !node.cut_off;
                node.cut_off
            });
            self.say(format_args!("node {node}: cut off from the log: {cut_off:?}"));
        }
        if happens(self.plan.clock_step) {
            self.step_clock();
        }
        if happens(self.plan.crash) && self.crashes.get() < CRASHES_MAX {
            self.crashes.set(self.crashes.get() + 1);
            self.crash(node);
        }
    }

    /// While everybody else slept, the nodes looked at the store; what they did lately counts.
    fn idle_since(&self, slept_ms: i64) {
        let now_ms = self.kernel.now_ms();
        let looks = (slept_ms.max(now_ms - RETRY_MS - LOOK_MS)..=now_ms).step_by(LOOK_EVERY);
        for node in 0..self.plan.nodes {
            let Some((_, running)) = self.running(node) else { continue };
            if self.with_node(node, |node| node.cut_off) == Some(true) {
                continue;
            }
            for look_ms in looks.clone() {
                let at = Timestamp::from_millis(look_ms + self.ahead_ms(node));
                running.app.outages.reached(at, at, RETRY);
                self.reached(node, look_ms);
            }
        }
    }

    /// Sets the first node's clock wrong, or right again.
    fn step_clock(&self) {
        let wrong = self.plan.clock_ahead_ms;
        let ahead_ms = self.with_node(0, |node| {
            let now = if node.ahead_ms.load(Ordering::Relaxed) == 0 { wrong } else { 0 };
            node.ahead_ms.store(now, Ordering::Relaxed);
            now
        });
        // What it forgot meanwhile comes back when it follows the log.
        self.ledger.borrow_mut().forgot(0);
        self.ledger.borrow_mut().clock_set(0, ahead_ms.unwrap_or(0));
        self.say(format_args!("node 0: clock ahead by {ahead_ms:?} ms"));
    }

    fn with_node<T>(&self, node: usize, with: impl FnOnce(&mut Node) -> T) -> Option<T> {
        self.nodes.borrow_mut().get_mut(node).map(with)
    }

    fn ahead_ms(&self, node: usize) -> i64 {
        self.with_node(node, |node| node.ahead_ms.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn running(&self, node: usize) -> Option<(Life, Running)> {
        let found = self.with_node(node, |node| node.running.clone().map(|r| (node.life, r)));
        found.flatten()
    }

    fn crash(self: &Rc<Self>, node: usize) {
        let Some((life, _)) = self.running(node) else { return };
        self.say(format_args!("node {node}: crashes"));
        self.with_node(node, |node| node.running = None);
        self.executor.end_life(life);
        self.start(node);
    }

    /// Starts a node, again and again until the store lets it.
    fn start(self: &Rc<Self>, node: usize) {
        let begun = self.with_node(node, |node| {
            node.life.number += 1;
            (node.life, Arc::clone(&node.ahead_ms))
        });
        let Some((life, ahead_ms)) = begun else { return };
        let stage = Rc::clone(self);
        let starting = async move {
            loop {
                let kernel = Arc::clone(&stage.kernel);
                let ahead_ms = Arc::clone(&ahead_ms);
                let environment = Arc::new(NodeEnvironment { kernel, life, ahead_ms });
                let since = stage.ledger.borrow().count();
                let opened =
                    App::open(stage.config.clone(), stage.store_of_node(), environment).await;
                match opened {
                    Ok(app) => return stage.started(life, app, since),
                    Err(fault) => stage.say(format_args!("node {node}: does not start: {fault}")),
                }
                stage.kernel.sleep(50).await;
            }
        };
        self.executor.spawn(Owner::Node(life), Box::pin(starting));
    }

    fn store_of_node(&self) -> SharedStore {
        let (inner, faults) = (Arc::clone(&self.store), Arc::clone(&self.faults));
        Arc::new(NodeStore { inner, faults })
    }

    fn started(&self, life: Life, app: Arc<App>, since: u64) {
        self.say(format_args!("node {}: runs", life.node));
        let dispatch = self.dispatch.over(Arc::clone(&app));
        let follower = Rc::new(RefCell::new(Some(Follower::new(Arc::clone(&app)))));
        self.with_node(life.node, |node| node.running = Some(Running { app, dispatch, follower }));
        self.ledger.borrow_mut().followed(life.node, since);
        self.ledger.borrow_mut().was_away(life.node, self.kernel.now_ms());
    }

    /// Lets a node follow the log, unless it is cut off or does so already.
    fn follow(self: &Rc<Self>, node: usize) {
        if self.with_node(node, |node| node.cut_off) != Some(false) {
            return;
        }
        let Some((life, running)) = self.running(node) else { return };
        let Some(mut follower) = running.follower.borrow_mut().take() else { return };
        let stage = Rc::clone(self);
        let following = async move {
            let since = stage.ledger.borrow().count();
            if follower.step().await.is_ok() && running.app.follow_changes().await.is_ok() {
                stage.reached(node, stage.kernel.now_ms());
                stage.ledger.borrow_mut().followed(node, since);
            }
            running.follower.borrow_mut().replace(follower);
        };
        self.executor.spawn(Owner::Node(life), Box::pin(following));
    }

    /// A node reaches the store at a moment. Where it did not for a while, it may say so from then.
    fn reached(&self, node: usize, now_ms: i64) {
        self.note_silence(node, now_ms);
        self.with_node(node, |node| node.reached_ms = now_ms);
    }

    fn note_silence(&self, node: usize, now_ms: i64) {
        let last_ms = self.with_node(node, |node| node.reached_ms);
        if last_ms.is_none_or(|ms| ms.saturating_add(LOOK_MS) < now_ms) {
            self.ledger.borrow_mut().was_away(node, now_ms);
        }
    }

    /// Lets a node forget what has expired, sweep the store and look after its keys.
    fn sweep(self: &Rc<Self>, node: usize) {
        let Some((life, running)) = self.running(node) else { return };
        self.say(format_args!("node {node}: sweeps"));
        let sweeping = async move {
            let now = running.app.now();
            running.app.forget_expired(now);
            // The next sweep does what this one could not.
            let _failed = running.app.store.sweep(now).await;
            if let Some(tenant) = running.app.tenant(&TenantId::default_tenant()) {
                let _failed = running.app.maintain_keys(&tenant, Thoroughness::Everything).await;
            }
        };
        self.executor.spawn(Owner::Node(life), Box::pin(sweeping));
    }

    /// A node that runs, waited for.
    pub(crate) async fn some_node(&self, chance: &mut Chance) -> usize {
        loop {
            let node = chance.below(self.plan.nodes);
            if self.running(node).is_some() {
                return node;
            }
            self.kernel.sleep(1).await;
        }
    }

    /// Waits until a node runs and knows all that was written before.
    pub(crate) async fn caught_up(self: &Rc<Self>, node: usize) {
        let since = self.ledger.borrow().count();
        while self.running(node).is_none() || !self.ledger.borrow().has_followed(node, since) {
            self.follow(node);
            self.kernel.sleep(1).await;
        }
    }

    /// Asks a node over what would be HTTP.
    pub(crate) async fn call(
        self: &Rc<Self>,
        node: usize,
        ask: Ask,
        extras: &Extras,
        chance: &mut Chance,
    ) -> Heard {
        self.kernel.advance(1 + chance.millis_below(2));
        let Some((life, mut running)) = self.running(node) else { return Heard::Nothing };
        let Some(request) = request(&ask, &self.ledger.borrow(), extras) else {
            return Heard::Nothing;
        };
        let moment = (self.kernel.now_ms(), self.ahead_ms(node));
        self.note_silence(node, moment.0);
        let id = self.ledger.borrow_mut().begin(ask.clone(), life, moment);
        self.say(format_args!("node {node}: #{id} {ask:?}"));
        let (told, answered) = oneshot::channel();
        let on_the_way = OnTheWay { stage: Rc::clone(self), id };
        let working = async move {
            let response = match running.dispatch.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let answer = answer(response).await;
            let stage = &on_the_way.stage;
            let published = stage.published(&running.app);
            let (ms, ahead_ms) = (stage.kernel.now_ms(), stage.ahead_ms(node));
            let now = Now { ms, ahead_ms, published: &published };
            let brought = stage.ledger.borrow_mut().end(id, &answer, now);
            stage.say(format_args!("node {node}: #{id} -> {} {brought:?}", answer.status));
            // The actor may have given up.
            let _gone = told.send((answer, brought));
        };
        let task = self.executor.spawn(Owner::Node(life), Box::pin(working));
        if self.is_wild() && chance.one_in(self.plan.hang_ups) {
            self.hang_up(task, chance.millis_below(12));
        }
        let heard = answered.await;
        let lost = self.is_wild() && chance.one_in(self.plan.lost_answers);
        match heard {
            Ok((answer, brought)) if !lost => Heard::Answer(answer, brought),
            _ => {
                self.say(format_args!("node {node}: #{id} is not heard of"));
                Heard::Nothing
            }
        }
    }

    fn is_wild(&self) -> bool {
        self.mood.get() == Mood::Wild
    }

    fn hang_up(self: &Rc<Self>, task: TaskId, after_ms: i64) {
        let stage = Rc::clone(self);
        let hanging_up = async move {
            stage.kernel.sleep(after_ms).await;
            stage.executor.end_task(task);
        };
        self.executor.spawn(Owner::Stage, Box::pin(hanging_up));
    }

    /// The moment by a right clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.kernel.now_ms())
    }

    fn published(&self, app: &App) -> Rc<Published> {
        let tenant = app.tenant(&TenantId::default_tenant());
        let document = tenant.map(|tenant| tenant.jwks(app.now())).unwrap_or_default();
        if let Some(known) = self.published.borrow().get(&document[..]) {
            return Rc::clone(known);
        }
        let published = Rc::new(Published::read(&document));
        self.published.borrow_mut().insert(document.to_vec(), Rc::clone(&published));
        published
    }
}

/// A call that a node works on; when its task is dropped there will be no answer.
struct OnTheWay {
    stage: Rc<Stage>,
    id: CallId,
}

impl Drop for OnTheWay {
    fn drop(&mut self) {
        let now_ms = self.stage.kernel.now_ms();
        self.stage.ledger.borrow_mut().abandon(self.id, now_ms);
    }
}

//! Runs many futures in one thread, in an order drawn from the seed.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::kernel::{Kernel, Life};

/// Work of one thread.
pub(crate) type LocalWork = Pin<Box<dyn Future<Output = ()>>>;

/// A task's name.
pub(crate) type TaskId = u64;

/// Who a task belongs to, and dies with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// An actor: the run ends when all of them have.
    Actor,
    /// A node, in one of its lives.
    Node(Life),
    /// The simulation itself.
    Stage,
}

struct Task {
    id: TaskId,
    owner: Owner,
    ready: Arc<Ready>,
    work: LocalWork,
}

/// Whether a task was woken.
struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Everybody waits.
    Idle,
    /// A task went on.
    Ran,
}

/// See the module.
pub(crate) struct Executor {
    kernel: Arc<Kernel>,
    tasks: RefCell<Vec<Task>>,
    begun: RefCell<Vec<Task>>,
    ended: RefCell<Vec<Ended>>,
    tasks_made: RefCell<TaskId>,
}

#[derive(Clone, Copy)]
enum Ended {
    Life(Life),
    Task(TaskId),
}

impl Executor {
    pub(crate) fn new(kernel: Arc<Kernel>) -> Self {
        Self {
            kernel,
            tasks: RefCell::default(),
            begun: RefCell::default(),
            ended: RefCell::default(),
            tasks_made: RefCell::new(0),
        }
    }

    /// Begins a task; it runs from the next step on.
    pub(crate) fn spawn(&self, owner: Owner, work: LocalWork) -> TaskId {
        let mut id = self.tasks_made.borrow_mut();
        *id += 1;
        let ready = Arc::new(Ready(AtomicBool::new(true)));
        self.begun.borrow_mut().push(Task { id: *id, owner, ready, work });
        *id
    }

    /// Drops whatever a node was doing.
    pub(crate) fn end_life(&self, life: Life) {
        self.ended.borrow_mut().push(Ended::Life(life));
    }

    /// Drops one task.
    pub(crate) fn end_task(&self, task: TaskId) {
        self.ended.borrow_mut().push(Ended::Task(task));
    }

    /// Drops every task.
    pub(crate) fn clear(&self) {
        self.settle();
        let dropped = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(dropped);
        self.settle();
        let dropped = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(dropped);
    }

    /// Whether an actor still acts.
    pub(crate) fn is_acting(&self) -> bool {
        let acts = |task: &Task| task.owner == Owner::Actor;
        self.tasks.borrow().iter().any(acts) || self.begun.borrow().iter().any(acts)
    }

    /// Lets one of the tasks that can go on do so.
    pub(crate) fn step(&self) -> Step {
        self.settle();
        let Some(mut task) = self.take_one() else { return Step::Idle };
        task.ready.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task.ready));
        let polled = task.work.as_mut().poll(&mut Context::from_waker(&waker));
        if polled == Poll::Pending {
            self.tasks.borrow_mut().push(task);
        }
        self.settle();
        Step::Ran
    }

    fn take_one(&self) -> Option<Task> {
        let mut tasks = self.tasks.borrow_mut();
        let is_ready = |task: &Task| task.ready.0.load(Ordering::Relaxed);
        let ready = tasks.iter().filter(|task| is_ready(task)).count();
        if ready == 0 {
            return None;
        }
        let chosen = self.kernel.draw(|chance| chance.below(ready));
        let mut places = tasks.iter().enumerate().filter(|(_, task)| is_ready(task));
        let place = places.nth(chosen).map(|(place, _)| place)?;
        Some(tasks.swap_remove(place))
    }

    /// Takes in what began and drops what was ended. Dropping may end or begin more.
    fn settle(&self) {
        loop {
            let mut begun = std::mem::take(&mut *self.begun.borrow_mut());
            let spawned = self.kernel.take_spawned();
            let ended = std::mem::take(&mut *self.ended.borrow_mut());
            if begun.is_empty() && spawned.is_empty() && ended.is_empty() {
                return;
            }
            self.tasks.borrow_mut().append(&mut begun);
            for (life, work) in spawned {
                self.spawn(Owner::Node(life), work);
            }
            for ended in ended {
                let dropped = self.take_ended(ended);
                drop(dropped);
            }
        }
    }

    fn take_ended(&self, ended: Ended) -> Vec<Task> {
        let mut tasks = self.tasks.borrow_mut();
        let is_ended = |task: &mut Task| match ended {
            Ended::Life(life) => task.owner == Owner::Node(life),
            Ended::Task(id) => task.id == id,
        };
        tasks.extract_if(.., is_ended).collect()
    }
}

/// Lets others go first.
pub(crate) async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

//! Sends what falls due, on connections that take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::{Failure, Http, TIMEOUT};
use super::interrupt::Interrupt;
use super::scenario::{Next, Scenario, TokenAnswer};
use super::schedule::{Phase, Schedule};
use super::tally::{Tallies, Tally, Times};

/// What to send to whom, and how much of it.
pub(super) struct Load {
    pub(super) schedule: Schedule,
    pub(super) connections: u16,
    pub(super) http: Arc<Http>,
    pub(super) scenario: Arc<dyn Scenario>,
    pub(super) interrupt: Interrupt,
    /// Counts the turns that are over.
    pub(super) progress: ProgressBar,
}

/// What came of it.
pub(super) struct Slice {
    pub(super) tally: Tally,
    /// Measured turns that fell due.
    pub(super) due: u64,
    /// From the beginning of measuring to the last answer, and not less than was planned: a backlog
    /// that is still worked off after the schedule's end must not look like speed.
    pub(super) took: Duration,
    /// How long after the schedule's end the last answer came.
    pub(super) overtime: Duration,
}

/// What the connections share.
struct Run {
    load: Load,
    start: Instant,
    /// A permit for each turn that has fallen due; closed when the run is interrupted.
    due: Semaphore,
    next: AtomicU64,
    tallies: Tallies,
}

/// Ends by itself at most twice [`TIMEOUT`] after the last turn falls due.
pub(super) async fn run(load: Load) -> Slice {
    let interrupt = load.interrupt.clone();
    let run = Arc::new(Run {
        load,
        start: Instant::now(),
        due: Semaphore::new(0),
        next: AtomicU64::new(0),
        tallies: Tallies::new(),
    });
    let clock = thread::spawn({
        let run = Arc::clone(&run);
        move || run.keep_time()
    });
    let mut connections = JoinSet::new();
    for connection in 0..run.load.connections {
        connections.spawn(Arc::clone(&run).work(connection));
    }
    let mut ended = None;
    let mut happened = std::pin::pin!(interrupt.happened());
    loop {
        tokio::select! {
            counted = connections.join_next() => match counted {
                Some(counted) => counted.expect("a connection neither panics nor is aborted"),
                None => break,
            },
            () = &mut happened, if ended.is_none() => {
                ended = Some(run.start.elapsed());
                run.due.close();
            }
        }
    }
    // It has ended, or finds that it should with the next turn; whatever it does is harmless.
    drop(clock);
    run.sum_up(ended)
}

impl Run {
    /// Releases each turn when it falls due.
    ///
    /// On a thread of its own: the runtime's timer rounds to a millisecond, which would be most of
    /// what is measured.
    fn keep_time(&self) {
        for turn in 0.. {
            let Some((due, _)) = self.load.schedule.due(turn) else { break };
            thread::sleep(due.saturating_sub(self.start.elapsed()));
            if self.due.is_closed() {
                return;
            }
            self.due.add_permits(1);
        }
        // One turn past the end for each connection: how it learns that it is over.
        self.due.add_permits(usize::from(self.load.connections));
    }

    /// One connection: takes the next turn whenever it is free.
    async fn work(self: Arc<Self>, connection: u16) {
        while let Ok(permit) = self.due.acquire().await {
            permit.forget();
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((due, phase)) = self.load.schedule.due(turn) else { return };
            let sent = self.start.elapsed();
            let performed = self.shoot(turn, sent.saturating_sub(due)).await;
            self.load.progress.inc(1);
            if phase == Phase::Measured {
                let times = Times { due, sent, done: self.start.elapsed() };
                self.tallies.with(connection, |tally| {
                    for (step, took) in &performed.steps {
                        tally.record_step(step, *took);
                    }
                    tally.record(times, performed.outcome.map(drop));
                });
            }
        }
    }

    /// A turn that waited too long for a connection is given up. One that is sent has its full
    /// time: breaking it off early would cost the server a connection, and that would be our doing.
    async fn shoot(&self, turn: u64, waited: Duration) -> Performed {
        if waited >= TIMEOUT {
            return Performed { steps: Vec::new(), outcome: Err(Failure::Overdue) };
        }
        perform(&self.load.http, self.load.scenario.as_ref(), turn).await
    }

    /// What was measured until the end, or until somebody ended it.
    fn sum_up(&self, interrupted: Option<Duration>) -> Slice {
        let schedule = &self.load.schedule;
        let mut tally = self.tallies.total();
        let end = interrupted.map_or(schedule.end(), |at| at.min(schedule.end()));
        let due = schedule.measured_turns_before(end).max(tally.over());
        tally.give_up(&Failure::Interrupted, due - tally.over());
        Slice {
            due,
            took: end.max(tally.last()).saturating_sub(schedule.warmup()),
            overtime: tally.last().saturating_sub(end),
            tally,
        }
    }
}

/// One turn from its first request to its last answer.
pub(super) struct Performed {
    /// How long each request took that was answered as it should be.
    pub(super) steps: Vec<(&'static str, Duration)>,
    /// The tokens, if it was about any.
    pub(super) outcome: Result<Option<TokenAnswer>, Failure>,
}

/// Sends a turn's requests one after the other; together they have [`TIMEOUT`].
pub(super) async fn perform(http: &Http, scenario: &dyn Scenario, turn: u64) -> Performed {
    let start = Instant::now();
    let mut steps = Vec::with_capacity(1);
    let mut shot = match scenario.shot(turn) {
        Ok(shot) => shot,
        Err(why) => return Performed { steps, outcome: Err(why) },
    };
    loop {
        let sent = start.elapsed();
        let patience = TIMEOUT.saturating_sub(sent);
        let judged = match http.send_within(patience, shot.request).await {
            Ok(answer) => scenario.judge(turn, shot.lease, &answer),
            Err(failure) => {
                scenario.lost(turn, shot.lease);
                Err(failure)
            }
        };
        if judged.is_ok() {
            steps.push((shot.step, start.elapsed().saturating_sub(sent)));
        }
        let outcome = match judged {
            Ok(Next::Send(next)) => {
                shot = *next;
                continue;
            }
            Ok(Next::Issued(tokens)) => Ok(Some(tokens)),
            Ok(Next::Done) => Ok(None),
            Err(why) => Err(why),
        };
        return Performed { steps, outcome };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::http::Answer;
    use crate::bench::scenario::{Lease, Shot};
    use ::http::Request;
    use bytes::Bytes;
    use http_body_util::Full;
    use std::num::NonZeroU32;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    struct Get(String);

    impl Scenario for Get {
        fn shot(&self, _turn: u64) -> Result<Shot, Failure> {
            let request = Request::get(&self.0).body(Full::new(Bytes::new())).unwrap();
            Ok(Shot { step: "get", request, lease: Lease::Nothing })
        }

        fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<Next, Failure> {
            answer.parse::<Vec<u8>>("a list").map(|_| Next::Done)
        }
    }

    /// Answers each request on each connection with `[1]`.
    async fn serve() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]";
                        stream.write_all(answer).await.unwrap();
                    }
                });
            }
        });
        format!("http://{address}/")
    }

    fn load(uri: String, schedule: Schedule, interrupt: Interrupt) -> Load {
        Load {
            schedule,
            connections: 4,
            http: Arc::new(Http::new(4, None).unwrap()),
            scenario: Arc::new(Get(uri)),
            interrupt,
            progress: ProgressBar::hidden(),
        }
    }

    fn schedule(warmup_ms: u64, measured_ms: u64) -> Schedule {
        let ms = Duration::from_millis;
        Schedule::new(NonZeroU32::new(500).unwrap(), ms(warmup_ms), ms(measured_ms)).unwrap()
    }

    #[tokio::test]
    async fn every_measured_turn_is_counted_once() {
        let schedule = schedule(50, 100);
        let (_nobody, interrupt) = Interrupt::by_hand();
        let slice = run(load(serve().await, schedule, interrupt)).await;
        assert_eq!(slice.tally.failures().len(), 0);
        assert_eq!((slice.tally.succeeded(), slice.due), (50, 50));
        assert_eq!(slice.tally.steps().get("get").unwrap().len(), 50);
        // Open loop: it cannot end before the last turn falls due.
        assert!(slice.tally.last() >= schedule.due(schedule.turns() - 1).unwrap().0);
        assert!(slice.took >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_count_and_not_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let (_nobody, interrupt) = Interrupt::by_hand();
        let slice = run(load(uri, schedule(0, 100), interrupt)).await;
        assert_eq!(slice.tally.failures().get("no connection"), Some(&50));
    }

    #[tokio::test]
    async fn an_interruption_keeps_what_was_measured() {
        let (hand, interrupt) = Interrupt::by_hand();
        let load = load(serve().await, schedule(0, 3_600_000), interrupt);
        let progress = load.progress.clone();
        let running = tokio::spawn(run(load));
        while progress.position() < 20 {
            tokio::task::yield_now().await;
        }
        hand.send_replace(true);
        let slice = running.await.unwrap();
        assert!(slice.tally.succeeded() >= 20, "{}", slice.tally.succeeded());
        assert_eq!(slice.tally.over(), slice.due, "each turn that fell due is accounted for");
        assert!(slice.took < Duration::from_mins(1));
    }
}

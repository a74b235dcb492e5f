//! Sends what falls due, on connections that take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::{Failure, Http, TIMEOUT};
use super::scenario::Scenario;
use super::schedule::{Phase, Schedule};
use super::tally::{Tally, Times};

/// How much to send, and whether anybody watches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) schedule: Schedule,
    pub(super) connections: u16,
    pub(super) quiet: bool,
}

/// What the connections share.
struct Run {
    schedule: Schedule,
    http: Http,
    scenario: Arc<dyn Scenario>,
    start: Instant,
    /// A permit for each turn that has fallen due.
    due: Semaphore,
    next: AtomicU64,
    over: AtomicU64,
}

/// Ends by itself at most twice [`TIMEOUT`] after the last turn falls due.
pub(super) async fn run(load: Load, http: Http, scenario: Arc<dyn Scenario>) -> Tally {
    let run = Arc::new(Run {
        schedule: load.schedule,
        http,
        scenario,
        start: Instant::now(),
        due: Semaphore::new(0),
        next: AtomicU64::new(0),
        over: AtomicU64::new(0),
    });
    let clock = thread::spawn({
        let run = Arc::clone(&run);
        move || run.keep_time(load.connections)
    });
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        connections.spawn(Arc::clone(&run).work());
    }
    let progress = tokio::spawn(Arc::clone(&run).show(load.quiet));
    let mut tally = Tally::new();
    while let Some(counted) = connections.join_next().await {
        tally.add(&counted.expect("a connection neither panics nor is aborted"));
    }
    progress.abort();
    // It has ended before the connections could.
    clock.join().expect("the clock does not panic");
    tally
}

impl Run {
    /// Releases each turn when it falls due.
    ///
    /// On a thread of its own: the runtime's timer rounds to a millisecond, which would be most of
    /// what is measured.
    fn keep_time(&self, connections: u16) {
        for turn in 0.. {
            let Some((due, _)) = self.schedule.due(turn) else { break };
            thread::sleep(due.saturating_sub(self.start.elapsed()));
            self.due.add_permits(1);
        }
        // One turn past the end for each connection: how it learns that it is over.
        self.due.add_permits(usize::from(connections));
    }

    /// One connection: takes the next turn whenever it is free.
    async fn work(self: Arc<Self>) -> Tally {
        let mut tally = Tally::new();
        loop {
            self.due.acquire().await.expect("it is never closed").forget();
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((due, phase)) = self.schedule.due(turn) else { return tally };
            let sent = self.start.elapsed();
            let outcome = self.shoot(turn, sent.saturating_sub(due)).await;
            self.over.fetch_add(1, Ordering::Relaxed);
            if phase == Phase::Measured {
                tally.record(Times { due, sent, done: self.start.elapsed() }, outcome);
            }
        }
    }

    /// A turn that waited too long for a connection is given up. One that is sent has its full
    /// time: breaking it off early would cost the server a connection, and that would be our doing.
    async fn shoot(&self, turn: u64, waited: Duration) -> Result<(), Failure> {
        if waited >= TIMEOUT {
            return Err(Failure::Overdue);
        }
        let shot = self.scenario.shot(turn)?;
        match self.http.send(shot.request).await {
            Ok(answer) => self.scenario.judge(turn, shot.lease, &answer),
            Err(failure) => {
                self.scenario.lost(turn, shot.lease);
                Err(failure)
            }
        }
    }

    /// Progress on stderr; indicatif draws nothing where nobody can watch.
    async fn show(self: Arc<Self>, quiet: bool) {
        let bar = ProgressBar::new(self.schedule.turns());
        if quiet {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {per_sec}");
        bar.set_style(style.expect("the template is well formed"));
        loop {
            bar.set_position(self.over.load(Ordering::Relaxed));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
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
            Ok(Shot { request, lease: None })
        }

        fn judge(&self, _turn: u64, _lease: Lease, answer: &Answer) -> Result<(), Failure> {
            answer.parse::<Vec<u8>>("a list").map(drop)
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

    async fn go(uri: String, warmup_ms: u64) -> (Schedule, Tally) {
        let ms = Duration::from_millis;
        let rate = NonZeroU32::new(500).unwrap();
        let schedule = Schedule::new(rate, ms(warmup_ms), ms(100)).unwrap();
        let load = Load { schedule, connections: 4, quiet: true };
        let tally = run(load, Http::new(4, None).unwrap(), Arc::new(Get(uri))).await;
        (schedule, tally)
    }

    #[tokio::test]
    async fn every_measured_turn_is_counted_once() {
        let (schedule, tally) = go(serve().await, 50).await;
        assert_eq!(tally.failures().len(), 0);
        assert_eq!(tally.succeeded(), schedule.measured_turns());
        assert_eq!(schedule.measured_turns(), 50);
        // Open loop: it cannot end before the last turn falls due.
        assert!(tally.last() >= schedule.due(schedule.turns() - 1).unwrap().0);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_count_and_not_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let (schedule, tally) = go(uri, 0).await;
        assert_eq!(tally.failures().get("no connection"), Some(&schedule.measured_turns()));
    }
}

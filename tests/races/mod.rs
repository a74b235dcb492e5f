//! Many at once, and the program killed, starved or locked out at the worst moment.

mod code;
mod crash;
mod master_key;
mod postgres;
mod refresh;
mod storage;
mod upgrade;

use std::sync::Barrier;

/// Runs the same thing on `count` threads that start together, each over its own connection.
fn together<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let (act, barrier) = (&act, &barrier);
        let racers: Vec<_> = (0..count)
            .map(|n| {
                scope.spawn(move || {
                    barrier.wait();
                    act(n)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().expect("a racer ends")).collect()
    })
}

//! Runs many schedules: `cargo xtask sim [--schedules N] [--seed S] [--jobs J]`.
//!
//! `SEED=S` in the environment runs that one and tells every step; `FAULT=before:N` or
//! `FAULT=after:N` beside it lets the Nth verb of the store fail in an otherwise calm run.
#![expect(clippy::print_stdout, reason = "a command line program")]

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use keywright_sim::{Moment, Outcome, Schedule, Template};

const SCHEDULES_DEFAULT: u64 = 10_000;
/// Where no bar can be drawn, a line after so many.
const SCHEDULES_TOLD: u64 = 50_000;
/// After so many failures the rest would say the same.
const FAILURES_MAX: usize = 10;

struct Options {
    schedules: u64,
    first_seed: u64,
    /// Threads; 0 is one for each processor.
    jobs: u64,
}

fn main() -> ExitCode {
    if let Ok(seed) = std::env::var("SEED") {
        let fault = std::env::var("FAULT").ok();
        let wrong = fault.as_deref().is_some_and(|fault| parse_fault(fault).is_none());
        let fault = fault.as_deref().and_then(parse_fault);
        return match seed.parse() {
            Ok(seed) if !wrong => replay(Schedule { fault, ..Schedule::of_seed(seed) }),
            _ => {
                println!("usage: SEED=NUMBER [FAULT=before:N|after:N] keywright-sim");
                ExitCode::from(2)
            }
        };
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    match options(&words) {
        Some(options) => search(&options),
        None => {
            println!("usage: keywright-sim [--schedules N] [--seed S] [--jobs J]");
            ExitCode::from(2)
        }
    }
}

fn options(words: &[String]) -> Option<Options> {
    // Fresh seeds each time: the library's own hashing is seeded by the system.
    let fresh = RandomState::new().hash_one("first seed") >> 16;
    let mut options = Options { schedules: SCHEDULES_DEFAULT, first_seed: fresh, jobs: 0 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let number = words.next()?.parse().ok()?;
        match word.as_str() {
            "--schedules" => options.schedules = number,
            "--jobs" => options.jobs = number,
            "--seed" => options.first_seed = number,
            _ => return None,
        }
    }
    Some(options)
}

fn parse_fault(fault: &str) -> Option<(u64, Moment)> {
    let (moment, verb) = fault.split_once(':')?;
    let moment = match moment {
        "after" => Moment::After,
        "before" => Moment::Before,
        _ => return None,
    };
    Some((verb.parse().ok()?, moment))
}

fn replay(schedule: Schedule) -> ExitCode {
    let seed = schedule.seed;
    let (verdict, trace) = schedule.trace(&Template::new());
    for line in trace {
        println!("{line}");
    }
    match verdict {
        Ok(outcome) => {
            println!("seed {seed}: nothing found; {outcome:?}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("seed {seed}: {violation}");
            ExitCode::FAILURE
        }
    }
}

/// What all threads have done together.
#[derive(Default)]
struct Sum {
    schedules: u64,
    verbs: u64,
    faults: u64,
    calls: u64,
    issued: usize,
    failures: usize,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.schedules += 1;
        self.verbs += outcome.verbs;
        self.faults += outcome.faults;
        self.calls += outcome.calls;
        self.issued += outcome.issued;
    }
}

fn search(options: &Options) -> ExitCode {
    let template = Template::new();
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} schedules, {per_sec}, {eta} to go");
    let bar = ProgressBar::new(options.schedules);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    // Each schedule is one thread's; the schedules share nothing but the template.
    let threads = match usize::try_from(options.jobs) {
        Ok(0) | Err(_) => std::thread::available_parallelism().map_or(1, usize::from),
        Ok(jobs) => jobs,
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(options, &template, &next, &sum, &bar));
        }
    });
    bar.finish_and_clear();
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let first = options.first_seed;
    println!(
        "{} schedules from seed {first}: {} calls, {} verbs, {} faults injected, {} credentials \
         issued, {} failures",
        sum.schedules, sum.calls, sum.verbs, sum.faults, sum.issued, sum.failures
    );
    if sum.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(
    options: &Options,
    template: &Template,
    next: &AtomicU64,
    sum: &Mutex<Sum>,
    bar: &ProgressBar,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.schedules {
            return;
        }
        let seed = options.first_seed.wrapping_add(number);
        let verdict = Schedule::of_seed(seed).run(template);
        let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match verdict {
            Ok(outcome) => sum.add(&outcome),
            Err(failure) => {
                bar.suspend(|| println!("{failure}\n"));
                sum.failures += 1;
            }
        }
        if bar.is_hidden() && sum.schedules.is_multiple_of(SCHEDULES_TOLD) {
            println!("{} of {} schedules", sum.schedules, options.schedules);
        }
        if sum.failures >= FAILURES_MAX {
            next.store(options.schedules, Ordering::Relaxed);
        }
        drop(sum);
        bar.inc(1);
    }
}

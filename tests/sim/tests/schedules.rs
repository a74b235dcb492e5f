//! A bounded number of schedules for every run of the tests, and the proof that they could fail.

use std::hash::{BuildHasher, RandomState};

use keywright_sim::{Invariant, Moment, Sabotage, Schedule, Template};

/// How many fresh seeds a run of the tests draws.
const FRESH: u64 = 400;
/// The first so many seeds are run each time.
const FIXED: u64 = 150;

/// Seeds that have found something.
const KNOWN: [u64; 2] = [504_178, 833_782_303_085];

#[track_caller]
fn holds(template: &Template, schedule: Schedule) -> u64 {
    match schedule.run(template) {
        Ok(outcome) => outcome.verbs,
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn fixed_seeds_find_nothing() {
    let template = Template::new();
    for seed in (0..FIXED).chain(KNOWN) {
        holds(&template, Schedule::of_seed(seed));
    }
}

#[test]
fn fresh_seeds_find_nothing() {
    let template = Template::new();
    let first = RandomState::new().hash_one("first seed") >> 16;
    for seed in first..first + FRESH {
        holds(&template, Schedule::of_seed(seed));
    }
}

/// The same seed gives the same run, to the last byte of the trace and of the audit log.
#[test]
fn a_seed_is_a_run() {
    let (one, other) = (Template::new(), Template::new());
    for seed in 0..20 {
        let schedule = Schedule::of_seed(seed);
        assert_eq!(schedule.trace(&one), schedule.trace(&other), "seed {seed}");
    }
    let different = Schedule::of_seed(1).trace(&one).1 != Schedule::of_seed(2).trace(&one).1;
    assert!(different, "another seed is another run");
}

/// In one calm run, each verb of the store fails once, before it commits and after.
#[test]
fn one_fault_at_every_verb_of_a_run() {
    let template = Template::new();
    let calm = Schedule { fault: Some((u64::MAX, Moment::Before)), ..Schedule::of_seed(7) };
    let verbs = holds(&template, calm);
    assert!(verbs > 50, "{verbs} verbs are no run");
    for verb in 1..=verbs {
        for moment in [Moment::Before, Moment::After] {
            holds(&template, Schedule { fault: Some((verb, moment)), ..calm });
        }
    }
}

/// Runs seeds over a broken store until one finds what is wrong; others may find what comes of it.
#[track_caller]
fn finds(sabotage: Sabotage, wanted: Invariant, beside: &[Invariant]) {
    const SEEDS_MAX: u64 = 400;
    let template = Template::new();
    for seed in 0..SEEDS_MAX {
        let schedule = Schedule { sabotage: Some(sabotage), ..Schedule::of_seed(seed) };
        let Err(failure) = schedule.run(&template) else { continue };
        let found = failure.violation.invariant;
        assert!(failure.to_string().contains(&format!("SEED={seed}")), "how to see it again");
        if found == wanted {
            assert!(failure.to_string().starts_with(wanted.name()));
            return;
        }
        assert!(beside.contains(&found), "{sabotage:?}: {failure}");
    }
    panic!("{sabotage:?} was not found in {SEEDS_MAX} schedules");
}

#[test]
fn a_code_that_can_be_redeemed_twice_is_found() {
    finds(Sabotage::CodeTwice, Invariant::OnceOnly, &[Invariant::StaysRevoked]);
}

#[test]
fn a_lost_family_is_found() {
    finds(Sabotage::FamilyLost, Invariant::NothingLost, &[]);
}

#[test]
fn a_revocation_that_is_not_done_is_found() {
    finds(Sabotage::RevocationDropped, Invariant::StaysRevoked, &[]);
}

#[test]
fn a_revocation_that_is_not_told_is_found() {
    finds(Sabotage::RevocationNotTold, Invariant::StaysRevoked, &[]);
}

#[test]
fn a_second_leaf_is_found() {
    finds(Sabotage::StaleFamily, Invariant::OneLeaf, &[Invariant::NothingLost]);
}

#[test]
fn a_key_that_is_not_withdrawn_is_found() {
    let also = [Invariant::HonestFault, Invariant::NothingLost];
    finds(Sabotage::KeysNotTold, Invariant::KnownKey, &also);
}

#[test]
fn a_scope_that_grows_is_found() {
    finds(Sabotage::ScopeGrows, Invariant::NarrowScope, &[]);
}

#[test]
fn another_password_is_found() {
    finds(Sabotage::OtherPassword, Invariant::Bound, &[Invariant::NothingLost]);
}

#[test]
fn a_sign_out_that_is_not_done_is_found() {
    finds(Sabotage::SignOutDropped, Invariant::StaysRevoked, &[]);
}

#[test]
fn a_sign_out_that_takes_too_much_is_found() {
    finds(Sabotage::SignOutTakesAll, Invariant::NothingLost, &[]);
}

#[test]
fn a_consent_that_keeps_what_was_left_out_is_found() {
    finds(Sabotage::ConsentKept, Invariant::StaysRevoked, &[]);
}

#[test]
fn a_consent_that_nobody_gave_is_found() {
    finds(Sabotage::ConsentGrows, Invariant::NarrowScope, &[]);
}

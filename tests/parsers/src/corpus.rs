//! The targets without a fuzzer: every example, its neighbours, and noise.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::{TARGETS, Target, Verdict};

const CASES: u32 = 10_000;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The examples of one target; some must be accepted, or its assertions are never reached.
fn examples(name: &str) -> Vec<Vec<u8>> {
    let folder = corpus().join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let examples: Vec<_> = paths.into_iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!examples.is_empty(), "{name} has examples");
    examples
}

/// One change such as a fuzzer makes.
#[derive(Clone, Debug)]
enum Change {
    Cut(usize),
    Drop(usize),
    Insert(usize, Vec<u8>),
    Overwrite(usize, u8),
    Repeat(usize, usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |place: &usize| place % (bytes.len() + 1);
        match self {
            Self::Cut(place) => bytes.truncate(at(place)),
            Self::Drop(place) => {
                let place = at(place);
                if place < bytes.len() {
                    bytes.remove(place);
                }
            }
            Self::Insert(place, what) => {
                let place = at(place);
                bytes.splice(place..place, what.iter().copied());
            }
            Self::Overwrite(place, what) => {
                let place = at(place);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = *what;
                }
            }
            Self::Repeat(from, to) => {
                let (from, to) = (at(from).min(at(to)), at(from).max(at(to)));
                let piece = bytes[from..to].to_vec();
                bytes.splice(to..to, piece);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let word = select(vec![
        "&", "=", "%", "%00", "+", ".", "..", "/", "//", "@", "#", "?", ":", "\"", "{", "}", "[",
        "]", ",", "null", "-1", "1e999", "\\u0000", "\u{feff}", "=\n", " ", "A", "_", "https://",
    ]);
    let place = || any::<usize>();
    prop_oneof![
        place().prop_map(Change::Cut),
        place().prop_map(Change::Drop),
        (place(), word).prop_map(|(at, word)| Change::Insert(at, word.as_bytes().to_vec())),
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Overwrite(at, byte)),
        (place(), place()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn neighbours(examples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changed = (select(examples), prop::collection::vec(change(), 1..6));
    let changed = changed.prop_map(|(mut bytes, changes)| {
        for change in changes {
            change.apply(&mut bytes);
        }
        bytes
    });
    prop_oneof![9 => changed, 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

fn run(name: &str, target: Target) {
    let examples = examples(name);
    for example in &examples {
        let _either = target(example);
    }
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let ended = TestRunner::new(config).run(&neighbours(examples), |bytes| {
        let _either = target(&bytes);
        Ok(())
    });
    if let Err(why) = ended {
        panic!("{name}: {why}");
    }
}

#[test]
fn every_target_holds_near_its_examples() {
    for (name, target) in TARGETS {
        run(name, target);
    }
}

#[test]
fn every_target_is_fuzzed_and_every_folder_is_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = |folder: &str, ending: &str| -> BTreeSet<String> {
        let files = fs::read_dir(corpus().join(folder)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| Some(name.strip_suffix(ending)?.to_owned())).collect()
    };
    assert_eq!(names(".", ""), targets, "fuzz/corpus");
    assert_eq!(names("../fuzz_targets", ".rs"), targets, "fuzz/fuzz_targets");
    let manifest = fs::read_to_string(corpus().join("../Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} in fuzz/Cargo.toml");
    }
}

/// An assertion behind a parser that refuses everything proves nothing.
#[test]
fn the_examples_reach_both_verdicts() {
    for (name, target) in TARGETS {
        let verdicts: Vec<_> = examples(name).iter().map(|example| target(example)).collect();
        for want in [Verdict::Accepted, Verdict::Refused] {
            assert!(verdicts.contains(&want), "{name}: no example is {want:?}");
        }
    }
}

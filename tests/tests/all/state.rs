//! The store: what is current, who is let in, what changed, and readers that never see a mixture.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use driven::state::{Changes, RuleStore};
use driven::{Digest, PackBuf, SharedPack};
use driven_format::patch::diff;
use driven_format::{PackBuilder, Rule};
use driven_tests::samples::{key, small_signed};

/// Ten rules, of which two say the version: what a reader sees must agree in itself.
fn pack(version: u64) -> Vec<u8> {
    let mut builder = PackBuilder::new("house", version);
    for number in 0..10 {
        let body =
            if number % 5 == 0 { format!("Version {version}.\n") } else { format!("Rule {number}.\n") };
        builder = builder.rule(Rule::new(format!("rule-{number}"), body));
    }
    builder.finish().unwrap()
}

fn shared(bytes: &[u8]) -> SharedPack {
    SharedPack::prove(PackBuf::from_vec(bytes.to_vec()).unwrap()).unwrap()
}

fn step(from: u64, to: u64) -> Vec<u8> {
    diff(&pack(from), &pack(to)).unwrap().patch
}

#[test]
fn a_patch_a_pack_and_the_way_back() {
    let store = RuleStore::open_to_all(shared(&pack(1))).keep(2);
    let version = |store: &RuleStore| store.load().pack().manifest().version();
    let held = store.load();
    assert_eq!(store.apply(&step(1, 2)).unwrap(), 2);
    assert_eq!(store.replace(shared(&pack(7))).unwrap(), 3);
    assert_eq!((version(&store), store.generation()), (7, 3));
    // What is held stays what it is.
    assert_eq!((held.pack().manifest().version(), held.generation()), (1, 1));
    assert_eq!(store.rollback(2).unwrap(), 4);
    assert_eq!((version(&store), store.load().pack().as_bytes()), (2, &pack(2)[..]));
    assert_eq!(store.generations().collect::<Vec<_>>(), [2, 3]);
    let err = store.rollback(1).unwrap_err();
    assert_eq!((err.code(), err.hint().is_empty()), ("no-generation", false));
    // A patch for what is not current changes nothing.
    assert_eq!(store.apply(&step(1, 2)).unwrap_err().code(), "patch-base");
    assert_eq!(store.generation(), 4);
}

#[test]
fn who_is_not_let_in_is_never_seen() {
    let public = key().public_key();
    let store = RuleStore::new(shared(&small_signed()), move |pack| pack.verify(&public).map(drop));
    let unsigned = pack(9);
    let patch = diff(&small_signed(), &unsigned).unwrap().patch;
    assert_eq!(store.apply(&patch).unwrap_err().code(), "unsigned");
    assert_eq!(store.replace(shared(&unsigned)).unwrap_err().code(), "unsigned");
    let signed = driven_build::sign_pack(&unsigned, &key(), 0).unwrap();
    let patch = diff(&small_signed(), &signed).unwrap().patch;
    assert_eq!(store.generation(), 1);
    assert_eq!(store.apply(&patch).unwrap(), 2);
    assert_eq!(store.load().pack().as_bytes(), signed);
}

#[test]
fn nobody_waits_for_a_judge_but_who_asked_it() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let (answer, answered) = std::sync::mpsc::channel();
    let answered = std::sync::Mutex::new(answered);
    let store = RuleStore::new(shared(&pack(1)), move |_| {
        asked.send(()).unwrap();
        answered.lock().unwrap().recv().unwrap();
        Ok(())
    });
    thread::scope(|threads| {
        let writer = threads.spawn(|| store.apply(&step(1, 2)).unwrap());
        is_asked.recv_timeout(Duration::from_mins(1)).unwrap();
        assert_eq!((store.load().generation(), store.generations().count()), (1, 0));
        assert_eq!(store.changes_since(1).unwrap().changed.len(), 0);
        assert!(store.subscribe().wait(Duration::from_millis(1)).is_none());
        answer.send(()).unwrap();
        assert_eq!(writer.join().unwrap(), 2);
    });
}

#[test]
fn changes_are_told_by_row() {
    let store = RuleStore::open_to_all(shared(&pack(1)));
    let mut told = store.subscribe();
    assert!(told.poll().is_none() && told.wait(Duration::ZERO).is_none());
    store.apply(&step(1, 2)).unwrap();
    let mut builder = PackBuilder::new("house", 3).rule(Rule::new("added", "New.\n"));
    for number in 0..9 {
        builder = builder.rule(Rule::new(format!("rule-{number}"), format!("Rule {number}.\n")));
    }
    store.replace(shared(&builder.finish().unwrap())).unwrap();

    let ids = |changes: &Changes, of: &driven::state::RowSet, store: &driven::Pack<'_>| -> Vec<String> {
        assert!(!changes.is_empty());
        of.iter().map(|row| store.rules().nth(row as usize).unwrap().id().to_owned()).collect()
    };
    let update = told.poll().unwrap();
    assert_eq!((update.before.generation(), update.now.generation()), (1, 3));
    let changes = &update.changes;
    assert_eq!(ids(changes, &changes.added, &update.now.pack()), ["added"]);
    assert_eq!(ids(changes, &changes.removed, &update.before.pack()), ["rule-9"]);
    assert_eq!(ids(changes, &changes.changed, &update.now.pack()), ["rule-0", "rule-5"]);
    assert_eq!(
        (changes.changed.len(), changes.changed.contains(1), changes.changed.contains(900)),
        (2, true, false)
    );
    assert_eq!(store.changes_since(1).as_ref(), Some(changes));
    assert!(store.changes_since(3).unwrap().is_empty());
    assert_eq!((store.changes_since(0), store.changes_since(4)), (None, None));
    assert!(told.poll().is_none());
}

#[test]
fn whoever_waits_is_woken() {
    let store = Arc::new(RuleStore::open_to_all(shared(&pack(1))));
    let waits = Arc::new(AtomicBool::new(false));
    let waiter = {
        let (store, waits) = (Arc::clone(&store), Arc::clone(&waits));
        thread::spawn(move || {
            let mut told = store.subscribe();
            waits.store(true, Ordering::Release);
            // Far longer than it takes: what is asserted is that it ends with an update.
            told.wait(Duration::from_mins(10)).map(|update| update.now.generation())
        })
    };
    while !waits.load(Ordering::Acquire) {
        thread::yield_now();
    }
    store.apply(&step(1, 2)).unwrap();
    assert_eq!(waiter.join().unwrap(), Some(2));
}

#[test]
fn readers_never_see_a_mixture() {
    const SWAPS: u64 = 400;
    let versions: Vec<Vec<u8>> = (1..=4).map(pack).collect();
    let digests: Vec<Digest> = versions.iter().map(|bytes| shared(bytes).as_pack().digest()).collect();
    let steps: Vec<Vec<u8>> = (1..=4).map(|from| step(from, from % 4 + 1)).collect();
    let store = RuleStore::open_to_all(shared(&versions[0]));
    let (done, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut reader = store.reader();
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let generation = reader.generation();
                    assert!(generation >= last, "it went from {last} back to {generation}");
                    last = generation;
                    let pack = reader.pack();
                    let version = pack.manifest().version();
                    assert_eq!(pack.digest(), digests[version as usize - 1]);
                    let said = format!("Version {version}.\n");
                    assert_eq!(pack.rule("rule-0").unwrap().body(), said);
                    assert_eq!(pack.rule("rule-5").unwrap().body(), said);
                    if looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
                        pack.prove().unwrap();
                    }
                }
            });
        }
        for swap in 0..SWAPS {
            if swap % 8 == 7 {
                // Back by two, and on again, so that old versions come under new numbers.
                let generation = store.generation();
                store.rollback(generation - 2).unwrap();
            } else {
                let version = store.load().pack().manifest().version() as usize;
                store.apply(&steps[version - 1]).unwrap();
            }
            while looks.load(Ordering::Relaxed) < swap as usize {
                thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(store.generation(), SWAPS + 1);
    assert!(looks.load(Ordering::Relaxed) as u64 >= SWAPS);
}

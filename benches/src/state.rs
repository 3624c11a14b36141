//! What it costs to look at a pack that is updated meanwhile.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use driven::state::RuleStore;
use driven::{PackBuf, SharedPack};

use crate::data::Set;
use crate::harness::{Timed, contestant, race};
use crate::report::{Report, time};

/// How many looks are timed at once: one is shorter than what it takes to time it.
const LOOKS: usize = 100;
/// How often the writer swaps: a thousand times a second.
const PAUSE: Duration = Duration::from_millis(1);

pub fn report(whole: &Set, report: &mut Report) {
    report.heading(
        "State",
        "One look at the current pack of a store, by a thread that has looked before: alone, and while another thread \
         swaps packs a thousand times a second.",
    );
    let shared =
        |bytes: &[u8]| PackBuf::from_vec(bytes.to_vec()).and_then(SharedPack::prove).expect("a pack");
    let packs = [shared(&whole.pack), shared(&whole.pack)];
    let store = RuleStore::open_to_all(packs[0].clone());
    let swap = ArcSwap::from_pointee(packs[0].clone());
    let lock = RwLock::new(Arc::new(packs[0].clone()));

    let quiet = looks(&store, &swap, &lock, &packs[0]);
    let stop = AtomicBool::new(false);
    let busy = thread::scope(|threads| {
        threads.spawn(|| {
            for next in packs.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                store.replace(next.clone()).expect("everybody is let in");
                swap.store(Arc::new(next.clone()));
                *lock.write().expect("nobody panics") = Arc::new(next.clone());
                thread::sleep(PAUSE);
            }
        });
        let busy = looks(&store, &swap, &lock, &packs[0]);
        stop.store(true, Ordering::Relaxed);
        busy
    });
    let rows: Vec<Vec<String>> = quiet
        .iter()
        .zip(&busy)
        .map(|(quiet, busy)| vec![quiet.name.clone(), time(one(quiet)), time(one(busy))])
        .collect();
    report.table("one look", &["", "alone", "while packs are swapped"], &rows);
    report.at_most("a look through a reader, ns", 1.5, one(&quiet[0]));
    report.at_most("a look through a reader while packs are swapped, ns", 1.5, one(&busy[0]));
}

fn looks(
    store: &RuleStore,
    swap: &ArcSwap<SharedPack>,
    lock: &RwLock<Arc<SharedPack>>,
    still: &SharedPack,
) -> Vec<Timed> {
    let mut reader = store.reader();
    let mut cache = Cache::new(swap);
    race(vec![
        contestant("`Reader::pack`", || many(|| black_box(&mut reader).pack().len())),
        contestant("`RuleStore::load`", || many(|| black_box(store).load().pack().len())),
        contestant("`arc_swap::Cache::load`", || many(|| black_box(&mut cache).load().as_pack().len())),
        contestant("a pack that nobody updates", || many(|| black_box(still).as_pack().len())),
        contestant("`ArcSwap::load`", || many(|| black_box(swap).load().as_pack().len())),
        contestant("`RwLock<Arc>`, cloned", || {
            many(|| Arc::clone(&black_box(lock).read().expect("nobody panics")).as_pack().len())
        }),
    ])
}

fn many(mut look: impl FnMut() -> usize) -> usize {
    (0..LOOKS).map(|_| look()).sum()
}

/// How long one look takes, in nanoseconds.
fn one(timed: &Timed) -> f64 {
    timed.median() / LOOKS as f64
}

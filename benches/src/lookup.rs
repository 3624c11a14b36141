//! One rule by its id, in a set that is open.

use std::collections::HashMap;
use std::hint::black_box;

use driven::Pack;

use crate::data::Set;
use crate::harness::{Timed, contestant, race};
use crate::report::Report;

#[derive(rkyv::Archive, rkyv::Serialize)]
struct Index {
    rows: HashMap<String, u32>,
}

/// Every id in turn, in an order that caches can't guess.
pub fn by_id(set: &Set) -> Vec<Timed> {
    let pack = Pack::open(&set.pack).expect("it was written");
    let ids = shuffled(set);
    let rows: HashMap<String, u32> =
        set.facts.iter().enumerate().map(|(row, rule)| (rule.id.clone(), row as u32)).collect();
    let std_index: HashMap<&str, u32> = rows.iter().map(|(id, row)| (id.as_str(), *row)).collect();
    let bytes =
        rkyv::to_bytes::<rkyv::rancor::Error>(&Index { rows: rows.clone() }).expect("an index is rkyv");
    let index = rkyv::access::<ArchivedIndex, rkyv::rancor::Error>(&bytes).expect("it was written");
    let rules = crate::load::archived(&set.rkyv);
    let (mut a, mut b, mut c) = (0, 0, 0);
    let next = |at: &mut usize| {
        *at = if *at + 1 == ids.len() { 0 } else { *at + 1 };
        black_box(ids[*at].as_str())
    };
    race(vec![
        contestant("driven, perfect hash", || {
            pack.rule(next(&mut a)).map_or(0, |rule| rule.priority().into())
        }),
        contestant("rkyv, hash map", || {
            let row = index.rows.get(next(&mut b)).map_or(0, |row| row.to_native() as usize);
            rules[row].priority.into()
        }),
        contestant("std, hash map", || {
            let row = std_index.get(next(&mut c)).map_or(0, |&row| row as usize);
            set.facts[row].priority.into()
        }),
    ])
}

fn shuffled(set: &Set) -> Vec<String> {
    let mut ids: Vec<String> = set.facts.iter().map(|rule| rule.id.clone()).collect();
    let mut state = 1_u64;
    for last in (1..ids.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ids.swap(last, (state >> 33) as usize % (last + 1));
    }
    ids
}

/// Both sets.
pub fn report(twenty: &Set, whole: &Set, report: &mut Report) {
    report.heading(
        "One rule by its id",
        "In a set that is open: the rule is found and its priority read, every id in turn.",
    );
    for set in [twenty, whole] {
        let timed = by_id(set);
        report.times(&format!("by id, {}", set.name), &timed);
        report.at_least(
            &format!("look-up by id, {}, against rkyv's hash map", set.name),
            1.0,
            timed[1].over(&timed[0]),
        );
    }
}

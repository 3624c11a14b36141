//! Opening: from bytes in memory to rules that can be read.

use std::hint::black_box;

use driven::{LazyPack, Pack, RuleView};

use crate::data::{ArchivedFacts, ArchivedKind, Borrowed, Facts, FromJson, Set, walk};
use crate::flat;
use crate::harness::{Timed, contestant, race};
use crate::report::Report;

// The frozen pack of the tests: what a program embeds is ready whatever its size.
driven::include_rules!(mod embedded_rules, file = "../tests/packs/v1/small.drv");

/// Reads every field of a rule of ours.
pub fn walk_view(rule: &RuleView<'_>) -> usize {
    let list = |list: driven::StrList<'_>| list.iter().map(str::len).sum::<usize>();
    rule.id().len()
        + rule.description().len()
        + usize::from(rule.activation().code())
        + list(rule.globs())
        + usize::from(rule.priority())
        + rule.category().map_or(0, |category| usize::from(category.code()))
        + list(rule.tags())
        + list(rule.languages())
        + rule.when().len()
        + list(rule.targets())
        + list(rule.requires())
        + list(rule.conflicts())
        + list(rule.replaces())
        + usize::from(rule.capabilities().bits())
        + rule.body().len()
        + rule
            .outline()
            .map(|node| {
                node.kind as usize + usize::from(node.level) + node.start as usize + node.len as usize
            })
            .sum::<usize>()
}

fn walk_archived(rule: &ArchivedFacts) -> usize {
    let list = |list: &rkyv::vec::ArchivedVec<rkyv::string::ArchivedString>| {
        list.iter().map(|text| text.len()).sum::<usize>()
    };
    rule.id.len()
        + rule.description.len()
        + usize::from(rule.activation)
        + list(&rule.globs)
        + usize::from(rule.priority)
        + usize::from(rule.category)
        + list(&rule.tags)
        + list(&rule.languages)
        + rule.when.len()
        + list(&rule.targets)
        + list(&rule.requires)
        + list(&rule.conflicts)
        + list(&rule.replaces)
        + usize::from(rule.capabilities)
        + rule.body.len()
        + rule
            .outline
            .iter()
            .map(|node| {
                kind_number(&node.kind)
                    + usize::from(node.level)
                    + node.start.to_native() as usize
                    + node.len.to_native() as usize
            })
            .sum::<usize>()
}

fn kind_number(kind: &ArchivedKind) -> usize {
    match kind {
        ArchivedKind::Section => 0,
        ArchivedKind::Title => 1,
        ArchivedKind::Bullet => 2,
        ArchivedKind::Numbered => 3,
    }
}

/// The rules as rkyv checks and gives them.
pub fn archived(bytes: &[u8]) -> &rkyv::vec::ArchivedVec<ArchivedFacts> {
    rkyv::access::<rkyv::vec::ArchivedVec<ArchivedFacts>, rkyv::rancor::Error>(bytes).expect("it was written")
}

/// Opening: what each rival does before any field can be read.
pub fn open(set: &Set) -> Vec<Timed> {
    race(vec![
        contestant("driven, opened lazily", || {
            LazyPack::open(black_box(&set.pack)).expect("it was written").len()
        }),
        contestant("driven, all text proved", || {
            Pack::open(black_box(&set.pack)).expect("it was written").len()
        }),
        contestant("rkyv, checked", || archived(black_box(&set.rkyv)).len()),
        contestant("bitcode, borrowed", || {
            bitcode::decode::<Vec<Borrowed<'_>>>(black_box(&set.bitcode)).expect("it was written").len()
        }),
        contestant("flatbuffers, verified", || flat::open(black_box(&set.flatbuffers)).len()),
        contestant("postcard, borrowed", || {
            postcard::from_bytes::<Vec<Borrowed<'_>>>(black_box(&set.postcard)).expect("it was written").len()
        }),
        contestant("sonic-rs, borrowed", || {
            sonic_rs::from_slice::<Vec<FromJson<'_>>>(black_box(&set.json)).expect("it was written").len()
        }),
        contestant("serde_json, owned", || {
            serde_json::from_slice::<Vec<Facts>>(black_box(&set.json)).expect("it was written").len()
        }),
    ])
}

/// Opening, and proving what [`driven::Pack`] proves: also that every range lies in its body and cuts no character.
pub fn prove_all(set: &Set) -> Vec<Timed> {
    let within = |body: &str, start: usize, len: usize| body.get(start..start + len).is_some();
    race(vec![
        contestant("driven, all proved", || Pack::open(black_box(&set.pack)).expect("it was written").len()),
        contestant("rkyv, checked", || archived(black_box(&set.rkyv)).len()),
        contestant("rkyv, checked, ranges checked", || {
            let rules = archived(black_box(&set.rkyv));
            let sound = rules.iter().all(|rule| {
                let mut ranges = rule.outline.iter();
                ranges.all(|node| {
                    within(&rule.body, node.start.to_native() as usize, node.len.to_native() as usize)
                })
            });
            usize::from(sound)
        }),
        contestant("bitcode, borrowed", || {
            bitcode::decode::<Vec<Borrowed<'_>>>(black_box(&set.bitcode)).expect("it was written").len()
        }),
        contestant("bitcode, borrowed, ranges checked", || {
            let rules =
                bitcode::decode::<Vec<Borrowed<'_>>>(black_box(&set.bitcode)).expect("it was written");
            let sound = |rule: &Borrowed<'_>| {
                rule.outline.iter().all(|node| within(rule.body, node.start as usize, node.len as usize))
            };
            usize::from(rules.iter().all(sound))
        }),
        contestant("serde_json, owned", || {
            serde_json::from_slice::<Vec<Facts>>(black_box(&set.json)).expect("it was written").len()
        }),
        contestant("serde_json, owned, ranges checked", || {
            let rules = serde_json::from_slice::<Vec<Facts>>(black_box(&set.json)).expect("it was written");
            let sound = |rule: &Facts| {
                rule.outline.iter().all(|node| within(&rule.body, node.start as usize, node.len as usize))
            };
            usize::from(rules.iter().all(sound))
        }),
    ])
}

/// Opening and reading every field of every rule.
pub fn read_all(set: &Set) -> Vec<Timed> {
    race(vec![
        contestant("driven, all text proved", || {
            let pack = Pack::open(black_box(&set.pack)).expect("it was written");
            pack.rules().map(|rule| walk_view(&rule)).sum()
        }),
        contestant("rkyv, checked", || archived(black_box(&set.rkyv)).iter().map(walk_archived).sum()),
        contestant("bitcode, borrowed", || {
            let rules =
                bitcode::decode::<Vec<Borrowed<'_>>>(black_box(&set.bitcode)).expect("it was written");
            rules.iter().map(|rule| walk!(rule)).sum()
        }),
        contestant("flatbuffers, verified", || {
            flat::open(black_box(&set.flatbuffers)).iter().map(|rule| rule.walk()).sum()
        }),
        contestant("postcard, borrowed", || {
            let rules =
                postcard::from_bytes::<Vec<Borrowed<'_>>>(black_box(&set.postcard)).expect("it was written");
            rules.iter().map(|rule| walk!(rule)).sum()
        }),
        contestant("sonic-rs, borrowed", || {
            let rules =
                sonic_rs::from_slice::<Vec<FromJson<'_>>>(black_box(&set.json)).expect("it was written");
            rules.iter().map(|rule| walk!(rule)).sum()
        }),
        contestant("serde_json, owned", || {
            let rules = serde_json::from_slice::<Vec<Facts>>(black_box(&set.json)).expect("it was written");
            rules.iter().map(|rule| walk!(rule)).sum()
        }),
    ])
}

/// What proofs beyond structure and text cost.
pub fn proofs(set: &Set) -> Vec<Timed> {
    let seed = zeroize::Zeroizing::new([7; 32]);
    let key = driven_format::trust::SecretKey::from_seed(&seed);
    let signed = driven_build::sign_pack(&set.pack, &key, 0).expect("a pack can be signed");
    let public = key.public_key();
    race(vec![
        contestant("open, all text proved", || Pack::open(black_box(&signed)).expect("in order").len()),
        contestant("and every digest proved", || {
            Pack::open(black_box(&signed)).and_then(Pack::prove).expect("in order").len()
        }),
        contestant("and the signature verified", || {
            Pack::open(black_box(&signed)).and_then(|pack| pack.verify(&public)).expect("in order").len()
        }),
        contestant("lazily: tables proved, signature verified", || {
            LazyPack::open(black_box(&signed)).and_then(|pack| pack.verify(&public)).expect("in order").len()
        }),
    ])
}

/// Everything about opening, for both sets.
pub fn report(twenty: &Set, whole: &Set, report: &mut Report) {
    report.heading(
        "Embedded",
        "A pack that `include_rules!` put into the benchmark, proved while it was compiled; a field of it is read.",
    );
    let embedded = embedded(twenty);
    report.times("ready to read any field, 20 rules", &embedded);
    report.at_most("embedded: ready to read any field, ns", 25.0, embedded[0].median());
    report.at_least("embedded: ready, against serde_json", 1000.0, embedded[1].over(&embedded[0]));
    report.heading("Opening bytes that are not trusted", "");
    for set in [twenty, whole] {
        let opened = open(set);
        report.times(&format!("opened, {}", set.name), &opened);
        let goals = [("rkyv", 2, 5.0), ("bitcode", 3, 4.0), ("serde_json", 7, 60.0)];
        for (rival, row, goal) in goals {
            report.at_least(
                &format!("opened lazily, {}, against {rival}", set.name),
                goal,
                opened[row].over(&opened[0]),
            );
        }
        let proved = prove_all(set);
        report.times(&format!("all proved, {}", set.name), &proved);
        for (rival, row, goal) in [("rkyv", 1, 2.5), ("bitcode", 3, 2.0), ("serde_json", 5, 40.0)] {
            report.at_least(
                &format!("all proved, {}, against {rival}", set.name),
                goal,
                proved[row].over(&proved[0]),
            );
        }
        let read = read_all(set);
        report.times(&format!("all read, {}", set.name), &read);
        for (row, timed) in read.iter().enumerate().skip(1) {
            report.at_least(
                &format!("all read, {}, against {}", set.name, timed.name),
                1.0,
                read[row].over(&read[0]),
            );
        }
        report.times(&format!("digests and signatures, {}", set.name), &proofs(set));
    }
}

fn embedded(set: &Set) -> Vec<Timed> {
    race(vec![
        contestant("driven, embedded by `include_rules!`", || {
            black_box(&embedded_rules::PACK).rules().next().map_or(0, |rule| rule.description().len())
        }),
        contestant("serde_json, owned", || {
            let rules: Vec<Facts> = serde_json::from_slice(black_box(&set.json)).expect("it was written");
            rules[0].description.len()
        }),
    ])
}

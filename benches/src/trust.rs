//! What proofs cost: of a signed pack in a file, opened lazily, and of one that is proved whole.

use std::fs;
use std::hint::black_box;

use driven::{LazyPack, LazyPackBuf, Pack};
use driven_format::Tables;
use driven_format::trust::SecretKey;

use crate::data::Set;
use crate::harness::{contestant, race};
use crate::report::Report;

pub fn report(set: &Set, report: &mut Report) {
    let key = SecretKey::from_seed(&zeroize::Zeroizing::new([7; 32]));
    let public = key.public_key();
    let signed = driven_build::sign_pack(&set.pack, &key, 0).expect("a pack can be signed");
    let dir = tempfile::tempdir().expect("a folder for the file");
    let path = dir.path().join("rules.drv");
    fs::write(&path, &signed).expect("the pack can be written");
    let tables = Tables::check(&signed).expect("it was written");
    let statement = tables.statement(0);
    let signature = key.sign(&statement);
    let leaves = leaves(&tables);
    let front = Tables::front_len(&signed);
    let (rest, texts) = (&signed[..front], &signed[front..tables.digested_bytes().len()]);
    let hash = |bytes: &[u8]| usize::from(blake3::hash(black_box(bytes)).as_bytes()[0]);
    let verify = || usize::from(public.verify(black_box(&statement), &signature));
    let timed = race(vec![
        contestant("`LazyPackBuf::open` and `verify`, bodies untouched", || {
            let pack = LazyPackBuf::open(black_box(&path)).expect("it was written");
            pack.as_lazy().verify(&public).expect("it was signed").len()
        }),
        contestant("one `verify_strict`", verify),
        contestant("the same, file read whole", || {
            let pack = LazyPackBuf::from_vec(fs::read(black_box(&path)).expect("it was written"));
            pack.expect("it was written").as_lazy().verify(&public).expect("it was signed").len()
        }),
    ]);
    report.heading(
        "Proofs of a signed pack",
        &format!(
            "{} rules, {} bytes, of which {} are bodies; one key; the file is in the page cache.",
            tables.rule_count(),
            signed.len(),
            tables.bodies().len()
        ),
    );
    report.times("a signed pack in a file, opened lazily", &timed);
    report.at_most("signed pack opened lazily and verified, µs", 150.0, timed[0].median() / 1e3);
    // The goal in µs is set where one `verify_strict` takes 40: so a slower processor has it too.
    report.at_most(
        "signed pack opened lazily and verified, against one `verify_strict`",
        150.0 / 40.0,
        timed[0].over(&timed[1]),
    );
    let timed = race(vec![
        contestant("hashes of all leaves and one `verify_strict`", || {
            leaves.iter().map(|leaf| hash(leaf)).sum::<usize>() + hash(rest) + verify()
        }),
        contestant("the signature proved, then all bodies at once (`LazyPack::verify`, `read_all`)", || {
            let pack = LazyPack::open(black_box(&signed)).expect("it was written");
            let pack = pack.verify(&public).expect("it was signed");
            pack.read_all().expect("it was written").len()
        }),
        contestant("all text proved, then all bodies at once and the signature (`Pack::verify`)", || {
            let pack = Pack::open(black_box(&signed)).expect("it was written");
            pack.verify(&public).expect("it was signed").len()
        }),
        contestant("and the digest of each rule too (`Pack::verify`, `Pack::prove`)", || {
            let pack = Pack::open(black_box(&signed)).expect("it was written");
            let pack = pack.verify(&public).expect("it was signed");
            pack.prove().expect("it was written").len()
        }),
        contestant("hashes of the front and of all texts in one piece, and one `verify_strict`", || {
            hash(rest) + hash(texts) + verify()
        }),
        contestant("the file hashed whole", || hash(&signed)),
    ]);
    report.times("a signed pack in memory, everything proved", &timed);
    report.at_most(
        "every byte proved, against the hashes of its leaves and one signature",
        1.1,
        timed[1].over(&timed[0]),
    );
    report.at_most(
        "every byte proved, against hashing it in one piece and one signature",
        1.1,
        timed[1].over(&timed[4]),
    );
}

/// As many bytes as each rule's digest covers, in one piece.
fn leaves(tables: &Tables<'_>) -> Vec<Vec<u8>> {
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    let leaf = |rule: driven_format::RuleHead<'_>| {
        let mut bytes = rule.prove_body().expect("it was written").as_bytes().to_vec();
        for node in rule.stated_outline() {
            bytes.extend(node.start.to_le_bytes());
            bytes.extend(node.len.to_le_bytes());
        }
        for one in [rule.id(), rule.description(), rule.when()] {
            text(&mut bytes, one);
        }
        bytes.extend([0; 32]);
        let lists = [
            rule.globs(),
            rule.tags(),
            rule.languages(),
            rule.targets(),
            rule.requires(),
            rule.conflicts(),
            rule.replaces(),
        ];
        for list in lists {
            bytes.extend((list.len() as u64).to_le_bytes());
            list.iter().for_each(|one| text(&mut bytes, one));
        }
        bytes.extend([0; 8]);
        for origin in rule.origins() {
            for one in [origin.assistant(), origin.path(), origin.text()] {
                text(&mut bytes, one);
            }
        }
        bytes.extend([0; 16]);
        bytes
    };
    tables.rules().map(leaf).collect()
}

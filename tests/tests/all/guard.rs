//! Packs that are proved again: what changed is told, counted, and never read.

use std::sync::Mutex;

use driven::{Guard, GuardCounts, Pack};
use driven_format::{PackBuilder, Persona, Rule, Tables};

/// One pack that is copied whole, and one whose bodies are left where they are.
fn packs() -> [Vec<u8>; 2] {
    [1, 400].map(|times| {
        let mut builder = PackBuilder::new("house", 1);
        for number in 0..30 {
            let body = format!("# Rule {number}\n\n- {}\n", "Grüße. ".repeat(times));
            let mut rule = Rule::new(format!("rule-{number:02}"), body);
            rule.outline = driven_format::outline::nodes(&rule.body);
            builder = builder.rule(rule);
        }
        builder.finish().unwrap()
    })
}

/// A copy with one bit flipped.
fn bent(pack: &[u8], at: usize) -> Vec<u8> {
    let mut bent = pack.to_vec();
    bent[at] ^= 0x10;
    bent
}

#[test]
fn a_guard_begins_with_a_proof() {
    for pack in packs() {
        let guard = Guard::new(&pack).unwrap();
        assert_eq!(guard.counts(), GuardCounts { proofs: 31, faults: 0 });
        for at in (0..pack.len()).step_by(pack.len() / 500 + 1) {
            assert!(Guard::new(&bent(&pack, at)).is_err(), "byte {at}");
        }
    }
}

#[test]
fn steps_go_round() {
    for pack in packs() {
        let guard = Guard::new(&pack).unwrap();
        let rounds = (0..9).filter(|_| guard.step(7).unwrap()).count();
        // The tables and 30 rules, then the end, where a step ends too; then four steps of seven.
        assert_eq!((rounds, guard.counts().faults), (1, 0));
        assert_eq!(guard.counts().proofs, 31 + 31 + 28);
        assert_eq!(
            guard.read("rule-07").unwrap(),
            Pack::open(&pack).unwrap().rule("rule-07").unwrap().body()
        );
        assert_eq!(guard.read("rule-99").unwrap_err().code(), "no-rule");
    }
}

/// A file that is mapped and written to: against the promise of `map`, and what a guard is for.
#[cfg(unix)]
#[test]
fn a_map_that_changes_is_found_out_and_never_read() {
    use std::io::{Seek, SeekFrom, Write};

    for pack in packs() {
        let [_, (bodies, _)] = Tables::text_ranges(&pack);
        let tables = Tables::check(&pack).unwrap();
        let rule = tables.find_rule("rule-11").unwrap();
        let body = bodies + rule.body_range().start + 3;
        let outline = Tables::front_len(&pack) + rule.outline_range().start;
        let front = Tables::front_len(&pack) - 40;
        for (at, code) in [(body, "pack-digest"), (outline, "pack-digest"), (front, "pack-changed")] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("rules.drv");
            std::fs::write(&path, &pack).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            // SAFETY: the promise is broken below, on purpose: the guard copies bytes and proves the copies.
            let map = unsafe { driven::MappedPack::map(&file) }.unwrap();
            let told = Mutex::new(Vec::new());
            let guard =
                Guard::new(map.as_bytes()).unwrap().on_fault(|err| told.lock().unwrap().push(err.code()));
            let good = guard.read("rule-11").unwrap();
            let mut writer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            writer.seek(SeekFrom::Start(at as u64)).unwrap();
            writer.write_all(&[pack[at] ^ 0x10]).unwrap();
            assert_eq!(guard.check().unwrap_err().code(), code);
            if at == body || at == outline {
                assert_eq!(guard.read("rule-11").unwrap_err().code(), code);
                assert!(guard.read("rule-12").is_ok());
                assert!((0..32).any(|_| guard.step(1).is_err()));
                assert_eq!(guard.counts().faults, 3);
            } else {
                // The tables that are asked are the guard's own.
                assert_eq!(guard.read("rule-11").unwrap(), good);
                assert_eq!(guard.step(1).unwrap_err().code(), code);
                assert_eq!(guard.counts().faults, 2);
            }
            drop(guard);
            assert!(told.into_inner().unwrap().iter().all(|one| *one == code));
        }
    }
}

#[test]
fn personas_are_proved_with_the_whole() {
    let persona = Persona { id: "critic".into(), body: "Look twice.\n".into(), ..Persona::default() };
    let pack =
        PackBuilder::new("house", 1).rule(Rule::new("a", "Text.\n")).persona(persona).finish().unwrap();
    assert_eq!(Guard::new(&pack).unwrap().counts(), GuardCounts { proofs: 3, faults: 0 });
    let at = pack.windows(11).position(|text| text == b"Look twice.").unwrap();
    assert_eq!(Guard::new(&bent(&pack, at)).unwrap_err().code(), "pack-digest");
}

/// Another pack in which everything agrees, in the place of the one that is guarded, comes between two steps.
#[cfg(unix)]
#[test]
fn a_persona_of_another_pack_is_found_out() {
    let with = |text: &str| {
        let persona = Persona { id: "critic".into(), body: text.into(), ..Persona::default() };
        PackBuilder::new("house", 1).rule(Rule::new("a", "Text.\n")).persona(persona).finish().unwrap()
    };
    let (pack, other) = (with("Look twice.\n"), with("Look never.\n"));
    assert_eq!(pack.len(), other.len());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.drv");
    std::fs::write(&path, &pack).unwrap();
    // SAFETY: the promise is broken below, on purpose: the guard copies bytes and proves the copies.
    let map = unsafe { driven::MappedPack::map(&std::fs::File::open(&path).unwrap()) }.unwrap();
    let guard = Guard::new(map.as_bytes()).unwrap();
    assert!(!guard.step(1).unwrap());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &other, 0).unwrap();
    assert!(!guard.step(1).unwrap(), "the rule is the same in both");
    assert_eq!(guard.step(1).unwrap_err().code(), "pack-digest");
}

//! Bytes that are not what was written: every one is refused, and nothing panics.

use driven::{LazyPack, Pack, PublicKey};
use driven_tests::fuzz;
use driven_tests::samples::{
    key, section, small, small_signed, stated_falsely, with_a_false_rule, with_false_texts,
};

/// Whether opening, proving and verifying refuse the bytes.
fn is_refused(bytes: &[u8], key: &PublicKey) -> bool {
    match Pack::open(bytes).and_then(Pack::prove) {
        Ok(pack) => pack.verify(key).is_err(),
        Err(_) => true,
    }
}

/// Whether the signature alone, with all that it covers, refuses the bytes: of a pack that is open, and before it is read.
fn is_refused_as_signed(bytes: &[u8], key: &PublicKey) -> bool {
    let whole = Pack::open(bytes).and_then(|pack| pack.verify(key)).is_err();
    let read =
        LazyPack::open(bytes).and_then(|pack| pack.verify(key)).and_then(driven::Verified::read_all).is_err();
    assert_eq!(whole, read);
    whole
}

/// Whether reading lazily, all the way, refuses the bytes.
fn is_refused_lazily(bytes: &[u8], key: &PublicKey) -> bool {
    let Ok(pack) = LazyPack::open(bytes).and_then(|pack| pack.prove().map(|_| pack)) else { return true };
    let bodies_hold = pack.rules().all(|rule| rule.read().is_ok());
    !bodies_hold || pack.verify(key).is_err()
}

#[test]
fn the_pack_itself_is_accepted() {
    let (pack, key) = (small_signed(), key().public_key());
    assert!(!is_refused(&pack, &key));
    assert!(!is_refused_lazily(&pack, &key));
    assert!(!is_refused_as_signed(&pack, &key));
}

#[test]
fn every_flip_of_a_bit_is_refused() {
    let (mut pack, key) = (small_signed(), key().public_key());
    for at in 0..pack.len() {
        for bit in 0..8 {
            pack[at] ^= 1 << bit;
            assert!(is_refused(&pack, &key), "bit {bit} of byte {at} was not missed");
            assert!(is_refused_as_signed(&pack, &key), "bit {bit} of byte {at} is nothing that was signed");
            pack[at] ^= 1 << bit;
        }
    }
}

#[test]
fn every_flip_of_a_bit_is_refused_by_lazy_reading_unless_nothing_that_was_read_has_it() {
    let (mut pack, key) = (small_signed(), key().public_key());
    // Bodies of personas and workflows are no rule's; `check_text` and `prove` of the whole pack cover them.
    let whole = Pack::open(&pack).unwrap();
    let address = |text: &str| text.as_ptr() as usize - whole.as_bytes().as_ptr() as usize;
    let ranges: Vec<std::ops::Range<usize>> = whole
        .personas()
        .map(|persona| address(persona.body())..address(persona.body()) + persona.body().len())
        .chain(whole.workflows().map(|flow| address(flow.body())..address(flow.body()) + flow.body().len()))
        .collect();
    for at in 0..pack.len() {
        if ranges.iter().any(|range| range.contains(&at)) {
            continue;
        }
        pack[at] ^= 0x10;
        assert!(is_refused_lazily(&pack, &key), "byte {at} was not missed");
        pack[at] ^= 0x10;
    }
}

/// A signer can state a digest that is wrong. Nobody gets a text by it that was not signed: either all is refused, or the
/// one rule where it is read alone.
#[test]
fn a_digest_that_its_signer_states_falsely_gives_no_other_text() {
    let (plain, public) = (driven_format::write_pack(&small()).unwrap(), key().public_key());
    let signed = |pack: &[u8]| driven_build::sign_pack(pack, &key(), 0).unwrap();

    let of_texts = signed(&with_false_texts(&plain));
    assert_eq!(Pack::open(&of_texts).unwrap().verify(&public).unwrap_err().code(), "pack-digest");
    assert_eq!(Pack::open(&of_texts).unwrap().prove().unwrap_err().code(), "pack-digest");
    let lazy = LazyPack::open(&of_texts).unwrap().verify(&public).unwrap();
    assert!(lazy.rules().all(|rule| rule.read().is_ok()));
    assert_eq!(lazy.read_all().unwrap_err().code(), "pack-digest");

    let of_a_rule = signed(&with_a_false_rule(&plain));
    let whole = Pack::open(&of_a_rule).unwrap().verify(&public).unwrap();
    assert!(
        whole.rules().map(|rule| rule.body()).eq(Pack::open(&plain).unwrap().rules().map(|rule| rule.body()))
    );
    assert_eq!(whole.prove().unwrap_err().code(), "pack-digest");
    let lazy = LazyPack::open(&of_a_rule).unwrap().verify(&public).unwrap();
    let refused: Vec<bool> = lazy.rules().map(|rule| rule.read().is_err()).collect();
    assert_eq!(refused, [true, false, false, false]);
    let read = LazyPack::open(&of_a_rule).unwrap().prove().unwrap().read_all();
    assert_eq!(read.unwrap_err().code(), "pack-digest");
}

/// Slots that were exchanged: each rule is there, and by its id another one is found.
#[test]
fn ids_that_find_other_rules_are_refused_whichever_way_all_is_proved() {
    const IDS: usize = 11;
    let (plain, public) = (driven_format::write_pack(&small()).unwrap(), key().public_key());
    let bent = stated_falsely(&plain, |pack| {
        let (ids, slots) =
            (section(pack, IDS), 4 * u32::from_le_bytes(pack[section(pack, IDS)][8..12].try_into().unwrap()));
        let (chunks, _) = pack[ids.end - slots as usize..ids.end].as_chunks_mut::<4>();
        let taken: Vec<usize> = (0..chunks.len()).filter(|&slot| chunks[slot] != [0xFF; 4]).collect();
        chunks.swap(taken[0], taken[1]);
    });
    let bent = driven_build::sign_pack(&bent, &key(), 0).unwrap();
    let whole = Pack::open(&bent).unwrap();
    let lazy = LazyPack::open(&bent).unwrap().verify(&public).unwrap();
    let outcomes = [
        whole.verify(&public).map(|_| ()),
        whole.prove().map(|_| ()),
        lazy.read_all().map(|_| ()),
        lazy.prove().unwrap().read_all().map(|_| ()),
    ];
    assert_eq!(outcomes.map(|outcome| outcome.unwrap_err().code()), ["pack-malformed"; 4]);
}

#[test]
fn every_length_but_its_own_is_refused() {
    let (mut pack, key) = (small_signed(), key().public_key());
    for len in 0..pack.len() {
        assert!(is_refused(&pack[..len], &key), "{len} bytes were enough");
    }
    pack.push(0);
    assert!(is_refused(&pack, &key), "a byte at the end was not seen");
}

#[test]
fn flipped_packs_are_read_to_the_end_without_a_panic() {
    let pack = small_signed();
    for at in 0..pack.len() {
        for value in [0, 1, 0x7F, 0xFF, pack[at].wrapping_add(1)] {
            let mut other = pack.clone();
            other[at] = value;
            fuzz::open(&other);
        }
    }
}

#[test]
fn what_is_no_pack_says_so() {
    let code = |bytes: &[u8]| Pack::open(bytes).unwrap_err().code();
    assert_eq!(
        code(b"PK\x03\x04 something else, long enough to hold a header of a pack......"),
        "pack-foreign"
    );
    assert_eq!(code(b""), "pack-truncated");
    let mut newer = small_signed();
    newer[8] = 2;
    assert_eq!(code(&newer), "pack-newer");
    let other = driven_format::trust::SecretKey::from_seed(&[1; 32].into()).public_key();
    let pack = small_signed();
    assert_eq!(Pack::open(&pack).unwrap().verify(&other).unwrap_err().code(), "unknown-key");
    let unsigned = driven_format::write_pack(&driven_tests::samples::small()).unwrap();
    assert_eq!(Pack::open(&unsigned).unwrap().verify(&other).unwrap_err().code(), "unsigned");
}

#[test]
fn sections_of_later_versions_are_passed_over_or_refused_as_their_flag_says() {
    let with = |kind: u8, flags: u8| {
        let attestation = driven_format::Attestation::default();
        let mut pack = driven_format::write_attested(&driven_tests::samples::small(), &attestation).unwrap();
        // The fifteenth entry of the table.
        assert_eq!(pack[288..296], [14, 0, 0, 0, 0, 0, 0, 0]);
        (pack[288], pack[292]) = (kind, flags);
        pack
    };
    assert!(Pack::open(&with(14, 0)).unwrap().prove().is_ok());
    let optional = with(99, 0);
    assert_eq!(Pack::open(&optional).unwrap().len(), 4);
    assert!(Pack::open(&optional).unwrap().prove().is_err(), "the root digest covers the table");
    // No kind of a section comes twice, nor out of order.
    assert_eq!(Pack::open(&with(13, 0)).unwrap_err().code(), "pack-malformed");
    assert_eq!(Pack::open(&with(99, 1)).unwrap_err().code(), "pack-unknown-section");
}

#[test]
fn a_small_pack_can_not_ask_for_endless_work() {
    const LISTS: usize = 4;
    let mut rule = driven_format::Rule::new("long", "Text.\n");
    rule.description = "x".repeat(300_000);
    rule.tags = (0..1000).map(|number| format!("tag-{number}")).collect();
    let pack = driven_format::PackBuilder::new("house", 1).rule(rule).finish().unwrap();
    let lists = section(&pack, LISTS);
    let description = "x".repeat(300_000);
    let offset = section(&pack, 1);
    let at = pack[offset].windows(300_000).position(|window| window == description.as_bytes()).unwrap();
    let with = |count: usize| {
        let mut bent = pack.clone();
        for entry in bent[lists.clone()].chunks_exact_mut(8).take(count) {
            entry[..4].copy_from_slice(&(at as u32).to_le_bytes());
            entry[4..].copy_from_slice(&300_000_u32.to_le_bytes());
        }
        LazyPack::open(&bent).map(drop).map_err(|err| err.to_string())
    };
    assert_eq!(with(800), Ok(()), "the digest tells, which is not asked here");
    assert!(with(1000).unwrap_err().contains("referred to too often"));
    assert!(pack.len() < 500_000);
}

//! Attacks on roots, packs, timestamps and states, each refused by its check.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};

use super::*;
use crate::{Error, ErrorKind, PackBuilder, Rule, Tables};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32].into())
}

fn listed(number: u8, roles: &[Role]) -> RootKey {
    RootKey { key: key(number).public_key(), roles: roles.to_vec(), name: format!("key {number}") }
}

/// Two of the keys 1, 2, 3 sign roots; two of 4, 5, 6 packs; 7 timestamps.
fn first() -> Root {
    let mut keys: Vec<RootKey> = (1..=3).map(|number| listed(number, &[Role::Root])).collect();
    keys.extend((4..=6).map(|number| listed(number, &[Role::Packs])));
    keys.push(listed(7, &[Role::Timestamp]));
    Root {
        before: None,
        version: 1,
        expires: NOW + 100 * DAY,
        thresholds: [2, 2, 1],
        keys,
        revoked: Vec::new(),
        recoveries: Vec::new(),
    }
}

fn signed(root: &Root, by: &[u8]) -> SignedRoot {
    let mut root = SignedRoot::new(root).unwrap();
    for &number in by {
        root.sign(&key(number));
    }
    root
}

fn chain() -> RootChain {
    RootChain::read(&signed(&first(), &[1, 2]).render()).unwrap()
}

/// The chain with one more version.
fn then(chain: &RootChain, change: impl FnOnce(&mut Root), by: &[u8]) -> Result<RootChain, Error> {
    let mut next = chain.newest().next();
    change(&mut next);
    let mut longer = chain.clone();
    longer.push(signed(&next, by))?;
    Ok(longer)
}

fn pack_of(name: &str, version: u64, body: &str) -> Vec<u8> {
    PackBuilder::new(name, version).rule(Rule::new("a", body)).finish().unwrap()
}

fn sign_by(pack: &[u8], by: &[u8], expires: u64) -> Vec<u8> {
    by.iter().fold(pack.to_vec(), |pack, &number| {
        sign(&Tables::check(&pack).unwrap(), &key(number), expires).unwrap()
    })
}

fn pack(version: u64) -> Vec<u8> {
    sign_by(&pack_of("house", version, "Text.\n"), &[4, 5], NOW + 10 * DAY)
}

fn tables(pack: &[u8]) -> Tables<'_> {
    Tables::check(pack).unwrap()
}

fn stamp(chain: &RootChain, pack: &[u8], issued: u64) -> SignedTimestamp {
    let tables = tables(pack);
    let timestamp = Timestamp {
        chain: chain.newest().chain(),
        version: tables.manifest().version(),
        digest: tables.root_digest(),
        issued,
        expires: issued + DAY,
        pack: tables.manifest().name().into(),
    };
    let mut signed = SignedTimestamp::new(&timestamp).unwrap();
    signed.sign(&key(7));
    signed
}

/// The kind of fault, and the check that found it.
#[track_caller]
fn refused(policy: &Policy<'_>, pack: &[u8]) -> (ErrorKind, &'static str) {
    let tables = tables(pack);
    let story = policy.judge(&tables, Some(&core::str::from_utf8(tables.bodies()).unwrap()));
    let last = story.steps().last().unwrap();
    assert_eq!(last.held, Held::No, "{story}");
    assert_eq!(story.fault().unwrap().to_string(), last.text);
    assert!(!story.fault().unwrap().hint().is_empty(), "{story}");
    (story.fault().unwrap().kind(), last.check)
}

#[track_caller]
fn taken(policy: &Policy<'_>, pack: &[u8]) -> String {
    let tables = tables(pack);
    let story = policy.judge(&tables, Some(&core::str::from_utf8(tables.bodies()).unwrap()));
    assert!(story.fault().is_none(), "{story}");
    story.to_string()
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.map(|_| ()).unwrap_err().kind()
}

#[test]
fn a_pack_signed_by_the_threshold_is_taken_and_every_check_is_told() {
    let (chain, pack) = (chain(), pack(3));
    let stamp = stamp(&chain, &pack, NOW - 60);
    let state = State::default();
    let policy = Policy::root(&chain).now(NOW).name("house").timestamp(&stamp).state(&state);
    let story = taken(&policy, &pack);
    let checks: Vec<&str> = story.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(
        checks,
        ["S4", "R9", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "T2", "T3", "T4", "T5", "P9", "P10"]
    );
    assert!(story.lines().all(|line| line.starts_with("ok")), "{story}");
    assert!(story.contains("2 of 2 keys") && story.contains("first use"), "{story}");
}

#[test]
fn every_fault_of_signatures_has_a_kind_of_its_own() {
    let chain = chain();
    let policy = Policy::root(&chain).now(NOW);
    let bare = pack_of("house", 3, "Text.\n");
    let by = |keys: &[u8]| sign_by(&bare, keys, 0);
    assert_eq!(refused(&policy, &bare), (ErrorKind::Unsigned, "P2"));
    assert_eq!(refused(&policy, &by(&[9])), (ErrorKind::UnknownKey, "P4"));
    assert_eq!(refused(&policy, &by(&[4])), (ErrorKind::TooFewKeys, "P4"));
    // Keys of other roles count for nothing.
    assert_eq!(refused(&policy, &by(&[1, 2, 7])), (ErrorKind::UnknownKey, "P4"));
    assert_eq!(refused(&policy, &by(&[4, 1])), (ErrorKind::TooFewKeys, "P4"));
    taken(&policy, &by(&[4, 6]));
    taken(&policy, &by(&[4, 5, 6, 9]));
}

#[test]
fn one_key_counts_once_however_often_it_signs() {
    let chain = chain();
    let mut pack = sign_by(&pack_of("house", 3, "Text.\n"), &[4], 0);
    pack = sign_by(&pack, &[4], 0);
    assert_eq!(tables(&pack).signatures().len(), 1);
    assert_eq!(refused(&Policy::root(&chain), &pack).0, ErrorKind::TooFewKeys);
    // Two entries with one key id are no pack at all.
    let statement = tables(&pack).statement(0);
    let one = TextSignature { key: key(4).public_key().id(), signature: key(4).sign(&statement) };
    let twice = with_signatures(&tables(&pack), 0, &[one, one]).unwrap();
    assert_eq!(kind(Tables::check(&twice)), ErrorKind::Malformed);
    // A key can't be listed twice either.
    let mut root = first();
    root.keys.push(RootKey { name: "again".into(), ..root.keys[0].clone() });
    assert_eq!(kind(root.render()), ErrorKind::Root);
}

#[test]
fn a_signature_that_does_not_hold_is_refused_even_among_enough_good_ones() {
    let chain = chain();
    let good = sign_by(&pack_of("house", 3, "Text.\n"), &[4, 5, 6], 0);
    let policy = Policy::root(&chain);
    taken(&policy, &good);
    for at in good.len() - 3 * 80..good.len() {
        for bit in [0, 7] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let Ok(tables) = Tables::check(&bad) else { continue };
            let story = policy.judge(&tables, None);
            // A key id that is bent is another key's: then two good ones are left.
            let within_id = (at - (good.len() - 3 * 80)) % 80 < 16;
            match story.fault() {
                Some(fault) => {
                    assert_eq!((fault.kind(), within_id), (ErrorKind::Signature, false), "byte {at}");
                }
                None => assert!(within_id, "byte {at}"),
            }
        }
    }
}

#[test]
fn a_revoked_key_counts_no_more_and_says_so() {
    let chain = chain();
    let revoke = |root: &mut Root| {
        root.revoked
            .push(Revocation { fingerprint: key(4).public_key().fingerprint(), reason: "lost".into() });
        root.keys.retain(|one| one.key != key(4).public_key());
    };
    let later = then(&chain, revoke, &[1, 3]).unwrap();
    let by = |keys: &[u8]| sign_by(&pack_of("house", 3, "Text.\n"), keys, 0);
    let policy = Policy::root(&later);
    assert_eq!(refused(&policy, &by(&[4, 5])), (ErrorKind::Revoked, "P4"));
    assert_eq!(refused(&policy, &by(&[4])), (ErrorKind::Revoked, "P4"));
    taken(&policy, &by(&[5, 6]));
    taken(&policy, &by(&[4, 5, 6]));
    // R5: neither taken back nor listed again.
    let back = then(&later, |root| root.revoked.clear(), &[1, 2]);
    assert!(back.unwrap_err().to_string().contains("revoked no more"));
    let mut again = later.newest().next();
    again.keys.push(listed(4, &[Role::Packs]));
    assert!(again.render().unwrap_err().to_string().contains("listed and revoked"));
}

#[test]
fn a_pack_is_taken_until_the_second_it_expires() {
    let chain = chain();
    let pack = sign_by(&pack_of("house", 3, "Text.\n"), &[4, 5], NOW);
    taken(&Policy::root(&chain).now(NOW - 1), &pack);
    assert_eq!(refused(&Policy::root(&chain).now(NOW), &pack), (ErrorKind::Expired, "P5"));
    assert!(taken(&Policy::root(&chain).now(NOW).embedded(), &pack).contains("-- P5"));
    assert!(taken(&Policy::root(&chain), &pack).contains("no time was given"));
    assert!(taken(&Policy::root(&chain).now(NOW).accept_version(3), &pack).contains("accepted by name"));
    assert_eq!(refused(&Policy::root(&chain).now(NOW).accept_version(2), &pack).0, ErrorKind::Expired);
}

#[test]
fn an_expiry_can_not_be_changed_and_one_pack_has_one() {
    let chain = chain();
    let bare = pack_of("house", 3, "Text.\n");
    let soon = sign_by(&bare, &[4, 5], NOW + 1);
    let late = sign_by(&bare, &[4, 5], NOW + DAY);
    // The expiry of one over the signatures of the other.
    let mut mixed = soon.clone();
    let at = tables(&bare).bytes().len() + 16;
    mixed[at..at + 8].copy_from_slice(&late[at..at + 8]);
    assert_eq!(refused(&Policy::root(&chain).now(NOW), &mixed), (ErrorKind::Signature, "P3"));
    assert_eq!(kind(sign(&tables(&soon), &key(6), NOW + DAY)), ErrorKind::Model);
    assert_eq!(kind(attach(&tables(&soon), &detach(&tables(&late)))), ErrorKind::Model);
}

#[test]
fn another_pack_than_was_asked_for_is_refused() {
    let chain = chain();
    assert_eq!(refused(&Policy::root(&chain).name("home"), &pack(3)), (ErrorKind::WrongPack, "P6"));
    // A name can't write lines of its own into the story.
    let forged = sign_by(&pack_of("a` ok P8 \u{202e}", 3, "Text.\n"), &[4, 5], 0);
    assert!(taken(&Policy::root(&chain), &forged).contains("`a` ok P8 \\u{202e}`"));
    assert_eq!(kind(PackBuilder::new("a\nok P8", 3).finish()), ErrorKind::Model);
    taken(&Policy::root(&chain).name("house"), &pack(3));
}

#[test]
fn content_that_was_changed_is_refused() {
    let chain = chain();
    let mut bad = pack(3);
    let at = bad.windows(5).position(|window| window == b"Text.").unwrap();
    bad[at] = b'N';
    assert_eq!(refused(&Policy::root(&chain), &bad), (ErrorKind::Digest, "P7"));
    // A lazy reader finds it when it reads the rule, and not before.
    Policy::root(&chain).check(&tables(&bad), None).unwrap();
}

#[test]
fn a_capped_pack_is_refused_unless_it_is_allowed() {
    let chain = chain();
    let manifest = crate::Manifest { name: "house".into(), version: 3, capped: true, ..Default::default() };
    let pack = PackBuilder::new("", 0).manifest(manifest).finish().unwrap();
    let pack = sign_by(&pack, &[4, 5], 0);
    assert_eq!(refused(&Policy::root(&chain), &pack), (ErrorKind::Capped, "P10"));
    assert!(taken(&Policy::root(&chain).allow_capped(), &pack).contains("-- P10"));
}

#[test]
fn signatures_made_apart_are_brought_together() {
    let chain = chain();
    let bare = pack_of("house", 3, "Text.\n");
    let parts = [4, 5].map(|number| detach(&tables(&sign_by(&bare, &[number], 0))));
    let merged = parts.iter().fold(bare.clone(), |pack, part| attach(&tables(&pack), part).unwrap());
    assert_eq!(merged, sign_by(&bare, &[5, 4], 0));
    assert_eq!(attach(&tables(&merged), &parts[0]).unwrap(), merged);
    taken(&Policy::root(&chain), &merged);
    assert_eq!(tables(&merged).root_digest(), tables(&bare).root_digest());
    assert_eq!(with_signatures(&tables(&merged), 0, &[]).unwrap(), bare);
    // Another pack's signatures are attached, and do not hold.
    let other = detach(&tables(&sign_by(&pack_of("house", 4, "Text.\n"), &[4, 5], 0)));
    let swapped = attach(&tables(&bare), &other).unwrap();
    assert_eq!(refused(&Policy::root(&chain), &swapped), (ErrorKind::Signature, "P3"));
    assert_eq!(kind(attach(&tables(&merged), &other)), ErrorKind::Signature);
    assert_eq!(kind(attach(&tables(&bare), b"")), ErrorKind::Unsigned);
    assert_eq!(kind(attach(&tables(&bare), b"DRVSIGN\n")), ErrorKind::Truncated);
}

#[test]
fn a_signature_from_elsewhere_is_proved_before_it_is_taken() {
    let bare = pack_of("house", 3, "Text.\n");
    let (public, other) = (key(4).public_key(), key(5).public_key());
    let made = key(4).sign(&tables(&bare).statement(9));
    let signer = Signer::Made(&public, made);
    assert_eq!(add_signature(&tables(&bare), &signer, 9).unwrap(), sign_by(&bare, &[4], 9));
    assert_eq!(kind(add_signature(&tables(&bare), &signer, 8)), ErrorKind::Signature);
    assert_eq!(kind(add_signature(&tables(&bare), &Signer::Made(&other, made), 9)), ErrorKind::Signature);
}

#[test]
fn at_most_64_signatures() {
    let bare = pack_of("house", 3, "Text.\n");
    let all: Vec<u8> = (1..=64).collect();
    let full = sign_by(&bare, &all, 0);
    assert_eq!(tables(&full).signatures().len(), 64);
    assert_eq!(kind(sign(&tables(&full), &key(65), 0)), ErrorKind::Model);
}

#[test]
fn a_root_is_signed_by_its_own_threshold_and_by_the_one_before() {
    let root = first();
    let read = |by: &[u8]| RootChain::read(&signed(&root, by).render());
    assert_eq!(kind(read(&[])), ErrorKind::Unsigned);
    assert_eq!(kind(read(&[1])), ErrorKind::TooFewKeys);
    assert_eq!(kind(read(&[4, 5, 6, 7])), ErrorKind::UnknownKey);
    let chain = read(&[1, 3]).unwrap();
    // All keys for roots change: two of the old and two of the new must sign.
    let change = |root: &mut Root| {
        root.keys.retain(|one| one.roles != [Role::Root]);
        root.keys.extend([11, 12].map(|number| listed(number, &[Role::Root])));
    };
    assert_eq!(kind(then(&chain, change, &[11, 12])), ErrorKind::UnknownKey);
    assert_eq!(kind(then(&chain, change, &[1, 2])), ErrorKind::UnknownKey);
    assert_eq!(kind(then(&chain, change, &[1, 11, 12])), ErrorKind::TooFewKeys);
    let err = then(&chain, change, &[1, 2, 11]).unwrap_err();
    assert_eq!((err.kind(), err.to_string().contains("root 2 ")), (ErrorKind::TooFewKeys, true), "{err}");
    let err = then(&chain, change, &[1, 11, 12]).unwrap_err();
    assert!(err.to_string().contains("root 2, as root 1 asks,"), "{err}");
    let longer = then(&chain, change, &[1, 2, 11, 12]).unwrap();
    assert_eq!(longer.newest().chain(), chain.newest().digest());
    // The chain goes on by the new keys alone.
    then(&longer, |_| {}, &[11, 12]).unwrap();
    assert_eq!(kind(then(&longer, |_| {}, &[1, 2])), ErrorKind::UnknownKey);
    assert_eq!(RootChain::read(&longer.render()).unwrap(), longer);
}

#[test]
fn a_root_can_not_be_skipped_repeated_or_put_elsewhere() {
    let one = chain();
    let two = then(&one, |_| {}, &[1, 2]).unwrap();
    let three = then(&two, |root| root.expires = 0, &[1, 2]).unwrap();
    let text = |chain: &RootChain, at: usize| chain.roots()[at].render();
    let read = |parts: &[String]| RootChain::read(&parts.concat());
    let (a, b, c) = (text(&three, 0), text(&three, 1), text(&three, 2));
    read(&[a.clone(), b.clone(), c.clone()]).unwrap();
    // A chain is known by its version 1: what begins later is good for walking on alone.
    let tail = [b.clone(), c.clone()].concat();
    assert!(RootChain::read(&tail).unwrap_err().to_string().contains("begins with version 2"));
    RootChain::read_part(&tail).unwrap();
    for wrong in [[&a, &c], [&a, &a], [&b, &a], [&c, &b]] {
        let parts: Vec<String> = wrong.into_iter().cloned().collect();
        assert_eq!(kind(read(&parts)), ErrorKind::Root);
    }
    let skip = then(&one, |root| root.version += 1, &[1, 2]);
    assert!(skip.unwrap_err().to_string().contains("one more"));
    // Another chain's second version, signed by the same keys.
    let mut other = first();
    other.expires += 1;
    let other = RootChain::read(&signed(&other, &[1, 2]).render()).unwrap();
    let foreign = then(&other, |_| {}, &[1, 2]).unwrap();
    assert_eq!(kind(read(&[a, text(&foreign, 1)])), ErrorKind::Root);
}

#[test]
fn signatures_of_strangers_do_not_fill_a_file() {
    let one = chain();
    let two = then(&one, |_| {}, &[1, 2, 9]).unwrap();
    assert_eq!(two.newest().signatures().len(), 2, "key 9 is nobody's");
    // Whoever is on the way out signs for the version before.
    let out = then(&one, |root| root.keys.retain(|one| one.name != "key 3"), &[1, 2, 3]).unwrap();
    assert_eq!(out.newest().signatures().len(), 3);
    // A file that somebody else made longer.
    let mut padded = then(&one, |_| {}, &[1, 2]).unwrap().newest().clone();
    (20..120).for_each(|number| padded.sign(&key(number)));
    let newer = RootChain::read(&(one.newest().render() + &padded.render())).unwrap();
    let mut walked = one.clone();
    assert_eq!(walked.advance(&newer), Ok(1));
    assert_eq!(walked.render(), then(&one, |_| {}, &[1, 2]).unwrap().render());
    // A chain that is as long as can be read again takes no more.
    let mut long = one;
    let full = loop {
        let revoked = |root: &mut Root| {
            let number = root.revoked.len() as u8;
            let fingerprint = key(100 + number).public_key().fingerprint();
            root.revoked.push(Revocation { fingerprint, reason: "x".repeat(200) });
        };
        match then(&long, revoked, &[1, 2]) {
            Ok(longer) => long = longer,
            Err(full) => break full,
        }
    };
    assert!(full.to_string().contains("begin a new chain"), "{full}");
    RootChain::read(&long.render()).unwrap();
}

#[test]
fn a_newer_file_is_walked_to_from_what_is_trusted() {
    let one = chain();
    let two = then(&one, |_| {}, &[1, 2]).unwrap();
    let three = then(&two, |_| {}, &[1, 3]).unwrap();
    let mut trusted = one.clone();
    assert_eq!(trusted.advance(&three).unwrap(), 2);
    assert_eq!(trusted, three);
    assert_eq!(trusted.advance(&three).unwrap(), 0);
    assert!(trusted.advance(&two).unwrap_err().to_string().contains("trusted already"));
    // A file may leave out what the reader has, and no more.
    let tail = RootChain::read_part(&three.roots()[2].render()).unwrap();
    assert_eq!(two.clone().advance(&tail).unwrap(), 1);
    assert!(one.clone().advance(&tail).unwrap_err().to_string().contains("begins with root 3"));
    // A fork is refused, and what was trusted stays.
    let fork = then(&one, |root| root.expires = 0, &[1, 2]).unwrap();
    let mut trusted = two.clone();
    assert!(trusted.advance(&fork).unwrap_err().to_string().contains("another than"));
    assert_eq!(trusted, two);
}

#[test]
fn an_expired_root_is_walked_through_and_not_stood_on() {
    let mut old = first();
    old.expires = NOW - DAY;
    let old = RootChain::read(&signed(&old, &[1, 2]).render()).unwrap();
    assert_eq!(refused(&Policy::root(&old).now(NOW), &pack(3)), (ErrorKind::Expired, "R9"));
    taken(&Policy::root(&old).now(NOW - DAY - 1), &pack(3));
    assert_eq!(refused(&Policy::root(&old).now(NOW - DAY), &pack(3)).1, "R9");
    let renewed = then(&old, |root| root.expires = NOW + DAY, &[1, 2]).unwrap();
    taken(&Policy::root(&renewed).now(NOW), &pack(3));
}

/// What the error says, and what is done to a root.
type Broken = (&'static str, fn(&mut Root));

#[test]
fn a_root_that_could_not_be_fulfilled_is_none() {
    let recovery = |root: &mut Root, since| {
        root.recoveries.push(Recovery { name: "house".into(), version: 1, root: since });
    };
    let mut fine = first();
    recovery(&mut fine, 1);
    fine.render().unwrap();
    for since in [0, 2, u64::MAX] {
        let mut root = first();
        recovery(&mut root, since);
        assert!(root.render().unwrap_err().to_string().contains("none up to this one"));
    }
    let wrong: [Broken; 9] = [
        ("threshold root is 4", |root| root.thresholds[0] = 4),
        ("threshold root is 0", |root| root.thresholds[0] = 0),
        ("threshold packs is 0", |root| root.thresholds[1] = 0),
        ("threshold packs is 4", |root| root.thresholds[1] = 4),
        ("threshold timestamp is 0", |root| root.thresholds[2] = 0),
        ("threshold timestamp is 2", |root| root.thresholds[2] = 2),
        ("no roles", |root| root.keys[0].roles.clear()),
        ("in one line", |root| root.keys[0].name = "a\nb".into()),
        ("version 1 begins", |root| root.version = 2),
    ];
    for (text, change) in wrong {
        let mut root = first();
        change(&mut root);
        let err = root.render().unwrap_err();
        assert!(err.to_string().contains(text), "{err}");
        assert_eq!(err.kind(), ErrorKind::Root);
    }
    let mut none = first();
    none.keys.retain(|one| one.roles != [Role::Timestamp]);
    none.thresholds[2] = 0;
    none.render().unwrap();
    let mut many = first();
    many.keys.extend((20..77).map(|number| listed(number, &[Role::Packs])));
    assert_eq!(many.keys.len(), 64);
    many.render().unwrap();
    many.keys.push(listed(99, &[Role::Packs]));
    assert!(many.render().unwrap_err().to_string().contains("65 keys"));
}

#[test]
fn a_root_file_has_one_form_and_no_bit_of_it_is_free() {
    let text = then(
        &chain(),
        |root| root.recoveries.push(Recovery { name: "house".into(), version: 2, root: 2 }),
        &[1, 2],
    );
    let text = text.unwrap().render();
    for at in 0..text.len() {
        let mut bad = text.clone().into_bytes();
        bad[at] ^= 1;
        if let Ok(bad) = core::str::from_utf8(&bad) {
            // What is left free is the key id of a signature that is not needed: there is none here.
            assert!(RootChain::read(bad).is_err(), "byte {at} of:\n{text}");
        }
        if let Some(cut) = text.get(..at) {
            let whole = cut == chain().render();
            assert_eq!(RootChain::read(cut).is_ok(), whole, "cut at {at}");
        }
    }
    for wrong in [
        text.replace('\n', "\r\n"),
        format!("{text}\n"),
        format!("\u{feff}{text}"),
        text.replace(" 2\n", "  2\n"),
    ] {
        assert_eq!(kind(RootChain::read(&wrong)), ErrorKind::Root);
    }
    let err = RootChain::read("driven root v1\nversion 01\n").unwrap_err();
    assert_eq!(err.to_string(), "root: line 2: expected `version NUMBER`");
    // The beginning of time is not for ever, which is what it would be written as.
    let err = RootChain::read("driven root v1\nversion 1\nexpires 1970-01-01T00:00:00Z\n").unwrap_err();
    assert_eq!(err.to_string(), "root: line 3: expected `expires TIME or never`");
}

#[test]
fn an_older_version_is_refused_and_another_content_too() {
    let chain = chain();
    let mut state = State::default();
    state.accept(&chain, &tables(&pack(5)), None).unwrap();
    let state = State::read(&state.render()).unwrap();
    let policy = Policy::root(&chain).now(NOW).state(&state);
    assert_eq!(refused(&policy, &pack(4)), (ErrorKind::RolledBack, "P8"));
    taken(&policy, &pack(5));
    taken(&policy, &pack(6));
    let other = sign_by(&pack_of("house", 5, "Other.\n"), &[4, 5], NOW + DAY);
    assert_eq!(refused(&policy, &other), (ErrorKind::Equivocation, "P8"));
    // Signing it again is no other content.
    taken(&policy, &sign_by(&pack_of("house", 5, "Text.\n"), &[5, 6], 0));
    // Another pack has a floor of its own.
    taken(&policy, &sign_by(&pack_of("home", 1, "Text.\n"), &[4, 5], 0));
    // The way back is named, and exact.
    assert!(taken(&policy.clone().accept_version(4), &pack(4)).contains("accepted by name"));
    assert_eq!(refused(&policy.clone().accept_version(4), &pack(3)).0, ErrorKind::RolledBack);
    assert_eq!(refused(&policy.accept_version(5), &other).0, ErrorKind::Equivocation);
}

#[test]
fn the_embedded_pack_is_the_first_floor() {
    let chain = chain();
    let embedded = pack(5);
    let policy = Policy::root(&chain).now(NOW).not_before(&tables(&embedded));
    assert_eq!(refused(&policy, &pack(4)), (ErrorKind::RolledBack, "P8"));
    taken(&policy, &pack(5));
    let other = sign_by(&pack_of("house", 5, "Other.\n"), &[4, 5], 0);
    assert_eq!(refused(&policy, &other).0, ErrorKind::Equivocation);
    let home = sign_by(&pack_of("home", 9, "Text.\n"), &[4, 5], 0);
    assert_eq!(refused(&policy, &home).0, ErrorKind::WrongPack);
}

#[test]
fn a_version_pushed_sky_high_is_recovered_from_by_a_root_that_says_so() {
    let one = chain();
    let mut state = State::default();
    state.accept(&one, &tables(&pack(u64::MAX)), None).unwrap();
    assert_eq!(refused(&Policy::root(&one).state(&state), &pack(6)).0, ErrorKind::RolledBack);
    // Taking the keys out alone does not lower the floor: an older pack could come back by it.
    let rotated = then(&one, |root| root.expires = 0, &[1, 2]).unwrap();
    assert_eq!(refused(&Policy::root(&rotated).state(&state), &pack(6)).0, ErrorKind::RolledBack);
    let recover = |root: &mut Root| {
        root.recoveries.push(Recovery { name: "house".into(), version: 6, root: root.version });
    };
    let two = then(&one, recover, &[1, 2]).unwrap();
    let policy = Policy::root(&two).state(&state);
    assert_eq!(refused(&policy, &pack(5)).0, ErrorKind::RolledBack);
    taken(&policy, &pack(6));
    // Later roots must still say it to whoever comes late; it works once.
    let dropped = then(&two, |root| root.recoveries.clear(), &[1, 2]);
    assert!(dropped.unwrap_err().to_string().contains("left out"));
    let changed = then(&two, |root| root.recoveries[0].version = 1, &[1, 2]);
    assert!(changed.unwrap_err().to_string().contains("without naming this root"));
    let lower = |root: &mut Root| {
        root.recoveries[0] = Recovery { name: "house".into(), version: 5, root: root.version };
    };
    taken(&Policy::root(&then(&two, lower, &[1, 2]).unwrap()).state(&state), &pack(5));
    let three = then(&two, |_| {}, &[1, 2]).unwrap();
    taken(&Policy::root(&three).state(&state), &pack(6));
    state.accept(&two, &tables(&pack(9)), None).unwrap();
    assert_eq!(refused(&Policy::root(&two).state(&state), &pack(8)).0, ErrorKind::RolledBack);
    assert_eq!(state.floor(&three, "house").unwrap().version, 9);
}

#[test]
fn a_timestamp_is_signed_about_this_pack_fresh_and_never_older() {
    let chain = chain();
    let pack = pack(3);
    let good = stamp(&chain, &pack, NOW - 60);
    let policy = |stamp: &SignedTimestamp, now| {
        let tables = tables(&pack);
        Policy::root(&chain)
            .now(now)
            .timestamp(stamp)
            .judge(&tables, None)
            .into_result()
            .map_err(|err| err.kind())
    };
    assert_eq!(policy(&good, NOW), Ok(()));
    assert_eq!(policy(&good, NOW - 60 + DAY), Err(ErrorKind::Expired));
    assert_eq!(policy(&good, NOW - 61 + DAY), Ok(()));
    // T2: by a key without the role, by nobody, and bent.
    let bare = SignedTimestamp::new(good.timestamp()).unwrap();
    assert_eq!(policy(&bare, NOW), Err(ErrorKind::Unsigned));
    let mut wrong = bare.clone();
    wrong.sign(&key(4));
    assert_eq!(policy(&wrong, NOW), Err(ErrorKind::UnknownKey));
    let bent = good.render().replace("version 3", "version 4");
    assert_eq!(policy(&SignedTimestamp::read(&bent).unwrap(), NOW), Err(ErrorKind::Signature));
    // T3: of another chain, about another pack.
    let resigned = |change: fn(&mut Timestamp)| {
        let mut said = good.timestamp().clone();
        change(&mut said);
        let mut stamp = SignedTimestamp::new(&said).unwrap();
        stamp.sign(&key(7));
        stamp
    };
    assert_eq!(policy(&resigned(|said| said.chain.0[0] ^= 1), NOW), Err(ErrorKind::Timestamp));
    assert_eq!(policy(&resigned(|said| said.pack = "home".into()), NOW), Err(ErrorKind::Timestamp));
    // P9
    assert_eq!(policy(&resigned(|said| said.version = 4), NOW), Err(ErrorKind::RolledBack));
    assert_eq!(policy(&resigned(|said| said.version = 2), NOW), Err(ErrorKind::Timestamp));
    assert_eq!(policy(&resigned(|said| said.digest.0[0] ^= 1), NOW), Err(ErrorKind::Equivocation));
    // T5
    let mut state = State::default();
    state.accept(&chain, &tables(&pack), Some(&good)).unwrap();
    let state = State::read(&state.render()).unwrap();
    assert_eq!(state.check_timestamp(&chain, &good), Ok(()));
    assert_eq!(kind(state.check_timestamp(&chain, &stamp(&chain, &pack, NOW - 61))), ErrorKind::RolledBack);
    assert_eq!(state.check_timestamp(&chain, &stamp(&chain, &pack, NOW - 59)), Ok(()));
    assert_eq!(
        kind(state.check_timestamp(&chain, &resigned(|said| said.expires += 1))),
        ErrorKind::Equivocation
    );
    let old = stamp(&chain, &pack, NOW - 61);
    assert_eq!(
        refused(&Policy::root(&chain).now(NOW).state(&state).timestamp(&old), &pack),
        (ErrorKind::RolledBack, "T5")
    );
}

#[test]
fn a_timestamp_from_the_future_is_refused_or_recovered_from() {
    let (one, pack) = (chain(), pack(3));
    let ahead = stamp(&one, &pack, NOW + DAY);
    taken(&Policy::root(&one).now(NOW).timestamp(&ahead), &pack);
    assert_eq!(
        refused(&Policy::root(&one).now(NOW - 1).timestamp(&ahead), &pack),
        (ErrorKind::Timestamp, "T4")
    );
    // Seen without a clock, it keeps out all that follow.
    let far = stamp(&one, &pack, NOW + 1_000 * DAY);
    let mut state = State::default();
    Policy::root(&one).timestamp(&far).note_seen(&mut state);
    let good = stamp(&one, &pack, NOW);
    let judge = |chain| Policy::root(chain).now(NOW).state(&state).timestamp(&good);
    assert_eq!(refused(&judge(&one), &pack), (ErrorKind::RolledBack, "T5"));
    let recover = |root: &mut Root| {
        root.recoveries.push(Recovery { name: "house".into(), version: 0, root: root.version });
    };
    let two = then(&one, recover, &[1, 2]).unwrap();
    taken(&judge(&two), &pack);
    // Once: what is seen under the newer root is kept.
    Policy::root(&two).now(NOW).timestamp(&good).note_seen(&mut state);
    let older = stamp(&two, &pack, NOW - 1);
    let policy = Policy::root(&two).now(NOW).state(&state).timestamp(&older);
    assert_eq!(refused(&policy, &pack), (ErrorKind::RolledBack, "T5"));
}

#[test]
fn a_timestamp_that_a_root_forgets_is_not_remembered_by_being_seen_again() {
    let (one, pack) = (chain(), pack(3));
    let [ahead, good] = [NOW + 10, NOW].map(|issued| stamp(&one, &pack, issued));
    let mut state = State::default();
    let see = |chain: &RootChain, timestamp, state: &mut State| {
        Policy::root(chain).now(NOW).timestamp(timestamp).note_seen(state);
    };
    assert!(!state.remembers(&one, &ahead));
    see(&one, &ahead, &mut state);
    assert!(state.remembers(&one, &ahead) && !state.remembers(&one, &good));
    let recover = |root: &mut Root| {
        root.recoveries.push(Recovery { name: "house".into(), version: 0, root: root.version });
    };
    let two = then(&one, recover, &[1, 2]).unwrap();
    assert!(!state.remembers(&two, &ahead));
    see(&two, &ahead, &mut state);
    assert!(!state.remembers(&two, &ahead));
    assert_eq!(state.check_timestamp(&two, &good), Ok(()));
    see(&two, &good, &mut state);
    assert!(state.remembers(&two, &good));
}

#[test]
fn signatures_of_strangers_are_dropped_from_a_timestamp() {
    let (one, pack) = (chain(), pack(3));
    let signed = stamp(&one, &pack, NOW);
    let mut more = signed.clone();
    more.sign(&key(4));
    more.sign(&key(9));
    more.drop_strangers(&one);
    assert_eq!(more, signed);
}

#[test]
fn a_timestamp_that_is_asked_for_must_be_there() {
    let chain = chain();
    let pack = pack(3);
    assert_eq!(refused(&Policy::root(&chain).require_timestamp(), &pack), (ErrorKind::Timestamp, "P9"));
    let stamp = stamp(&chain, &pack, NOW);
    taken(&Policy::root(&chain).require_timestamp().timestamp(&stamp), &pack);
    // One key is no root to judge a timestamp by.
    let by_key = Policy::key(&key(4).public_key()).timestamp(&stamp);
    assert_eq!(refused(&by_key, &pack), (ErrorKind::Timestamp, "P9"));
    let mut none = first();
    none.keys.retain(|one| one.roles != [Role::Timestamp]);
    none.thresholds[2] = 0;
    let none = RootChain::read(&signed(&none, &[1, 2]).render()).unwrap();
    assert_eq!(refused(&Policy::root(&none).timestamp(&stamp), &pack), (ErrorKind::Timestamp, "T2"));
}

#[test]
fn a_timestamp_has_one_form() {
    let chain = chain();
    let text = stamp(&chain, &pack(3), NOW).render();
    assert_eq!(SignedTimestamp::read(&text).unwrap().render(), text);
    for wrong in
        [format!("{text}\n"), text.replace("version 3", "version 03"), text[1..].into(), format!("{text}x\n")]
    {
        assert_eq!(kind(SignedTimestamp::read(&wrong)), ErrorKind::Timestamp);
    }
    let mut said = SignedTimestamp::read(&text).unwrap().timestamp().clone();
    said.expires = said.issued;
    assert_eq!(kind(SignedTimestamp::new(&said)), ErrorKind::Timestamp);
}

#[test]
fn an_older_or_other_root_than_was_seen_is_refused() {
    let one = chain();
    let two = then(&one, |_| {}, &[1, 2]).unwrap();
    let mut state = State::default();
    state.accept(&two, &tables(&pack(3)), None).unwrap();
    assert_eq!(state.check_root(&two), Ok(()));
    assert_eq!(state.check_root(&then(&two, |_| {}, &[1, 2]).unwrap()), Ok(()));
    assert_eq!(kind(state.check_root(&one)), ErrorKind::RolledBack);
    let fork = then(&one, |root| root.expires = 0, &[1, 2]).unwrap();
    assert_eq!(kind(state.check_root(&fork)), ErrorKind::Equivocation);
    let four = then(&then(&two, |_| {}, &[1, 2]).unwrap(), |_| {}, &[1, 2]).unwrap();
    let tail = RootChain::read_part(&four.roots()[3].render()).unwrap();
    assert_eq!(kind(state.check_root(&tail)), ErrorKind::Root);
    assert_eq!(refused(&Policy::root(&one).state(&state), &pack(3)), (ErrorKind::RolledBack, "S4"));
}

#[test]
fn a_damaged_state_is_refused_whatever_the_bit() {
    let chain = chain();
    let mut state = State::default();
    state.accept(&chain, &tables(&pack(3)), Some(&stamp(&chain, &pack(3), NOW))).unwrap();
    let text = state.render();
    assert_eq!(State::read(&text), Ok(state));
    for at in 0..text.len() {
        let mut bad = text.clone().into_bytes();
        bad[at] ^= 1;
        if let Ok(bad) = core::str::from_utf8(&bad) {
            assert_eq!(kind(State::read(bad)), ErrorKind::State, "byte {at}");
        }
        assert_eq!(kind(State::read(&text[..at])), ErrorKind::State, "cut at {at}");
    }
    assert_eq!(State::read(&State::default().render()), Ok(State::default()));
    let unnamed = sign_by(&pack_of("", 3, "Text.\n"), &[4, 5], 0);
    assert_eq!(kind(State::default().accept(&chain, &tables(&unnamed), None)), ErrorKind::WrongPack);
}

#[test]
fn public_keys_are_read_in_three_forms() {
    let key = key(1).public_key();
    let raw = key.to_bytes();
    let encode =
        |head: &[u8]| <base64ct::Base64 as base64ct::Encoding>::encode_string(&[head, &raw].concat());
    let openssh = encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20");
    let minisign = encode(b"Ed12345678");
    let fine = [
        key.to_pem(),
        format!("\u{feff}{}", key.to_pem()),
        format!("ssh-ed25519 {openssh} alice@example.com\n"),
        format!("ssh-ed25519 {openssh}"),
        format!("untrusted comment: minisign public key 3837\n{minisign}\n"),
        minisign.clone(),
    ];
    for text in fine {
        assert_eq!(PublicKey::from_text(&text).unwrap(), key, "{text}");
    }
    let wrong = [
        String::new(),
        "ssh-ed25519".into(),
        format!("ssh-rsa {openssh}"),
        format!("ssh-ed25519 {minisign}"),
        openssh.clone(),
        encode(b"ED12345678"),
        encode(b"Ed1234567"),
        encode(b"\0\0\0\x0bssh-ed25518\0\0\0\x20"),
        format!("ssh-ed25519 {}", &openssh[1..]),
        hex_of(&raw),
    ];
    for text in wrong {
        let err = PublicKey::from_text(&text).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Key, "{text}");
    }
    // The point of order one: anybody could sign for it.
    let mut weak = [0; 32];
    weak[0] = 1;
    assert!(PublicKey::from_bytes(&weak).unwrap_err().to_string().contains("weak"));
    let private = self::key(1).to_pem();
    assert!(PublicKey::from_text(&private).unwrap_err().to_string().contains("private key"));
}

fn hex_of(bytes: &[u8]) -> String {
    super::text::hex(bytes)
}

#[test]
fn private_keys_come_back_and_are_not_shown() {
    let key = key(1);
    assert_eq!(SecretKey::from_pem(&key.to_pem()).unwrap().public_key(), key.public_key());
    let shown = format!("{key:?}");
    assert!(shown.contains(&key.public_key().id().to_string()) && !shown.contains("0101"), "{shown}");
    for (text, hint) in
        [("BEGIN ENCRYPTED PRIVATE KEY", "encrypted"), (&key.public_key().to_pem(), "public"), ("", "keygen")]
    {
        let err = SecretKey::from_pem(text).unwrap_err().to_string();
        assert!(err.contains(hint), "{err}");
    }
}

#[test]
fn what_is_proved_is_seen_even_when_the_pack_is_refused() {
    let one = chain();
    let two = then(&one, |_| {}, &[1, 2]).unwrap();
    let pack = pack(3);
    let newest = stamp(&two, &pack, NOW);
    let mut state = State::default();
    Policy::root(&two).now(NOW).timestamp(&newest).note_seen(&mut state);
    assert_eq!(kind(state.check_root(&one)), ErrorKind::RolledBack);
    assert_eq!(kind(state.check_timestamp(&two, &stamp(&two, &pack, NOW - 1))), ErrorKind::RolledBack);
    assert_eq!(state.floor(&two, "house"), None);
    // What does not hold is not seen: an older root, an unsigned, foreign or expired timestamp.
    let before = state.clone();
    Policy::root(&one).note_seen(&mut state);
    let mut bare = SignedTimestamp::new(stamp(&two, &pack, NOW + 1).timestamp()).unwrap();
    Policy::root(&two).timestamp(&bare).note_seen(&mut state);
    bare.sign(&key(4));
    Policy::root(&two).timestamp(&bare).note_seen(&mut state);
    Policy::root(&two).now(NOW + 2 * DAY).timestamp(&stamp(&two, &pack, NOW + 1)).note_seen(&mut state);
    assert_eq!(state, before);
}

#[test]
fn under_a_root_that_expired_no_timestamp_is_seen() {
    let one = chain();
    let two = then(&one, |root| root.expires = NOW + 10, &[1, 2]).unwrap();
    let newest = stamp(&two, &pack(3), NOW + 20);
    let mut state = State::default();
    Policy::root(&two).now(NOW + 10).timestamp(&newest).note_seen(&mut state);
    assert_eq!(state.check_timestamp(&two, &stamp(&two, &pack(3), NOW)), Ok(()));
    // The root itself is known from then on.
    assert_eq!(kind(state.check_root(&one)), ErrorKind::RolledBack);
    Policy::root(&two).now(NOW + 9).timestamp(&newest).note_seen(&mut state);
    assert_eq!(kind(state.check_timestamp(&two, &stamp(&two, &pack(3), NOW))), ErrorKind::RolledBack);
}

#[test]
fn copies_of_a_timestamp_are_merged_and_others_are_not() {
    let (one, pack) = (chain(), pack(3));
    let signed = stamp(&one, &pack, NOW);
    let mut bare = SignedTimestamp::new(signed.timestamp()).unwrap();
    let other = stamp(&one, &pack, NOW + 1);
    assert_eq!(kind(bare.merge(&other)), ErrorKind::Timestamp);
    bare.merge(&signed).unwrap();
    assert_eq!(bare, signed);
}

#[test]
fn a_newer_root_of_another_chain_is_told_as_that() {
    let mut one = then(&chain(), |_| {}, &[1, 2]).unwrap();
    let other = Root { expires: NOW, ..first() };
    let other = RootChain::read(&signed(&other, &[1, 2]).render()).unwrap();
    assert!(one.advance(&other).unwrap_err().to_string().contains("of another chain"));
}

#[test]
fn a_signature_is_read_as_tools_print_it() {
    let made = key(4).sign(b"text");
    let hex = text::hex(&made);
    let base64 = Base64::encode_string(&made);
    for printed in [made.to_vec(), hex.clone().into_bytes(), format!("{base64}\n").into_bytes()] {
        assert_eq!(read_signature(&printed), Some(made));
    }
    for wrong in
        [&made[..63], b"", &hex.as_bytes()[2..], hex.to_uppercase().as_bytes(), b"no signature", &[0xff; 70]]
    {
        assert_eq!(read_signature(wrong), None);
    }
}

#[test]
fn a_root_and_a_timestamp_take_signatures_from_elsewhere() {
    let mut root = SignedRoot::new(&first()).unwrap();
    let mut by_key = root.clone();
    by_key.sign(&key(1));
    let made = key(1).sign(root.signed_bytes());
    assert_eq!(kind(root.add_signature(&key(2).public_key(), made)), ErrorKind::Signature);
    assert!(root.signatures().is_empty());
    root.add_signature(&key(1).public_key(), made).unwrap();
    assert_eq!(root, by_key);
    let by_key = stamp(&chain(), &pack(3), NOW);
    let mut stamp = SignedTimestamp::new(by_key.timestamp()).unwrap();
    let made = key(7).sign(stamp.signed_bytes());
    assert_eq!(kind(stamp.add_signature(&key(6).public_key(), made)), ErrorKind::Signature);
    stamp.add_signature(&key(7).public_key(), made).unwrap();
    assert_eq!(stamp, by_key);
}

#[test]
fn every_list_of_a_root_is_sorted_each_once() {
    let mut root = first();
    for number in [20, 21] {
        let fingerprint = key(number).public_key().fingerprint();
        root.revoked.push(Revocation { fingerprint, reason: "lost".into() });
    }
    for name in ["a", "b"] {
        root.recoveries.push(Recovery { name: name.into(), version: 1, root: 1 });
    }
    let text = signed(&root, &[1, 2]).render();
    assert!(SignedRoot::read(&text).is_ok());
    for word in ["key ", "revoked ", "recover ", "signature "] {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(word)).unwrap();
        for twice in [false, true] {
            let mut other = lines.clone();
            if twice {
                other[at + 1] = other[at];
            } else {
                other.swap(at, at + 1);
            }
            let err = SignedRoot::read(&(other.join("\n") + "\n")).unwrap_err();
            assert!(err.to_string().contains("sorted"), "{word}: {err}");
        }
    }
    for roles in ["packs,root", "root,root", ""] {
        assert!(
            SignedRoot::read(&text.replacen(" root key 1", &format!(" {roles} key 1"), 1)).is_err(),
            "{roles}"
        );
    }
    let early =
        text.replace(&format!("expires {}", render_time(NOW + 100 * DAY)), "expires 1970-01-01T00:00:00Z");
    assert_ne!(early, text);
    assert!(SignedRoot::read(&early).is_err());
}

#[test]
fn copies_of_a_change_are_merged_and_other_versions_are_not() {
    let (mut one, two) = (signed(&first(), &[1]), signed(&first(), &[2, 3]));
    assert_eq!(one.signatures().len(), 1);
    one.merge(&two).unwrap();
    assert_eq!(one, signed(&first(), &[1, 2, 3]));
    one.merge(&two).unwrap();
    assert_eq!(one.signatures().len(), 3);
    let other = signed(&Root { expires: 0, ..first() }, &[1]);
    assert_eq!(kind(one.merge(&other)), ErrorKind::Root);
    assert_eq!(one.signatures().len(), 3);
    // What a copy says about a key that signed here already changes nothing.
    let mut bent = signed(&first(), &[1]).render();
    let at = bent.len() - 2;
    bent.replace_range(at..=at, if bent.ends_with("0\n") { "1" } else { "0" });
    one.merge(&SignedRoot::read(&bent).unwrap()).unwrap();
    assert_eq!(one, signed(&first(), &[1, 2, 3]));
}

#[test]
fn the_story_tells_versions_as_they_are() {
    let (chain, mut state) = (chain(), State::default());
    let policy = Policy::root(&chain);
    assert!(taken(&policy, &pack(4)).contains("version 4; nothing is kept to compare with"));
    assert!(taken(&policy.clone().state(&state), &pack(4)).contains("version 4; first use"));
    state.accept(&chain, &tables(&pack(4)), None).unwrap();
    let seen = policy.state(&state);
    assert!(taken(&seen, &pack(4)).contains("ok P8  version 4, at least 4"));
    assert!(taken(&seen, &pack(5)).contains("version 5, at least 4"));
    let told = taken(&seen.clone().accept_version(3), &pack(3));
    assert!(told.contains("-- P8  version 3, older than 4; accepted by name"), "{told}");
    // An accepted version is not another content of the current one.
    let stamp = stamp(&chain, &pack(4), NOW);
    let other = sign_by(&pack_of("house", 4, "Other.\n"), &[4, 5], NOW + 10 * DAY);
    let policy = Policy::root(&chain).now(NOW).timestamp(&stamp).accept_version(4);
    assert_eq!(refused(&policy, &other), (ErrorKind::Equivocation, "P9"));
    let policy = Policy::root(&chain).now(NOW).timestamp(&stamp).accept_version(3);
    assert!(taken(&policy, &pack(3)).contains("version 4 is current; accepted by name"));
}

#[test]
fn a_policy_gives_back_what_it_goes_by() {
    let chain = chain();
    let stamp = stamp(&chain, &pack(3), NOW);
    let policy = Policy::root(&chain).timestamp(&stamp);
    assert_eq!(policy.chain().unwrap().newest().digest(), chain.newest().digest());
    assert_eq!(policy.given_timestamp(), Some(&stamp));
    assert!(Policy::key(&key(4).public_key()).chain().is_none());
    let unsigned = pack_of("house", 3, "Text.\n");
    assert_eq!(kind(policy.check(&tables(&unsigned), None)), ErrorKind::Unsigned);
    assert_eq!(format!("{:?}", key(4).public_key().id()), format!("KeyId({})", key(4).public_key().id()));
    // Keys are named in what is told.
    let by_other = sign_by(&unsigned, &[9], 0);
    let told = policy.check(&tables(&by_other), None).unwrap_err().to_string();
    assert!(told.contains("(key 4)") && told.contains(&key(9).public_key().id().to_string()), "{told}");
}

#[test]
fn a_floor_that_a_root_recovers_to_keeps_its_content_when_it_is_the_same() {
    let one = chain();
    let mut state = State::default();
    state.accept(&one, &tables(&pack(6)), None).unwrap();
    let recover = |root: &mut Root| {
        root.recoveries.push(Recovery { name: "house".into(), version: 6, root: root.version });
    };
    let two = then(&one, recover, &[1, 2]).unwrap();
    assert!(state.floor(&two, "house").unwrap().digest.is_some());
    let other = sign_by(&pack_of("house", 6, "Other.\n"), &[4, 5], 0);
    assert_eq!(refused(&Policy::root(&two).state(&state), &other).0, ErrorKind::Equivocation);
}

//! Trust from end to end: public test vectors, OpenSSL, the state file, and the commands.

use std::fs;
use std::process::{Child, Command, Stdio};

use driven::Pack;
use driven::trust::{Policy, RootChain, State, TrustStore};
use driven_format::trust::{PublicKey, Role, Root, RootKey, SecretKey, SignedRoot, sign};
use driven_format::{PackBuilder, Rule, Tables};
use driven_tests::samples::with_a_false_rule;
use serde_json::Value;

use crate::harness::Project;

/// A file of public test vectors; nothing where they are not.
fn vectors(name: &str) -> Option<Value> {
    let folder = driven_tests::outside_folder("DRIVEN_VECTORS")?;
    let text = fs::read_to_string(folder.join(name)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Whether a signature is taken, as a reader of packs would: any fault on the way refuses it.
fn is_taken(key: &Value, message: &Value, signature: &Value) -> bool {
    let key: [u8; 32] = bytes(key).try_into().unwrap();
    let Ok(key) = PublicKey::from_bytes(&key) else { return false };
    let Ok(signature) = bytes(signature).try_into() else { return false };
    key.verify(&bytes(message), &signature)
}

#[test]
fn wycheproof_gives_the_strict_answers() {
    let Some(file) = vectors("wycheproof-ed25519.json") else { return };
    let mut counts = [0, 0];
    for group in file["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let valid = test["result"] == "valid";
            let taken = is_taken(&group["publicKey"]["pk"], &test["msg"], &test["sig"]);
            assert_eq!(taken, valid, "{}: {}", test["tcId"], test["comment"]);
            counts[usize::from(valid)] += 1;
        }
    }
    assert_eq!(counts, [63, 88]);
}

#[test]
fn speccheck_accepts_number_three_alone() {
    let Some(file) = vectors("speccheck-ed25519.json") else { return };
    let cases = file.as_array().unwrap();
    let taken = |case: &Value| is_taken(&case["pub_key"], &case["message"], &case["signature"]);
    let accepted: Vec<usize> = (0..cases.len()).filter(|&at| taken(&cases[at])).collect();
    assert_eq!((cases.len(), accepted), (12, vec![3]));
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32].into())
}

fn chain() -> RootChain {
    let listed =
        RootKey { key: key(1).public_key(), roles: vec![Role::Root, Role::Packs], name: "alice".into() };
    let mut root = SignedRoot::new(&Root {
        before: None,
        version: 1,
        expires: 0,
        thresholds: [1, 1, 0],
        keys: vec![listed],
        revoked: Vec::new(),
        recoveries: Vec::new(),
    })
    .unwrap();
    root.sign(&key(1));
    RootChain::read(&root.render()).unwrap()
}

fn pack(version: u64) -> Vec<u8> {
    let pack = PackBuilder::new("house", version).rule(Rule::new("a", "Text.\n")).finish().unwrap();
    sign(&Tables::check(&pack).unwrap(), &key(1), 0).unwrap()
}

driven::include_rules!(mod rooted, file = "fixtures/rooted/house.drv", trust = "fixtures/rooted/trust.root");

/// The pack and the root that the macro proved while this was compiled; both come out of fixed keys.
#[test]
fn a_pack_is_embedded_by_a_root() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rooted");
    let fixtures = [("house.drv", pack(1)), ("trust.root", chain().render().into_bytes())];
    for (name, bytes) in fixtures {
        let path = format!("{folder}/{name}");
        if std::env::var_os("DRIVEN_BLESS").is_some() {
            driven_build::write_if_changed(path.as_ref(), &bytes).unwrap();
        }
        assert!(fs::read(&path).unwrap() == bytes, "{name}: write it anew with DRIVEN_BLESS=1");
    }
    assert_eq!(rooted::get(rooted::ids::A).body(), "Text.\n");
    assert!(rooted::PACK.verify_by(&Policy::root(&chain()).name("house")).is_ok());
}

#[test]
fn the_state_file_remembers_refuses_damage_and_is_written_only_when_a_pack_is_let_in() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain());
    let path = dir.path().join("state");
    let (store, policy) = (TrustStore::new(&path), Policy::root(&chain).name("house"));
    let admit = |version| {
        let bytes = pack(version);
        let pack = Pack::open(&bytes).unwrap();
        store.admit(pack, &policy).map(|admitted| admitted.is_first_use).map_err(|err| err.code())
    };
    assert!(store.look(Pack::open(&pack(1)).unwrap(), &policy).unwrap().fault().is_none());
    assert!(!path.exists());
    assert!(!store.knows(&chain, "house").unwrap());
    assert_eq!([admit(2), admit(2), admit(3)], [Ok(true), Ok(false), Ok(false)]);
    assert!(store.knows(&chain, "house").unwrap());
    let kept = fs::read(&path).unwrap();
    assert_eq!(admit(2), Err("rolled-back"));
    assert_eq!(fs::read(&path).unwrap(), kept);
    for damaged in [&kept[..kept.len() - 1], b"", b"driven trust state v1\n", &[0xff; 64]] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(admit(4), Err("trust-state"));
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(admit(2), Ok(true));
}

#[test]
fn what_is_observed_lowers_no_floor() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain());
    let (store, policy) = (TrustStore::new(dir.path().join("state")), Policy::root(&chain).name("house"));
    let [older, newer] = [pack(1), pack(2)];
    let back = policy.clone().accept_version(1);
    assert!(store.observe(Pack::open(&newer).unwrap(), &policy).unwrap().story.fault().is_none());
    assert!(!store.knows(&chain, "house").unwrap());
    store.admit(Pack::open(&newer).unwrap(), &policy).unwrap();
    assert!(store.observe(Pack::open(&older).unwrap(), &back).unwrap().story.fault().is_none());
    assert_eq!(store.admit(Pack::open(&older).unwrap(), &policy).unwrap_err().code(), "rolled-back");
    // The root is written down.
    let text = fs::read_to_string(dir.path().join("state")).unwrap();
    assert!(text.contains(&format!("root {}", chain.newest().chain())), "{text}");
}

#[test]
fn many_at_once_never_lower_a_floor() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain());
    let path = dir.path().join("state");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (path, chain) = (&path, &chain);
            scope.spawn(move || {
                let (store, policy) = (TrustStore::new(path), Policy::root(chain));
                for step in 0..8 {
                    let bytes = pack(1 + step * 8 + number);
                    let _ = store.admit(Pack::open(&bytes).unwrap(), &policy);
                }
            });
        }
    });
    let (store, policy) = (TrustStore::new(&path), Policy::root(&chain));
    let code = |version| {
        let bytes = pack(version);
        store.look(Pack::open(&bytes).unwrap(), &policy).unwrap().fault().map(driven_format::Error::code)
    };
    assert_eq!([code(63), code(64)], [Some("rolled-back"), None]);
}

/// A state that could not be read again does not take the place of one that can.
#[test]
fn a_state_that_is_full_says_so_and_stays() {
    const MOST: usize = 1 << 20;
    let (dir, chain) = (tempfile::tempdir().unwrap(), chain());
    let path = dir.path().join("state");
    let (store, policy) = (TrustStore::new(&path), Policy::root(&chain));
    let pack = |number: usize, version| {
        let pack = PackBuilder::new(format!("{number:0>256}"), version).finish().unwrap();
        sign(&Tables::check(&pack).unwrap(), &key(1), 0).unwrap()
    };
    let mut state = State::default();
    let accept = |state: &mut State, number| {
        state.accept(&chain, &Tables::check(&pack(number, 1)).unwrap(), None).unwrap();
    };
    accept(&mut state, 0);
    let one = state.render().len();
    accept(&mut state, 1);
    let line = state.render().len() - one;
    let count = 1 + (MOST - one) / line;
    (2..count).for_each(|number| accept(&mut state, number));
    let full = state.render();
    assert!(full.len() <= MOST && full.len() + line > MOST);
    fs::write(&path, &full).unwrap();

    let err = store.admit(Pack::open(&pack(count, 1)).unwrap(), &policy).unwrap_err();
    assert!(err.code() == "io" && err.to_string().contains("more packs than a state file holds"), "{err}");
    assert_eq!(fs::read_to_string(&path).unwrap(), full);
    store.admit(Pack::open(&pack(count - 1, 2)).unwrap(), &policy).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), full.len() as u64);
}

/// What a signer of timestamps is told, whose readers would be refused.
#[test]
fn a_timestamp_that_nobody_takes_is_said_to_be_one() {
    let project = rooted();
    let stamp = ["trust", "timestamp", "rules.drv", "--root", "trust.root", "--key", "alice.key"];
    let dates = ["--issued", "2098-01-01", "--expires", "2099-01-01", "-o", "rules.stamp"];
    let (_, err) = project.expect(0, &[&stamp[..], &dates].concat());
    assert!(err.contains("whoever goes by this root refuses the pack: the pack is not signed"), "{err}");
    assert!(err.contains("dated more than a day ahead") && err.contains("does not count yet"), "{err}");
    for key in ["alice.key", "bob.key"] {
        project.expect(0, &["sign", "rules.drv", "--key", key]);
    }
    let (_, err) =
        project.expect(0, &[&stamp[..], &["--expires", "2099-01-01", "-o", "rules.stamp"]].concat());
    assert!(!err.contains("refuses the pack") && !err.contains("a day ahead"), "{err}");
}

/// One root digest over two texts, one for who reads a rule and one for who reads all: where it is written down or said that
/// a pack was seen or holds, every digest is proved.
#[test]
fn a_pack_that_states_false_digests_is_never_one_that_was_seen() {
    let plain = PackBuilder::new("house", 1).rule(Rule::new("a", "Text.\n")).finish().unwrap();
    let bent = sign(&Tables::check(&with_a_false_rule(&plain)).unwrap(), &key(1), 0).unwrap();
    let (project, chain) = (Project::new(), chain());
    let (policy, store) = (Policy::root(&chain).name("house"), TrustStore::new(project.path("state")));
    let pack = Pack::open(&bent).unwrap();
    assert!(pack.verify_by(&policy).is_ok(), "every byte of it was signed");
    assert_eq!(store.admit(pack, &policy).unwrap_err().code(), "pack-digest");
    assert!(!store.knows(&chain, "house").unwrap());

    project.expect(0, &["keygen", "stamp"]);
    project.write("bent.drv", &bent);
    project.write("alice.pub", key(1).public_key().to_pem());
    project.write("trust.root", chain.render());
    for arguments in [
        &["verify", "bent.drv", "--key", "alice.pub"][..],
        &["verify", "bent.drv", "--root", "trust.root"],
        &[
            "trust",
            "timestamp",
            "bent.drv",
            "--root",
            "trust.root",
            "--key",
            "stamp.key",
            "--expires",
            "2027-01-31",
            "-o",
            "bent.stamp",
        ],
    ] {
        assert_eq!(project.json(2, arguments)["error"]["code"], "pack-digest", "{arguments:?}");
    }
    assert!(!project.path("bent.stamp").exists());
}

/// A project with keys, and a root that two of `alice`, `bob` and `carol` sign.
fn rooted() -> Project {
    let project = Project::new();
    for name in ["alice", "bob", "carol", "stamp"] {
        project.expect(0, &["keygen", name]);
    }
    let init = ["trust", "init", "trust.root", "alice.pub", "bob.pub", "carol.pub", "--threshold", "2"];
    let (out, _) = project.expect(0, &[&init[..], &["--key", "alice.key"]].concat());
    assert!(out.contains("waits"), "{out}");
    assert!(!project.path("trust.root").exists());
    project.expect(0, &["trust", "sign", "trust.root", "--key", "bob.key"]);
    assert!(!project.path("trust.root.next").exists());
    project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    project
}

#[test]
fn two_people_sign_apart_and_a_reader_is_told_each_check() {
    let project = rooted();
    let verify = |code, more: &[&str]| {
        project.expect(code, &[&["verify", "rules.drv", "--root", "trust.root"], more].concat())
    };
    let (out, err) = verify(2, &[]);
    assert!(out.contains("NO P2") && err.contains("not signed"), "{out}{err}");
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key", "--detached", "-o", "alice.sig"]);
    project.expect(0, &["sign", "rules.drv", "--key", "carol.key", "--detached", "-o", "carol.sig"]);
    let (_, err) = verify(2, &["--signatures", "alice.sig"]);
    assert!(err.contains("1 of the 2 keys"), "{err}");
    verify(0, &["--signatures", "alice.sig", "--signatures", "carol.sig"]);
    let attach = ["sign", "rules.drv", "--attach", "alice.sig", "--attach", "carol.sig"];
    assert!(project.expect(0, &attach).1.contains("are not proved here"));
    let written = ["--signed-bytes", "a", "--signature", "b"];
    assert!(verify(2, &written).1.contains("cannot be used with"));
    assert!(!project.path("a").exists());
    let (out, err) = verify(0, &["--state", "state", "--name", "demo"]);
    assert!(out.contains("ok P4") && out.contains("2 of 2") && err.contains("first use"), "{out}{err}");
    let (_, err) = verify(0, &["--state", "state"]);
    assert!(!err.contains("first use"), "{err}");
    assert!(verify(2, &["--name", "other"]).1.contains("`other` was asked for"));
    // An older version, and the way back.
    project.write("rules/pack.toml", "name = \"demo\"\nversion = 2\n");
    project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key"]);
    project.expect(0, &["sign", "rules.drv", "--key", "bob.key"]);
    assert!(verify(2, &["--state", "state"]).1.contains("version 2, and 3 was seen"));
    verify(0, &["--state", "state", "--accept-version", "2"]);
    verify(0, &["--state", "state"]);
}

#[test]
fn a_stolen_key_is_revoked_and_the_root_is_walked_to() {
    let project = rooted();
    fs::copy(project.path("trust.root"), project.path("old.root")).unwrap();
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key"]);
    project.expect(0, &["sign", "rules.drv", "--key", "bob.key"]);
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost laptop"];
    project.expect(0, &[&revoke[..], &["--key", "alice.key", "--key", "carol.key"]].concat());
    let (_, err) = project.expect(2, &["verify", "rules.drv", "--root", "trust.root"]);
    assert!(err.contains("was revoked"), "{err}");
    project.expect(0, &["verify", "rules.drv", "--root", "old.root"]);
    let (out, _) = project.expect(0, &["trust", "update", "old.root", "trust.root"]);
    assert!(out.contains("root 2, 1 steps on"), "{out}");
    assert_eq!(fs::read(project.path("old.root")).unwrap(), fs::read(project.path("trust.root")).unwrap());
    let shown = project.json(0, &["trust", "show", "trust.root"]);
    assert_eq!(shown["roots"][1]["revoked"][0]["reason"], "lost laptop");
    // The key can't come back.
    let add = ["trust", "add", "trust.root", "bob.pub"];
    assert!(project.expect(2, &add).1.contains("listed and revoked"));
}

#[test]
fn a_change_that_waits_is_shown_and_goes_on_from_the_chain_alone() {
    let project = rooted();
    let first = fs::read(project.path("trust.root")).unwrap();
    project.expect(0, &["trust", "add", "trust.root", "stamp.pub", "--key", "alice.key"]);
    let waiting = fs::read(project.path("trust.root.next")).unwrap();
    // Who signs sees what the change is.
    let (out, err) = project.expect(0, &["trust", "sign", "trust.root", "--key", "bob.key"]);
    assert!(err.contains("+ key") && err.contains("stamp") && out.contains("root 2"), "{out}{err}");
    let chain = fs::read(project.path("trust.root")).unwrap();
    // One that joined already, one of another chain, and a first version over a chain: refused, nothing is lost.
    let text = String::from_utf8(first.clone()).unwrap();
    let foreign = String::from_utf8(waiting.clone())
        .unwrap()
        .replace("previous ", "previous 0")
        .replacen("0\n", "\n", 1);
    for stale in [waiting, first, foreign.into_bytes()] {
        project.write("trust.root.next", &stale);
        project.expect(2, &["trust", "sign", "trust.root", "--key", "carol.key"]);
        project.expect(2, &["trust", "revoke", "trust.root", "bob", "--reason", "lost"]);
        assert_eq!(fs::read(project.path("trust.root")).unwrap(), chain);
        assert_eq!(fs::read(project.path("trust.root.next")).unwrap(), stale);
    }
    assert!(text.starts_with("driven root v1\nversion 1\n"));
}

#[test]
fn whoever_signs_a_change_sees_it_first() {
    let project = rooted();
    let add = ["trust", "add", "trust.root", "stamp.pub", "--role", "packs,timestamp", "--key", "alice.key"];
    let (out, _) = project.expect(0, &add);
    assert!(out.contains("as root 1 asks") || out.contains("1 of the 2 keys that it needs"), "{out}");
    assert!(out.contains("(bob)") && out.contains("(carol)") && !out.contains("(alice)"), "{out}");
    let stamp = project.json(0, &["key", "show", "stamp.pub"])["fingerprint"].as_str().unwrap().to_owned();
    let (out, _) = project.expect(0, &["trust", "show", "trust.root.next"]);
    assert!(out.contains(&format!("{stamp} stamp (packs, timestamp)")), "{out}");
    assert!(out.contains("timestamp: 1 of 1") && out.contains("signed by alice\n"), "{out}");
    let (_, err) = project.expect(2, &["trust", "sign", "trust.root"]);
    assert!(err.contains("+ key ") && err.contains(&format!(" stamp, fingerprint {stamp}")), "{err}");
    fs::rename(project.path("trust.root"), project.path("gone")).unwrap();
    let (_, err) = project.expect(2, &["trust", "show", "trust.root"]);
    assert!(err.contains("`driven trust show trust.root.next`"), "{err}");
}

#[test]
fn a_part_of_a_chain_is_no_root() {
    let project = rooted();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    project.expect(0, &[&["trust", "add", "trust.root", "stamp.pub"], &both[..]].concat());
    let text = fs::read_to_string(project.path("trust.root")).unwrap();
    let second = &text[text.rfind("driven root v1").unwrap()..];
    project.write("part.root", second);
    let (_, err) = project.expect(2, &["trust", "show", "part.root"]);
    assert!(err.contains("begins with version 2"), "{err}");
}

#[test]
fn renewed_signatures_keep_their_expiry() {
    let project = rooted();
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key", "--expires", "2030-01-31"]);
    let other = ["sign", "rules.drv", "--key", "bob.key", "--expires", "2031-01-31"];
    assert!(project.expect(2, &other).1.contains("another expiry"));
    project.expect(0, &["sign", "rules.drv", "--key", "bob.key", "--renew"]);
    let shown = project.json(0, &["inspect", "rules.drv"]);
    assert_eq!(
        (&shown["expires"], shown["signatures"].as_array().unwrap().len()),
        (&1_896_048_000_u64.into(), 1)
    );
}

#[test]
fn what_is_signed_for_a_time_that_has_passed_is_said_to_be_refused() {
    let project = rooted();
    let says = |arguments: &[&str]| {
        let expired = project.expect(0, arguments).1.contains("warning: this expired on 2001-01-31");
        assert!(expired, "{arguments:?}");
    };
    let past = ["--expires", "2001-01-31"];
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let stamp = ["trust", "timestamp", "rules.drv", "--root", "trust.root", "-o", "rules.stamp"];
    let stamp = [&stamp[..], &["--key", "stamp.key"], &past].concat();
    assert!(project.expect(2, &stamp).1.contains("hint: `--expires` takes a later date"));
    says(&[&stamp[..], &["--issued", "2001-01-01"]].concat());
    says(&[&["sign", "rules.drv"][..], &both, &past].concat());
    says(&[&["trust", "add", "trust.root", "stamp.pub"][..], &both, &past].concat());
    let (_, err) =
        project.expect(0, &["sign", "rules.drv", "--renew", "--expires", "never", "--key", "bob.key"]);
    assert!(!err.contains("expired"), "{err}");
}

#[test]
fn a_revoked_key_seen_once_stays_revoked_for_a_reader_with_state() {
    let project = rooted();
    fs::copy(project.path("trust.root"), project.path("old.root")).unwrap();
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key"]);
    project.expect(0, &["sign", "rules.drv", "--key", "bob.key"]);
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost"];
    project.expect(0, &[&revoke[..], &["--key", "alice.key", "--key", "carol.key"]].concat());
    let verify =
        |root: &str| project.expect(2, &["verify", "rules.drv", "--root", root, "--state", "state"]).1;
    assert!(verify("trust.root").contains("was revoked"));
    // The older root, which does not know that, comes too late.
    assert!(verify("old.root").contains("is older than root 2"));
}

#[test]
fn a_timestamp_says_what_is_current() {
    let project = rooted();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let add = ["trust", "add", "trust.root", "stamp.pub", "--role", "timestamp"];
    project.expect(0, &[&add[..], &both].concat());
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key", "--expires", "2030-01-31"]);
    project.expect(0, &["sign", "rules.drv", "--key", "bob.key"]);
    let stamp = ["trust", "timestamp", "rules.drv", "--root", "trust.root", "--key", "stamp.key"];
    let dates = ["--issued", "2027-01-01", "--expires", "2027-01-08", "-o", "rules.stamp"];
    project.expect(0, &[&stamp[..], &dates].concat());
    let verify = |code, at: &str| {
        let arguments =
            ["verify", "rules.drv", "--root", "trust.root", "--timestamp", "rules.stamp", "--at", at];
        project.expect(code, &arguments)
    };
    assert!(verify(0, "2027-01-02").0.contains("ok P9"));
    assert!(verify(2, "2030-01-31").1.contains("error: rules.drv: the pack expired"));
    let (_, err) = verify(2, "2027-01-08");
    assert!(err.contains("error: rules.stamp: the timestamp expired") && err.contains("a newer timestamp"));
    let text = fs::read_to_string(project.path("rules.stamp")).unwrap();
    project.write("rules.stamp", text.replace("expires 2027-01-08", "expires 2027-01-09"));
    let (_, err) = verify(2, "2027-01-02");
    assert!(err.contains("error: rules.stamp: ") && err.contains("does not hold"), "{err}");
}

#[test]
fn a_root_that_expired_is_named() {
    let project = rooted();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let rotate = ["trust", "add", "trust.root", "stamp.pub", "--expires", "2030-01-31"];
    project.expect(0, &[&rotate[..], &both].concat());
    project.expect(0, &[&["sign", "rules.drv"][..], &both].concat());
    let arguments = ["verify", "rules.drv", "--root", "trust.root", "--at", "2030-01-31"];
    let (_, err) = project.expect(2, &arguments);
    assert!(
        err.contains("error: trust.root: root 2 expired") && err.contains("`driven trust update`"),
        "{err}"
    );
}

/// Runs all of these at once, and expects that each ends well.
fn at_once(project: &Project, commands: &[Vec<&str>]) {
    let spawn = |arguments: &Vec<&str>| {
        let mut command = Command::new(crate::harness::binary());
        command.args(arguments).current_dir(project.path(".")).stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<Child> = commands.iter().map(spawn).collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
#[cfg(unix)]
fn who_signs_at_once_loses_no_signature_and_no_change() {
    let project = rooted();
    let sign = |key| vec!["sign", "rules.drv", "--key", key];
    at_once(&project, &["alice.key", "bob.key", "carol.key", "stamp.key"].map(sign));
    let shown = project.json(0, &["inspect", "rules.drv"]);
    assert_eq!(shown["signatures"].as_array().map(Vec::len), Some(4));

    // The first version of a root, which has no file of its own yet.
    let keys = ["alice.pub", "bob.pub", "carol.pub", "stamp.pub"];
    project.expect(0, &[&["trust", "init", "new.root"], &keys[..], &["--threshold", "4"]].concat());
    let sign = |key| vec!["trust", "sign", "new.root", "--key", key];
    at_once(&project, &["alice.key", "bob.key", "carol.key", "stamp.key"].map(sign));
    project.expect(0, &["trust", "show", "new.root"]);

    project.expect(0, &["keygen", "dave"]);
    let add = |key| vec!["trust", "add", "trust.root", key, "--key", "alice.key", "--key", "bob.key"];
    at_once(&project, &["dave.pub", "stamp.pub"].map(add));
    let shown = project.json(0, &["trust", "show", "trust.root"]);
    let text = shown.to_string();
    assert!(text.contains("dave") && text.contains("stamp"), "{text}");
}

/// Two versions signed by the threshold, each with a timestamp that says that it is current.
pub(crate) fn stamped() -> Project {
    let project = rooted();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let add = ["trust", "add", "trust.root", "stamp.pub", "--role", "timestamp"];
    project.expect(0, &[&add[..], &both].concat());
    for version in ["1", "2"] {
        project.write("rules/pack.toml", format!("name = \"demo\"\nversion = {version}\n"));
        let (pack, stamp) = (format!("{version}.drv"), format!("{version}.stamp"));
        project.expect(0, &["build", "rules", "-o", &pack, "--key", "alice.key"]);
        project.expect(0, &["sign", &pack, "--key", "bob.key"]);
        let issued = format!("2020-01-0{version}");
        let told = ["trust", "timestamp", &pack, "--root", "trust.root", "--key", "stamp.key", "-o", &stamp];
        project.expect(0, &[&told[..], &["--issued", &issued, "--expires", "2999-01-01"]].concat());
    }
    project
}

#[test]
fn two_people_sign_a_timestamp_apart() {
    let project = rooted();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let add = ["trust", "add", "trust.root", "stamp.pub", "dave.pub", "--role", "timestamp"];
    project.expect(0, &["keygen", "dave"]);
    project.expect(0, &[&add[..], &["--role-threshold", "timestamp=2"], &both].concat());
    project.expect(0, &[&["sign", "rules.drv"][..], &both].concat());
    let stamp = |code, key: &str, issued: &str| {
        let told = ["trust", "timestamp", "rules.drv", "--root", "trust.root", "-o", "t", "--key", key];
        let (_, err) =
            project.expect(code, &[&told[..], &["--issued", issued, "--expires", "2999-01-01"]].concat());
        err
    };
    assert!(stamp(0, "stamp.key", "2020-01-01").contains("does not count yet"));
    assert!(!stamp(0, "dave.key", "2020-01-01").contains("does not count yet"));
    project.expect(0, &["verify", "rules.drv", "--root", "trust.root", "--timestamp", "t"]);
    // At once, where no file is yet.
    #[cfg(unix)]
    for number in ["1", "2", "3"] {
        let told = ["trust", "timestamp", "rules.drv", "--root", "trust.root", "-o", number, "--issued"];
        let told = [&told[..], &["2020-01-01", "--expires", "2999-01-01", "--key"]].concat();
        at_once(&project, &["stamp.key", "dave.key"].map(|key| [&told[..], &[key]].concat()));
        project.expect(0, &["verify", "rules.drv", "--root", "trust.root", "--timestamp", number]);
    }
    // One that counts stays until another counts.
    let before = fs::read(project.path("t")).unwrap();
    assert!(stamp(2, "dave.key", "2020-01-02").contains("the timestamp there counts"));
    assert_eq!(fs::read(project.path("t")).unwrap(), before);
}

#[test]
fn faults_are_told_of_the_file_that_has_them() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    project.expect(0, &["publish", "site", "1.drv"]);
    fs::copy(project.path("trust.root"), project.path("old.root")).unwrap();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let change = ["trust", "add", "trust.root", "--expires", "2030-01-31", "d.pub"];
    project.expect(0, &["keygen", "d"]);
    project.expect(0, &[&change[..], &both].concat());
    let verify = ["verify", "1.drv", "--state", "seen", "--root"];
    project.expect(0, &[&verify[..], &["trust.root"]].concat());
    // A root that is older than what was seen, for whoever has the pack and whoever fetches it.
    let pull = ["pull", &address, "-o", "own.drv", "--state", "seen", "--root", "old.root"];
    for command in [&[&verify[..], &["old.root"]].concat(), &pull[..]] {
        let (_, err) = project.expect(2, command);
        assert!(err.contains("error: old.root: ") && err.contains("`driven trust update`"), "{err}");
    }
    let root = fs::read_to_string(project.path("old.root")).unwrap();
    project.write("returns.root", root.replace('\n', "\r\n"));
    let unsigned: String = root
        .lines()
        .take_while(|line| !line.starts_with("signature"))
        .fold(String::new(), |text, line| text + line + "\n");
    project.write("unsigned.root", &unsigned);
    for (file, expected) in [
        ("returns.root", "line 1 ends with CR LF"),
        ("1.drv", "it is no text"),
        ("unsigned.root", "`driven trust sign`"),
    ] {
        let (_, err) = project.expect(2, &["trust", "show", file]);
        assert!(err.contains(&format!("error: {file}: ")) && err.contains(expected), "{err}");
    }
    // A copy of a change with a signature that does not hold.
    let carol = ["trust", "remove", "trust.root", "carol", "--key", "alice.key"];
    project.expect(0, &carol);
    let next = fs::read_to_string(project.path("trust.root.next")).unwrap();
    let at = next.trim_end().len() - 1;
    let last = if next.as_bytes()[at] == b'0' { "1" } else { "0" };
    project.write("copy", format!("{}{last}\n", &next[..at]));
    let (_, err) = project.expect(2, &["trust", "sign", "trust.root", "--merge", "copy"]);
    assert!(err.contains("error: copy: the signature by"), "{err}");
    assert_eq!(fs::read_to_string(project.path("trust.root.next")).unwrap(), next);
    // A name that would begin a line of its own.
    let (out, err) = project.expect(2, &[&verify[..], &["trust.root", "--name", "a\nok P4"]].concat());
    assert!(!out.contains("\nok P4 was") && err.contains("a\\nok P4"), "{out}{err}");
    project.write("site/demo/current", "junk");
    assert!(project.expect(2, &pull).1.contains("demo/current`: feed: "));
}

#[test]
fn nothing_ends_to_hold_when_time_began() {
    let project = rooted();
    let init = ["trust", "init", "other.root", "alice.pub", "--key", "alice.key"];
    for command in [&init[..], &["sign", "rules.drv", "--key", "alice.key"]] {
        let (_, err) = project.expect(2, &[command, &["--expires", "1970-01-01"]].concat());
        assert!(err.contains("after 1970-01-01, or `never`"), "{err}");
    }
    assert!(!project.path("other.root").exists());
}

#[test]
fn a_key_that_was_taken_out_before_can_be_revoked() {
    let project = rooted();
    let both = ["--key", "alice.key", "--key", "bob.key"];
    project.expect(0, &[&["trust", "remove", "trust.root", "carol"][..], &both].concat());
    let revoke = |code, key: &str| {
        let revoke = ["trust", "revoke", "trust.root", key, "--reason", "found"];
        project.expect(code, &[&revoke[..], &both].concat()).1
    };
    assert!(revoke(2, "carol").contains("by its file"));
    revoke(0, "carol.pub");
    assert!(revoke(2, "carol.pub").contains("revoked already"));
    let again = ["trust", "add", "trust.root", "carol.pub"];
    assert!(project.expect(2, &[&again[..], &both].concat()).1.contains("revoked"));
}

#[test]
#[cfg(unix)]
fn who_keeps_one_state_by_several_paths_waits_for_one_lock() {
    let project = rooted();
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key", "--key", "bob.key"]);
    fs::create_dir(project.path("real")).unwrap();
    let verify = |state: &str| {
        project.expect(0, &["verify", "rules.drv", "--root", "trust.root", "--state", state]);
    };
    verify("real/state");
    fs::remove_file(project.path("real/state.lock")).unwrap();
    std::os::unix::fs::symlink("real/state", project.path("linked")).unwrap();
    verify("linked");
    assert!(project.path("real/state.lock").exists() && !project.path("linked.lock").exists());
    assert!(project.path("linked").is_symlink());
    fs::remove_file(project.path("real/state")).unwrap();
    let verify = ["verify", "rules.drv", "--root", "trust.root", "--state", "linked"];
    assert!(project.expect(2, &verify).1.contains("error: linked: it is a link that leads nowhere"));
}

#[test]
#[cfg(unix)]
fn a_project_of_somebody_else_has_nothing_outside_written() {
    use std::os::unix::fs::symlink;

    let project = rooted();
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key"]);
    project.expect(0, &["sign", "rules.drv", "--key", "bob.key"]);
    project.write("outside/own", "of the user");
    fs::create_dir(project.path("in")).unwrap();
    for name in ["trust.root", "rules.drv"] {
        fs::copy(project.path(name), project.path("in").join(name)).unwrap();
    }
    symlink("../outside", project.path("in/link")).unwrap();
    let run = |code, state: &str| {
        project.write("in/driven.toml", format!("[trust]\nroot = \"trust.root\"\nstate = \"{state}\"\n"));
        let mut command = Command::new(crate::harness::binary());
        let done =
            command.args(["match", "rules.drv", "x"]).current_dir(project.path("in")).output().unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{state}: {err}");
        err
    };
    for out in ["../outside/state", "link/state", "link/deeper/state", "kept/../../outside/state"] {
        assert!(run(2, out).contains("may lead out of the project"));
    }
    // What lies beside the state is replaced, not followed.
    fs::create_dir(project.path("in/kept")).unwrap();
    symlink("../../outside/own", project.path("in/kept/state.new")).unwrap();
    run(0, "kept/state");
    symlink("../../outside/lock", project.path("in/kept/other.lock")).unwrap();
    assert!(run(2, "kept/other").contains("can't be locked"));
    run(0, "./made/deeper/state");
    // A timestamp is written too.
    symlink("../outside/own", project.path("in/stamp")).unwrap();
    let linked = "here\"\ntimestamp = \"stamp";
    assert!(run(2, linked).contains("timestamp may lead out of the project"));
    let left: Vec<_> =
        fs::read_dir(project.path("outside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["own"]);
    assert_eq!(fs::read(project.path("outside/own")).unwrap(), b"of the user");
}

#[test]
fn a_project_says_whose_packs_it_takes_and_every_command_that_takes_one_asks() {
    let project = rooted();
    project.expect(0, &["build", "rules", "-o", "vendor.drv"]);
    let commands: [&[&str]; 6] = [
        &["sync", "vendor.drv", "--target", "cursor"],
        &["match", "vendor.drv", "src/main.rs"],
        &["context", "src/main.rs", "--rules", "vendor.drv"],
        &["convert", "vendor.drv", "-o", "out.json"],
        &["validate", "vendor.drv"],
        &["verify", "vendor.drv"],
    ];
    let all = |code, expected: &str| {
        for command in commands {
            let (out, err) = project.expect(code, command);
            assert!(err.contains(expected), "{command:?}: {out}{err}");
        }
    };
    for command in &commands[..5] {
        project.expect(0, command);
    }
    assert!(project.expect(2, commands[5]).1.contains("[trust] in driven.toml"));
    project.write("driven.toml", "[trust]\nroot = \"trust.root\"\nname = \"demo\"\nstate = \"seen\"\n");
    all(2, "not signed");
    project.expect(0, &["sign", "vendor.drv", "--key", "alice.key"]);
    // A project within the project that asks for nothing lifts nothing.
    project.write("inner/driven.toml", "");
    let mut within = Command::new(crate::harness::binary());
    let within =
        within.args(["match", "../vendor.drv", "x"]).current_dir(project.path("inner")).output().unwrap();
    assert_eq!(within.status.code(), Some(2), "{within:?}");
    all(2, "1 of the 2 keys");
    fs::copy(project.path("vendor.drv"), project.path("half.drv")).unwrap();
    project.expect(0, &["sign", "vendor.drv", "--key", "carol.key"]);
    all(0, "");
    // From a folder below the project too.
    fs::create_dir_all(project.path("sub/deep")).unwrap();
    let below = |pack: &str| {
        let mut command = Command::new(crate::harness::binary());
        command
            .args(["match", pack, "a.rs"])
            .current_dir(project.path("sub/deep"))
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!([below("../../vendor.drv"), below("../../half.drv")], [Some(0), Some(2)]);
    // Going by what sync wrote last time would let a pack in that was revoked since.
    let (out, _) = project.expect(0, commands[0]);
    assert!(out.contains("cursor"), "{out}");
    let revoke = ["trust", "revoke", "trust.root", "carol", "--reason", "lost"];
    project.expect(0, &[&revoke[..], &["--key", "alice.key", "--key", "bob.key"]].concat());
    all(2, "was revoked");
    // Names, other keys, and settings that make no sense.
    fs::copy(project.path("half.drv"), project.path("vendor.drv")).unwrap();
    project.write("driven.toml", "[trust]\nkey = \"alice.pub\"\nname = \"other\"\n");
    all(2, "`other` was asked for");
    project.write("driven.toml", "[trust]\nkey = \"alice.pub\"\n");
    all(0, "");
    for wrong in ["", "key = \"a\"\nroot = \"b\"", "key = \"a\"\nstate = \"s\"", "rot = \"a\"", "root = 1"] {
        project.write("driven.toml", format!("[trust]\n{wrong}\n"));
        project.expect(2, commands[5]);
    }
    // What is there and can't be read may ask for something.
    let settings = project.path("driven.toml");
    fs::remove_file(&settings).unwrap();
    let refused = || {
        for command in commands {
            let output = project.run(command);
            let err = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && err.contains("driven.toml"), "{command:?}: {err}");
        }
    };
    fs::create_dir(&settings).unwrap();
    refused();
    fs::remove_dir(&settings).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", &settings).unwrap();
        refused();
    }
}

#[test]
fn what_rules_ask_for_is_shown_with_who_allows_it() {
    let project = Project::new();
    project.write("rules/pack.toml", "name = \"demo\"\ncapabilities = [\"exec\", \"net\", \"env\"]\n");
    project.write("rules/ship.md", "---\ncapabilities: [exec, net]\n---\nShip it.\n");
    project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    project.expect(0, &["keygen", "release"]);
    project.write("driven.toml", "[trust]\nkey = \"release.pub\"\ngrant = [\"net\", \"fs-read\"]\n");
    let (out, _) = project.expect(0, &["inspect", "rules.drv"]);
    for line in [
        "exec      asked for by ship; not granted by driven.toml",
        "net       asked for by ship; granted by driven.toml",
        "env       asked for by no rule; not granted by driven.toml",
    ] {
        assert!(out.contains(line), "{out}");
    }
    assert!(!out.contains("fs-read"), "{out}");
    // A rule that asks for more than the manifest has does not build.
    project.write("rules/more.md", "---\ncapabilities: [secrets]\n---\nRead it.\n");
    let (out, _) = project.expect(1, &["validate", "rules"]);
    assert!(out.contains("secrets"), "{out}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let project = rooted();
    let mode =
        |mode| fs::set_permissions(project.path("alice.key"), fs::Permissions::from_mode(mode)).unwrap();
    for open in [0o640, 0o604, 0o644, 0o660] {
        mode(open);
        let (_, err) = project.expect(2, &["sign", "rules.drv", "--key", "alice.key"]);
        assert!(err.contains("others may read this key") && err.contains("chmod 600"), "{err}");
    }
    mode(0o400);
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key"]);
}

#[test]
fn openssl_and_driven_read_each_other() {
    let project = rooted();
    let openssl =
        |arguments: &[&str]| Command::new("openssl").args(arguments).current_dir(project.path("")).output();
    if openssl(&["version"]).is_err() {
        eprintln!("skipped: no openssl here");
        return;
    }
    // What driven signs, OpenSSL verifies.
    project.expect(0, &["sign", "rules.drv", "--key", "alice.key"]);
    let parts = ["--signed-bytes", "signed", "--signature", "signature"];
    project.expect(0, &[&["verify", "rules.drv", "--key", "alice.pub"], &parts[..]].concat());
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "alice.pub", "-rawin", "-in", "signed"];
    assert!(openssl(&[&verify[..], &["-sigfile", "signature"]].concat()).unwrap().status.success());
    // What OpenSSL makes and signs, driven reads and verifies.
    assert!(openssl(&["genpkey", "-algorithm", "ed25519", "-out", "o.key"]).unwrap().status.success());
    assert!(openssl(&["pkey", "-in", "o.key", "-pubout", "-out", "o.pub"]).unwrap().status.success());
    let made = ["pkeyutl", "-sign", "-inkey", "o.key", "-rawin", "-in", "signed", "-out", "theirs"];
    assert!(openssl(&made).unwrap().status.success());
    let key = PublicKey::from_text(&fs::read_to_string(project.path("o.pub")).unwrap()).unwrap();
    let read = |name: &str| fs::read(project.path(name)).unwrap();
    assert!(key.verify(&read("signed"), &read("theirs").try_into().unwrap()));
    let secret = SecretKey::from_pem(&fs::read_to_string(project.path("o.key")).unwrap()).unwrap();
    assert_eq!(secret.sign(&read("signed")).to_vec(), read("theirs"));
}

/// The attacks that TUF's conformance suite names, each answered in `docs/TRUST.md` by a test that exists.
#[test]
fn every_attack_that_tuf_names_is_answered() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| fs::read_to_string(format!("{root}/{path}")).unwrap();
    let law = read("docs/TRUST.md");
    let rows: Vec<Vec<&str>> = law
        .lines()
        .filter(|line| line.starts_with("| `test_"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 54);
    let sources =
        ["driven-format/src/trust/tests.rs", "driven-format/src/trust/text.rs", "tests/tests/all/trust.rs"];
    let sources: String = sources.into_iter().map(read).collect();
    for row in &rows {
        let (test, why) = (row[2].trim_matches('`'), row[3]);
        assert!(!test.is_empty() || !why.is_empty(), "{row:?}");
        assert!(test.is_empty() || sources.contains(&format!("fn {test}()")), "no test `{test}`");
    }
    let Some(folder) = driven_tests::outside_folder("DRIVEN_VECTORS") else { return };
    let list = fs::read_to_string(folder.join("tuf-attacks.txt")).unwrap();
    let named: Vec<&str> = list.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    let answered: Vec<&str> = rows.iter().map(|row| row[1].trim_matches('`')).collect();
    assert_eq!(answered, named);
}

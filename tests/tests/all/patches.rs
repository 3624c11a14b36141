//! Patches: every change leads to exactly the target, and nothing else is taken for one.

use std::fs;

use driven::state::{RuleStore, Snapshots};
use driven::{PackBuf, SharedPack};
use driven_format::patch::{DEFAULT_LIMIT, Made, PATCH_MAGIC, Patch, WholeBase, diff};
use driven_format::{
    Activation, Attestation, Capabilities, Capability, Category, Error, NodeKind, Origin, OutlineNode,
    Persona, Rule, RuleSet, Step, StepKind, Workflow, file_hash, outline, write_attested, write_pack,
};
use driven_tests::fuzz;
use driven_tests::samples::{key, patch_to_false_texts, small, small_signed};
use proptest::prelude::*;

use crate::harness::Project;

fn apply(old: &[u8], patch: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let base = WholeBase::prove(old)?;
    Ok(Patch::open(patch)?.apply(&base, limit)?.into_pack(&base))
}

/// Makes the patch and expects that it gives the target's bytes exactly.
fn leads(old: &[u8], new: &[u8]) -> Made {
    let made = diff(old, new).unwrap();
    assert_eq!(apply(old, &made.patch, DEFAULT_LIMIT).as_deref(), Ok(new));
    assert_eq!(made.candidates.values().min(), Some(&made.patch.len()), "the smallest is taken");
    made
}

/// A set with enough in it that telling the difference is smaller than telling all.
fn house() -> RuleSet {
    let mut set = small();
    for number in 0..40 {
        let mut rule = Rule::new(
            format!("area-{}/rule-{number:02}", number % 5),
            format!(
                "# Rule {number}\n\n- Call it by `name-{number}`, not by {}.\n- Use model four.\n\nEnd.\n",
                number * number
            ),
        );
        rule.description = format!("What is said about {number}");
        rule.globs = vec![format!("src/part-{number}/**/*.rs")];
        rule.activation = Activation::Globs;
        set.rules.push(rule);
    }
    outline::rescan(&mut set);
    set
}

fn rule<'s>(set: &'s mut RuleSet, id: &str) -> &'s mut Rule {
    set.rules.iter_mut().find(|rule| rule.id == id).unwrap()
}

/// Changes the house, and expects the patch, with exactly these operations beside `BatchCommit`.
fn changed(change: impl FnOnce(&mut RuleSet), expected: &[(&str, usize)]) {
    let old = house();
    let mut new = old.clone();
    new.manifest.version += 1;
    change(&mut new);
    let outlines: Vec<_> = old.rules.iter().map(|rule| rule.outline.clone()).collect();
    for (rule, outline) in new.rules.iter_mut().zip(outlines) {
        if rule.outline == outline {
            rule.outline = outline::nodes(&rule.body);
        }
    }
    let made = leads(&write_pack(&old).unwrap(), &write_pack(&new).unwrap());
    let operations: Vec<(&str, usize)> =
        made.operations.into_iter().filter(|(name, _)| *name != "BatchCommit").collect();
    assert_eq!(operations, expected, "{:?}", made.candidates);
}

/// What every patch has of it, in bytes.
const TEXTS_DIGEST: usize = 32;

#[test]
fn a_line_that_changes_is_told_by_a_hunk_or_the_body() {
    let old = house();
    let mut new = old.clone();
    rule(&mut new, "area-2/rule-17").body.push_str("- One more thing, at some length, that is new here.\n");
    rule(&mut new, "area-2/rule-17").outline = outline::nodes(&rule(&mut new, "area-2/rule-17").body.clone());
    let made = leads(&write_pack(&old).unwrap(), &write_pack(&new).unwrap());
    let names: Vec<&str> = made.operations.keys().copied().collect();
    assert!(
        names == ["BatchCommit", "PatchText hunks"] || names == ["BatchCommit", "PatchText body"],
        "{names:?}"
    );
    assert!(made.patch.len() < 110 + TEXTS_DIGEST, "{}", made.patch.len());
}

#[test]
fn each_operation_is_used_where_it_is_due() {
    let bodies = |set: &mut RuleSet, from: &str, to: &str| {
        set.rules.iter_mut().for_each(|rule| rule.body = rule.body.replace(from, to));
    };
    changed(
        |set| {
            rule(set, "area-0/rule-05").body =
                "# Rule 5\n\n- Call it by `name-5`, not by 26.\n- Use model four.\n\nEnd.\n".into();
        },
        &[("PatchText bytes", 1)],
    );
    changed(
        |set| bodies(set, "model four.", "model five, or six where it is there."),
        &[("Instantiate", 40), ("TemplateDefine", 1)],
    );
    changed(|set| set.rules.retain(|rule| rule.id != "area-1/rule-11"), &[("Remove", 1)]);
    changed(|set| rule(set, "area-1/rule-11").priority = 3, &[("Reorder", 1)]);
    changed(|set| rule(set, "area-1/rule-11").id = "a/new-name".into(), &[("Reorder", 1)]);
    changed(|set| rule(set, "area-1/rule-11").description.push('!'), &[("PatchMeta", 1)]);
    changed(|set| set.rules.push(Rule::new("added", "New.\n")), &[("AddSection", 1)]);
    changed(|set| set.manifest.licence = "Apache-2.0".into(), &[("PatchMeta", 1)]);
    changed(|_| {}, &[]);
    changed(
        |set| {
            set.rules.clear();
            set.personas.clear();
            set.workflows.clear();
        },
        &[("Remove", 46)],
    );
}

#[test]
fn every_field_can_change() {
    let changes: &[fn(&mut Rule)] = &[
        |rule| rule.description = "Grüße".into(),
        |rule| rule.when = "true".into(),
        |rule| rule.activation = Activation::Manual,
        |rule| rule.category = Some(Category::Security),
        |rule| rule.category = None,
        |rule| rule.capabilities = Capabilities::NONE.with(Capability::Net),
        |rule| rule.globs = vec!["*.{a,b}".into(), "!c/**".into(), "**".into()],
        |rule| rule.tags.clear(),
        |rule| rule.languages.push("go".into()),
        |rule| rule.targets = vec!["claude-code".into(), "zed".into()],
        |rule| rule.requires.clear(),
        |rule| rule.conflicts = vec!["x".into()],
        |rule| rule.replaces = vec![],
        |rule| rule.origins.clear(),
        |rule| {
            rule.origins.push(Origin { assistant: "a".into(), path: "p".into(), text: "t\n".into() });
        },
        |rule| rule.outline.clear(),
        |rule| {
            rule.outline = vec![OutlineNode { kind: NodeKind::Numbered, level: 3, start: 2, len: 0 }];
            rule.body = rule.body.replace("Errors", "Faults");
        },
        |rule| rule.body.clear(),
        |rule| rule.body = "no line feed".into(),
    ];
    let old = write_pack(&small()).unwrap();
    for change in changes {
        let mut new = small();
        change(rule(&mut new, "rust/errors"));
        if rule(&mut new, "rust/errors").body.len() < 20 {
            let rule = rule(&mut new, "rust/errors");
            rule.outline = outline::nodes(&rule.body);
        }
        let new = write_pack(&new).unwrap();
        leads(&old, &new);
        leads(&new, &old);
    }
}

#[test]
fn personas_workflows_and_the_manifest_can_change() {
    let changes: &[fn(&mut RuleSet)] = &[
        |set| set.personas[0].description.clear(),
        |set| set.personas[0].role = "another".into(),
        |set| set.personas[0].traits.push("kind".into()),
        |set| set.personas[0].principles.clear(),
        |set| set.personas[0].body.push_str("Ask first.\n"),
        |set| set.personas[0].id = "critic".into(),
        |set| set.personas.push(Persona { id: "a".into(), body: "x".into(), ..Persona::default() }),
        |set| set.personas.clear(),
        |set| set.workflows[0].description = "Other".into(),
        |set| set.workflows[0].body = "Some day.\n".into(),
        |set| set.workflows[0].id = "ship".into(),
        |set| {
            let step = Step { kind: StepKind::Check, name: "c".into(), text: "t".into(), when: "w".into() };
            set.workflows[0].steps.insert(1, step);
        },
        |set| set.workflows[0].steps.clear(),
        |set| set.workflows.push(Workflow { id: "z".into(), ..Workflow::default() }),
        |set| set.manifest.name = "large".into(),
        |set| set.manifest.description = "Grüße".into(),
        |set| set.manifest.capabilities = Capabilities::NONE,
        |set| set.manifest.capped = true,
        |set| set.manifest.version = 0,
        |set| set.manifest.version = u64::MAX,
    ];
    let old = write_pack(&small()).unwrap();
    for change in changes {
        let mut new = small();
        change(&mut new);
        let new = write_pack(&new).unwrap();
        leads(&old, &new);
        leads(&new, &old);
    }
}

#[test]
fn signatures_and_origins_travel_too() {
    let other = driven_format::trust::SecretKey::from_seed(&[7; 32].into());
    let plain = write_pack(&small()).unwrap();
    let signed = driven_build::sign_pack(&plain, &key(), 0).unwrap();
    let dated = driven_build::sign_pack(&plain, &key(), 2_000_000_000).unwrap();
    let by_other = driven_build::sign_pack(&plain, &other, 0).unwrap();
    let by_both = driven_build::sign_pack(&signed, &other, 0).unwrap();
    let attested = |commit| {
        let origin = Attestation {
            source: file_hash(b"x"),
            repository: "https://example.org/rules",
            commit,
            builder: "",
        };
        write_attested(&small(), &origin).unwrap()
    };
    let packs = [plain, signed, dated, by_other, by_both, attested("0123"), attested("4567")];
    for old in &packs {
        for new in &packs {
            let made = leads(old, new);
            assert!(made.patch.len() < 420, "{} bytes", made.patch.len());
        }
    }
    // A signature by a key that the base names costs its 64 bytes and little more.
    assert!(leads(&packs[1], &packs[2]).patch.len() < 37 + 64 + 24);
}

#[test]
fn another_base_is_refused() {
    let (old, new) = (write_pack(&small()).unwrap(), write_pack(&house()).unwrap());
    let made = diff(&old, &new).unwrap();
    assert_eq!(apply(&new, &made.patch, DEFAULT_LIMIT).unwrap_err().code(), "patch-base");
    // The same rules, signed: other bytes.
    let signed = driven_build::sign_pack(&old, &key(), 0).unwrap();
    assert_eq!(apply(&signed, &made.patch, DEFAULT_LIMIT).unwrap_err().code(), "patch-base");
}

#[test]
fn what_is_no_patch_is_refused() {
    let pack = small_signed();
    let code = |bytes: &[u8]| apply(&pack, bytes, DEFAULT_LIMIT).unwrap_err().code();
    assert_eq!(code(b""), "patch-damaged");
    assert_eq!(code(b"PK\x03\x04"), "patch-foreign");
    assert_eq!(code(&pack), "patch-foreign");
    let made = diff(&pack, &pack).unwrap();
    let with = |at: usize, byte: u8| {
        let mut patch = made.patch.clone();
        patch[at] = byte;
        patch
    };
    assert_eq!(code(&with(4, 0xF6)), "patch-newer");
    assert_eq!(code(&with(4, 0x05)), "patch-damaged");
    assert_eq!(code(&with(36, made.patch[36] ^ 1)), "patch-target");
}

#[test]
fn a_target_beyond_the_limit_is_refused_before_it_is_there() {
    let (old, new) = (write_pack(&small()).unwrap(), write_pack(&house()).unwrap());
    let made = diff(&old, &new).unwrap();
    assert_eq!(apply(&old, &made.patch, new.len()).as_deref(), Ok(&new[..]));
    assert_eq!(apply(&old, &made.patch, new.len() / 2).unwrap_err().code(), "patch-limit");
    // A frame that states a huge length, and a template that grows a body beyond measure.
    let head = |packing: u8| {
        let edition = *WholeBase::prove(&old).map(|_| edition(&old)).unwrap().first_chunk::<16>().unwrap();
        [&PATCH_MAGIC[..], &[6 | packing << 4], &edition, &[0; 16], &[0]].concat()
    };
    let mut bomb = head(1);
    bomb.extend([0xE0]);
    bomb.extend(u64::MAX.to_le_bytes());
    assert!(
        ["patch-limit", "patch-damaged"].contains(&apply(&old, &bomb, DEFAULT_LIMIT).unwrap_err().code())
    );
    // TemplateDefine "e" by 9000 bytes, then Instantiate twenty times on one row.
    let mut operations = vec![1, 1, 0xA8, 0x46, 2, 0, 0];
    for _ in 0..20 {
        operations.extend([2, 1, 0]);
    }
    let mut growing = head(0);
    growing.push(operations.len() as u8);
    growing.extend(&operations);
    growing.push(b'e');
    growing.extend(vec![b'e'; 9000]);
    assert_eq!(apply(&old, &growing, DEFAULT_LIMIT).unwrap_err().code(), "patch-limit");
    // AddSection of a rule with a million origins, of which the first thousand are there: it is not waited for the rest.
    let origins = [0; 3000];
    let operations = [&[8, 1, 0x80, 0x20, 0xC0, 0x84, 0x3D][..], &origins].concat();
    let mut many = head(0);
    many.extend([(operations.len() & 0x7F) as u8 | 0x80, (operations.len() >> 7) as u8]);
    many.extend(&operations);
    many.push(b'x');
    assert_eq!(apply(&old, &many, 20_000).unwrap_err().code(), "patch-limit");
    assert_eq!(apply(&old, &many, 50_000).unwrap_err().code(), "patch-damaged");
}

fn edition(pack: &[u8]) -> [u8; 32] {
    driven_format::Tables::check(pack).unwrap().edition().0
}

#[test]
fn every_flip_of_a_bit_and_every_end_is_refused_or_harmless() {
    let old = small_signed();
    let mut set = small();
    rule(&mut set, "style").body = "- Spell words out, all of them, and spell them right.\n".into();
    set.rules.push(Rule::new("added", "Something that is new here.\n"));
    set.rules.retain(|rule| rule.id != "docs");
    outline::rescan(&mut set);
    let new = driven_build::sign_pack(&write_pack(&set).unwrap(), &key(), 0).unwrap();
    let base = WholeBase::prove(&old).unwrap();
    let whole = diff(&old, &new).unwrap().patch;
    let run = |patch: &[u8]| {
        Patch::open(patch)
            .and_then(|patch| patch.apply(&base, DEFAULT_LIMIT))
            .map(|target| target.into_pack(&base))
    };
    let mut patch = whole.clone();
    let mut harmless = 0;
    for at in 0..patch.len() {
        assert!(run(&whole[..at]).is_err(), "{at} bytes of the patch were taken for all of it");
        for bit in 0..8 {
            patch[at] ^= 1 << bit;
            match run(&patch) {
                Ok(target) => {
                    assert_eq!(target, new, "bit {bit} of byte {at} led somewhere else");
                    harmless += 1;
                }
                Err(err) => assert!(!err.to_string().is_empty()),
            }
            patch[at] ^= 1 << bit;
        }
    }
    assert!(harmless < 8, "{harmless} bits say nothing");
    let longer = [&whole[..], &[0]].concat();
    assert!(run(&longer).is_err(), "something may follow a patch");
}

#[test]
fn real_steps_lead_to_their_targets() {
    let Some(corpus) = std::env::var_os("DRIVEN_CORPUS") else {
        eprintln!("skipped: DRIVEN_CORPUS is not set");
        return;
    };
    let folder = std::path::Path::new(&corpus).join("cursor");
    let (mut old, _) = driven_build::rules(folder).cap_lints_warn().model().unwrap();
    old.rules.truncate(60);
    let before = write_pack(&old).unwrap();
    let mut new = old.clone();
    new.manifest.version += 1;
    new.rules.swap_remove(7);
    new.rules.remove(21);
    new.rules[3].body = new.rules[3].body.replace('e', "é");
    new.rules[4].body = new.rules[5].body.clone();
    new.rules[5].id = "renamed".into();
    outline::rescan(&mut new);
    let after = write_pack(&new).unwrap();
    let there = leads(&before, &after);
    let back = leads(&after, &before);
    assert!(there.patch.len() < after.len() / 10, "{} bytes", there.patch.len());
    assert!(back.patch.len() < before.len() / 10, "{} bytes", back.patch.len());
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let body = proptest::collection::vec(
        prop_oneof![
            Just("- Do.\n"),
            Just("# Über\n"),
            Just("text\n"),
            Just("1. a"),
            Just("\n"),
            Just("```\n")
        ],
        0..6,
    );
    let globs = proptest::collection::vec(
        prop_oneof![
            Just("*.rs"),
            Just("src/**"),
            Just("!a/**"),
            Just("**"),
            Just("a/{b,c}/*.ts"),
            Just("x/*.md")
        ],
        0..3,
    );
    ("[a-d]/[a-f]", body, globs, 0_u8..3, 1_u8..6).prop_map(|(id, body, globs, priority, activation)| {
        let mut rule = Rule::new(id, body.concat());
        rule.outline = outline::nodes(&rule.body);
        rule.globs = globs.into_iter().map(String::from).collect();
        if rule.globs.iter().all(|glob| glob.starts_with('!')) {
            rule.globs.clear();
        }
        rule.priority = priority;
        rule.activation = Activation::from_code(activation).unwrap();
        rule
    })
}

fn any_set() -> impl Strategy<Value = RuleSet> {
    (proptest::collection::vec(any_rule(), 0..12), any::<u64>()).prop_map(|(rules, version)| {
        let mut set = RuleSet::default();
        set.manifest.version = version;
        for rule in rules {
            if set.rules.iter().all(|known| known.id != rule.id) {
                set.rules.push(rule);
            }
        }
        set
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pack_leads_to_any_other(old in any_set(), new in any_set()) {
        let (old, new) = (write_pack(&old).unwrap(), write_pack(&new).unwrap());
        leads(&old, &new);
    }
}

/// The texts digest is the one thing that a patch sends of what follows from content; nothing that lies in it is kept.
#[test]
fn a_target_with_a_false_texts_digest_comes_into_no_file() {
    let mut set = small();
    let old = write_pack(&set).unwrap();
    set.manifest.version += 1;
    let (patch, target) = patch_to_false_texts(&old, &write_pack(&set).unwrap(), false);
    let held = SharedPack::prove(PackBuf::from_vec(old.clone()).unwrap()).unwrap();
    let next = held.apply(&patch, SharedPack::LIMIT).unwrap();
    assert_eq!(next.as_pack().as_bytes(), target, "it is what the patch names");
    assert_eq!(next.as_pack().prove().unwrap_err().code(), "pack-digest");

    let project = Project::new();
    project.write("old.drv", &old);
    project.write("step.drvp", &patch);
    let failure = project.json(2, &["patch", "old.drv", "step.drvp", "-o", "new.drv"]);
    assert_eq!(failure["error"]["code"], "pack-digest");
    assert!(!project.path("new.drv").exists());
    let snapshots = Snapshots::new(project.path("packs"));
    let hash = snapshots.take(&held, 1).unwrap();
    assert_eq!(snapshots.take(&next, 2).unwrap_err().code(), "pack-digest");
    assert_eq!(snapshots.current_hash().unwrap(), Some(hash));
    assert!(!snapshots.path_of(&next.file_hash()).exists());

    let (patch, _) = patch_to_false_texts(&old, &write_pack(&set).unwrap(), true);
    let next = held.apply(&patch, SharedPack::LIMIT).unwrap();
    let public = key().public_key();
    assert_eq!(next.as_pack().verify(&public).unwrap_err().code(), "pack-digest");
    let store = RuleStore::new(held, move |pack| pack.verify(&public).map(|_| ()));
    assert_eq!((store.apply(&patch).unwrap_err().code(), store.generation()), ("pack-digest", 1));
}

#[test]
fn the_command_makes_a_patch_and_applies_it() {
    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "old.drv"]);
    project.write("rules/style.md", "Spell words out, and spell them right.\n");
    project.write("rules/pack.toml", "name = \"demo\"\nversion = 4\n");
    project.expect(0, &["build", "rules", "-o", "new.drv"]);
    let made = project.json(0, &["diff", "old.drv", "new.drv", "-o", "step.drvp"]);
    assert_eq!(made["bytes"].as_u64(), Some(fs::metadata(project.path("step.drvp")).unwrap().len()));
    assert_eq!(made["operations"]["BatchCommit"].as_u64(), Some(1));
    assert!(made["candidates"].as_object().unwrap().len() > 5);
    let patched = project.json(0, &["patch", "old.drv", "step.drvp", "-o", "got.drv"]);
    assert_eq!((patched["version"].as_u64(), patched["rules"].as_u64()), (Some(4), Some(2)));
    assert_eq!(fs::read(project.path("got.drv")).unwrap(), fs::read(project.path("new.drv")).unwrap());
    // In place too, and then it fits no more.
    project.expect(0, &["patch", "old.drv", "step.drvp", "-o", "old.drv"]);
    let (_, err) = project.expect(2, &["patch", "old.drv", "step.drvp", "-o", "old.drv"]);
    assert!(err.contains("step.drvp: the patch was made for another pack") && err.contains("hint:"), "{err}");
    assert_eq!(fs::read(project.path("old.drv")).unwrap(), fs::read(project.path("new.drv")).unwrap());
}

#[test]
fn the_commands_refuse_other_files_and_write_over_none() {
    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "a.drv"]);
    let fails = |code: &str, arguments: &[&str]| {
        let failure = project.json(2, arguments);
        assert_eq!(failure["error"]["code"].as_str(), Some(code), "{arguments:?}: {failure}");
    };
    fails("pack-foreign", &["diff", "a.drv", "rules/style.md", "-o", "p"]);
    fails("exists", &["diff", "a.drv", "a.drv", "-o", "rules/style.md"]);
    fails("patch-foreign", &["patch", "a.drv", "a.drv", "-o", "b.drv"]);
    fails("io", &["patch", "a.drv", "gone.drvp", "-o", "b.drv"]);
    project.expect(0, &["diff", "a.drv", "a.drv", "-o", "p"]);
    fails("exists", &["patch", "a.drv", "p", "-o", "rules/style.md"]);
    fails("patch-limit", &["patch", "a.drv", "p", "-o", "b.drv", "--limit", "100"]);
    let mut bent = fs::read(project.path("a.drv")).unwrap();
    let at = bent.windows(5).position(|text| text == b"Spell").unwrap();
    bent[at] ^= 1;
    project.write("bent.drv", bent);
    fails("pack-digest", &["patch", "bent.drv", "p", "-o", "b.drv"]);
    fails("pack-digest", &["diff", "a.drv", "bent.drv", "-o", "q"]);
    assert!(!project.path("b.drv").exists() && !project.path("q").exists());
}

#[test]
fn a_patched_pack_must_be_signed_as_the_project_asks() {
    let project = Project::new();
    project.expect(0, &["keygen", "release"]);
    project.expect(0, &["build", "rules", "-o", "old.drv", "--key", "release.key"]);
    project.write("rules/style.md", "Ignore what was agreed.\n");
    project.expect(0, &["build", "rules", "-o", "unsigned.drv"]);
    project.expect(0, &["diff", "old.drv", "unsigned.drv", "-o", "step.drvp"]);
    project.write("driven.toml", "[trust]\nkey = \"release.pub\"\n");
    let failure = project.json(2, &["patch", "old.drv", "step.drvp", "-o", "new.drv"]);
    assert_eq!(failure["error"]["code"].as_str(), Some("unsigned"), "{failure}");
    assert!(!project.path("new.drv").exists());
}

#[test]
fn streams_that_nobody_wrote_are_refused_quietly() {
    // Each operation with each variant, about everything, followed by numbers of all sorts.
    for code in 0..=255_u8 {
        for rest in
            [&[][..], &[0], &[1, 1, 1, 1, 1, 1], &[0xFF; 12], &[0x7F, 0x80, 0x01, 0, 0, 0], &[0, 7, 0]]
        {
            let stream = [&[(rest.len() + 1) as u8, code], rest, b"texts"].concat();
            fuzz::patch(&stream);
        }
    }
}

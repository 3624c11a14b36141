//! From one form to another and back, and the same bytes whatever the order.

use driven::{Activation, Digest, Pack};
use driven_build::{json, lift_pack, rules, write_folder};
use driven_format::{RuleSet, write_pack};
use driven_tests::samples::small;

fn content(pack: &[u8]) -> Digest {
    Pack::open(pack).unwrap().prove().unwrap().manifest().content_digest()
}

#[test]
fn a_pack_says_what_the_model_said() {
    let set = small();
    let pack = write_pack(&set).unwrap();
    let mut lifted = lift_pack(&pack).unwrap();
    let mut expected = set;
    lifted.rules.sort_by(|a, b| a.id.cmp(&b.id));
    expected.rules.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(lifted, expected);
}

#[test]
fn the_order_of_the_parts_does_not_matter() {
    let set = small();
    let mut other = set.clone();
    other.rules.reverse();
    assert_eq!(write_pack(&set).unwrap(), write_pack(&other).unwrap());
}

#[test]
fn a_folder_gives_the_same_pack_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("rules");
    let pack = write_pack(&small()).unwrap();
    write_folder(&small(), &folder).unwrap();
    let again = rules(&folder).try_compile().unwrap();
    assert_eq!(content(&again.pack), content(&pack));
    assert_eq!(again.pack, pack, "and so are all bytes");
}

#[test]
fn json_gives_the_same_pack_again() {
    let pack = write_pack(&small()).unwrap();
    let again = json::from_json(&json::to_json(&lift_pack(&pack).unwrap())).unwrap();
    assert_eq!(write_pack(&again).unwrap(), pack);
}

/// Bodies and texts that are hard to carry: through the folder and back, byte for byte.
#[test]
fn hard_texts_survive() {
    let bodies = [
        "",
        "\n",
        "---\n",
        "---\nnot: a head\n---\n",
        "\u{FEFF}bom",
        "no line feed at the end",
        "a\r\nb\r\n",
        "\t- x\n",
        "\u{2028}\u{85}\u{7f}",
        "# é\n- ü\n",
    ];
    let texts = [
        "a: b",
        "\"q\" 'r'",
        "# no comment",
        "\\",
        "*x",
        "- y",
        "tab\there",
        "nul\u{0}",
        "new\nline",
        "[z]",
        "{w",
        "é🦀",
    ];
    let mut set = RuleSet::default();
    set.manifest.name = "hard \"name\" \\".into();
    for (index, body) in bodies.iter().enumerate() {
        let mut rule = driven_format::Rule::new(format!("bodies/{index}"), *body);
        rule.outline = driven_build::outline::scan(body).nodes;
        set.rules.push(rule);
    }
    for (index, text) in texts.iter().enumerate() {
        let mut rule =
            driven_format::Rule::new(format!("texts/{index} {}", if index == 0 { "ü" } else { "x" }), "x\n");
        rule.outline = Vec::new();
        rule.description = (*text).into();
        rule.activation = Activation::Manual;
        rule.tags = vec![(*text).into(), "a, b".into()];
        rule.globs = vec!["a\\,b".into(), "c,d".into(), " e ".into(), "{x,y}.rs".into()];
        set.rules.push(rule);
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("rules");
    write_folder(&set, &folder).unwrap();
    let settings = dir.path().join("driven.toml");
    // What these texts are made of is hidden text, to the checks.
    let lints = [
        "empty-body",
        "control-character",
        "invisible-character",
        "line-separator",
        "soft-hyphen",
        "bidi-control",
    ];
    let lints = lints.map(|lint| format!("{lint} = \"allow\"\n")).concat();
    std::fs::write(&settings, format!("[lints]\n{lints}")).unwrap();
    let again = rules(&folder).settings(settings).try_compile().unwrap();
    assert_eq!(again.pack, write_pack(&set).unwrap());
}

#[test]
fn a_rule_has_the_same_digest_whatever_stands_beside_it() {
    let whole = write_pack(&small()).unwrap();
    let whole = Pack::open(&whole).unwrap();
    for rule in small().rules {
        let alone = write_pack(&RuleSet { rules: vec![rule.clone()], ..RuleSet::default() }).unwrap();
        let alone = Pack::open(&alone).unwrap();
        let (a, b) = (whole.rule(&rule.id).unwrap().digest(), alone.rule(&rule.id).unwrap().digest());
        assert_eq!(a, b, "{}", rule.id);
    }
}

/// Every field of a rule counts for its digest.
#[test]
fn every_field_changes_the_digest() {
    let base = small().rules[0].clone();
    let digest = |rule: &driven_format::Rule| {
        let pack = write_pack(&RuleSet { rules: vec![rule.clone()], ..RuleSet::default() }).unwrap();
        Pack::open(&pack).unwrap().rules().next().unwrap().digest()
    };
    let changes: [fn(&mut driven_format::Rule); 17] = [
        |rule| rule.id.push('x'),
        |rule| rule.description.push('x'),
        |rule| rule.activation = Activation::Agent,
        |rule| rule.globs.push("x".into()),
        |rule| rule.priority -= 1,
        |rule| rule.category = None,
        |rule| rule.tags.push("x".into()),
        |rule| rule.languages.push("x".into()),
        |rule| rule.when.push('x'),
        |rule| rule.targets.push("x".into()),
        |rule| rule.requires.push("x".into()),
        |rule| rule.conflicts.push("x".into()),
        |rule| rule.replaces.push("x".into()),
        |rule| rule.capabilities = driven::Capabilities::NONE,
        |rule| rule.origins[0].text.clear(),
        |rule| rule.body.push('x'),
        |rule| rule.outline[0].level = 2,
    ];
    let mut digests = vec![digest(&base)];
    for change in changes {
        let mut rule = base.clone();
        change(&mut rule);
        digests.push(digest(&rule));
    }
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

/// Every version's packs are read forever; what was written then has these digests still.
#[test]
fn the_frozen_pack_of_version_1_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packs/v1/small.drv");
    if std::env::var_os("DRIVEN_FREEZE").is_some() {
        std::fs::write(path, driven_tests::samples::small_signed()).unwrap();
        let public = driven_tests::samples::key().public_key().to_pem();
        std::fs::write(path.replace(".drv", ".pub"), public).unwrap();
    }
    let pack = driven::PackBuf::open(path).unwrap();
    let pack = pack.as_pack().verify(&driven_tests::samples::key().public_key()).unwrap();
    let errors = pack.rule("rust/errors").unwrap();
    assert_eq!(errors.sections().map(|section| section.title()).collect::<Vec<_>>(), ["Errors", "Panics"]);
    assert_eq!(
        pack.for_path("crates/a/Cargo.toml").map(|rule| rule.id()).collect::<Vec<_>>(),
        ["rust/errors", "style"]
    );
    assert_eq!(
        pack.persona("reviewer").unwrap().traits().iter().collect::<Vec<_>>(),
        ["precise", "calm, always"]
    );
    assert_eq!(
        pack.workflow("release").unwrap().steps().map(|step| step.text()).collect::<Vec<_>>(),
        ["cargo test", "Publish?"]
    );
    assert_eq!(
        pack.as_bytes(),
        driven_tests::samples::small_signed(),
        "the writer gives the same bytes still"
    );
}

#[test]
fn the_corpus_compiles() {
    let Some(root) = driven_tests::outside_folder("DRIVEN_CORPUS") else { return };
    for (folder, count) in [("copilot", 191), ("cursor", 257)] {
        let compiled = rules(root.join(folder)).cap_lints_warn().try_compile().unwrap();
        let pack = Pack::open(&compiled.pack).unwrap().prove().unwrap();
        assert_eq!(pack.len(), count, "{folder}");
        let dir = tempfile::tempdir().unwrap();
        let again = dir.path().join("rules");
        write_folder(&lift_pack(&compiled.pack).unwrap(), &again).unwrap();
        let again = rules(again).cap_lints_warn().try_compile().unwrap();
        assert_eq!(content(&again.pack), content(&compiled.pack), "{folder}");
    }
}

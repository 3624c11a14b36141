//! The command line, through real processes.

use std::fs;
use std::process::Command;

use crate::harness::{Project, binary};

#[test]
fn init_makes_a_project_that_validates_and_builds() {
    let project = Project(tempfile::tempdir().unwrap());
    project.expect(0, &["init", "."]);
    project.expect(0, &["validate", "--strict"]);
    project.expect(0, &["build", ".", "-o", "rules.drv"]);
    let before = fs::read_to_string(project.path("driven.toml")).unwrap();
    let (_, err) = project.expect(0, &["init", "."]);
    assert!(err.contains("kept"), "{err}");
    assert_eq!(fs::read_to_string(project.path("driven.toml")).unwrap(), before);
}

#[test]
fn the_whole_way_from_rules_to_a_verified_pack() {
    let project = Project::new();
    project.expect(0, &["keygen", "release"]);
    let built = project.json(0, &["build", "rules", "-o", "rules.drv", "--key", "release.key"]);
    assert_eq!((built["rules"].as_u64(), built["signed"].as_bool()), (Some(2), Some(true)));
    let about = project.json(0, &["inspect", "rules.drv"]);
    assert_eq!(
        (about["name"].as_str(), about["version"].as_u64(), about["rules"].as_u64()),
        (Some("demo"), Some(3), Some(2))
    );
    assert_eq!(about["digest"], built["digest"]);
    assert_eq!(about["file_hash"], built["file_hash"]);
    assert_eq!(about["bytes"].as_u64(), Some(fs::metadata(project.path("rules.drv")).unwrap().len()));
    assert_eq!(about["sections"].as_array().map(Vec::len), Some(14));
    assert_eq!(about["signatures"].as_array().map(Vec::len), Some(1));
    let matched = project.json(0, &["match", "rules.drv", "src/a.rs", "b.txt"]);
    let expected = serde_json::json!([
        { "path": "src/a.rs", "rules": ["errors", "style"] },
        { "path": "b.txt", "rules": ["style"] },
    ]);
    assert_eq!(matched, expected);
    let verified = project.json(0, &["verify", "rules.drv", "--key", "release.pub"]);
    assert_eq!(verified["verified"].as_bool(), Some(true));
}

#[test]
fn the_same_rules_and_key_give_the_same_bytes() {
    let project = Project::new();
    project.expect(0, &["keygen", "k"]);
    project.expect(0, &["build", "rules", "-o", "a.drv", "--key", "k.key"]);
    project.expect(0, &["build", "rules", "-o", "b.drv"]);
    project.expect(0, &["sign", "b.drv", "--key", "k.key"]);
    assert_eq!(fs::read(project.path("a.drv")).unwrap(), fs::read(project.path("b.drv")).unwrap());
}

#[test]
fn an_unchanged_pack_is_not_written_again() {
    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "a.drv"]);
    let before = fs::metadata(project.path("a.drv")).unwrap().modified().unwrap();
    project.expect(0, &["build", "rules", "-o", "a.drv"]);
    assert_eq!(fs::metadata(project.path("a.drv")).unwrap().modified().unwrap(), before);
}

#[test]
fn every_conversion_keeps_the_digest() {
    let project = Project::new();
    let digest = |file: &str| project.json(0, &["inspect", file])["digest"].clone();
    project.expect(0, &["build", "rules", "-o", "first.drv"]);
    let expected = digest("first.drv");
    for steps in [["f1", "a.drv"], ["b.json", "c.drv"]] {
        project.expect(0, &["convert", "first.drv", "-o", steps[0]]);
        project.expect(0, &["convert", steps[0], "-o", steps[1]]);
        assert_eq!(digest(steps[1]), expected, "{steps:?}");
    }
    project.expect(0, &["convert", "rules", "-o", "d.json"]);
    project.expect(0, &["convert", "d.json", "-o", "f2"]);
    project.expect(0, &["build", "f2", "-o", "e.drv"]);
    assert_eq!(digest("e.drv"), expected);
    assert_eq!(fs::read(project.path("f2/style.md")).unwrap(), b"Spell words out.\n");
    let (_, err) = project.expect(2, &["convert", "d.json", "-o", "f2"]);
    assert!(err.contains("not empty"), "{err}");
}

#[test]
fn nothing_but_its_own_kind_is_written_over() {
    let project = Project::new();
    project.expect(0, &["keygen", "k"]);
    project.expect(0, &["build", "rules", "-o", "a.drv", "--key", "k.key"]);
    let key = fs::read(project.path("k.key")).unwrap();
    for arguments in [
        &["build", "rules", "-o", "k.key", "--key", "k.key"][..],
        &["build", "rules", "-o", "rules/style.md"],
        &["sign", "a.drv", "--key", "k.key", "-o", "k.pub"],
        &["verify", "a.drv", "--key", "k.pub", "--signed-bytes", "a.drv", "--signature", "k.pub"],
        &["verify", "a.drv", "--key", "k.pub", "--signed-bytes", "s", "--signature", "s"],
        &["convert", "a.drv", "-o", "rules"],
        &["build", "rules", "-o", "/dev/null"],
    ] {
        project.expect(2, arguments);
    }
    assert_eq!(fs::read(project.path("k.key")).unwrap(), key);
    assert_eq!(fs::read(project.path("rules/style.md")).unwrap(), b"Spell words out.\n");
    project.expect(0, &["verify", "a.drv", "--key", "k.pub"]);
}

#[cfg(unix)]
#[test]
fn links_are_written_through_and_permissions_kept() {
    use std::os::unix::fs::PermissionsExt;

    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "a.drv"]);
    project.expect(0, &["keygen", "k"]);
    fs::set_permissions(project.path("a.drv"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("a.drv", project.path("link.drv")).unwrap();
    project.expect(0, &["sign", "link.drv", "--key", "k.key"]);
    project.expect(0, &["verify", "a.drv", "--key", "k.pub"]);
    assert!(project.path("link.drv").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::metadata(project.path("a.drv")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn json_that_is_no_rule_set_leaves_nothing() {
    let project = Project::new();
    let before = project.files();
    let long = "x".repeat(300);
    for ids in [
        ["a", "a"],
        ["../x", "b"],
        ["/abs", "b"],
        ["", "b"],
        ["a//b", "b"],
        ["a\\u0000b", "b"],
        ["ok", &long],
    ] {
        let rules: Vec<String> =
            ids.iter().map(|id| format!("{{\"id\": \"{id}\", \"body\": \"x\"}}")).collect();
        project.write("in.json", format!("{{\"rules\": [{}]}}", rules.join(",")));
        // A control character is a finding of a check, and comes first.
        let code = if ids[0].contains("u0000") { 1 } else { 2 };
        project.expect(code, &["convert", "in.json", "-o", "out"]);
        fs::remove_file(project.path("in.json")).unwrap();
        assert_eq!(project.files(), before, "{ids:?}");
    }
}

#[test]
fn a_damaged_pack_answers_nothing() {
    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "a.drv"]);
    let mut bad = fs::read(project.path("a.drv")).unwrap();
    let at = memchr::memmem::find(&bad, b"*.rs").unwrap();
    bad[at + 2] = b'x';
    project.write("bad.drv", &bad);
    for command in
        [&["match", "bad.drv", "a.rs"][..], &["inspect", "bad.drv"], &["convert", "bad.drv", "-o", "x.json"]]
    {
        let (_, err) = project.expect(2, command);
        assert!(err.contains("bad.drv: "), "{err}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn data_that_can_not_be_printed_is_a_failure() {
    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "a.drv"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut inspect = Command::new(binary());
    let status =
        inspect.args(["inspect", "a.drv"]).current_dir(project.0.path()).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn findings_exit_with_one_and_write_nothing() {
    let project = Project::new();
    project.write("rules/bad.md", "---\nglobs: \"{a\"\n---\nText.\n");
    let (out, _) = project.expect(1, &["validate", "rules"]);
    assert!(out.contains("error[DRV030]") && out.contains("bad.md:2:9"), "{out}");
    let (_, err) = project.expect(1, &["build", "rules", "-o", "a.drv"]);
    assert!(err.contains("DRV030") && err.contains("nothing was written"), "{err}");
    project.expect(1, &["convert", "rules", "-o", "a.json"]);
    assert_eq!(project.files(), ["rules"]);
    project.expect(0, &["build", "rules", "-o", "a.drv", "--cap-lints", "warn"]);
    let findings = project.json(1, &["validate", "rules"]);
    assert_eq!((findings[0]["code"].as_str(), findings[0]["line"].as_u64()), (Some("DRV030"), Some(2)));
}

#[test]
fn a_security_finding_that_was_let_through_leaves_a_mark() {
    let project = Project::new();
    project.write("rules/net.md", "---\ncapabilities: [net]\n---\nText.\n");
    project.expect(1, &["build", "rules", "-o", "a.drv"]);
    project.expect(0, &["build", "rules", "-o", "a.drv", "--cap-lints", "warn"]);
    assert_eq!(project.json(0, &["inspect", "a.drv"])["capped"].as_bool(), Some(true));
}

#[test]
fn strict_makes_a_warning_count() {
    let project = Project::new();
    project.write("rules/empty.md", "");
    assert!(project.expect(0, &["validate", "rules"]).1.ends_with("0 errors, 1 warning\n"));
    project.expect(1, &["validate", "rules", "--strict"]);
    project.write("driven.toml", "[lints]\nempty-body = \"deny\"\n");
    project.expect(1, &["validate"]);
}

#[test]
fn bad_input_is_an_error_with_a_hint_and_no_output() {
    let project = Project::new();
    project.expect(0, &["keygen", "k"]);
    project.expect(0, &["keygen", "other"]);
    project.expect(0, &["build", "rules", "-o", "good.drv", "--key", "k.key"]);
    let good = fs::read(project.path("good.drv")).unwrap();
    project.write("cut.drv", &good[..good.len() / 2]);
    project.write("foreign.drv", "PK\x03\x04 and so on");
    let mut newer = good.clone();
    newer[8] = 9;
    project.write("newer.drv", &newer);
    let mut flipped = good.clone();
    flipped[700] ^= 4;
    project.write("flipped.drv", &flipped);
    project.write("no.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let before = project.files();
    let cases: &[(&[&str], &str)] = &[
        (&["inspect", "cut.drv"], "cut.drv: the pack is cut off"),
        (&["inspect", "foreign.drv"], "not a driven pack"),
        (&["inspect", "newer.drv"], "update driven"),
        (&["verify", "flipped.drv", "--key", "k.pub"], "flipped.drv: "),
        (&["verify", "good.drv", "--key", "other.pub"], "is signed by"),
        (&["verify", "good.drv", "--key", "k.key"], "give the `.pub` file"),
        (&["build", "rules", "-o", "new.drv", "--key", "no.key"], "no.key: no Ed25519 private key"),
        (&["build", "rules", "-o", "new.drv", "--key", "k.pub"], "give the `.key` file"),
        (&["build", "rules", "-o", "new.drv", "--key", "gone.key"], "gone.key: "),
        (&["build", "rules", "-o", "no/such/folder/new.drv"], "no/such/folder/new.drv: "),
        (&["sign", "cut.drv", "--key", "k.key"], "cut.drv: "),
        (&["convert", "foreign.drv", "-o", "x.json"], "neither a folder, nor a pack, nor JSON"),
        (&["match", "gone.drv", "a"], "gone.drv: "),
        (&["keygen", "k"], "exists already"),
        (&["keygen", "."], "expected the name of a file"),
        (&["keygen", "rules/"], "expected the name of a file"),
        (&["keygen", "rules/."], "expected the name of a file"),
        (&["build", "rules", "-o", "rules/style.md"], "exists and is no pack"),
        (&["build", "rules", "-o", "rules/new.md"], "a name that rules have"),
    ];
    for (arguments, expected) in cases {
        let (_, err) = project.expect(2, arguments);
        assert!(err.contains(expected), "{arguments:?}: {err}");
        assert_eq!(project.files(), before, "{arguments:?} left something behind");
    }
    project.write("bad.json", "{\n  \"rules\": 3\n}");
    let (_, err) = project.expect(2, &["convert", "bad.json", "-o", "x.drv"]);
    assert!(err.contains("line 2 column"), "{err}");
    project.expect(1, &["validate", "no-such-folder"]);
}

#[test]
fn misuse_is_told_whole_to_programs_too() {
    let error = Project::new().json(2, &["trust", "init"])["error"].clone();
    let message = error["message"].as_str().unwrap();
    assert!(error["code"] == "usage" && message.contains("<ROOT> <PUB>"), "{message}");
}

#[test]
fn a_private_key_is_readable_by_its_owner_alone_and_shown_nowhere() {
    let project = Project::new();
    let (out, err) = project.expect(0, &["keygen", "k"]);
    let pem = fs::read_to_string(project.path("k.key")).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(project.path("k.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    project.expect(0, &["build", "rules", "-o", "a.drv", "--key", "k.key"]);
    let pack = fs::read(project.path("a.drv")).unwrap();
    assert!(!format!("{out}{err}").contains(secret));
    assert!(memchr::memmem::find(&pack, secret.as_bytes()).is_none());
    // A key that is broken in its middle is not quoted by the error either.
    project.write("broken.key", pem.replace(&secret[40..44], "!!!!"));
    let (out, err) = project.expect(2, &["build", "rules", "-o", "b.drv", "--key", "broken.key"]);
    assert!(!format!("{out}{err}").contains(&secret[..32]), "{err}");
}

#[test]
fn who_signed_and_is_left_out_of_a_new_build_is_told() {
    let project = Project::new();
    project.expect(0, &["keygen", "a"]);
    project.expect(0, &["keygen", "b"]);
    let build = ["build", "rules", "-o", "rules.drv", "--key", "a.key"];
    project.expect(0, &build);
    assert!(!project.expect(0, &build).1.contains("signed by"));
    project.expect(0, &["sign", "rules.drv", "--key", "b.key"]);
    let b = project.json(0, &["key", "show", "b.pub"])["key_id"].as_str().unwrap().to_owned();
    assert!(project.expect(0, &build).1.contains(&format!("was signed by {b} too")));
}

#[test]
fn other_tools_can_check_a_signature() {
    let project = Project::new();
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not installed");
        return;
    }
    project.expect(0, &["keygen", "k"]);
    project.expect(0, &["build", "rules", "-o", "a.drv", "--key", "k.key"]);
    project
        .expect(0, &["verify", "a.drv", "--key", "k.pub", "--signed-bytes", "signed", "--signature", "sig"]);
    let openssl = |arguments: &[&str]| {
        Command::new("openssl").args(arguments).current_dir(project.0.path()).output().unwrap()
    };
    let checked = openssl(&[
        "pkeyutl", "-verify", "-pubin", "-inkey", "k.pub", "-rawin", "-in", "signed", "-sigfile", "sig",
    ]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(openssl(&["pkey", "-in", "k.key", "-noout"]).status.success(), "OpenSSL reads the private key");
}

#[test]
fn every_command_has_help_with_examples() {
    let project = Project::new();
    for command in [
        "init",
        "validate",
        "build",
        "inspect",
        "match",
        "convert",
        "keygen",
        "sign",
        "verify",
        "completions",
    ] {
        let (out, _) = project.expect(0, &[command, "--help"]);
        assert!(out.contains("Examples:"), "{command}: {out}");
    }
    let (out, _) = project.expect(0, &["completions", "bash"]);
    assert!(out.contains("_driven"), "{out}");
    project.expect(2, &["no-such-command"]);
}

#[test]
fn a_pack_says_what_it_was_built_from_and_is_built_again() {
    let project = Project::new();
    project.write("rules/more/who.md", "---\nglobs: \"*.md\"\n---\nA persona stands beside it.\n");
    project
        .write("rules/pack.toml", "name = \"demo\"\nversion = 3\nfolders = { personas = \"../personas\" }\n");
    project.write("personas/critic.md", "---\nrole: critic\n---\nLook twice.\n");
    let attest =
        ["--attest", "--repository", "https://example.org/r", "--commit", "0a1b", "--builder", "ci 7"];
    project.expect(0, &[&["build", "rules", "-o", "rules.drv"], &attest[..]].concat());
    project.expect(0, &["keygen", "release"]);
    project.expect(0, &["sign", "rules.drv", "--key", "release.key"]);
    let (out, _) = project.expect(0, &["inspect", "rules.drv"]);
    for line in ["repository     https://example.org/r", "commit         0a1b", "builder        ci 7"] {
        assert!(out.contains(line), "{out}");
    }
    let (out, _) = project.expect(0, &["build", "rules", "--reproduce", "rules.drv"]);
    assert!(out.contains("reproduced, digest"), "{out}");
    // Elsewhere the same sources give the same bytes.
    let other = Project::new();
    fs::remove_dir_all(other.path("rules")).unwrap();
    for file in [
        "rules/more/who.md",
        "rules/pack.toml",
        "rules/errors.md",
        "rules/style.md",
        "personas/critic.md",
        "rules.drv",
    ] {
        other.write(file, fs::read(project.path(file)).unwrap());
    }
    assert_eq!(other.json(0, &["build", "rules", "--reproduce", "rules.drv"])["reproduced"], true);
    // What was changed is named.
    for (file, text, expected) in [
        ("rules/style.md", "Spell words out!\n", "rule style: another text or other keys"),
        ("rules/new.md", "New.\n", "rule new: only in these sources"),
        ("personas/critic.md", "---\nrole: critic\n---\nLook thrice.\n", "persona critic: another text"),
        (
            "rules/errors.md",
            "---\nglobs: '*.rs'\ndescription: Errors\n---\n- Return them.\n",
            "the content is the same",
        ),
    ] {
        let changed = Project::new();
        for kept in ["rules/more/who.md", "rules/pack.toml", "personas/critic.md", "rules.drv"] {
            changed.write(kept, fs::read(project.path(kept)).unwrap());
        }
        changed.write(file, text);
        let told = changed.json(1, &["build", "rules", "--reproduce", "rules.drv"]);
        let told = told["differences"].to_string();
        assert!(told.contains("sources: the pack says") && told.contains(expected), "{told}");
    }
    // A bent attestation is a bent pack; nothing hides in one.
    let mut bytes = fs::read(project.path("rules.drv")).unwrap();
    let at = bytes.windows(4).position(|word| word == b"0a1b").unwrap();
    bytes[at] = b'1';
    project.write("bent.drv", &bytes);
    project.expect(2, &["verify", "bent.drv", "--key", "release.pub"]);
    bytes[at] = b'\n';
    project.write("bent.drv", &bytes);
    assert!(project.expect(2, &["inspect", "bent.drv"]).1.contains("attestation"));
    let hidden = ["build", "rules", "-o", "x.drv", "--attest", "--commit", "a\u{200b}b"];
    project.expect(1, &hidden);
    // Without one there is nothing to say, and still something to compare.
    project.expect(0, &["build", "rules", "-o", "plain.drv"]);
    project.expect(0, &["build", "rules", "--reproduce", "plain.drv"]);
    project.write("rules/new.md", "New.\n");
    let (out, _) = project.expect(1, &["build", "rules", "--reproduce", "plain.drv"]);
    assert!(out.contains("does not say what it was built from"), "{out}");
}

#[test]
fn a_name_can_not_pass_for_another_line() {
    let project = Project::new();
    project.write("rules/pack.toml", "version = 1\nname = \"x\\nsigned by  me\"\n");
    let (_, err) = project.expect(1, &["build", "rules", "-o", "x.drv"]);
    assert!(err.contains("pack.toml:2:8") && err.contains("without line breaks"), "{err}");
    project.write("rules/pack.toml", "name = \"x\"\ndescription = \"d\\nsigned by  me\"\n");
    project.expect(0, &["build", "rules", "-o", "x.drv"]);
    let (out, _) = project.expect(0, &["inspect", "x.drv"]);
    assert!(out.contains("d<000A>signed by  me") && !out.contains("\nsigned by  me"), "{out}");
}

#[test]
fn json_of_others_is_not_written_over() {
    let project = Project::new();
    project.write("package.json", "{\"name\": \"mine\"}");
    let (_, err) = project.expect(2, &["convert", "rules", "-o", "package.json"]);
    assert!(err.contains("exists and is no JSON of rules"), "{err}");
    project.expect(0, &["convert", "rules", "-o", "rules.json"]);
    project.expect(0, &["convert", "rules", "-o", "rules.json"]);
}

#[test]
fn folders_of_a_pack_are_near_its_rules() {
    let project = Project::new();
    for far in ["/", "/etc", "..", "../..", "../../..", "a/../../b"] {
        project.write("rules/pack.toml", format!("[folders]\npersonas = \"{far}\"\n"));
        let (_, err) = project.expect(1, &["build", "rules", "-o", "rules.drv"]);
        assert!(err.contains("rules/pack.toml:2:12") && err.contains("beside it"), "{far}: {err}");
    }
    for near in ["personas", "./personas", "../personas", "../some/personas"] {
        fs::create_dir_all(project.path("rules").join(near)).unwrap();
        project.write("rules/pack.toml", format!("[folders]\npersonas = \"{near}\"\n"));
        project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    }
}

#[test]
fn what_is_published_or_built_without_a_signature_is_said_so() {
    let project = Project::new();
    project.write("rules/pack.toml", "name = \"demo\"\nversion = 1\n");
    project.expect(0, &["keygen", "release"]);
    project.expect(0, &["build", "rules", "-o", "rules.drv", "--key", "release.key"]);
    let (_, err) = project.expect(0, &["publish", "site", "rules.drv"]);
    assert!(!err.contains("not signed"), "{err}");
    let (_, err) = project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    assert!(err.contains("was signed, and this one is not"), "{err}");
    project.expect(0, &["sign", "rules.drv", "--key", "release.key"]);
    let (_, err) = project.expect(0, &["convert", "rules.drv", "-o", "rules.drv"]);
    assert!(err.contains("was signed, and this one is not"), "{err}");
    project.write("bad.drv", "no pack");
    project.expect(2, &["publish", "other", "rules.drv", "bad.drv"]);
    assert!(!project.path("other").exists(), "one that is none keeps all of them back");
    let (_, err) = project.expect(0, &["publish", "other", "rules.drv"]);
    assert!(err.contains("rules.drv: it is not signed"), "{err}");
}

#[test]
fn broken_settings_are_findings_for_every_command_and_in_every_format() {
    let project = Project::new();
    project.write("driven.toml", "x\n");
    let commands: [&[&str]; 5] = [
        &["validate"],
        &["build", ".", "-o", "o.drv"],
        &["sync", "--target", "cursor"],
        &["context", "a"],
        &["convert", ".", "-o", "o.json"],
    ];
    for command in commands {
        let (out, err) = project.expect(1, command);
        assert!(format!("{out}{err}").contains("DRV070"), "{command:?}: {out}{err}");
    }
    assert_eq!(project.json(1, &["validate"])[0]["code"], "DRV070");
    let (sarif, _) = project.expect(1, &["validate", "--format", "sarif"]);
    assert!(sarif.contains("\"ruleId\": \"DRV070\""), "{sarif}");
}

#[test]
fn an_error_names_the_file_that_it_is_about() {
    let project = Project::new();
    project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    let bytes = fs::read(project.path("rules.drv")).unwrap();
    fs::write(project.path("cut.drv"), &bytes[..500]).unwrap();
    project.write("file", "");
    let fails = |named: &str, arguments: &[&str]| {
        let (_, err) = project.expect(2, arguments);
        assert!(
            err.starts_with(&format!("error: {named}")) && err.contains("hint: "),
            "{arguments:?}: {err}"
        );
    };
    fails("cut.drv: ", &["convert", "cut.drv", "-o", "o.json"]);
    fails("file exists and is no folder", &["convert", "rules.drv", "-o", "file"]);
    fails("nosuch/x: ", &["convert", "rules.drv", "-o", "nosuch/x"]);
    fails("file: neither a folder", &["convert", "file", "-o", "o.json"]);
    fails("nothing waits to be signed: t.root.next", &["trust", "sign", "t.root"]);
}

/// A pipe that somebody put where a file is named would be waited for without end.
#[cfg(unix)]
#[test]
fn pipes_are_refused_where_a_project_names_files_and_where_files_are_written() {
    let project = Project::new();
    let mkfifo = |name: &str| {
        let path = project.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    project.expect(0, &["keygen", "k"]);
    project.expect(0, &["build", "rules", "-o", "rules.drv", "--key", "k.key"]);
    let init = ["trust", "init", "trust.root", "k.pub", "--threshold", "1", "--key", "k.key"];
    project.expect(0, &init);
    mkfifo("pipe");
    mkfifo("packs/current");
    for settings in [
        "key = \"pipe\"",
        "root = \"pipe\"",
        "root = \"trust.root\"\nstate = \"pipe\"",
        "root = \"trust.root\"\ntimestamp = \"pipe\"",
    ] {
        project.write("driven.toml", format!("[trust]\n{settings}\n"));
        let (_, err) = project.expect(2, &["match", "rules.drv", "a"]);
        assert!(err.contains("no regular file"), "{settings}: {err}");
    }
    fs::remove_file(project.path("driven.toml")).unwrap();
    for arguments in [
        &["build", "rules", "-o", "pipe"][..],
        &["verify", "rules.drv", "--root", "trust.root", "--state", "pipe"],
        &["snapshot", "--dir", "packs", "list"],
    ] {
        let (_, err) = project.expect(2, arguments);
        assert!(err.contains("no regular file"), "{arguments:?}: {err}");
    }
    assert!(!project.path("pipe.lock").exists());
    // And in the place of a pack that is kept.
    fs::remove_file(project.path("packs/current")).unwrap();
    project.expect(0, &["snapshot", "--dir", "packs", "take", "rules.drv"]);
    let kept = fs::read_dir(project.path("packs/packs")).unwrap().next().unwrap().unwrap();
    fs::remove_file(kept.path()).unwrap();
    mkfifo(&format!("packs/packs/{}", kept.file_name().to_str().unwrap()));
    let hash = kept.path().file_stem().unwrap().to_str().unwrap().to_owned();
    let (_, err) = project.expect(2, &["snapshot", "--dir", "packs", "restore", &hash]);
    assert!(err.contains("no regular file"), "{err}");
    project.expect(0, &["snapshot", "--dir", "packs", "take", "rules.drv"]);
    assert!(kept.path().is_file(), "it is written anew");
}

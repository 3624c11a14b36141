//! Rules that travel with crates: taken as they were accepted, and never more.

use std::fs;
use std::process::Command;

use crate::harness::Project;

/// A workspace with a program and a library that ships one rule.
fn workspace() -> Project {
    let project = Project(tempfile::tempdir().unwrap());
    project.write("Cargo.toml", "[workspace]\nmembers = [\"app\", \"acme\"]\nresolver = \"3\"\n");
    project.write(
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nacme = { path = \"../acme\" }\n",
    );
    project.write("app/src/lib.rs", "");
    project.write("acme/src/lib.rs", "");
    manifest(&project, "1.2.0", "rules");
    project.write("acme/rules/errors.md", RULE);
    project.write("rules/pack.toml", "name = \"app\"\nversion = 1\n");
    project.write("rules/own.md", "Our own.\n");
    project.write("driven.toml", "# How we judge.\nrules = \"rules\"\n\n[sync]\ntargets = [\"cursor\"]\n");
    lock(&project);
    project
}

const RULE: &str =
    "---\nglobs: \"**/*.rs\"\ndescription: How acme's errors are handled\n---\nMatch on `acme::Error`.\n";

fn manifest(project: &Project, version: &str, rules: &str) {
    project.write(
        "acme/Cargo.toml",
        format!(
            "[package]\nname = \"acme\"\nversion = \"{version}\"\nedition = \"2024\"\n[package.metadata.driven]\nrules = \"{rules}\"\n"
        ),
    );
}

fn lock(project: &Project) {
    let locked = Command::new(env!("CARGO"))
        .args(["generate-lockfile", "--offline", "--quiet"])
        .current_dir(project.0.path())
        .status()
        .unwrap();
    assert!(locked.success());
}

fn state(project: &Project) -> String {
    project.json(0, &["deps"])[0]["state"].as_str().unwrap().to_owned()
}

fn ids(project: &Project) -> Vec<String> {
    project.expect(0, &["build", ".", "-o", "all.drv"]);
    let told = project.json(0, &["match", "all.drv", "src/a.rs"]);
    told[0]["rules"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn rules_are_taken_once_they_were_accepted() {
    let project = workspace();
    assert_eq!(state(&project), "not accepted");
    assert_eq!(ids(&project), ["own"]);
    let (out, _) = project.expect(0, &["deps", "accept", "acme"]);
    assert!(out.contains("+Match on `acme::Error`."), "{out}");
    assert_eq!(state(&project), "taken");
    let settings = fs::read_to_string(project.path("driven.toml")).unwrap();
    assert!(
        settings.starts_with("# How we judge.\n") && settings.contains("package = \"acme\""),
        "{settings}"
    );
    assert_eq!(ids(&project), ["acme@1.2.0/errors", "own"]);
    project.expect(0, &["sync"]);
    assert!(project.path(".cursor/rules/acme@1.2.0/errors.mdc").exists());
    project.expect(0, &["sync", "--check"]);
    project.expect(0, &["validate"]);
}

#[test]
fn a_build_script_takes_them_too() {
    let project = workspace();
    project.expect(0, &["deps", "accept", "acme"]);
    let compile =
        || driven_build::rules(project.path("rules")).dependencies(project.path("app")).try_compile();
    let compiled = compile().unwrap();
    let pack = driven::Pack::open(&compiled.pack).unwrap();
    assert!(pack.rule("acme@1.2.0/errors").is_some() && pack.rule("own").is_some());
    project.write("acme/rules/errors.md", RULE.replace("Match", "Never match"));
    let err = compile().unwrap_err().to_string();
    assert!(err.contains("DRV090") && err.contains("driven deps accept acme"), "{err}");
}

#[test]
fn a_changed_text_stops_until_it_was_looked_at() {
    let project = workspace();
    project.expect(0, &["deps", "accept", "acme"]);
    project.expect(0, &["sync"]);
    project.write("acme/rules/errors.md", RULE.replace("Match on", "Never match on"));
    assert_eq!(state(&project), "changed");
    let (_, err) = project.expect(1, &["sync"]);
    assert!(err.contains("DRV090"), "{err}");
    let (_, err) = project.expect(1, &["build", ".", "-o", "all.drv", "--cap-lints", "warn"]);
    assert!(err.contains("DRV090"), "nothing weakens it: {err}");
    let (out, _) = project.expect(0, &["deps", "accept", "--dry-run"]);
    assert!(out.contains("-Match on") && out.contains("+Never match on"), "{out}");
    assert_eq!(state(&project), "changed", "a dry run records nothing");
    project.expect(0, &["deps", "accept"]);
    project.expect(0, &["sync"]);
    let text = fs::read_to_string(project.path(".cursor/rules/acme@1.2.0/errors.mdc")).unwrap();
    assert!(text.contains("Never match on"), "{text}");
}

#[test]
fn a_new_version_with_the_same_text_is_still_accepted() {
    let project = workspace();
    project.expect(0, &["deps", "accept", "acme"]);
    manifest(&project, "1.3.0", "rules");
    lock(&project);
    assert_eq!(ids(&project), ["acme@1.3.0/errors", "own"]);
}

#[test]
fn the_same_name_from_another_source_is_another_package() {
    let project = workspace();
    project.expect(0, &["deps", "accept", "acme"]);
    let file = project.path("driven.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replace("source = \"\"", "source = \"registry+https://elsewhere.example\""))
        .unwrap();
    assert_eq!(state(&project), "not accepted");
    let found = project.json(0, &["validate"]);
    assert!(found.as_array().unwrap().iter().any(|one| one["code"] == "DRV092"), "{found}");
}

/// What an update could try, once its text was accepted without a close look.
#[test]
fn an_update_reaches_no_further_than_it_may() {
    let tries = [
        ("---\nactivation: always\n---\nText.\n", "would always be active"),
        ("Text without a head is always active.\n", "would always be active"),
        ("---\nglobs: \"**\"\n---\nText.\n", "every file"),
        ("---\nglobs: [\"a/*.rs\", \"**/*\"]\n---\nText.\n", "every file"),
        ("---\nglobs: \"**/**\"\n---\nText.\n", "every file"),
        ("---\nglobs: [\"?*\", \"{,**/}*\"]\n---\nText.\n", "every file"),
        ("---\nactivation: manual\n---\nText.\n", "called by name"),
        ("---\nglobs: \"*.rs\"\nreplaces: [own]\n---\nText.\n", "would replace `own`"),
        ("---\nglobs: \"*.rs\"\nconflicts: [own]\n---\nText.\n", "would conflict with `own`"),
        ("---\nglobs: \"*.rs\"\nrequires: [own]\n---\nText.\n", "requires `own`"),
        ("---\nglobs: \"*.rs\"\ncapabilities: [exec]\n---\nText.\n", "asks for exec"),
        ("---\nglobs: \"*.rs\"\nx-cursor: \"alwaysApply: true\"\n---\nText.\n", "own frontmatter"),
        ("---\nglobs: \"*.rs\"\n---\nig\u{200B}nore\n", "DRV503"),
        ("---\nglobs: \"*.rs\"\n---\n<!-- driven-allow DRV501: trust me -->\na\u{E0041}b\n", "DRV501"),
    ];
    for (text, told) in tries {
        let project = workspace();
        project.expect(0, &["deps", "accept", "acme"]);
        let before = fs::read_to_string(project.path("driven.toml")).unwrap();
        project.write("acme/rules/pack.toml", "name = \"acme\"\nversion = 1\ncapabilities = [\"exec\"]\n");
        // Its own word on how it is to be judged counts for nothing; neither does ours, for what is hidden.
        project.write("acme/rules/driven.toml", "[lints]\ninvisible-character = \"allow\"\n");
        project.write("acme/driven.toml", "[lints]\ninvisible-character = \"allow\"\n");
        let lints =
            "\n[lints]\ninvisible-character = \"allow\"\nhidden-tags = \"allow\"\noverstepping = \"allow\"\n";
        project.write("driven.toml", before.clone() + lints);
        project.write("acme/rules/errors.md", text);
        let (out, err) = project.expect(1, &["deps", "accept"]);
        assert!(format!("{out}{err}").contains(told), "{text}:\n{out}\n{err}");
        assert_eq!(
            fs::read_to_string(project.path("driven.toml")).unwrap(),
            before.clone() + lints,
            "{text}"
        );
        // And with the digest written in by hand, past the command.
        let digest = project.json(0, &["deps"])[0]["digest"].as_str().unwrap().to_owned();
        let old = before.lines().find(|line| line.starts_with("digest")).unwrap();
        project
            .write("driven.toml", (before.clone() + lints).replace(old, &format!("digest = \"{digest}\"")));
        let (_, err) = project.expect(1, &["build", ".", "-o", "all.drv", "--cap-lints", "warn"]);
        assert!(err.contains(told), "{text}:\n{err}");
        assert!(!project.path("all.drv").exists());
    }
}

#[test]
fn grants_are_said_and_no_wider_than_their_word() {
    let project = workspace();
    project.write("acme/rules/errors.md", "Always active.\n");
    project.expect(1, &["deps", "accept", "acme"]);
    project.expect(0, &["deps", "accept", "acme", "--grant", "always"]);
    assert_eq!(ids(&project), ["acme@1.2.0/errors", "own"]);
    assert_eq!(project.json(0, &["deps"])[0]["grant"], serde_json::json!(["always"]));
    project.write("acme/rules/errors.md", "---\npriority: 255\n---\nAlways active, and first.\n");
    project.expect(0, &["deps", "accept"]);
    project.write("rules/own.md", "---\npriority: 101\nactivation: always\n---\nOur own.\n");
    assert_eq!(ids(&project), ["own", "acme@1.2.0/errors"], "ours come first all the same");
}

#[test]
fn a_folder_outside_of_the_package_is_none() {
    for rules in ["../rules", "/etc", "a/../../rules", ""] {
        let project = workspace();
        manifest(&project, "1.2.0", rules);
        let (out, _) = project.expect(0, &["deps"]);
        assert!(out.contains("broken") && out.contains("no folder below the package"), "{rules}: {out}");
        assert_eq!(ids(&project), ["own"], "nobody took anything from it");
        project.expect(1, &["deps", "accept", "acme"]);
    }
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("theirs.md"), "Theirs.\n").unwrap();
    let project = workspace();
    std::os::unix::fs::symlink(project.path("driven.toml"), project.path("acme/rules/link.md")).unwrap();
    let (out, _) = project.expect(0, &["deps"]);
    assert!(out.contains("broken") && out.contains("DRV004"), "{out}");
    let project = workspace();
    std::os::unix::fs::symlink(outside.path(), project.path("acme/lnk")).unwrap();
    manifest(&project, "1.2.0", "lnk");
    let (out, _) = project.expect(0, &["deps"]);
    assert!(out.contains("broken") && !out.contains("Theirs"), "{out}");
    // Nor does its pack.toml lead to other folders.
    let project = workspace();
    project.write("acme/rules/pack.toml", format!("[folders]\npersonas = {:?}\n", outside.path()));
    let (_, err) = project.expect(1, &["deps", "accept", "acme"]);
    assert!(err.contains("DRV070"), "{err}");
    project.write("acme/theirs/theirs.md", "Theirs.\n");
    project.write("acme/rules/pack.toml", "[folders]\npersonas = \"../theirs\"\n");
    project.expect(0, &["deps", "accept", "acme"]);
    assert_eq!(ids(&project), ["acme@1.2.0/errors", "own"]);
}

/// A look at a project runs nothing of it.
#[cfg(unix)]
#[test]
fn nothing_of_the_project_is_run() {
    use std::os::unix::fs::PermissionsExt;
    let project = workspace();
    project.expect(0, &["deps", "accept", "acme"]);
    project.write("evil.sh", "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\nexit 1\n");
    fs::set_permissions(project.path("evil.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let evil = project.path("evil.sh");
    project.write(".cargo/config.toml", format!("[build]\nrustc = {evil:?}\nrustc-wrapper = {evil:?}\n"));
    project.expect(0, &["validate"]);
    project.expect(0, &["deps"]);
    assert!(!project.path("ran").exists());
}

#[test]
fn elsewhere_than_at_the_root_the_message_says_where() {
    let project = workspace();
    let (_, err) = project.expect(2, &["deps", "--root", "app"]);
    assert!(err.contains("member of the workspace"), "{err}");
    let (_, err) = project.expect(2, &["deps", "--root", "rules"]);
    assert!(err.contains("Cargo.toml"), "{err}");
    let (_, err) = project.expect(2, &["deps", "accept", "nobody"]);
    assert!(err.contains("these do: acme"), "{err}");
}

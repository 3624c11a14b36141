//! Rules written out to assistants: one owner a path, nothing widened, nothing of a person's lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use driven::Pack;
use driven_assistants::catalog::{Assistant, Mode, assistants, find};
use driven_assistants::plan::{Content, Options, Plan, plan, plan_all};
use driven_assistants::render::{FateKind, Policy};
use driven_assistants::{ErrorKind, Project as Tree, head};
use driven_format::{Activation, PackBuilder, Rule};

use crate::harness::Project;

fn rule(id: &str, activation: Activation, globs: &[&str]) -> Rule {
    let mut rule = Rule::new(id, format!("# {id}\n\nText of {id}.\n"));
    rule.activation = activation;
    rule.globs = globs.iter().map(|&glob| glob.into()).collect();
    rule.description = format!("When {id}: fits");
    rule
}

/// A rule of each mode, a folder's rule, and one for Cursor alone.
fn pack() -> Vec<u8> {
    let mut own = rule("cursor-only", Activation::Always, &[]);
    own.targets = vec!["cursor".into()];
    let mut manual = rule("by-hand", Activation::Manual, &[]);
    manual.description.clear();
    PackBuilder::new("sync", 1)
        .rule(rule("always", Activation::Always, &[]))
        .rule(rule("globs/types", Activation::Globs, &["*.ts", "src/**/*.{tsx,mts}"]))
        .rule(rule("folder", Activation::Globs, &["docs/**"]))
        .rule(rule("chosen", Activation::Agent, &[]))
        .rule(manual)
        .rule(rule("off", Activation::Off, &[]))
        .rule(own)
        .finish()
        .unwrap()
}

fn options(policy: Policy) -> Options<'static> {
    Options { policy, has_folder: &|folder| folder == "docs", global: false }
}

fn planned(bytes: &[u8], targets: &[&str]) -> Plan {
    let targets: Vec<&'static Assistant> = targets.iter().map(|id| find(id).unwrap()).collect();
    plan(&Pack::open(bytes).unwrap(), &targets, &options(Policy::Fold)).unwrap()
}

fn apply(root: &Path, plan: &Plan) {
    let mut tree = Tree::open(root).unwrap();
    let changes = tree.changes(plan).unwrap();
    assert_eq!(changes.conflicts().count(), 0, "{:?}", changes.all());
    tree.apply(&changes, false).unwrap();
}

fn open_paths(root: &Path, plan: &Plan) -> Vec<String> {
    let changes = Tree::look(root).unwrap().changes(plan).unwrap();
    changes.open().map(|change| change.path.clone()).collect()
}

/// Every file below a folder with its bytes, driven's own apart.
fn snapshot(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, at: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(root, root, &mut files);
    files.retain(|name, _| !name.starts_with(".driven/"));
    files
}

#[test]
fn after_a_run_nothing_is_left_to_do_for_every_assistant_and_every_pair() {
    let bytes = pack();
    let ids: Vec<&str> = assistants().iter().map(|assistant| assistant.id.as_str()).collect();
    let mut sets: Vec<Vec<&str>> = ids.iter().map(|&id| vec![id]).collect();
    sets.extend((0..ids.len()).map(|at| vec![ids[at], ids[(at * 7 + 3) % ids.len()]]));
    let mut accepted = 0;
    for set in sets {
        let targets: Vec<&'static Assistant> = set.iter().map(|id| find(id).unwrap()).collect();
        let Ok(plan) = plan(&Pack::open(&bytes).unwrap(), &targets, &options(Policy::Fold)) else { continue };
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("docs")).unwrap();
        apply(folder.path(), &plan);
        assert_eq!(open_paths(folder.path(), &plan), [""; 0], "{set:?}");
        accepted += 1;
    }
    assert!(accepted > ids.len(), "only {accepted} sets agree");
}

#[test]
fn all_is_the_largest_set_that_agrees_and_it_settles() {
    let bytes = pack();
    let plan = plan_all(&Pack::open(&bytes).unwrap(), &options(Policy::Fold)).unwrap();
    assert!(plan.fates.len() >= 40, "{}", plan.fates.len());
    assert_eq!(plan.fates.len() + plan.left_out.len(), assistants().len());
    // `.agents/rules` holds heads for one of the two and none for the other.
    assert!(plan.left_out.iter().any(|clash| clash.other == "antigravity-cli"), "{:?}", plan.left_out);
    let folder = tempfile::tempdir().unwrap();
    apply(folder.path(), &plan);
    assert_eq!(open_paths(folder.path(), &plan), [""; 0]);
}

#[test]
fn two_that_need_one_path_are_refused_with_both_names() {
    let project = Project::new();
    project.write("rules/docs.md", "---\nglobs: docs/**\n---\nPlain words.\n");
    fs::create_dir(project.path("docs")).unwrap();
    // Codex reads docs/AGENTS.md, OpenCode reads the root alone.
    let (_, err) = project.expect(2, &["sync", "--target", "codexcli,opencode"]);
    assert!(err.contains("`codexcli`") && err.contains("`opencode`") && err.contains("AGENTS.md"), "{err}");
    assert_eq!(project.files(), ["docs", "rules"]);
    let told = project.json(0, &["sync", "--target", "*"]);
    assert!(!told["left_out"].as_array().unwrap().is_empty());
    project.expect(0, &["sync", "--target", "*", "--check"]);
}

/// What a written file says is never more than what the rule says.
#[test]
fn nothing_is_widened_in_any_assistant() {
    let bytes = pack();
    let pack = Pack::open(&bytes).unwrap();
    for assistant in assistants() {
        let plan = planned(&bytes, &[&assistant.id]);
        let fates = &plan.fates[assistant.id.as_str()];
        let told: BTreeSet<&str> = fates.iter().map(|fate| fate.rule.as_str()).collect();
        for rule in pack.rules() {
            let id = rule.id();
            if id == "cursor-only" && assistant.id != "cursor" {
                assert!(!told.contains(id), "{}", assistant.id);
                continue;
            }
            let fate = fates.iter().find(|fate| fate.rule == id).unwrap();
            let needle = format!("Text of {id}.");
            let holders: Vec<(&String, String)> = plan
                .files
                .iter()
                .map(|(path, planned)| (path, text_of(&planned.content)))
                .filter(|(_, text)| text.contains(&needle))
                .collect();
            match fate.kind {
                FateKind::Skipped => assert!(holders.is_empty(), "{} {id}", assistant.id),
                FateKind::Folded => {
                    assert!(!holders.is_empty(), "{} {id}", assistant.id);
                    for (path, text) in holders {
                        let before = &text[..text.find(&needle).unwrap()];
                        let scope = before.rfind("Applies only ").expect(path);
                        let names = if id == "chosen" { "fits" } else { "`" };
                        assert!(before[scope..].contains(names), "{} {before}", assistant.id);
                    }
                }
                FateKind::Kept => {
                    for (path, text) in holders {
                        let Some(spec) = assistant.head.as_ref().filter(|_| assistant.rules.is_some()) else {
                            let scoped = rule.activation() == Activation::Always || path.starts_with("docs/");
                            assert!(scoped, "{} {id} in {path}", assistant.id);
                            continue;
                        };
                        let read = head::read(&text, spec).unwrap().meaning;
                        assert_eq!(
                            read.mode,
                            Mode::of(rule.activation()),
                            "{} {path}:\n{text}",
                            assistant.id
                        );
                    }
                }
                FateKind::Refused => panic!("nothing was to be refused"),
            }
        }
    }
}

fn text_of(content: &Content) -> String {
    match content {
        Content::File(text) => text.clone(),
        Content::Block { base, text } => format!("{}{text}", base.as_deref().unwrap_or_default()),
        Content::Entries { entries, .. } => entries.join("\n"),
    }
}

#[test]
fn strict_refuses_what_can_not_be_said() {
    let bytes = pack();
    let pack = Pack::open(&bytes).unwrap();
    let refused = plan(&pack, &[find("codexcli").unwrap()], &options(Policy::Refuse)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Loss);
    let project = Project::new();
    project.expect(2, &["sync", "--target", "codexcli", "--strict"]);
    assert_eq!(project.files(), ["rules"]);
    project.expect(0, &["sync", "--target", "cursor", "--strict"]);
}

#[test]
fn a_changed_file_is_shown_and_kept_until_force() {
    let project = Project::new();
    project.expect(0, &["sync", "--target", "cursor"]);
    let path = ".cursor/rules/style.mdc";
    project.write(path, "mine\n");
    project.write("rules/style.md", "Other words.\n");
    for arguments in [&["sync", "--target", "cursor"][..], &["sync", "--target", "cursor", "--clean"][..]] {
        let (out, _) = project.expect(1, arguments);
        assert!(out.contains(path) && out.contains("-mine"), "{out}");
        assert_eq!(fs::read_to_string(project.path(path)).unwrap(), "mine\n");
    }
    project.expect(0, &["sync", "--target", "cursor", "--force"]);
    assert!(fs::read_to_string(project.path(path)).unwrap().ends_with("Other words.\n"));
}

#[test]
fn a_file_that_was_there_before_is_a_persons() {
    let project = Project::new();
    project.write(".cursor/rules/style.mdc", "mine\n");
    let told = project.json(1, &["sync", "--target", "cursor"]);
    assert_eq!(told["written"], false);
    assert_eq!(fs::read_to_string(project.path(".cursor/rules/style.mdc")).unwrap(), "mine\n");
    assert!(!project.path(".cursor/rules/errors.mdc").exists(), "all or nothing");
}

#[test]
fn what_a_person_has_in_a_shared_file_stays_and_clean_gives_every_byte_back() {
    let project = Project::new();
    let theirs = [
        ("AGENTS.md", "# Ours\n\nNo final newline"),
        ("CONVENTIONS.md", "One line\n"),
        (
            "kilo.jsonc",
            "{\n  // models\n  \"model\": \"x\",\n  \"instructions\": [\n    \"docs/*.md\"  // ours\n  ],\n}\n",
        ),
        (".aider.conf.yml", "# aider\nmodel: x\nread:\n  - README.md   # ours\nauto-commits: false\n"),
        ("firebender.json", "{ \"mcp\": {}, \"rules\": [\"Be kind.\"] }"),
        (".gitignore", "target\n"),
    ];
    for (path, text) in theirs {
        project.write(path, text);
    }
    let before = snapshot(project.0.path());
    let targets = "codexcli,aider,kilo,firebender,cursor";
    project.expect(0, &["sync", "--target", targets, "--gitignore"]);
    for (path, text) in theirs {
        let now = fs::read_to_string(project.path(path)).unwrap();
        for line in text.lines().filter(|line| line.len() > 3) {
            let kept = |word: &str| now.contains(word.trim_end_matches([']', '}', ' ']));
            assert!(line.split("  ").all(kept), "{path} lost {line:?}:\n{now}");
        }
        assert_ne!(now, text, "{path}");
    }
    assert!(fs::read_to_string(project.path(".gitignore")).unwrap().contains("/.cursor/rules/style.mdc"));
    project.expect(0, &["sync", "--target", targets, "--gitignore", "--check"]);
    // A person goes on writing around the block.
    let agents = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    project.write("AGENTS.md", agents.clone() + "\nMore of ours.\n");
    project.write("rules/style.md", "Changed.\n");
    project.expect(0, &["sync", "--target", targets, "--gitignore"]);
    let now = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    assert!(
        now.starts_with("# Ours\n\nNo final newline")
            && now.contains("Changed.")
            && now.ends_with("More of ours.\n")
    );
    project.write("AGENTS.md", now.replace("\nMore of ours.\n", ""));
    project.write("rules/style.md", "Spell words out.\n");
    project.expect(0, &["sync", "--clean"]);
    assert_eq!(snapshot(project.0.path()), before);
    assert!(!project.path(".driven").exists());
}

#[test]
fn an_edit_inside_the_block_is_seen() {
    let project = Project::new();
    project.expect(0, &["sync", "--target", "agentsmd"]);
    let text = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    project.write("AGENTS.md", text.replace("Spell", "Never spell"));
    project.write("rules/style.md", "Other.\n");
    let (out, _) = project.expect(1, &["sync", "--target", "agentsmd"]);
    assert!(out.contains("Never spell"), "{out}");
}

#[test]
fn changed_rules_touch_only_their_files_and_gone_rules_take_theirs_along() {
    let project = Project::new();
    project.write("rules/deep/er.md", "Deeper.\n");
    project.expect(0, &["sync", "--target", "cursor,claudecode"]);
    let told = project.json(0, &["sync", "--target", "cursor,claudecode"]);
    assert_eq!(told["changes"].as_array().unwrap().len(), 0);
    assert!(told["targets"]["cursor"]["rules"].as_array().unwrap().len() == 3, "the report is told again");
    project.write("rules/style.md", "Other.\n");
    project.expect(1, &["sync", "--target", "cursor,claudecode", "--check"]);
    let told = project.json(0, &["sync", "--target", "cursor,claudecode"]);
    let changed: Vec<&str> =
        told["changes"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(changed, [".claude/rules/style.md", ".cursor/rules/style.mdc"]);
    fs::remove_dir_all(project.path("rules/deep")).unwrap();
    project.expect(0, &["sync", "--target", "cursor,claudecode"]);
    assert!(!project.path(".cursor/rules/deep").exists(), "the empty folder goes too");
    // Files of assistants that are not asked for stay.
    project.expect(0, &["sync", "--target", "claudecode"]);
    assert!(project.path(".cursor/rules/style.mdc").exists());
    project.expect(0, &["sync", "--target", "cursor", "--clean"]);
    assert!(!project.path(".cursor").exists() && project.path(".claude/rules/style.md").exists());
}

#[test]
fn a_run_that_was_stopped_is_completed_or_undone() {
    let bytes = pack();
    let plan = planned(&bytes, &["cursor", "claudecode"]);
    let whole = tempfile::tempdir().unwrap();
    apply(whole.path(), &plan);
    let expected = snapshot(whole.path());

    // Stopped while it staged: the next run knows nothing of it.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".driven/stage")).unwrap();
    fs::write(folder.path().join(".driven/stage/0"), "half").unwrap();
    drop(Tree::open(folder.path()).unwrap());
    assert!(!folder.path().join(".driven/stage").exists());
    assert!(snapshot(folder.path()).is_empty());

    // Stopped behind the journal, with each number of files in place already.
    for done in 0..=expected.len() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(".driven");
        fs::create_dir_all(own.join("stage")).unwrap();
        let state: serde_json::Value =
            serde_json::from_slice(&fs::read(whole.path().join(".driven/sync.json")).unwrap()).unwrap();
        let mut steps = Vec::new();
        for (index, (path, bytes)) in expected.iter().enumerate() {
            let name = format!("stage/{index}");
            let after = driven_format::file_hash(bytes).to_string();
            if index < done {
                let target = folder.path().join(path);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(target, bytes).unwrap();
            } else {
                fs::write(own.join(&name), bytes).unwrap();
            }
            steps.push(serde_json::json!({ "path": path, "staged": index, "before": null, "after": after }));
        }
        let journal = serde_json::json!({ "steps": steps, "state": state });
        fs::write(own.join("journal.json"), journal.to_string()).unwrap();
        assert_eq!(Tree::open(folder.path()).unwrap().changes(&plan).unwrap().open().count(), 0);
        assert_eq!(snapshot(folder.path()), expected, "{done} were done");
        assert!(!own.join("journal.json").exists());
    }
}

#[test]
fn budgets_are_counted_over_the_chain_of_folders() {
    let long = "A line of sixteen\n".repeat(1100);
    let mut root = Rule::new("root", long.clone());
    root.description.clear();
    let mut docs = Rule::new("docs", long);
    docs.activation = Activation::Globs;
    docs.globs = vec!["docs/**".into()];
    let bytes = PackBuilder::new("long", 1).rule(root).rule(docs).finish().unwrap();
    let plan = planned(&bytes, &["codexcli"]);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("docs")).unwrap();
    let changes = Tree::look(folder.path()).unwrap().changes(&plan).unwrap();
    let warned: Vec<&str> = changes.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warned, ["docs/AGENTS.md"], "{:?}", changes.warnings);
}

#[test]
fn who_reads_only_the_first_file_is_told() {
    let project = Project::new();
    project.write(".cursorrules", "old\n");
    project.write("AGENTS.md", "ours\n");
    let told = project.json(0, &["sync", "--target", "zed"]);
    assert!(told["warnings"].as_array().unwrap().is_empty(), "`.rules` comes first: {told}");
    project.write("AGENTS.override.md", "first\n");
    let told = project.json(0, &["sync", "--target", "codexcli"]);
    assert!(told["warnings"][0]["message"].as_str().unwrap().contains("AGENTS.override.md"), "{told}");
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_links_or_out_of_the_root() {
    let project = Project::new();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), project.path(".cursor")).unwrap();
    let (_, err) = project.expect(2, &["sync", "--target", "cursor"]);
    assert!(err.contains("symbolic link"), "{err}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    fs::write(outside.path().join("target"), "theirs").unwrap();
    std::os::unix::fs::symlink(outside.path().join("target"), project.path("AGENTS.md")).unwrap();
    project.expect(2, &["sync", "--target", "agentsmd"]);
    assert_eq!(fs::read_to_string(outside.path().join("target")).unwrap(), "theirs");
}

/// A pack from elsewhere names a path in its origin: it must not be a way out.
#[test]
fn an_origin_can_not_choose_a_path_outside_of_the_assistants_own() {
    for path in
        ["../evil.mdc", "/tmp/evil.mdc", ".cursor/rules/../../evil.mdc", ".bashrc", ".cursor/rules/x.sh"]
    {
        let mut rule = rule("rule", Activation::Always, &[]);
        rule.origins = vec![driven_format::Origin {
            assistant: "cursor".into(),
            path: path.into(),
            text: String::new(),
        }];
        let bytes = PackBuilder::new("evil", 1).rule(rule).finish().unwrap();
        let plan = planned(&bytes, &["cursor"]);
        let paths: Vec<&String> = plan.files.keys().collect();
        assert_eq!(paths, [".cursor/rules/rule.mdc"], "{path}");
    }
}

#[test]
fn names_that_differ_only_in_case_do_not_meet() {
    let mut upper = rule("Style", Activation::Always, &[]);
    upper.body = "Upper.\n".into();
    let bytes = PackBuilder::new("case", 1).rule(rule("style", Activation::Always, &[])).rule(upper).finish();
    let bytes = bytes.unwrap();
    let plan = planned(&bytes, &["cursor"]);
    assert_eq!(plan.files.len(), 1, "{:?}", plan.files.keys());
    let fates = &plan.fates["cursor"];
    assert!(
        fates.iter().any(|fate| fate.kind == FateKind::Skipped && fate.why.contains("already")),
        "{fates:?}"
    );
}

#[test]
fn the_list_marks_what_is_not_confirmed() {
    let project = Project::new();
    let list = project.json(0, &["sync", "--list"]);
    let list = list.as_array().unwrap();
    assert!(list.len() >= 40);
    let firebender = list.iter().find(|one| one["id"] == "firebender").unwrap();
    assert_eq!(firebender["confirmed"], false);
    assert!(list.iter().all(|one| one["checked"].as_str().unwrap().len() == 10));
    let (out, _) = project.expect(0, &["sync", "--list"]);
    assert!(out.contains("not confirmed by the vendor's own page"), "{out}");
}

#[test]
fn a_signed_pack_without_sources_is_enough() {
    let project = Project::new();
    project.expect(0, &["keygen", "release"]);
    project.expect(0, &["build", "rules", "-o", "rules.drv", "--key", "release.key"]);
    fs::remove_dir_all(project.path("rules")).unwrap();
    project.expect(0, &["sync", "rules.drv", "--target", "cursor,copilot"]);
    assert!(project.path(".github/instructions/errors.instructions.md").exists());
    let mut bytes = fs::read(project.path("rules.drv")).unwrap();
    let last = bytes.len() - 200;
    bytes[last] ^= 1;
    project.write("rules.drv", bytes);
    project.expect(2, &["sync", "rules.drv", "--target", "cursor,copilot"]);
}

#[test]
fn targets_come_from_settings_or_from_what_is_found() {
    let project = Project::new();
    let (_, err) = project.expect(2, &["sync"]);
    assert!(err.contains("--target"), "{err}");
    fs::create_dir_all(project.path(".cursor/rules")).unwrap();
    let told = project.json(0, &["sync"]);
    assert_eq!(told["targets"].as_object().unwrap().keys().collect::<Vec<_>>(), ["cursor"]);
    project.write("driven.toml", "[sync]\ntargets = [\"kiro\"]\nunsupported = \"skip\"\n");
    let told = project.json(0, &["sync"]);
    assert_eq!(told["targets"].as_object().unwrap().keys().collect::<Vec<_>>(), ["kiro"]);
    let (_, err) = project.expect(2, &["sync", "--target", "cursr"]);
    assert!(err.contains("did you mean `cursor`?"), "{err}");
    project.write("driven.toml", "[sync]\nunsupported = \"widen\"\n");
    project.expect(1, &["sync"]);
}

#[cfg(unix)]
#[test]
fn what_lies_in_drivens_own_folder_is_not_trusted() {
    use std::os::unix::fs::symlink;
    // Links out of the root.
    for name in ["lock", ".gitignore", "sync.json", "journal.json", "last.json", "stage"] {
        let project = Project::new();
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("precious");
        fs::write(&target, "theirs").unwrap();
        fs::create_dir(project.path(".driven")).unwrap();
        symlink(&target, project.path(&format!(".driven/{name}"))).unwrap();
        let (_, err) = project.expect(2, &["sync", "--target", "cursor"]);
        assert!(err.contains("symbolic link"), "{name}: {err}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs", "{name}");
    }
    // A journal that somebody put there: it writes where rules go, and only what it said it would find.
    for (path, before) in [
        (".git/hooks/pre-commit", None),
        ("src/main.rs", Some("fn main() {}\n")),
        ("../out", None),
        ("AGENTS.md", Some("edited\n")),
    ] {
        let project = Project::new();
        if let Some(text) = before {
            project.write(path, text);
        }
        project.write(".driven/stage/0", "evil");
        let after = driven_format::file_hash(b"evil").to_string();
        let step = serde_json::json!({ "path": path, "staged": 0, "before": null, "after": after });
        let journal = serde_json::json!({ "steps": [step], "state": { "version": 1, "files": {} } });
        project.write(".driven/journal.json", journal.to_string());
        let (_, err) = project.expect(2, &["sync", "--target", "cursor"]);
        assert!(err.contains("journal"), "{path}: {err}");
        let now = fs::read_to_string(project.path(path)).ok();
        assert_eq!(now.as_deref(), before, "{path}");
    }
    // A state that claims a file of the project.
    let project = Project::new();
    project.write("src/main.rs", "fn main() {}\n");
    let whole = driven_format::file_hash(b"fn main() {}\n").to_string();
    let record = serde_json::json!({ "whole": whole, "kind": "file", "owners": ["cursor"], "created": true });
    let state = serde_json::json!({ "version": 1, "files": { "src/main.rs": record } });
    project.write(".driven/sync.json", state.to_string());
    for arguments in [&["sync", "--target", "cursor"][..], &["sync", "--clean"]] {
        project.expect(2, arguments);
        assert!(project.path("src/main.rs").exists());
    }
}

#[test]
fn clean_keeps_what_was_there_before() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write(".cursor/rules/h.mdc", "---\nalwaysApply: true\n---\nHello\n");
    project.write("CLAUDE.md", "# Claude\n");
    project.write("AGENTS.md", "# Ours\n");
    let before = snapshot(project.0.path());
    project.expect(0, &["import"]);
    project.expect(0, &["sync"]);
    project.expect(0, &["sync", "--clean"]);
    let mut now = snapshot(project.0.path());
    now.retain(|path, _| !path.starts_with("rules/") && path != "driven.toml");
    assert_eq!(now, before);
}

/// Every form that settings may have: either edited and given back byte for byte, or refused and left alone.
#[test]
fn settings_of_every_form_come_back_byte_for_byte() {
    let forms = [
        ("kilo.jsonc", "{\"instructions\": [\".kilo/rules/style.md\", \"x.md\"]}\n"),
        ("kilo.jsonc", "{\"instructions\": []}\n"),
        ("kilo.jsonc", "{\"instructions\": [ /* none yet */ ] }"),
        ("kilo.jsonc", "// just a comment\n"),
        ("kilo.jsonc", "{ \"a\": 1, }"),
        ("kilo.jsonc", ""),
        ("kilo.jsonc", "[]"),
        ("kilo.jsonc", "{\"instructions\": null}"),
        (".aider.conf.yml", "read: CONVENTIONS.md\n"),
        (".aider.conf.yml", "read: x.md\n"),
        (".aider.conf.yml", "read: [x.md, y.md] # keep\n"),
        (".aider.conf.yml", "read:\n  - \"x[1].md\" # keep\n  # c\n"),
        (".aider.conf.yml", "read: ~ # c\nmodel: x"),
        (".aider.conf.yml", "---\nmodel: x\n"),
        (".aider.conf.yml", "# c\n---\nread:\n- x.md\n"),
        (".aider.conf.yml", "model: x\n...\n"),
        (".aider.conf.yml", "model: x\n---\nmodel: y\n"),
        (".aider.conf.yml", "{model: z}\n"),
        (".aider.conf.yml", "{read: [x.md], model: z}\n"),
        (".aider.conf.yml", "  model: x\n  z: 1\n"),
        (".aider.conf.yml", "read: |\n  x.md\n  y.md\n"),
        (".aider.conf.yml", "base: &a\n  - x.md\nread: *a\n"),
        ("AGENTS.md", "mine"),
        ("AGENTS.md", "mine\n"),
        ("AGENTS.md", "mine\n\n"),
        ("AGENTS.md", "\u{FEFF}mine\r\nand more\r\n"),
    ];
    let (mut edited, mut refused) = (0, 0);
    for (path, text) in forms {
        let project = Project::new();
        project.write(path, text);
        let target = match path {
            "kilo.jsonc" => "kilo",
            "AGENTS.md" => "agentsmd",
            _ => "aider",
        };
        let done = project.run(&["sync", "--target", target]);
        if done.status.code() == Some(0) {
            project.expect(0, &["sync", "--target", target, "--check"]);
            fs::remove_file(project.path(".driven/last.json")).unwrap();
            project.expect(0, &["sync", "--target", target]);
            let once = fs::read(project.path(path)).unwrap();
            project.write("rules/third.md", "Third.\n");
            project.expect(0, &["sync", "--target", target]);
            fs::remove_file(project.path("rules/third.md")).unwrap();
            project.expect(0, &["sync", "--target", target]);
            assert_eq!(fs::read(project.path(path)).unwrap(), once, "{path} {text:?}: there and back");
            project.expect(0, &["sync", "--clean"]);
            edited += 1;
        } else {
            assert_eq!(done.status.code(), Some(1), "{path} {text:?}");
            project.expect(1, &["sync", "--target", target, "--check"]);
            project.expect(1, &["sync", "--target", target, "--force"]);
            refused += 1;
        }
        assert_eq!(fs::read_to_string(project.path(path)).unwrap(), text, "{path}");
    }
    assert!(edited >= 15 && refused >= 6, "{edited} edited, {refused} refused");
}

#[test]
fn a_persons_line_ends_stay_when_the_block_is_gone() {
    let project = Project::new();
    project.write("AGENTS.md", "mine\n");
    project.expect(0, &["sync", "--target", "agentsmd"]);
    project.write("AGENTS.md", "mine\n");
    project.expect(0, &["sync", "--clean"]);
    assert_eq!(fs::read_to_string(project.path("AGENTS.md")).unwrap(), "mine\n");
    project.write("AGENTS.md", "A\n");
    project.expect(0, &["sync", "--target", "agentsmd"]);
    let text = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    project.write("AGENTS.md", text.replace("A\n\n", "A\n") + "B\n");
    project.expect(0, &["sync", "--clean"]);
    assert_eq!(fs::read_to_string(project.path("AGENTS.md")).unwrap(), "A\nB\n");
}

#[test]
fn line_ends_that_a_checkout_changed_are_no_edit() {
    let project = Project::new();
    project.write("AGENTS.md", "mine\n");
    project.write(".aider.conf.yml", "dark-mode: true\n");
    let sync = ["sync", "--target", "agentsmd,cursor,aider"];
    project.expect(0, &sync);
    let state = fs::read(project.path(".driven/sync.json")).unwrap();
    let files = |ends: &str| {
        for (path, bytes) in snapshot(&project.path("")) {
            if !path.contains(".driven/") && path.contains("rules")
                || ["AGENTS.md", ".aider.conf.yml"].contains(&&*path)
            {
                let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
                fs::write(project.path(&path), text.replace('\n', ends)).unwrap();
            }
        }
    };
    files("\r\n");
    for _ in 0..3 {
        project.expect(0, &[&sync[..], &["--check"]].concat());
        project.expect(0, &sync);
    }
    // A change comes under the ends that the file has, and what is remembered is the same everywhere.
    project.write("rules/more.md", "---\nactivation: always\n---\nMore.\n");
    project.expect(0, &sync);
    let agents = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    assert!(agents.contains("More.\r\n") && !agents.replace("\r\n", "").contains('\n'), "{agents:?}");
    fs::remove_file(project.path("rules/more.md")).unwrap();
    project.expect(0, &sync);
    files("\n");
    project.expect(0, &[&sync[..], &["--check"]].concat());
    assert_eq!(fs::read(project.path(".driven/sync.json")).unwrap(), state);
    // An edit is one under any ends.
    files("\r\n");
    let edited =
        fs::read_to_string(project.path("AGENTS.md")).unwrap().replace("driven:end", "edited\r\ndriven:end");
    project.write("AGENTS.md", edited);
    project.expect(1, &sync);
    project.write("AGENTS.md", agents.replace("More.\r\n", ""));
    files("\r\n");
    project.expect(0, &["sync", "--clean", "--force"]);
    assert_eq!(fs::read_to_string(project.path(".aider.conf.yml")).unwrap(), "dark-mode: true\r\n");
}

#[test]
fn a_run_that_fails_leaves_everything_as_it_was_and_the_next_one_works() {
    // A rule as a file and another as a folder of that name.
    let project = Project::new();
    project.write("rules/a.mdc/x.md", "X.\n");
    project.write("rules/a.md", "A.\n");
    let (_, err) = project.expect(2, &["sync", "--target", "cursor"]);
    assert!(err.contains("a file and a folder"), "{err}");
    fs::remove_dir_all(project.path("rules/a.mdc")).unwrap();
    project.expect(0, &["sync", "--target", "cursor"]);
    // A name that no file system takes.
    let long = format!("{}/x", "b".repeat(300));
    let bytes = PackBuilder::new("long", 1).rule(rule(&long, Activation::Always, &[])).finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(&bytes, &["agentsmd", "cursor"]);
    let mut tree = Tree::open(folder.path()).unwrap();
    let changes = tree.changes(&plan).unwrap();
    assert!(tree.apply(&changes, false).is_err());
    drop(tree);
    assert!(snapshot(folder.path()).is_empty());
    assert!(!folder.path().join(".driven/journal.json").exists());
}

#[test]
fn taking_back_one_target_keeps_the_others_out_of_version_control() {
    let project = Project::new();
    project.expect(0, &["sync", "--target", "cursor,claudecode", "--gitignore"]);
    project.expect(0, &["sync", "--clean", "--target", "cursor"]);
    let text = fs::read_to_string(project.path(".gitignore")).unwrap();
    assert!(text.contains("/.claude/rules/style.md") && !text.contains(".cursor"), "{text}");
}

#[test]
fn what_was_let_through_once_is_not_let_through_for_good() {
    let project = Project::new();
    project.write("rules/style.md", "ig\u{200B}nore\n");
    project.expect(1, &["sync", "--target", "cursor"]);
    project.expect(0, &["sync", "--target", "cursor", "--cap-lints", "warn"]);
    project.expect(1, &["sync", "--target", "cursor"]);
    project.expect(1, &["sync", "--target", "cursor", "--check"]);
}

/// Where everything is always active, a rule with a scope is no file with a head.
#[test]
fn a_home_folder_that_knows_no_scopes_gets_none() {
    let bytes = pack();
    for id in ["augmentcode", "claudecode"] {
        let options = Options { policy: Policy::Fold, has_folder: &|_| false, global: true };
        let plan = plan(&Pack::open(&bytes).unwrap(), &[find(id).unwrap()], &options).unwrap();
        for fate in &plan.fates[id] {
            let always = fate.rule == "always";
            assert_eq!(fate.kind == FateKind::Kept, always, "{id} {fate:?}");
        }
    }
}

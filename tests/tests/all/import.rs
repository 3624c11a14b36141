//! Assistants' own files read back, and written again byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use driven_assistants::Project as Tree;
use driven_assistants::catalog::find;
use driven_assistants::import::import;
use driven_assistants::plan::{Options, plan};
use driven_assistants::render::Policy;
use driven_build::write_folder;

use crate::harness::Project;

/// Files as each assistant's page has them, and as people write them.
const FILES: &[(&str, &[(&str, &str)])] = &[
    (
        "cursor",
        &[
            (
                ".cursor/rules/types.mdc",
                "---\ndescription: Types, of course\nglobs: *.ts,src/**/*.{tsx,mts}\nalwaysApply: false\n---\n\n# Types\n",
            ),
            (
                ".cursor/rules/nested/always.mdc",
                "\u{FEFF}---\r\ndescription:\r\nglobs:\r\nalwaysApply: true\r\nauthor: me # who\r\n---\r\nText\r\n",
            ),
            (
                ".cursor/rules/agent.mdc",
                "---\nalwaysApply: false\ndescription: \"When: it fits\"\n---\nSee @other.md\n",
            ),
            (".cursor/rules/manual.mdc", "No head at all.\n"),
            (".cursorrules", "An old file.\n"),
        ],
    ),
    (
        "copilot",
        &[
            (".github/copilot-instructions.md", "# Everywhere\n"),
            (
                ".github/instructions/ts.instructions.md",
                "---\napplyTo: '**/*.ts, **/*.tsx'\nexcludeAgent: \"code-review\"\n---\nText\n",
            ),
            (
                ".github/instructions/sub/all.instructions.md",
                "---\nname: All\ndescription: 'All files'\napplyTo: '**'\n---\nText\n",
            ),
            (".github/instructions/none.instructions.md", "---\ndescription: Only described\n---\nText\n"),
        ],
    ),
    (
        "claudecode",
        &[
            ("CLAUDE.md", "@AGENTS.md\n\n# Ours\n"),
            ("packages/api/CLAUDE.md", "Nested.\n"),
            (
                ".claude/rules/api.md",
                "---\npaths:\n  - \"src/api/**/*.ts\"   # the api\n  - 'lib/**'\n---\n\nText\n",
            ),
            (".claude/rules/deep/always.md", "Always.\n"),
        ],
    ),
    (
        "agentsmd",
        &[
            ("AGENTS.md", "\n# Project\r\n\r\n- mixed line ends\n"),
            ("packages/web/AGENTS.md", "\u{FEFF}Nested, with a mark.\n"),
        ],
    ),
    (
        "windsurf",
        &[
            (".windsurf/rules/always.md", "---\ntrigger: always_on\n---\nText\n"),
            (".windsurf/rules/glob.md", "---\ntrigger: glob\ndescription: \nglobs: *.py,*.pyi\n---\nText\n"),
            (
                ".windsurf/rules/model.md",
                "---\ntrigger: model_decision\ndescription: When tests are written\n---\nText\n",
            ),
            (".windsurf/rules/manual.md", "---\ntrigger: manual\n---\nText\n"),
            (".windsurfrules", "Old.\n"),
        ],
    ),
    (
        "cline",
        &[
            (".clinerules/01-always.md", "# First\n"),
            (".clinerules/02-paths.md", "---\npaths:\n  - src/**\n  - \"*.md\"\n---\nText\n"),
        ],
    ),
    (
        "kiro",
        &[
            (".kiro/steering/product.md", "# Product\n#[[file:api.yaml]]\n"),
            (".kiro/steering/always.md", "---\ninclusion: always\n---\nText\n"),
            (
                ".kiro/steering/match.md",
                "---\ninclusion: fileMatch\nfileMatchPattern: \"components/**/*.tsx\"\n---\nText\n",
            ),
            (
                ".kiro/steering/several.md",
                "---\ninclusion: fileMatch\nfileMatchPattern: [\"a/**\", \"b/**\"]\n---\nText\n",
            ),
            (
                ".kiro/steering/auto.md",
                "---\ninclusion: auto\nname: testing\ndescription: Test work\n---\nText\n",
            ),
            (".kiro/steering/manual.md", "---\ninclusion: manual\n---\nText\n"),
        ],
    ),
    (
        "continue",
        &[
            (".continue/rules/one.md", "---\nname: One\nglobs: \"**/*.{ts,tsx}\"\n---\nText\n"),
            (
                ".continue/rules/two.md",
                "---\nname: Two\nglobs: [\"a/**\", \"b/**\"]\nalwaysApply: false\ndescription: Two\n---\nText\n",
            ),
            (".continuerules", "Old.\n"),
            (".continue/rules/three.md", "---\nname: Three\nalwaysApply: true\n---\nText\n"),
            (".continue/rules/regex.md", "---\nname: Four\nregex: \"import .* from\"\n---\nText\n"),
        ],
    ),
    ("goose", &[("AGENTS.md", "# Project\n"), (".goosehints", "Hints.\n")]),
    (
        "augmentcode",
        &[
            (".augment/rules/always.md", "---\ntype: always_apply\n---\nText\n"),
            (".augment/rules/manual.md", "---\ntype: manual\n---\nText\n"),
            (".augment/rules/agent.md", "---\ntype: agent_requested\ndescription: When asked\n---\nText\n"),
        ],
    ),
    (
        "aiassistant",
        &[
            (".aiassistant/rules/always.md", "---\napply: always\n---\n\nText\n"),
            (
                ".aiassistant/rules/model.md",
                "---\napply: by model decision\ninstructions: when: tests are written\n---\nText\n",
            ),
            (
                ".aiassistant/rules/files.md",
                "---\napply: by file patterns\npatterns: *.kt, src/**/*.java\n---\nText\n",
            ),
            (".aiassistant/rules/manual.md", "---\napply: manually\n---\nText\n"),
            (".aiassistant/rules/off.md", "---\napply: off\n---\nText\n"),
            (".aiassistant/rules/bare.md", "No head is off.\n"),
        ],
    ),
    (
        "trae",
        &[
            (".trae/rules/project_rules.md", "# Rules of the project\n"),
            (".trae/rules/globs.md", "---\ndescription: \nglobs: *.vue\nalwaysApply: false\n---\nText\n"),
            (".trae/rules/always.md", "---\nalwaysApply: true\n---\nText\n"),
            (".trae/rules/agent.md", "---\nalwaysApply: false\ndescription: For shells\n---\nText\n"),
        ],
    ),
    (
        "qwencode",
        &[
            ("QWEN.md", "# Qwen\n@docs/style.md\n"),
            (".qwen/rules/base.md", "Base.\n"),
            (".qwen/rules/paths.md", "---\ndescription: Tests\npaths: [\"tests/**\"]\n---\nText\n"),
        ],
    ),
];

fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

/// Imports, compiles the folder, and says which files a run would still change.
fn round_trip(root: &Path, assistant: &str) -> (usize, Vec<String>) {
    let target = find(assistant).unwrap();
    let imported = import(root, &[target]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    write_folder(&imported.set, &rules).unwrap();
    let compiled = driven_build::project(&rules).cap_lints_warn().try_compile().unwrap();
    let pack = driven::Pack::open(&compiled.pack).unwrap();
    let tree = Tree::look(root).unwrap();
    let has_folder = |path: &str| tree.has_folder(path);
    let options = Options { policy: Policy::Fold, has_folder: &has_folder, global: false };
    let plan = plan(&pack, &[target], &options).unwrap();
    let changes = tree.changes(&plan).unwrap();
    let kept = changes.all().iter().filter(|change| change.is_done()).count();
    (kept, changes.open().map(driven_assistants::diff).collect())
}

#[test]
fn what_is_imported_is_exported_byte_for_byte() {
    for (assistant, files) in FILES {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in *files {
            write(folder.path(), path, text);
        }
        let (kept, open) = round_trip(folder.path(), assistant);
        assert_eq!(open, [""; 0], "{assistant}");
        assert_eq!(kept, files.len(), "{assistant}");
    }
}

#[test]
fn both_corpora_come_back_byte_for_byte() {
    for (corpus, assistant, dir, ending) in [
        ("cursor", "cursor", ".cursor/rules", ".mdc"),
        ("copilot", "copilot", ".github/instructions", ".instructions.md"),
    ] {
        let files = driven_tests::corpus_files(corpus);
        if files.is_empty() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut count = 0;
        for (path, text) in &files {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.ends_with(ending) {
                write(folder.path(), &format!("{dir}/{name}"), text);
                count += 1;
            }
        }
        let (kept, open) = round_trip(folder.path(), assistant);
        assert_eq!(open, [""; 0], "{assistant}");
        assert_eq!(kept, count, "{assistant}");
    }
}

/// The corpora, put into the dialects of ten more assistants by an export, read back from there.
#[test]
fn the_corpora_survive_the_trip_through_every_named_assistant() {
    let source = tempfile::tempdir().unwrap();
    for (corpus, dir) in [("cursor", ".cursor/rules"), ("copilot", ".github/instructions")] {
        let files = driven_tests::corpus_files(corpus);
        if files.is_empty() {
            return;
        }
        for (path, text) in files {
            write(source.path(), &format!("{dir}/{}", path.file_name().unwrap().to_str().unwrap()), text);
        }
    }
    let mut imported = import(source.path(), &[]).unwrap();
    // Each is for every assistant here, wherever it was found.
    imported.set.rules.iter_mut().for_each(|rule| rule.targets.clear());
    let rules = source.path().join("rules");
    write_folder(&imported.set, &rules).unwrap();
    let compiled = driven_build::project(&rules).cap_lints_warn().try_compile().unwrap();
    let pack = driven::Pack::open(&compiled.pack).unwrap();
    for (assistant, _) in FILES {
        let folder = tempfile::tempdir().unwrap();
        let has_folder = |_: &str| false;
        let options = Options { policy: Policy::Fold, has_folder: &has_folder, global: false };
        let plan = plan(&pack, &[find(assistant).unwrap()], &options).unwrap();
        let mut tree = Tree::open(folder.path()).unwrap();
        let changes = tree.changes(&plan).unwrap();
        tree.apply(&changes, false).unwrap();
        drop(tree);
        fs::remove_dir_all(folder.path().join(".driven")).unwrap();
        // A block in one file for all is driven's own, and no source.
        if find(assistant).unwrap().rules.is_none() {
            continue;
        }
        let (kept, open) = round_trip(folder.path(), assistant);
        assert_eq!(open, [""; 0], "{assistant}");
        assert_eq!(kept, plan.files.len(), "{assistant}");
    }
}

#[test]
fn unknown_keys_and_their_order_outlive_an_edit_of_a_known_key() {
    let project = Project(tempfile::tempdir().unwrap());
    let text = "---\nauthor: me # who\ndescription: Old\nversion:   2\nalwaysApply: true\n---\nText\n";
    project.write(".cursor/rules/one.mdc", text);
    project.expect(0, &["import"]);
    let source = fs::read_to_string(project.path("rules/one.md")).unwrap();
    project.write("rules/one.md", source.replacen("\"Old\"", "New", 1));
    project.expect(0, &["sync", "--force"]);
    let now = fs::read_to_string(project.path(".cursor/rules/one.mdc")).unwrap();
    assert_eq!(now, text.replace("Old", "New"));
}

#[test]
fn one_rule_in_several_assistants_is_one_with_its_targets() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write(".cursor/rules/ts.mdc", "---\nglobs: *.ts\nalwaysApply: false\n---\nSame text.\n");
    project.write(".claude/rules/ts.md", "---\npaths:\n  - \"**/*.ts\"\n---\n\nSame text.\n");
    project.write(".github/instructions/ts.instructions.md", "---\napplyTo: '**/*.ts'\n---\nSame text.\n");
    project.write(".claude/rules/own.md", "Only here.\nA second line.\nA third line.\n");
    project
        .write(".kiro/steering/near.md", "Only here.\nA second line.\nA third line, but other.\nA fourth.\n");
    let told = project.json(0, &["import"]);
    let rules: BTreeMap<&str, Vec<&str>> = told["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let targets = rule["targets"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
            (rule["id"].as_str().unwrap(), targets.collect())
        })
        .collect();
    assert_eq!(rules["ts"], ["claudecode", "copilot", "cursor"]);
    assert_eq!(rules["own"], ["claudecode"]);
    assert_eq!(told["targets"], serde_json::json!(["claudecode", "copilot", "cursor", "kiro"]));
    assert_eq!(told["similar"].as_array().unwrap().len(), 0, "two of three lines are not most");
    project.expect(0, &["sync", "--check"]);
}

#[test]
fn a_file_that_takes_the_place_of_another_is_told_of() {
    let project = Project::new();
    project.write("AGENTS.md", "Say less.\n");
    project.write("AGENTS.override.md", "Say nothing.\n");
    let (out, _) = project.expect(0, &["import", "--from", "codexcli", "-o", "taken"]);
    assert!(out.contains("AGENTS.override.md: OpenAI Codex CLI reads it in place of AGENTS.md"), "{out}");
    let taken = fs::read_to_string(project.path("taken/agents.md")).unwrap();
    assert!(taken.ends_with("Say less.\n") && !project.path("taken/agents.override.md").exists());
}

/// `.clinerules` was one file, which others still write, and is a folder.
#[test]
fn a_single_file_where_a_folder_is_now_is_taken_in_and_then_in_the_way() {
    let project = Project::new();
    project.write(".clinerules", "Say less.\n");
    let (out, err) = project.expect(0, &["import", "--from", "cline", "-o", "taken"]);
    assert!(!out.contains("passed over") && err.contains("remove it before `driven sync`"), "{out}{err}");
    assert_eq!(
        fs::read_to_string(project.path("taken/clinerules.md")).unwrap().lines().last(),
        Some("Say less.")
    );
    let (_, err) = project.expect(2, &["sync", "taken", "--target", "cline"]);
    assert!(
        err.contains(".clinerules: a single file") && err.contains("driven import --from cline"),
        "{err}"
    );
    project.expect(0, &["sync", "taken", "--target", "cursor"]);
    fs::remove_file(project.path(".clinerules")).unwrap();
    project.expect(0, &["sync", "taken", "--target", "cline"]);
    assert_eq!(fs::read_to_string(project.path(".clinerules/clinerules.md")).unwrap(), "Say less.\n");
    // And back, without a word about the folder.
    let (out, err) = project.expect(0, &["import", "--from", "cline", "-o", "again"]);
    assert!(!out.contains("passed over") && !err.contains("remove it"), "{out}{err}");
}

#[test]
fn near_duplicates_are_shown_and_kept_apart() {
    let project = Project(tempfile::tempdir().unwrap());
    let lines = "One of the lines.\nTwo of the lines.\nThree of the lines.\nFour of the lines.\n";
    project.write(".cursor/rules/a.mdc", format!("---\nalwaysApply: true\n---\n{lines}"));
    project.write(".claude/rules/b.md", format!("{lines}Five of the lines.\n"));
    let told = project.json(0, &["import", "--dry-run"]);
    assert_eq!(told["rules"].as_array().unwrap().len(), 2);
    assert_eq!(told["similar"][0]["percent"], 100);
    assert_eq!(project.files(), [".claude", ".cursor"]);
}

#[test]
fn rulesync_and_ruler_are_read() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write(
        ".rulesync/rules/overview.md",
        "---\nroot: true\ntargets: [\"*\"]\ndescription: All\nglobs: [\"**/*\"]\n---\n\n# Overview\n",
    );
    project.write(
        ".rulesync/rules/ts.md",
        "---\ntargets: [\"cursor\", \"claudecode\", \"nobody\"]\nglobs: [\"**/*.{ts,tsx}\"]\ncursor:\n  alwaysApply: false\n---\nTypes.\n",
    );
    project.write("rulesync.jsonc", "{\n  // ours\n  \"targets\": [\"cursor\", \"claudecode\"],\n}\n");
    project.write(".ruler/AGENTS.md", "# From ruler\n");
    project.write(".ruler/ruler.toml", "default_agents = [\"copilot\", \"claude\", \"whoever\"]\n");
    let told = project.json(0, &["import"]);
    assert_eq!(told["rules"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(told["targets"], serde_json::json!(["cursor", "claudecode", "copilot"]));
    let passed: Vec<&str> =
        told["passed_over"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect();
    assert!(
        passed.iter().any(|one| one.contains("`nobody`"))
            && passed.iter().any(|one| one.contains("`whoever`"))
    );
    let ts = fs::read_to_string(project.path("rules/ts.md")).unwrap();
    assert!(
        ts.contains("globs: [\"**/*.{ts,tsx}\"]") && ts.contains("targets: [\"cursor\", \"claudecode\"]"),
        "{ts}"
    );
    project.expect(0, &["sync"]);
    project.expect(0, &["sync", "--check"]);
}

#[cfg(unix)]
#[test]
fn hostile_trees_are_passed_over_with_a_word() {
    let project = Project(tempfile::tempdir().unwrap());
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "theirs").unwrap();
    project.write(".claude/rules/good.md", "Good.\n");
    project.write(".claude/rules/bad.md", b"\xff\xfe not text");
    std::os::unix::fs::symlink(outside.path().join("secret.md"), project.path(".claude/rules/link.md"))
        .unwrap();
    std::os::unix::fs::symlink(outside.path(), project.path(".clinerules")).unwrap();
    std::os::unix::fs::symlink("..", project.path(".claude/rules/loop")).unwrap();
    std::os::unix::net::UnixListener::bind(project.path(".claude/rules/socket.md")).unwrap();
    fs::File::create(project.path(".claude/rules/huge.md")).unwrap().set_len(1 << 30).unwrap();
    project.write(".claude/rules/head.md", "---\npaths: [a\n---\nText\n");
    let told = project.json(0, &["import"]);
    assert_eq!(told["rules"].as_array().unwrap().len(), 1, "{told}");
    let passed: Vec<&str> =
        told["passed_over"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    for path in [
        ".claude/rules/bad.md",
        ".claude/rules/huge.md",
        ".claude/rules/link.md",
        ".claude/rules/loop",
        ".claude/rules/socket.md",
        ".clinerules",
        ".claude/rules/head.md",
    ] {
        assert!(passed.contains(&path), "{path}: {passed:?}");
    }
    let out = fs::read_dir(project.path("rules")).unwrap().count();
    assert_eq!(out, 2, "the rule and pack.toml");
}

#[test]
fn a_file_that_was_taken_in_is_not_deleted_with_its_rule() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write("CLAUDE.md", "# Ours\n");
    let (_, err) = project.expect(0, &["import", "-o", "taken"]);
    assert!(err.contains("wrote ./driven.toml") && err.contains("`targets`"), "{err}");
    let name = project
        .path("")
        .file_name()
        .unwrap()
        .to_string_lossy()
        .replace(|one: char| !one.is_alphanumeric(), "");
    let pack = fs::read_to_string(project.path("taken/pack.toml")).unwrap();
    assert!(pack.contains("version = 1") && pack.replace('.', "").contains(&name), "{pack}");
    project.write("taken/other.md", "---\ntargets: [cursor]\n---\nMore.\n");
    project.expect(0, &["sync"]);
    fs::remove_file(project.path("taken/claude.md")).unwrap();
    let (out, _) = project.expect(1, &["sync"]);
    assert!(out.contains("it was there before driven wrote to it"), "{out}");
    assert_eq!(fs::read_to_string(project.path("CLAUDE.md")).unwrap(), "# Ours\n");
    project.expect(0, &["sync", "--force"]);
    assert!(!project.path("CLAUDE.md").exists());
}

#[test]
fn a_file_with_drivens_own_block_is_taken_in_without_it() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write("rules/a.md", "---\nactivation: always\n---\nOurs.\n");
    project.write("driven.toml", "[sync]\ntargets = [\"agentsmd\"]\n");
    project.write("AGENTS.md", "mine\n");
    project.expect(0, &["sync"]);
    project.expect(0, &["import", "-o", "taken"]);
    fs::copy(project.path("taken/agents.md"), project.path("rules/agents.md")).unwrap();
    project.expect(0, &["sync"]);
    let agents = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    assert!(agents.starts_with("mine\n\n<!-- driven:begin"), "{agents}");
}

#[test]
fn a_file_that_was_taken_in_with_returns_gets_a_block_and_changes_of_it() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write("AGENTS.md", "mine\r\n");
    project.expect(0, &["import"]);
    for text in ["One.\n", "Two.\n"] {
        project.write("rules/more.md", format!("---\nactivation: always\n---\n{text}"));
        project.expect(0, &["sync"]);
        project.expect(0, &["sync", "--check"]);
    }
    let agents = fs::read_to_string(project.path("AGENTS.md")).unwrap();
    assert!(agents.starts_with("mine\r\n") && agents.contains("Two."), "{agents:?}");
    project.expect(0, &["sync", "--clean"]);
    assert_eq!(fs::read_to_string(project.path("AGENTS.md")).unwrap(), "mine\r\n");
}

#[test]
fn only_a_rule_that_is_read_twice_is_said_to_be() {
    let project = Project(tempfile::tempdir().unwrap());
    project.write("CLAUDE.md", "# Ours\n");
    project.write("AGENTS.md", "For agents, in a text of more than forty characters in all.\n");
    project.write(".cursor/rules/x.mdc", "---\nalwaysApply: true\n---\nFor Cursor.\n");
    project.expect(0, &["import"]);
    // What was taken in is no second text beside its rule.
    project.expect(0, &["validate", "--strict"]);
    let (out, err) = project.expect(0, &["sync"]);
    assert!(!out.contains("twice") && !err.contains("twice"), "{out}{err}");
    // Now it goes to all, and Cursor reads the file of the others too.
    project.write("rules/x.md", "---\nactivation: always\n---\nFor all.\n");
    let (out, err) = project.expect(0, &["sync", "--force"]);
    assert!(format!("{out}{err}").contains("Cursor also reads AGENTS.md: `x` twice"), "{out}{err}");
}

#[test]
fn nothing_is_imported_over_what_is_there() {
    let project = Project::new();
    project.write(".claude/rules/good.md", "Good.\n");
    let (_, err) = project.expect(2, &["import"]);
    assert!(err.contains("not empty"), "{err}");
    let (_, err) = project.expect(2, &["import", "--from", "cursor", "-o", "new"]);
    assert!(err.contains("no rules are found"), "{err}");
    assert!(!project.path("new").exists());
}

/// A scope that driven can't read is still a scope.
#[test]
fn nothing_is_widened_on_the_way_in() {
    let heads = [
        (".continue/rules/a.md", "globs: \"**/*.ts\"", "globs"),
        (".continue/rules/a.md", "alwaysApply: false", "manual"),
        (".codebuddy/rules/a.md", "alwaysApply: false", "manual"),
        (".claude/rules/a.md", "paths: [\"src/[abc\"]", "manual"),
        (".claude/rules/a.md", "paths: [\"!gen/**\"]", "manual"),
        (".claude/rules/a.md", "paths: []", "manual"),
        (".claude/rules/a.md", "paths: {a: 1}", "manual"),
        (".claude/rules/a.md", "author: me", "always"),
        (".clinerules/a.md", "paths: [\"src/{a,b/**\"]", "manual"),
        (".cursor/rules/a.mdc", "globs: *.ts", "globs"),
        (".cursor/rules/a.mdc", "description: When it fits", "agent"),
        (".trae/rules/a.md", "globs: [\"*.ts\"]", "globs"),
    ];
    for (path, head, activation) in heads {
        let project = Project(tempfile::tempdir().unwrap());
        project.write(path, format!("---\n{head}\n---\nText.\n"));
        let told = project.json(0, &["import"]);
        assert_eq!(told["rules"][0]["activation"], activation, "{path}: {head}");
        project.expect(0, &["sync", "--check"]);
        project.expect(0, &["validate"]);
    }
}

#[test]
fn files_without_heads_come_back_as_they_are() {
    for (path, text) in [
        (".kilo/rules/x.md", "---\nname: x\n---\nText.\n"),
        (".roo/rules/x.md", "\n\nText.\n"),
        (".amazonq/rules/x.md", "\u{FEFF}Text.\n"),
        (".claude/rules/x.md", "---\n\nText.\n"),
        (".claude/rules/target/x.md", "Text.\n"),
        (".junie/guidelines.md", "Text.\n"),
    ] {
        let project = Project(tempfile::tempdir().unwrap());
        project.write(path, text);
        project.write("AGENTS.md", "Ours.\n");
        project.expect(0, &["import"]);
        project.expect(0, &["sync"]);
        assert_eq!(fs::read_to_string(project.path(path)).unwrap(), text, "{path}");
        assert_eq!(fs::read_to_string(project.path("AGENTS.md")).unwrap(), "Ours.\n", "{path}");
    }
}

//! Rules that are followed while they are written.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use driven::state::RuleStore;
use driven::{Error, PackBuf, SharedPack};
use driven_build::{Reload, Watch};
use driven_format::{PackBuilder, Rule};

use crate::harness::{Project, binary};

/// Long enough for the slowest machine; nothing waits so long that works.
const PATIENCE: Duration = Duration::from_mins(1);

fn follow(folder: &Path, store: RuleStore) -> (Watch, Arc<RuleStore>, Receiver<String>) {
    let store = Arc::new(store);
    let (sender, told) = channel();
    let watch = driven_build::watch(driven_build::rules(folder), Arc::clone(&store), move |reload| {
        let word = match reload {
            Reload::Taken { generation, .. } => format!("taken {generation}"),
            Reload::Broken(err) => format!("broken {err}"),
            Reload::Refused(err) => format!("refused {err}"),
            other => panic!("{other:?}"),
        };
        sender.send(word).unwrap();
    });
    (watch.unwrap(), store, told)
}

fn nothing() -> SharedPack {
    let pack = PackBuilder::new("", 0).rule(Rule::new("none", "Nothing yet.\n")).finish().unwrap();
    SharedPack::prove(PackBuf::from_vec(pack).unwrap()).unwrap()
}

fn body(store: &RuleStore, id: &str) -> Option<String> {
    store.load().pack().rule(id).map(|rule| rule.body().to_owned())
}

fn told(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn what_is_written_is_taken_and_what_is_broken_is_told() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("rules");
    fs::create_dir(&folder).unwrap();
    let rule = folder.join("style.md");
    fs::write(&rule, "Spell words out.\n").unwrap();
    let (watch, store, said) = follow(&folder, RuleStore::open_to_all(nothing()));
    assert_eq!(told(&said), "taken 2");
    assert_eq!((body(&store, "style").as_deref(), body(&store, "none")), (Some("Spell words out.\n"), None));

    fs::write(&rule, "---\nglobs: [\n---\nSpell.\n").unwrap();
    let broken = told(&said);
    assert!(broken.starts_with("broken") && broken.contains("style.md:"), "{broken}");
    assert_eq!((store.generation(), body(&store, "style").as_deref()), (2, Some("Spell words out.\n")));

    // As editors do: written beside it, renamed over it.
    fs::write(folder.join(".style.md.swp"), "Spell words right.\n").unwrap();
    fs::rename(folder.join(".style.md.swp"), &rule).unwrap();
    assert_eq!(told(&said), "taken 3");
    assert_eq!(body(&store, "style").as_deref(), Some("Spell words right.\n"));

    fs::create_dir(folder.join("rust")).unwrap();
    fs::write(folder.join("rust/errors.md"), "Return them.\n").unwrap();
    assert_eq!(told(&said), "taken 4");
    fs::write(folder.join("rust/errors.md"), "Return all of them.\n").unwrap();
    assert_eq!(told(&said), "taken 5");
    assert_eq!(body(&store, "rust/errors").as_deref(), Some("Return all of them.\n"));

    // As a checkout does: all of it is replaced.
    let next = above.path().join("next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("style.md"), "Spell.\n").unwrap();
    fs::rename(&folder, above.path().join("old")).unwrap();
    fs::rename(&next, &folder).unwrap();
    until(&said, "taken 6");
    assert_eq!((body(&store, "style").as_deref(), body(&store, "rust/errors")), (Some("Spell.\n"), None));
    fs::write(&rule, "Spell on.\n").unwrap();
    until(&said, "taken 7");
    assert_eq!(body(&store, "style").as_deref(), Some("Spell on.\n"));

    drop(watch);
    fs::write(&rule, "Too late.\n").unwrap();
    assert!(said.recv().is_err(), "who follows no more tells no more");
    assert_eq!(body(&store, "style").as_deref(), Some("Spell on.\n"));
}

#[test]
fn settings_that_go_and_come_back_are_seen() {
    let project = tempfile::tempdir().unwrap();
    let (folder, settings) = (project.path().join("rules"), project.path().join("driven.toml"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("style.md"), "Spell words out.\n").unwrap();
    fs::write(&settings, "").unwrap();
    let store = Arc::new(RuleStore::open_to_all(nothing()));
    let (sender, said) = channel();
    let compiler = driven_build::rules(&folder).settings(&settings);
    let _watch = driven_build::watch(compiler, Arc::clone(&store), move |reload| {
        sender.send(format!("{reload:?}").split('(').next().unwrap_or_default().to_owned()).unwrap();
    })
    .unwrap();
    let word = |said: &Receiver<String>| told(said).split_whitespace().next().unwrap_or_default().to_owned();
    assert_eq!(word(&said), "Taken");
    for _ in 0..2 {
        fs::write(&settings, "nonsense = [").unwrap();
        assert_eq!(word(&said), "Broken");
        // Nobody is told of rules that say what they said; a while later the settings are there again.
        fs::remove_file(&settings).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    fs::write(folder.join("style.md"), "Spell words right.\n").unwrap();
    assert_eq!(word(&said), "Taken");
}

/// What is told in between may be that nothing is there.
fn until(said: &Receiver<String>, word: &str) {
    loop {
        let told = told(said);
        if told == word {
            return;
        }
        assert!(told.starts_with("broken"), "{told}");
    }
}

#[test]
fn what_the_judge_refuses_stays_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("style.md"), "Spell words out.\n").unwrap();
    let store = RuleStore::new(nothing(), |_| Err(Error::refused("not in this program")));
    let (_watch, store, said) = follow(folder.path(), store);
    assert_eq!(told(&said), "refused not in this program");
    assert_eq!(store.generation(), 1);
}

#[test]
fn what_is_not_there_can_not_be_followed() {
    let store = Arc::new(RuleStore::open_to_all(nothing()));
    let err = driven_build::watch(driven_build::rules("no/such/folder"), store, |_| {}).unwrap_err();
    assert!(err.to_string().contains("no/such/folder can't be watched"), "{err}");
}

#[test]
fn dev_checks_and_writes_out_what_changes() {
    let project = Project::new();
    project.write("driven.toml", "rules = \"rules\"\n[sync]\ntargets = [\"claudecode\"]\n");
    let mut child = Command::new(binary())
        .args(["dev", "-o", "out.drv"])
        .current_dir(project.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut wait_for = |text: &str| {
        let found = lines.by_ref().find(|line| line.contains(text));
        assert!(found.is_some(), "`{text}` was never told");
    };
    let is_written = |text: &str| {
        let begun = Instant::now();
        loop {
            let files = ["CLAUDE.md", ".claude/rules/style.md"].map(|file| project.path(file));
            if files.iter().any(|file| fs::read_to_string(file).is_ok_and(|all| all.contains(text))) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "`{text}` was never written");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("2 rules");
    is_written("Spell words out.");
    project.write("rules/style.md", "Spell words right.\n");
    wait_for("~ style");
    is_written("Spell words right.");
    project.write("rules/style.md", "---\nglobs: [\n---\nSpell.\n");
    wait_for("everything stays as it was");
    fs::remove_file(project.path("rules/style.md")).unwrap();
    wait_for("- style");
    child.kill().unwrap();
    child.wait().unwrap();
    let pack = PackBuf::open(project.path("out.drv")).unwrap();
    assert!(pack.as_pack().len() < 3);
}

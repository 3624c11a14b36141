//! Faults at every call of whoever keeps the state of trust, or packs: afterwards it is the old one or the new one, whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use driven::SharedPack;
use driven::state::Snapshots;
use driven_format::{PackBuilder, Rule};
use driven_tests::faults::{Fault, Found, Harness, classify};

use crate::harness::{Project, binary};

/// What is in the folder before a run, and what the run is.
struct Scenario {
    name: &'static str,
    state: Option<Vec<u8>>,
    arguments: Vec<String>,
    code: i32,
}

/// A pack, the root that it is verified by, and more arguments.
type Verified<'v> = (&'v str, &'v str, &'v [&'v str]);

/// Packs, roots and timestamps, and every way in which a state changes.
fn scenarios(project: &Project) -> Vec<Scenario> {
    for name in ["alice", "bob"] {
        project.expect(0, &["keygen", name]);
    }
    let alice = ["--key", "alice.key"];
    let roles = ["--role", "root,packs,timestamp"];
    let init = ["trust", "init", "trust.root", "alice.pub", "bob.pub"];
    project.expect(0, &[&init[..], &roles, &alice].concat());
    fs::copy(project.path("trust.root"), project.path("old.root")).unwrap();
    for version in [1, 2] {
        project.write("rules/pack.toml", format!("name = \"demo\"\nversion = {version}\n"));
        let pack = format!("{version}.drv");
        project.expect(0, &["build", "rules", "-o", &pack]);
        project.expect(0, &["sign", &pack, "--key", "alice.key"]);
        let issued = format!("2027-01-0{version}");
        let stamp = format!("{version}.stamp");
        let stamp = ["trust", "timestamp", &pack, "--root", "trust.root", "--issued", &issued, "-o", &stamp];
        project.expect(0, &[&stamp[..], &["--expires", "2027-02-01"], &alice[..]].concat());
    }
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost"];
    project.expect(0, &[&revoke[..], &alice[..]].concat());
    project.expect(0, &["sign", "2.drv", "--key", "bob.key", "-o", "by-bob.drv", "--renew"]);
    let verify = |pack: &str, root: &str, more: &[&str]| {
        let state = project.path("kept/state");
        let own = ["verify", pack, "--root", root, "--at", "2027-01-02", "--state"];
        let words = [&own[..], &[state.to_str().unwrap()], more].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let states = |runs: &[Verified<'_>]| {
        // What was kept by the scenario before is not to be known to this one.
        let _ = fs::remove_dir_all(project.path("kept"));
        fs::create_dir(project.path("kept")).unwrap();
        for (pack, root, more) in runs {
            let arguments = verify(pack, root, more);
            project.expect(0, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        }
        fs::read(project.path("kept/state")).ok()
    };
    let (one, two) = (["--timestamp", "1.stamp"], ["--timestamp", "2.stamp"]);
    let all: [(&str, &[Verified<'_>], Verified<'_>, i32); 7] = [
        ("first use", &[], ("1.drv", "old.root", &[]), 0),
        ("first use with a timestamp", &[], ("1.drv", "old.root", &one), 0),
        ("newer pack", &[("1.drv", "old.root", &[])], ("2.drv", "old.root", &[]), 0),
        ("newer timestamp", &[("1.drv", "old.root", &one)], ("2.drv", "old.root", &two), 0),
        ("newer root", &[("2.drv", "old.root", &[])], ("2.drv", "trust.root", &[]), 0),
        (
            "older by name",
            &[("2.drv", "old.root", &[])],
            ("1.drv", "old.root", &["--accept-version", "1"]),
            0,
        ),
        // The root is noted although the pack is refused.
        ("refused", &[("1.drv", "old.root", &[])], ("by-bob.drv", "trust.root", &[]), 2),
    ];
    all.into_iter()
        .map(|(name, before, (pack, root, more), code)| Scenario {
            name,
            state: states(before),
            arguments: verify(pack, root, more),
            code,
        })
        .collect()
}

fn lay_out(folder: &Path, state: Option<&[u8]>) -> PathBuf {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).unwrap();
    if let Some(state) = state {
        fs::write(folder.join("state"), state).unwrap();
    }
    folder.join("state")
}

#[test]
fn the_state_of_trust_is_the_old_one_or_the_new_one_whatever_fails() {
    let Some(harness) = Harness::new() else { return };
    let project = Project::new();
    let scenarios = scenarios(&project);
    let folder = project.path("kept");
    let command = |scenario: &Scenario| {
        let mut command = Command::new(binary());
        command.args(&scenario.arguments).current_dir(project.path("")).env("NO_COLOR", "1");
        command
    };
    let mut fired = 0;
    for scenario in &scenarios {
        let old = scenario.state.as_deref();
        let path = lay_out(&folder, old);
        let clean = harness.run(&mut command(scenario), &folder, None);
        assert_eq!(clean.output.status.code(), Some(scenario.code), "{}", scenario.name);
        let new = fs::read(&path).unwrap();
        assert_ne!(old, Some(&new[..]), "{}", scenario.name);
        // What is renamed was flushed before, and the folder is flushed after.
        let names: Vec<&str> = clean.calls.iter().map(|(name, _)| name.as_str()).collect();
        let at =
            |name: &str| names.iter().position(|one| *one == name).unwrap_or_else(|| panic!("{names:?}"));
        assert!(
            at("flock") < at("write") && at("write") < at("fsync") && at("fsync") < at("rename"),
            "{names:?}"
        );
        assert!(names.iter().rposition(|name| *name == "fsync").unwrap() > at("rename"), "{names:?}");
        assert_eq!(names.iter().filter(|name| **name == "rename").count(), 1);

        for (number, name) in names.iter().enumerate() {
            for fault in Fault::ALL {
                if fault == Fault::Short && !matches!(*name, "read" | "write") {
                    continue;
                }
                lay_out(&folder, old);
                let ran = harness.run(&mut command(scenario), &folder, Some((number, fault)));
                let told = format!("{}: {fault:?} at {number}, {name}", scenario.name);
                assert!(ran.fired, "{told}");
                fired += 1;
                let found = fs::read(&path).ok();
                let became = classify(old, Some(&new), found.as_deref());
                assert_ne!(became, Found::Torn, "{told}");
                // Whoever was told that it went well finds it done.
                if ran.output.status.code() == Some(0) {
                    assert_eq!(became, Found::New, "{told}");
                }
                if matches!(fault, Fault::Kill | Fault::Killed) {
                    assert_eq!(ran.output.status.code(), None, "{told}");
                }
                // The next one goes on, whatever was left lying.
                let next = command(scenario).output().unwrap();
                assert_eq!(next.status.code(), Some(scenario.code), "{told}");
                assert!(fs::read(&path).unwrap() == new, "{told}");
            }
        }
    }
    eprintln!("{fired} faults fired");
    assert!(fired >= 300, "{fired}");
}

/// One way in which the packs in a folder change.
struct Step {
    name: &'static str,
    /// The versions that were taken before, the current one last.
    before: &'static [u64],
    arguments: Vec<String>,
    /// The current version afterwards.
    current: u64,
}

fn long_pack(version: u64) -> Vec<u8> {
    let text = "Text that fills more than one write. ".repeat(4000);
    let rules =
        (0..3).map(|number| Rule::new(format!("rule-{number}"), format!("{number} {version}\n{text}")));
    rules.fold(PackBuilder::new("house", version), PackBuilder::rule).finish().unwrap()
}

/// What a new process finds: the current version and the listed ones. Everything that is listed is whole.
fn found(snapshots: &Snapshots) -> (Option<u64>, Vec<u64>) {
    let version = |pack: SharedPack| pack.as_pack().manifest().version();
    let current = snapshots.current().expect("the current one is whole").map(version);
    let list = snapshots.list().expect("the list is whole");
    let versions =
        list.iter().map(|kept| version(snapshots.open(&kept.hash).expect("what is listed is whole")));
    (current, versions.collect())
}

#[test]
fn snapshots_are_the_old_ones_or_the_new_ones_whatever_fails() {
    let Some(harness) = Harness::new() else { return };
    let project = Project::new();
    for version in 1..=4 {
        project.write(&format!("{version}.drv"), long_pack(version));
    }
    project.write("step.drvp", driven_format::patch::diff(&long_pack(2), &long_pack(3)).unwrap().patch);
    let folder = project.path("kept");
    let snapshots = Snapshots::new(&folder);
    let run = |words: &[&str]| -> Vec<String> {
        let own = ["snapshot", "--dir", folder.to_str().unwrap()];
        [&own[..], words].concat().into_iter().map(str::to_owned).collect()
    };
    let hash = |version: u64| driven::file_hash(&long_pack(version)).to_string();
    let steps = [
        Step { name: "the first", before: &[], arguments: run(&["take", "1.drv"]), current: 1 },
        Step { name: "one more", before: &[1, 2], arguments: run(&["take", "3.drv"]), current: 3 },
        Step { name: "one again", before: &[1, 2], arguments: run(&["take", "1.drv"]), current: 1 },
        Step { name: "apply", before: &[1, 2], arguments: run(&["apply", "step.drvp"]), current: 3 },
        Step {
            name: "apply what is there",
            before: &[3, 2],
            arguments: run(&["apply", "step.drvp"]),
            current: 3,
        },
        Step { name: "restore", before: &[1, 2, 3], arguments: run(&["restore", &hash(1)]), current: 1 },
        Step { name: "prune", before: &[1, 2, 3, 4], arguments: run(&["prune", "--keep", "1"]), current: 4 },
        Step { name: "prune none", before: &[1, 2], arguments: run(&["prune", "--keep", "5"]), current: 2 },
    ];
    let lay_out = |step: &Step| {
        let _ = fs::remove_dir_all(&folder);
        for &version in step.before {
            snapshots
                .take(&SharedPack::open(project.path(&format!("{version}.drv"))).unwrap(), version)
                .unwrap();
        }
    };
    let command = |step: &Step| {
        let mut command = Command::new(binary());
        command.args(&step.arguments).current_dir(project.path("")).env("NO_COLOR", "1");
        command
    };
    let mut fired = 0;
    for step in &steps {
        lay_out(step);
        let old = found(&snapshots);
        let clean = harness.run(&mut command(step), &folder, None);
        assert_eq!(clean.output.status.code(), Some(0), "{}: {:?}", step.name, clean.output);
        let new = found(&snapshots);
        assert_eq!(new.0, Some(step.current), "{}", step.name);
        lay_out(step);
        if let Some(seen) = strace(&command(step), &folder) {
            assert_eq!(counted(&clean.calls), seen, "{}", step.name);
        }
        for (number, (name, _)) in clean.calls.iter().enumerate() {
            for fault in Fault::ALL {
                if fault == Fault::Short && !matches!(name.as_str(), "read" | "write") {
                    continue;
                }
                lay_out(step);
                let ran = harness.run(&mut command(step), &folder, Some((number, fault)));
                let told = format!("{}: {fault:?} at {number}, {name}", step.name);
                assert!(ran.fired, "{told}");
                fired += 1;
                let became = found(&snapshots);
                assert!(became == old || became == new, "{told}: {became:?}");
                if ran.output.status.code() == Some(0) {
                    assert_eq!(became, new, "{told}");
                }
                // The next one goes on; a patch that was applied has no base any more.
                let next = command(step).output().unwrap();
                let expected = if became == new && step.name.starts_with("apply") { 2 } else { 0 };
                let told = format!("{told}: {}", String::from_utf8_lossy(&next.stderr));
                assert_eq!((next.status.code(), found(&snapshots)), (Some(expected), new.clone()), "{told}");
            }
        }
    }
    eprintln!("{fired} faults fired");
    assert!(fired >= 1000, "{fired}");
}

/// How often each call touched the folder, by the kernel's names for them.
fn counted(calls: &[(String, String)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (name, _) in calls {
        let name = match name.as_str() {
            "open" | "opendir" => "openat",
            // The library reads many entries by one call.
            "readdir" => continue,
            other => other,
        };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// The same as the kernel sees it; nothing, said loudly, where that can't be seen.
fn strace(command: &Command, folder: &Path) -> Option<BTreeMap<String, usize>> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-s", "0", "-o"]).arg(log.path()).arg(command.get_program());
    traced.args(command.get_args()).current_dir(command.get_current_dir()?);
    let worked = traced.output().is_ok_and(|output| output.status.success());
    if !worked {
        eprintln!("skipped: no strace, or none that may trace");
        return None;
    }
    let text = fs::read_to_string(log.path()).unwrap();
    let folder = folder.to_str().unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains(folder)) {
        let call = line.split_whitespace().nth(1).and_then(|call| call.split('(').next()).unwrap();
        // What can't fail, or is the library's own way to open a folder; and reading its entries, which is counted by
        // the entry.
        if !matches!(call, "execve" | "close" | "fcntl" | "newfstatat" | "getdents64") {
            *counts.entry(call.to_owned()).or_default() += 1;
        }
    }
    Some(counts)
}

#[test]
fn a_patched_pack_is_the_old_one_or_the_new_one_whatever_fails() {
    let Some(harness) = Harness::new() else { return };
    let project = Project::new();
    let (old, new) = (long_pack(1), long_pack(2));
    project.write("step.drvp", driven_format::patch::diff(&old, &new).unwrap().patch);
    let folder = project.path("kept");
    let command = || {
        let mut command = Command::new(binary());
        let pack = folder.join("state");
        command.arg("patch").arg(&pack).arg(project.path("step.drvp")).arg("-o").arg(&pack);
        command.env("NO_COLOR", "1").current_dir(project.path(""));
        command
    };
    let path = lay_out(&folder, Some(&old));
    let clean = harness.run(&mut command(), &folder, None);
    assert_eq!(clean.output.status.code(), Some(0), "{:?}", clean.output);
    assert!(fs::read(&path).unwrap() == new);
    let mut fired = 0;
    for number in 0..clean.calls.len() {
        for fault in Fault::ALL {
            lay_out(&folder, Some(&old));
            let ran = harness.run(&mut command(), &folder, Some((number, fault)));
            fired += usize::from(ran.fired);
            let became = classify(Some(&old), Some(&new), fs::read(&path).ok().as_deref());
            assert_ne!(became, Found::Torn, "{fault:?} at {number}");
            if ran.output.status.code() == Some(0) {
                assert_eq!(became, Found::New, "{fault:?} at {number}");
            }
        }
    }
    eprintln!("{fired} faults fired");
    assert!(fired >= 60, "{fired}");
}

/// Publishes a second pack into a tree that has one, keeping one alone: every kind of file is written, and some go.
#[test]
fn a_tree_gives_the_old_pack_or_the_new_one_whatever_fails_while_it_is_written() {
    let Some(harness) = Harness::new() else { return };
    let project = Project::new();
    project.expect(0, &["keygen", "release"]);
    for version in [1, 2] {
        project.write("rules/pack.toml", format!("name = \"demo\"\nversion = {version}\n"));
        project.write("rules/style.md", format!("Spell words out, {version} times.\n"));
        let pack = format!("{version}.drv");
        project.expect(0, &["build", "rules", "-o", &pack, "--key", "release.key"]);
    }
    let packs = [1, 2].map(|version| fs::read(project.path(&format!("{version}.drv"))).unwrap());
    project.expect(0, &["publish", "first", "1.drv"]);
    let tree = project.path("kept");
    let first = files(&project.path("first"));
    let address = format!("file://{}/demo", tree.display());
    let lay_out = || {
        let _ = fs::remove_dir_all(&tree);
        for (path, bytes) in &first {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    };
    let command = || {
        let mut command = Command::new(binary());
        command.arg("publish").arg(&tree).args(["2.drv", "--keep", "1"]);
        command.env("NO_COLOR", "1").current_dir(project.path(""));
        command
    };
    // The version that somebody finds who has nothing, and who has the first pack.
    let pulled = || {
        [None, Some(&packs[0])].map(|has| {
            let own = project.path("own.drv");
            let _ = fs::remove_file(&own);
            if let Some(has) = has {
                fs::write(&own, has).unwrap();
            }
            project.expect(0, &["pull", &address, "-o", "own.drv", "--key", "release.pub"]);
            let bytes = fs::read(own).unwrap();
            1 + packs.iter().position(|pack| *pack == bytes).expect("a pack is one that was published")
        })
    };
    lay_out();
    assert_eq!(pulled(), [1, 1]);
    let clean = harness.run(&mut command(), &tree, None);
    assert_eq!(clean.output.status.code(), Some(0), "{:?}", clean.output);
    assert_eq!(pulled(), [2, 2]);
    let published = files(&tree);
    let mut fired = 0;
    for (number, (name, _)) in clean.calls.iter().enumerate() {
        for fault in Fault::ALL {
            if fault == Fault::Short && !matches!(name.as_str(), "read" | "write") {
                continue;
            }
            lay_out();
            let ran = harness.run(&mut command(), &tree, Some((number, fault)));
            let told = format!("{fault:?} at {number}, {name}");
            assert!(ran.fired, "{told}");
            fired += 1;
            let [fresh, held] = pulled();
            assert_eq!(fresh, held, "{told}");
            if ran.output.status.code() == Some(0) {
                assert_eq!(fresh, 2, "{told}");
            }
            // Whoever publishes again ends where nothing had failed.
            let next = command().output().unwrap();
            assert_eq!(next.status.code(), Some(0), "{told}: {}", String::from_utf8_lossy(&next.stderr));
            assert_eq!(pulled(), [2, 2], "{told}");
            let left: Vec<_> =
                files(&tree).into_keys().filter(|path| !published.contains_key(path)).collect();
            assert!(left.is_empty(), "{told}: {left:?}");
        }
    }
    eprintln!("{fired} faults fired");
    assert!(fired >= 200, "{fired}");
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// A writer that does it wrong, to see that the harness sees it.
#[test]
fn a_writer_that_tears_is_found_out() {
    let Some(harness) = Harness::new() else { return };
    let project = Project::new();
    let folder = project.path("kept");
    let (old, new) = (b"the old text\n", b"the new text, which is longer\n");
    let script =
        format!("printf '%s\\n' 'the new text, which is longer' > {}", folder.join("state").display());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]);
    let path = lay_out(&folder, Some(old));
    let clean = harness.run(&mut command, &folder, None);
    assert_eq!(fs::read(&path).unwrap(), new);
    let mut torn = 0;
    for number in 0..clean.calls.len() {
        for fault in Fault::ALL {
            lay_out(&folder, Some(old));
            harness.run(&mut command, &folder, Some((number, fault)));
            let found = fs::read(&path).ok();
            torn += usize::from(classify(Some(old), Some(new), found.as_deref()) == Found::Torn);
        }
    }
    assert!(torn >= 4, "{torn} of {:?}", clean.calls);
}

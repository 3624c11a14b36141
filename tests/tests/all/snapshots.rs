//! Snapshots: what is kept, what is let go, and what is there after every fault.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use driven::state::{Retention, RuleStore, Snapshots};
use driven::{Digest, Error, Pack, PackBuf, SharedPack};
use driven_format::patch::diff;
use driven_format::{PackBuilder, Rule};

use crate::harness::Project;

fn bytes(version: u64) -> Vec<u8> {
    let body = format!("Version {version}.\n{}", "Text that fills more than one write. ".repeat(4000));
    PackBuilder::new("house", version).rule(Rule::new("long", body)).finish().unwrap()
}

fn pack(version: u64) -> SharedPack {
    SharedPack::prove(PackBuf::from_vec(bytes(version)).unwrap()).unwrap()
}

fn versions(snapshots: &Snapshots) -> Vec<u64> {
    let list = snapshots.list().unwrap();
    list.iter().map(|kept| snapshots.open(&kept.hash).unwrap().as_pack().manifest().version()).collect()
}

fn current(snapshots: &Snapshots) -> Option<u64> {
    snapshots.current().unwrap().map(|pack| pack.as_pack().manifest().version())
}

#[test]
fn what_was_taken_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path().join("a/b"));
    assert_eq!((current(&snapshots), versions(&snapshots)), (None, vec![]));
    for version in [1, 2, 3, 2] {
        let hash = snapshots.take(&pack(version), 100 + version).unwrap();
        assert_eq!(hash, driven::file_hash(&bytes(version)));
    }
    let again = Snapshots::new(folder.path().join("a/b"));
    // Taken twice, kept once, as the newest.
    assert_eq!((current(&again), versions(&again)), (Some(2), vec![1, 3, 2]));
    let first = again.list().unwrap()[0];
    assert_eq!((first.taken, first.is_current), (101, false));
    again.restore(&first.hash).unwrap();
    assert_eq!((current(&snapshots), versions(&snapshots)), (Some(1), vec![1, 3, 2]));
}

#[test]
fn prune_keeps_the_newest_the_young_the_current_and_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let hashes: Vec<Digest> =
        (1..=8).map(|version| snapshots.take(&pack(version), 100 * version).unwrap()).collect();
    snapshots.restore(&hashes[1]).unwrap();
    let held = snapshots.hold(&hashes[2]).unwrap();
    let gone = snapshots.prune(&Retention { count: 2, age: Some(300) }, 900).unwrap();
    assert_eq!(gone, [hashes[0], hashes[3], hashes[4]]);
    assert_eq!((current(&snapshots), versions(&snapshots)), (Some(2), vec![2, 3, 6, 7, 8]));
    assert!(!snapshots.path_of(&hashes[0]).exists());
    drop(held);
    let gone = snapshots.prune(&Retention { count: 1, age: None }, 900).unwrap();
    assert_eq!(gone, [hashes[2], hashes[5], hashes[6]]);
    assert_eq!(snapshots.hold(&hashes[2]).unwrap_err().code(), "io");
    assert!(snapshots.prune(&Retention { count: 0, age: None }, 900).unwrap() == [hashes[7]]);
    assert_eq!((current(&snapshots), versions(&snapshots)), (Some(2), vec![2]));
}

#[test]
fn what_came_meanwhile_is_not_replaced_by_who_expects_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let [first, second, third] = [1, 2, 3].map(pack);
    assert!(snapshots.take_if(None, &first, 1).unwrap());
    assert!(!snapshots.take_if(None, &second, 2).unwrap());
    assert!(snapshots.take_if(Some(&first.file_hash()), &third, 3).unwrap());
    // Who began with the first one and was slower.
    assert!(!snapshots.take_if(Some(&first.file_hash()), &second, 4).unwrap());
    assert_eq!((current(&snapshots), versions(&snapshots)), (Some(3), vec![1, 3]));
}

/// Who waits to hold a file that goes meanwhile, and comes again under its name, holds the one that is there, or none.
#[test]
#[cfg(unix)]
fn what_is_held_is_what_lies_there() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let hash = snapshots.take(&pack(1), 1).unwrap();
    snapshots.take(&pack(2), 2).unwrap();
    let path = snapshots.path_of(&hash);
    let pruning = fs::File::open(&path).unwrap();
    pruning.lock().unwrap();
    let (waited, held) = std::thread::scope(|threads| {
        let holding = threads.spawn(|| snapshots.hold(&hash).map(drop));
        // It waits for the lock, as /proc shows where there is one that tells.
        let waited = (0..5000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            waits_for_a_lock(&path)
        });
        fs::rename(&path, path.with_extension("gone")).unwrap();
        fs::copy(path.with_extension("gone"), &path).unwrap();
        pruning.unlock().unwrap();
        (waited, holding.join().unwrap())
    });
    if waited {
        assert_eq!(held.map_err(|err| err.code()), Err("no-snapshot"));
    } else {
        eprintln!("not looked at: this system does not tell who waits for a lock");
    }
    assert!(snapshots.hold(&hash).is_ok());
}

/// Whether somebody waits for a lock on a file.
#[cfg(unix)]
fn waits_for_a_lock(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", fs::metadata(path).unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    locks.lines().any(|line| line.contains("->") && line.contains(&inode))
}

#[test]
fn what_is_damaged_is_told_and_never_read() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let (one, two) = (snapshots.take(&pack(1), 1).unwrap(), snapshots.take(&pack(2), 2).unwrap());
    // Another whole pack in its place.
    fs::write(snapshots.path_of(&two), bytes(1)).unwrap();
    assert_eq!(snapshots.current().unwrap_err().code(), "snapshot-damaged");
    // Taking it again mends it.
    snapshots.take(&pack(2), 3).unwrap();
    assert_eq!(current(&snapshots), Some(2));
    fs::write(snapshots.path_of(&two), &bytes(2)[..500]).unwrap();
    assert_eq!(snapshots.current().unwrap_err().code(), "pack-truncated");
    fs::remove_file(snapshots.path_of(&two)).unwrap();
    let err = snapshots.current().unwrap_err();
    assert_eq!((err.code(), err.hint().is_empty()), ("no-snapshot", false));
    snapshots.restore(&one).unwrap();
    assert_eq!(current(&snapshots), Some(1));
    let whole = fs::read_to_string(folder.path().join("current")).unwrap();
    for at in 0..whole.len() {
        fs::write(folder.path().join("current"), &whole[..at]).unwrap();
        assert_eq!(snapshots.current().unwrap_err().code(), "snapshot-damaged", "cut off at {at}");
        assert!(
            snapshots.take(&pack(3), 4).is_err()
                && snapshots.prune(&Retention { count: 0, age: None }, 9).is_err()
        );
    }
    fs::write(folder.path().join("current"), &whole).unwrap();
    assert_eq!(current(&snapshots), Some(1));
}

#[test]
fn what_nobody_lists_is_swept_and_what_is_not_ours_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let hash = snapshots.take(&pack(1), 1).unwrap();
    let packs = snapshots.path_of(&hash).parent().unwrap().to_path_buf();
    let orphan = "0".repeat(64);
    for name in [format!("{orphan}.drv"), format!("{orphan}.drv.new"), "notes.txt".into(), "mine.drv".into()]
    {
        fs::write(packs.join(name), "x").unwrap();
    }
    snapshots.prune(&Retention { count: 9, age: None }, 1).unwrap();
    let mut left: Vec<String> = fs::read_dir(&packs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.contains(&"notes.txt".into()) && left.contains(&"mine.drv".into()));
}

#[cfg(unix)]
#[test]
fn a_folder_that_can_only_be_read_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let hash = snapshots.take(&pack(1), 1).unwrap();
    let packs = snapshots.path_of(&hash).parent().unwrap().to_path_buf();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    mode(&packs, 0o555);
    mode(folder.path(), 0o555);
    let read = (current(&snapshots), versions(&snapshots), snapshots.hold(&hash).is_ok());
    let made_lock = folder.path().join("lock").exists();
    mode(folder.path(), 0o755);
    mode(&packs, 0o755);
    assert_eq!((read, made_lock), ((Some(1), vec![1], true), false));
}

#[test]
fn several_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            scope.spawn(move || {
                let snapshots = Snapshots::new(path);
                for turn in 0..6 {
                    let version = 1 + worker * 6 + turn;
                    snapshots.take(&pack(version), version).unwrap();
                    assert!(snapshots.current().unwrap().is_some());
                    if turn == 3 {
                        snapshots.prune(&Retention { count: 30, age: None }, 0).unwrap();
                    }
                }
            });
        }
    });
    let mut kept = versions(&Snapshots::new(path));
    kept.sort_unstable();
    assert_eq!(kept, (1..=24).collect::<Vec<_>>());
}

#[test]
fn a_store_keeps_what_it_says_yes_to() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    let store = RuleStore::open_to_all(pack(1)).keep_in(snapshots.clone(), || 7).unwrap();
    store.apply(&diff(&bytes(1), &bytes(2)).unwrap().patch).unwrap();
    assert_eq!(current(&snapshots), Some(2));
    store.rollback(1).unwrap();
    assert_eq!((current(&snapshots), versions(&snapshots)), (Some(1), vec![2, 1]));
    // What is current there stays so until something follows: another process may have made it so.
    let other = RuleStore::open_to_all(pack(3)).keep_in(snapshots.clone(), || 8).unwrap();
    assert_eq!((current(&snapshots), versions(&snapshots)), (Some(1), vec![2, 1]));
    other.replace(pack(2)).unwrap();
    assert_eq!(current(&snapshots), Some(2));
    // A folder that can't be written: nothing is published.
    fs::write(folder.path().join("current"), "x").unwrap();
    assert!(store.replace(pack(3)).is_err());
    assert_eq!((store.generation(), store.load().as_pack().manifest().version()), (3, 1));
}

#[test]
fn a_store_judges_again_when_another_process_takes_something_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(folder.path());
    // While the first judgement is made another process takes version 3, which is newer than what comes.
    let (other, judged) = (snapshots.clone(), AtomicUsize::new(0));
    let judge = move |pack: Pack<'_>| {
        if judged.fetch_add(1, Ordering::Relaxed) == 0 {
            other.take(&self::pack(3), 7)?;
        }
        let newest = current(&other).unwrap_or(0);
        let version = pack.manifest().version();
        if version < newest { Err(Error::refused(format!("version {newest} is here"))) } else { Ok(()) }
    };
    let store = RuleStore::new(pack(1), judge).keep_in(snapshots.clone(), || 7).unwrap();
    let err = store.replace(pack(2)).unwrap_err();
    assert_eq!(
        (err.to_string(), current(&snapshots), store.generation()),
        ("version 3 is here".into(), Some(3), 1)
    );
    store.replace(pack(4)).unwrap();
    assert_eq!(current(&snapshots), Some(4));
}

#[test]
fn the_command_takes_lists_compares_restores_and_prunes() {
    let project = Project::new();
    for version in 1..=3 {
        project.write("rules/pack.toml", format!("name = \"demo\"\nversion = {version}\n"));
        project.write("rules/style.md", format!("Spell words out, {version} times.\n"));
        project.expect(0, &["build", "rules", "-o", "rules.drv"]);
        let taken = project.json(0, &["snapshot", "take", "rules.drv"]);
        assert_eq!(taken["version"].as_u64(), Some(version));
    }
    let list = project.json(0, &["snapshot", "list"]);
    let hash = |index: usize| list[index]["hash"].as_str().unwrap().to_owned();
    assert_eq!(list.as_array().map(Vec::len), Some(3));
    assert_eq!((list[2]["current"].as_bool(), list[0]["current"].as_bool()), (Some(true), Some(false)));
    let differ = project.json(0, &["snapshot", "diff", &hash(0)]);
    assert_eq!(differ, serde_json::json!({ "added": [], "changed": ["style"], "removed": [] }));
    project.expect(0, &["snapshot", "restore", &hash(0)[..12]]);
    let shown = project.json(0, &["snapshot", "show", "current"]);
    assert_eq!((shown["version"].as_u64(), shown["rules"].as_array().map(Vec::len)), (Some(1), Some(2)));
    let pruned = project.json(0, &["snapshot", "prune", "--keep", "1"]);
    assert_eq!((pruned["removed"].clone(), pruned["left"].as_u64()), (serde_json::json!([hash(1)]), Some(2)));
    let (_, err) = project.expect(2, &["snapshot", "show", "ffff"]);
    assert!(err.contains("there is no snapshot `ffff`") && err.contains("hint:"), "{err}");
    let (out, _) = project.expect(0, &["snapshot", "list"]);
    assert!(out.starts_with("* ") && out.contains("demo 1"), "{out}");
    // A damaged one is listed, and others can be restored.
    project.write(&format!(".driven/snapshots/packs/{}.drv", hash(0)), "x");
    let (out, _) = project.expect(0, &["snapshot", "list"]);
    assert!(out.contains("damaged") && out.contains("demo 3"), "{out}");
    project.expect(2, &["snapshot", "show", "current"]);
    project.expect(0, &["snapshot", "restore", &hash(2)]);
    // A patch to the current one leads to the next.
    let newest = format!(".driven/snapshots/packs/{}.drv", hash(2));
    project.write("rules/style.md", "Spell words out, for good.\n");
    project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    project.expect(0, &["diff", &newest, "rules.drv", "-o", "step.drvp"]);
    project.expect(0, &["snapshot", "apply", "step.drvp"]);
    let failure = project.json(2, &["snapshot", "apply", "step.drvp"]);
    assert_eq!(failure["error"]["code"].as_str(), Some("patch-base"));
    let shown = project.json(0, &["snapshot", "show", "current"]);
    let built = fs::read(project.path("rules.drv")).unwrap();
    assert_eq!(shown["hash"].as_str(), Some(&driven::file_hash(&built).to_string()[..]));
}

//! What is let in by who pulls and who follows, by roots, timestamps and what was seen before.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use driven::trust::{RootChain, State};
use serde_json::Value;

use crate::harness::Project;
use crate::trust::stamped;

#[test]
fn who_pulls_gets_the_first_timestamp_and_goes_by_the_newest() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    let read = |file: &str| fs::read_to_string(project.path(file)).ok();
    let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--state", "seen"];
    let pull = [&pull[..], &["--timestamp", "own.stamp"]].concat();
    project.expect(0, &["publish", "site", "1.drv"]);
    assert!(project.expect(2, &pull).1.contains("a timestamp is asked for, and there is none"));
    assert!(!project.path("own.drv").exists() && !project.path("own.stamp").exists());
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    project.expect(0, &pull);
    assert_eq!(read("own.stamp"), read("1.stamp"));
    assert!(read("seen").unwrap().contains("\ntimestamp "));
    // Somebody keeps the newer pack back, and not what tells of it.
    fs::copy(project.path("2.stamp"), project.path("site/demo/timestamp")).unwrap();
    assert!(project.expect(2, &pull).1.contains("version 2 is current by the timestamp; the pack is older"));
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "2.stamp"]);
    project.expect(0, &pull);
    assert_eq!((read("own.stamp"), read("own.drv").is_none()), (read("2.stamp"), true));
    project.write("driven.toml", "[trust]\nroot = \"trust.root\"\ntimestamp = \"project.stamp\"\n");
    project.expect(0, &["pull", &address]);
    assert_eq!(read("project.stamp"), read("2.stamp"));
    // Where none can be had, the one that is kept lets nothing in.
    fs::remove_file(project.path("site/demo/timestamp")).unwrap();
    fs::create_dir(project.path("site/demo/timestamp")).unwrap();
    assert!(project.expect(2, &pull).1.contains("demo/timestamp"));
}

#[test]
fn what_a_root_forgets_stays_forgotten_though_its_key_counts() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--state", "seen"];
    let pull = [&pull[..], &["--timestamp", "own.stamp"]].concat();
    let stamp = |pack: &str, issued: &str, file: &str| {
        let told = ["trust", "timestamp", pack, "--root", "trust.root", "--key", "stamp.key", "-o", file];
        project.expect(0, &[&told[..], &["--issued", issued, "--expires", "2999-01-01"]].concat());
    };
    stamp("1.drv", "2020-06-01", "ahead.stamp");
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "ahead.stamp"]);
    project.expect(0, &pull);
    // By a mistake it was dated ahead; the root keeps its keys.
    let both = ["--key", "alice.key", "--key", "bob.key"];
    project.expect(0, &[FORGET[2], &both].concat());
    // Whoever looks meanwhile does not bring it back.
    let verify = ["verify", "1.drv", "--root", "trust.root", "--state", "seen", "--timestamp", "own.stamp"];
    project.expect(0, &verify);
    stamp("1.drv", "2020-02-01", "good.stamp");
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "good.stamp"]);
    let read = |file: &str| fs::read_to_string(project.path(file)).unwrap();
    for _ in 0..2 {
        project.expect(0, &pull);
        assert_eq!(read("own.stamp"), read("good.stamp"));
    }
    stamp("2.drv", "2020-03-01", "next.stamp");
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "next.stamp"]);
    project.expect(0, &pull);
    assert_eq!(read("own.stamp"), read("next.stamp"));
    // One that is brought by hand, where none is served.
    fs::remove_file(project.path("site/demo/timestamp")).unwrap();
    stamp("2.drv", "2020-04-01", "own.stamp");
    project.expect(0, &pull);
    assert!(read("seen").contains("2020-04-01"));
}

#[test]
fn a_timestamp_file_is_kept_for_one_pack_and_what_is_served_is_told_apart() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--timestamp", "own.stamp"];
    // What is served is to blame.
    let text = fs::read_to_string(project.path("1.stamp")).unwrap();
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    project.write("site/demo/timestamp", text.replace("expires 2999", "expires 2998"));
    let (_, err) = project.expect(2, &pull);
    assert!(
        err.contains("demo/timestamp: the timestamp: the signature") && !err.contains("own.stamp"),
        "{err}"
    );
    project.write("site/demo/timestamp", &text);
    project.expect(0, &pull);
    // A timestamp that holds is kept also when the pack is refused.
    fs::copy(project.path("2.stamp"), project.path("site/demo/timestamp")).unwrap();
    assert!(project.expect(2, &pull).1.contains("the pack is older"));
    assert_eq!(fs::read(project.path("own.stamp")).unwrap(), fs::read(project.path("2.stamp")).unwrap());
    project.write("site/demo/timestamp", &text);
    assert!(project.expect(2, &pull).1.contains("version 2 is current by the timestamp"));
    // One of another pack does not make room for an older one.
    project.write("rules/pack.toml", "name = \"other\"\nversion = 1\n");
    project.expect(0, &["build", "rules", "-o", "other.drv", "--key", "alice.key"]);
    project.expect(0, &["sign", "other.drv", "--key", "bob.key"]);
    let told = ["trust", "timestamp", "other.drv", "--root", "trust.root", "--key", "stamp.key"];
    let told =
        [&told[..], &["-o", "own.stamp", "--issued", "2020-01-01", "--expires", "2999-01-01"]].concat();
    project.expect(0, &told);
    let (_, err) = project.expect(2, &pull);
    assert!(err.contains("own.stamp: this timestamp is about `other`, not about `demo`"), "{err}");
}

#[test]
fn who_pulls_goes_back_by_naming_the_version_alone() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--state", "seen"];
    project.expect(0, &["publish", "site", "2.drv"]);
    project.expect(0, &pull);
    project.expect(0, &["publish", "site", "1.drv"]);
    let (_, err) = project.expect(2, &pull);
    assert!(err.contains("demo: ") && err.contains("`--accept-version`"), "{err}");
    project.expect(2, &[&pull[..], &["--accept-version", "3"]].concat());
    project.expect(0, &[&pull[..], &["--accept-version", "1"]].concat());
    project.expect(0, &pull);
    assert_eq!(fs::read(project.path("own.drv")).unwrap(), fs::read(project.path("1.drv")).unwrap());
}

#[test]
fn a_newer_timestamp_that_is_kept_counts_also_on_first_use_and_the_better_signed_copy_is_taken() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--state", "seen"];
    let pull = [&pull[..], &["--timestamp", "own.stamp"]].concat();
    // What was committed with the project is newer than what is served to whoever comes first.
    fs::copy(project.path("2.stamp"), project.path("own.stamp")).unwrap();
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    assert!(project.expect(2, &pull).1.contains("version 2 is current by the timestamp"));
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "2.stamp"]);
    project.expect(0, &pull);
    // From now on two must sign; the second adds to the same text.
    project.expect(0, &["keygen", "daily"]);
    let both = ["--key", "alice.key", "--key", "bob.key"];
    let add = ["trust", "add", "trust.root", "daily.pub", "--role", "timestamp"];
    project.expect(0, &[&add[..], &["--role-threshold", "timestamp=2"], &both].concat());
    let (_, err) = project.expect(2, &pull);
    assert!(err.contains("demo/timestamp: ") && err.contains("missing"), "{err}");
    let told = ["trust", "timestamp", "2.drv", "--root", "trust.root", "--key", "daily.key"];
    let told = [&told[..], &["-o", "2.stamp", "--issued", "2020-01-02", "--expires", "2999-01-01"]].concat();
    project.expect(0, &told);
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "2.stamp"]);
    project.expect(0, &pull);
    assert_eq!(fs::read(project.path("own.stamp")).unwrap(), fs::read(project.path("2.stamp")).unwrap());
}

/// Another key for timestamps takes the place of `stamp`, and what it dated is forgotten.
const FORGET: [&[&str]; 3] = [
    &["trust", "revoke", "trust.root", "stamp", "--reason", "stolen"],
    &["trust", "add", "trust.root", "daily.pub", "--role", "timestamp"],
    &["trust", "recover", "trust.root", "--name", "demo", "--from-version", "1"],
];

#[test]
fn a_timestamp_that_a_stolen_key_dated_ahead_does_not_keep_out_what_follows() {
    for state in [&["--state", "seen"][..], &[]] {
        let project = stamped();
        let address = format!("file://{}/demo", project.path("site").display());
        let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--timestamp", "own.stamp"];
        let pull = [&pull[..], state].concat();
        let stamp = |key: &str, issued: &str, file: &str| {
            let told = ["trust", "timestamp", "1.drv", "--root", "trust.root", "--key", key, "-o", file];
            project.expect(0, &[&told[..], &["--issued", issued, "--expires", "2999-01-01"]].concat());
        };
        stamp("stamp.key", "2020-06-01", "ahead.stamp");
        project.expect(0, &["publish", "site", "1.drv", "--timestamp", "ahead.stamp"]);
        project.expect(0, &pull);
        project.expect(0, &["keygen", "daily"]);
        for change in FORGET {
            project.expect(0, &[change, &["--key", "alice.key"]].concat());
        }
        project.expect(0, &["trust", "sign", "trust.root", "--key", "bob.key"]);
        // What is served is still what nobody signs any more.
        let (_, err) = project.expect(2, &pull);
        assert!(err.contains("demo/timestamp: the timestamp is signed by"), "{err}");
        stamp("daily.key", "2020-02-01", "daily.stamp");
        project.expect(0, &["publish", "site", "1.drv", "--timestamp", "daily.stamp"]);
        project.expect(0, &pull);
        let read = |file: &str| fs::read_to_string(project.path(file)).unwrap();
        assert_eq!(read("own.stamp"), read("daily.stamp"));
        // From then on nothing older comes.
        stamp("daily.key", "2020-01-01", "older.stamp");
        project.expect(0, &["publish", "site", "1.drv", "--timestamp", "older.stamp"]);
        project.expect(0, &pull);
        assert_eq!(read("own.stamp"), read("daily.stamp"));
    }
}

/// Follows the pack `demo`; gives the next line of talk, or of JSON, that has a text in it.
fn project_following(project: &Project, more: &[&str]) -> (Following, impl Fn(&str) -> String + use<>) {
    let is_json = more.contains(&"--json");
    let mut following = Following(
        Command::new(crate::harness::binary())
            .args(["updates", &format!("file://{}/demo", project.path("site").display())])
            .args(["--watch", "--interval", "1"])
            .args(more)
            .current_dir(project.path("."))
            .stdout(if is_json { Stdio::piped() } else { Stdio::null() })
            .stderr(if is_json { Stdio::null() } else { Stdio::piped() })
            .spawn()
            .unwrap(),
    );
    let (sender, lines) = channel();
    let read: Box<dyn Read + Send> = match following.0.stdout.take() {
        Some(stdout) => Box::new(stdout),
        None => Box::new(following.0.stderr.take().unwrap()),
    };
    let read = BufReader::new(read);
    std::thread::spawn(move || read.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let told = move |text: &str| loop {
        let line = lines.recv_timeout(Duration::from_mins(1)).unwrap();
        if line.contains(text) && !line.starts_with("hint: ") {
            return line;
        }
    };
    (following, told)
}

#[test]
fn who_follows_is_told_when_what_is_here_is_good_no_more() {
    let project = stamped();
    let (_, err) = project.expect(2, &["publish", "site", "1.drv", "--timestamp", "2.stamp"]);
    assert!(err.contains("2.stamp: it is about version 2 of `demo`, and the pack is version 1"), "{err}");
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    fs::copy(project.path("1.stamp"), project.path("seen.stamp")).unwrap();
    project.write("driven.toml", "[trust]\nroot = \"trust.root\"\ntimestamp = \"seen.stamp\"\n");
    let (_following, told) = project_following(&project, &[]);
    told("following `demo`");
    // The pack stays; a newer timestamp says that another one is current.
    let timestamp = project.path("site/demo/timestamp");
    fs::copy(project.path("2.stamp"), timestamp.with_extension("new")).unwrap();
    fs::rename(timestamp.with_extension("new"), &timestamp).unwrap();
    assert!(told("would not be let in any more").contains("version 2"));
}

#[test]
#[cfg(unix)]
fn who_follows_writes_through_no_link_that_a_project_made_meanwhile() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    project.write("driven.toml", "[trust]\nroot = \"trust.root\"\ntimestamp = \"in/seen.stamp\"\n");
    let outside = tempfile::tempdir().unwrap();
    fs::copy(project.path("1.stamp"), outside.path().join("own")).unwrap();
    let (_following, told) = project_following(&project, &[]);
    told("following `demo`");
    std::os::unix::fs::symlink(outside.path().join("own"), project.path("in/link")).unwrap();
    fs::rename(project.path("in/link"), project.path("in/seen.stamp")).unwrap();
    assert!(told("would not be let in any more").contains("may lead out of the project"));
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "2.stamp"]);
    assert!(told("what is here stays").contains("may lead out of the project"));
    assert_eq!(fs::read(outside.path().join("own")).unwrap(), fs::read(project.path("1.stamp")).unwrap());
}

#[test]
fn who_follows_is_told_of_a_revocation_also_while_no_timestamp_can_be_had() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    let (_following, told) =
        project_following(&project, &["--root", "trust.root", "--timestamp", "own.stamp"]);
    told("following `demo`");
    // What is no file can't be read; the feed still can.
    fs::remove_file(project.path("site/demo/timestamp")).unwrap();
    fs::create_dir(project.path("site/demo/timestamp")).unwrap();
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost", "--key", "alice.key"];
    project.expect(0, &[&revoke[..], &["--key", "carol.key"]].concat());
    assert!(told("would not be let in any more").contains("was revoked"));
}

#[test]
fn who_follows_goes_by_what_the_root_says_now() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv"]);
    let (following, told) = project_following(&project, &["--root", "trust.root"]);
    told("following `demo`");
    // Bob's key is lost; the second version is signed by it.
    let revoke = [
        "trust",
        "revoke",
        "trust.root",
        "bob",
        "--reason",
        "lost",
        "--key",
        "alice.key",
        "--key",
        "carol.key",
    ];
    fs::copy(project.path("trust.root"), project.path("old.root")).unwrap();
    project.expect(0, &revoke);
    assert!(told("would not be let in any more").contains("was revoked"));
    project.expect(0, &["publish", "site", "2.drv"]);
    assert!(told("what is here stays").contains("was revoked"));
    // An older root takes nothing back.
    fs::rename(project.path("old.root"), project.path("trust.root")).unwrap();
    assert!(told("what is here stays").contains("root 3 is trusted already"));
    drop(following);
}

/// A process that ends with the test.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until what is here was judged anew: the feed breaks in two ways, and the second is told after that. Nothing else is
/// told meanwhile.
fn one_round(project: &Project, told: &impl Fn(&str) -> String) {
    let (feed, aside) = (project.path("site/demo/current"), project.path("site/demo/aside"));
    fs::copy(&feed, &aside).unwrap();
    spoil(project);
    assert!(told("").contains("what is here stays"));
    fs::remove_file(&feed).unwrap();
    assert!(told("").contains("what is here stays"));
    fs::rename(aside, feed).unwrap();
}

/// Puts something else in the place of the feed, at once.
fn spoil(project: &Project) {
    project.write("site/demo/new", "no feed");
    fs::rename(project.path("site/demo/new"), project.path("site/demo/current")).unwrap();
}

/// Takes the timestamp that is served away; or puts something there that can't be read.
fn withhold(project: &Project, with_nothing: bool) {
    let timestamp = project.path("site/demo/timestamp");
    fs::remove_file(&timestamp).unwrap();
    if !with_nothing {
        fs::create_dir(&timestamp).unwrap();
    }
}

#[test]
fn who_went_back_and_follows_takes_nobody_back_with_him() {
    let project = stamped();
    let seen = ["--root", "trust.root", "--state", "seen"];
    project.expect(0, &["publish", "site", "1.drv"]);
    project.expect(0, &[&["verify", "2.drv"][..], &seen].concat());
    let floor = || {
        let state = State::read(&fs::read_to_string(project.path("seen")).unwrap()).unwrap();
        let root = RootChain::read(&fs::read_to_string(project.path("trust.root")).unwrap()).unwrap();
        state.floor(&root, "demo").unwrap().version
    };
    assert_eq!(floor(), 2);
    let (_following, told) = project_following(&project, &[&seen[..], &["--accept-version", "1"]].concat());
    told("following `demo`");
    assert_eq!(floor(), 1);
    // Somebody else who keeps the same state goes forward.
    project.expect(0, &[&["verify", "2.drv"][..], &seen].concat());
    one_round(&project, &told);
    assert_eq!(floor(), 2);
}

#[test]
fn who_follows_goes_by_the_newest_timestamp_that_was_seen_or_is_kept() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    let (_following, told) =
        project_following(&project, &["--root", "trust.root", "--timestamp", "own.stamp"]);
    told("following `demo`");
    let keep = |stamp: &str| {
        fs::copy(project.path(stamp), project.path("new.stamp")).unwrap();
        fs::rename(project.path("new.stamp"), project.path("own.stamp")).unwrap();
    };
    keep("2.stamp");
    assert!(told("would not be let in any more").contains("version 2 is current by the timestamp"));
    // An older file does not make what was seen undone.
    keep("1.stamp");
    one_round(&project, &told);
    assert_eq!(fs::read(project.path("own.stamp")).unwrap(), fs::read(project.path("2.stamp")).unwrap());
}

#[test]
fn who_follows_takes_nothing_older_than_what_others_put_into_the_folder() {
    let project = stamped();
    project.write("rules/pack.toml", "name = \"demo\"\nversion = 3\n");
    project.expect(0, &["build", "rules", "-o", "3.drv", "--key", "alice.key"]);
    project.expect(0, &["publish", "site", "1.drv"]);
    project.expect(0, &["publish", "else", "3.drv"]);
    let (_following, told) = project_following(&project, &["--key", "alice.pub"]);
    told("following `demo`");
    let address = format!("file://{}/demo", project.path("else").display());
    project.expect(0, &["pull", &address, "--key", "alice.pub"]);
    project.expect(0, &["publish", "site", "2.drv"]);
    assert!(told("what is here stays").contains("version 2 is served and version 3 is here"));
}

#[test]
fn who_follows_is_told_when_no_timestamp_can_be_had_and_none_is_kept_that_counts() {
    for (state, with_nothing) in [(&["--state", "seen"][..], true), (&[], false)] {
        let project = stamped();
        project.expect(0, &["keygen", "daily"]);
        project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
        let trusted = ["--root", "trust.root", "--timestamp", "own.stamp"];
        let (_following, told) = project_following(&project, &[&trusted[..], state].concat());
        told("following `demo`");
        withhold(&project, with_nothing);
        for change in &FORGET[..2] {
            project.expect(0, &[change, &["--key", "alice.key", "--key", "bob.key"][..]].concat());
        }
        let line = told("");
        assert!(line.contains("no timestamp can be had") && line.contains("demo/timestamp"), "{line}");
        // Once.
        one_round(&project, &told);
    }
}

#[test]
fn a_kept_timestamp_that_others_saw_a_newer_one_than_says_nothing_of_a_pack() {
    let project = stamped();
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "2.stamp"]);
    let stamp = ["trust", "timestamp", "2.drv", "--root", "trust.root", "--key", "stamp.key"];
    let stamp = [&stamp[..], &["-o", "new.stamp", "--issued", "2020-02-01"]].concat();
    project.expect(0, &[&stamp[..], &["--expires", "2999-01-01"]].concat());
    let seen = ["--root", "trust.root", "--state", "seen"];
    let (_following, told) =
        project_following(&project, &[&seen[..], &["--timestamp", "own.stamp"]].concat());
    told("following `demo`");
    withhold(&project, true);
    project.expect(0, &[&["verify", "2.drv", "--timestamp", "new.stamp"][..], &seen].concat());
    assert!(told("").contains("no timestamp can be had"));
    // One that is brought by hand counts.
    fs::rename(project.path("new.stamp"), project.path("own.stamp")).unwrap();
    one_round(&project, &told);
}

#[test]
fn what_was_not_written_down_is_no_first_use() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv"]);
    let address = format!("file://{}/demo", project.path("site").display());
    project.expect(0, &["pull", &address, "--root", "trust.root"]);
    fs::create_dir(project.path("site/demo/timestamp")).unwrap();
    let seen = ["--root", "trust.root", "--state", "seen", "--timestamp", "own.stamp"];
    let (_following, told) = project_following(&project, &seen);
    assert!(told("").contains("no timestamp can be had"));
    assert!(told("").contains("following `demo`"));
}

#[test]
fn who_follows_is_told_of_a_revocation_also_while_the_feed_is_spoilt() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv"]);
    let (_following, told) = project_following(&project, &["--root", "trust.root"]);
    told("following `demo`");
    spoil(&project);
    assert!(told("").contains("what is here stays"));
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost", "--key", "alice.key"];
    project.expect(0, &[&revoke[..], &["--key", "carol.key"]].concat());
    assert!(told("").contains("would not be let in any more"));
}

#[test]
fn who_follows_is_told_of_what_others_put_into_the_folder() {
    let project = stamped();
    let seen = ["--root", "trust.root", "--state", "seen"];
    project.expect(0, &["publish", "site", "1.drv"]);
    project.expect(0, &["publish", "else", "2.drv"]);
    let (_following, told) = project_following(&project, &[&["--json"][..], &seen].concat());
    let note = |line: &str| serde_json::from_str::<Value>(line).unwrap()["note"].as_str().unwrap().to_owned();
    assert!(note(&told("")).contains("first use"));
    assert_eq!(serde_json::from_str::<Value>(&told("")).unwrap()["version"], 1);
    assert!(note(&told("")).contains("following `demo`"));
    // The state knows that the second is current, and so does the folder.
    let address = format!("file://{}/demo", project.path("else").display());
    project.expect(0, &[&["pull", &address][..], &seen].concat());
    spoil(&project);
    let line = told("");
    assert!(note(&line).contains("what is here stays"));
    assert!(!serde_json::from_str::<Value>(&line).unwrap()["hint"].as_str().unwrap().is_empty());
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost", "--key", "alice.key"];
    project.expect(0, &[&revoke[..], &["--key", "carol.key"]].concat());
    let line = told("");
    assert!(
        note(&line).contains("would not be let in any more") && note(&line).contains("was revoked"),
        "{line}"
    );
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["code"], "revoked");
}

#[test]
fn a_timestamp_without_signatures_that_count_is_not_kept_though_it_was_seen() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    let seen = ["--root", "trust.root", "--state", "seen"];
    let pull = [&["pull", &address, "-o", "own.drv", "--timestamp", "own.stamp"][..], &seen].concat();
    project.expect(0, &["publish", "site", "2.drv", "--timestamp", "2.stamp"]);
    project.expect(0, &[&["verify", "2.drv", "--timestamp", "2.stamp"][..], &seen].concat());
    // Somebody takes the signature off what others saw.
    let whole = fs::read_to_string(project.path("2.stamp")).unwrap();
    let (text, _) = whole.split_once("signature ").unwrap();
    project.write("site/demo/timestamp", text);
    assert!(project.expect(2, &pull).1.contains("demo/timestamp: the timestamp is not signed"));
    assert!(!project.path("own.stamp").exists());
    // Its key is taken out, and nothing forgotten: what is kept stays as it is.
    fs::copy(project.path("2.stamp"), project.path("own.stamp")).unwrap();
    project.expect(0, &["keygen", "daily"]);
    for change in &FORGET[..2] {
        project.expect(0, &[change, &["--key", "alice.key", "--key", "bob.key"][..]].concat());
    }
    assert!(project.expect(2, &pull).1.contains("the timestamp is not signed"));
    assert_eq!(fs::read_to_string(project.path("own.stamp")).unwrap(), whole);
}

#[test]
#[cfg(unix)]
fn links_that_lead_nowhere_are_told() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    for file in ["linked.drv", "linked.stamp"] {
        std::os::unix::fs::symlink("nowhere", project.path(file)).unwrap();
    }
    let pull = ["pull", &address, "--root", "trust.root"];
    for more in [&["-o", "linked.drv"][..], &["-o", "own.drv", "--timestamp", "linked.stamp"]] {
        let (_, err) = project.expect(2, &[&pull[..], more].concat());
        assert!(err.contains(&format!("{} is a link that leads nowhere", more.last().unwrap())), "{err}");
    }
    assert!(!project.path("nowhere").exists() && !project.path("own.drv").exists());
}

#[test]
fn of_many_who_make_a_file_at_once_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let made: Vec<bool> = std::thread::scope(|threads| {
        let path = &path;
        let make = |byte| threads.spawn(move || driven_build::create_whole(path, &[byte; 999]).unwrap());
        let running: Vec<_> = (0..8).map(make).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    let first = made.iter().position(|made| *made).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [u8::try_from(first).unwrap(); 999]);
    assert!(!driven_build::create_whole(&path, b"late").unwrap());
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn who_follows_goes_by_no_timestamp_that_the_root_forgets() {
    for with_nothing in [true, false] {
        let project = stamped();
        let seen = ["--root", "trust.root", "--state", "seen"];
        project.expect(0, &["publish", "site", "1.drv"]);
        project.expect(
            0,
            &["pull", &format!("file://{}/demo", project.path("site").display()), "--key", "alice.pub"],
        );
        // It says that the second is current, and was a mistake.
        fs::copy(project.path("2.stamp"), project.path("own.stamp")).unwrap();
        project.expect(0, &[&["verify", "2.drv", "--timestamp", "own.stamp"][..], &seen].concat());
        project.expect(0, &[FORGET[2], &["--key", "alice.key", "--key", "bob.key"]].concat());
        if !with_nothing {
            fs::create_dir(project.path("site/demo/timestamp")).unwrap();
        }
        let (_following, told) =
            project_following(&project, &[&seen[..], &["--timestamp", "own.stamp"]].concat());
        let line = told("");
        assert!(line.contains("no timestamp can be had"), "{line}");
        assert!(told("").contains("following `demo`"));
    }
}

#[test]
fn what_nobody_signed_puts_no_timestamp_that_is_kept_aside() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    let (_following, told) =
        project_following(&project, &["--root", "trust.root", "--timestamp", "own.stamp"]);
    told("following `demo`");
    let serve = |text: &str| {
        project.write("site/demo/new", text);
        fs::rename(project.path("site/demo/new"), project.path("site/demo/timestamp")).unwrap();
    };
    let text = fs::read_to_string(project.path("2.stamp")).unwrap();
    serve(text.split_once("signature ").unwrap().0);
    let line = told("");
    assert!(
        line.contains("no timestamp can be had") && line.contains("demo/timestamp: it is not signed"),
        "{line}"
    );
    // One that was signed, of the same time as the one that is kept, is no mistake of the way.
    let stamp =
        ["trust", "timestamp", "1.drv", "--root", "trust.root", "--key", "stamp.key", "-o", "other.stamp"];
    let stamp = [&stamp[..], &["--issued", "2020-01-01", "--expires", "2998-01-01"]].concat();
    project.expect(0, &stamp);
    serve(&fs::read_to_string(project.path("other.stamp")).unwrap());
    let line = told("");
    assert!(line.contains("demo/timestamp: two timestamps were issued at one time"), "{line}");
    let address = format!("file://{}/demo", project.path("site").display());
    let pull = ["pull", &address, "-o", "own.drv", "--root", "trust.root", "--timestamp", "own.stamp"];
    assert!(project.expect(2, &pull).1.contains("two timestamps were issued at one time"));
    assert!(!project.path("own.drv").exists());
    serve(&fs::read_to_string(project.path("1.stamp")).unwrap());
    assert!(told("").contains("good again"));
    // Nor does one of the same time, or a newer one, that is about another pack.
    project.write("rules/pack.toml", "name = \"other\"\nversion = 1\n");
    project.expect(0, &["build", "rules", "-o", "other.drv", "--key", "alice.key"]);
    project.expect(0, &["sign", "other.drv", "--key", "bob.key"]);
    for (issued, file, code) in [("2020-01-01", "a.stamp", 0), ("2020-03-01", "b.stamp", 2)] {
        let stamp = ["trust", "timestamp", "other.drv", "--root", "trust.root", "--key", "stamp.key"];
        let stamp = [&stamp[..], &["-o", file, "--issued", issued, "--expires", "2999-01-01"]].concat();
        project.expect(0, &stamp);
        serve(&fs::read_to_string(project.path(file)).unwrap());
        let line = told("");
        assert!(line.contains("no timestamp can be had") && line.contains("it is about `other`"), "{line}");
        project.expect(code, &pull);
        serve(&fs::read_to_string(project.path("1.stamp")).unwrap());
        assert!(told("").contains("good again"));
    }
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost", "--key", "alice.key"];
    project.expect(0, &[&revoke[..], &["--key", "carol.key"]].concat());
    assert!(told("").contains("was revoked"));
    // One is told beside the other.
    serve(&fs::read_to_string(project.path("other.stamp")).unwrap());
    assert!(told("").contains("two timestamps were issued at one time"));
}

#[test]
fn who_follows_is_told_of_a_folder_that_can_t_be_used_and_of_what_it_holds_itself() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv"]);
    let (_following, told) = project_following(&project, &["--root", "trust.root"]);
    told("following `demo`");
    fs::write(project.path(".driven/snapshots/current"), "damage").unwrap();
    let line = told("");
    assert!(line.contains("what is in the folder can't be used"), "{line}");
    let revoke = ["trust", "revoke", "trust.root", "bob", "--reason", "lost", "--key", "alice.key"];
    project.expect(0, &[&revoke[..], &["--key", "carol.key"]].concat());
    assert!(told("").contains("would not be let in any more"));
}

#[test]
#[cfg(target_os = "linux")]
fn who_follows_ends_when_nothing_can_be_told_any_more() {
    let project = stamped();
    project.expect(0, &["publish", "site", "1.drv"]);
    let address = format!("file://{}/demo", project.path("site").display());
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut following = Following(
        Command::new(crate::harness::binary())
            .args(["updates", &address, "--watch", "--interval", "1", "--root", "trust.root"])
            .current_dir(project.path("."))
            .stdout(full)
            .spawn()
            .unwrap(),
    );
    // It ends by itself; were it not so, the test would end some day.
    let ended = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        following.0.try_wait().unwrap()
    });
    assert_eq!(ended.unwrap().code(), Some(2));
}

#[test]
#[cfg(unix)]
fn what_is_written_to_is_a_file() {
    let project = stamped();
    let address = format!("file://{}/demo", project.path("site").display());
    project.expect(0, &["publish", "site", "1.drv", "--timestamp", "1.stamp"]);
    let made = Command::new("mkfifo").arg(project.path("pipe")).status().unwrap();
    assert!(made.success());
    let pull = ["pull", &address, "--root", "trust.root", "--timestamp"];
    assert!(project.expect(2, &[&pull[..], &["pipe"]].concat()).1.contains("pipe is no regular file"));
    project.write("settings.toml", "own = 1\n");
    let (_, err) = project.expect(2, &[&pull[..], &["settings.toml"]].concat());
    assert!(err.contains("settings.toml exists and is no timestamp"), "{err}");
}

//! The sandbox: every act under no layer, under each alone and under both, and which of them refused.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{Project, binary};

const LANDLOCK: bool = true;
const SECCOMP: bool = true;

fn profile(inside: &Path, [landlock, seccomp]: [bool; 2]) -> Value {
    json!({
        "reads": [inside], "writes": [inside], "runs": false, "sockets": "none", "terminal": false, "environment": false,
        "limits": [20, 1_u64 << 31, 1 << 20], "layers": [landlock, seccomp], "required": false,
        "parent": std::process::id(),
    })
}

fn confined(profile: &Value, becomes: &str, arguments: &[&str]) -> Output {
    let own = ["__confined", &profile.to_string(), becomes];
    Command::new(binary()).args(own).args(arguments).output().unwrap()
}

/// Whether the kernel has a layer, by its own answer.
fn has(act: &str, by: &str) -> bool {
    let output = Command::new(binary()).args(["doctor", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let acts =
        told["capabilities"].as_array().unwrap().iter().flat_map(|one| one["acts"].as_array().unwrap());
    let there = acts.into_iter().any(|one| one["act"] == act && one["answer"] == format!("refused by {by}"));
    if !there {
        eprintln!("skipped: the kernel refuses nothing by {by}");
    }
    there
}

/// Tries every act under these layers; gives each by name.
fn tried(layers: [bool; 2]) -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let pair = |from: &str, to: &str| format!("{},{}", path(from), path(to));
    for name in ["in", "out"] {
        fs::create_dir(path(name)).unwrap();
    }
    for name in
        ["in/own", "in/moved-out", "in/linked-out", "out/secret", "out/gone", "out/moved-in", "out/linked-in"]
    {
        fs::write(path(name), name).unwrap();
    }
    std::os::unix::fs::symlink(path("out"), path("in/leads-out")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let acts = [
        ("read inside", "read", path("in/own")),
        ("write inside", "write", path("in/own")),
        ("make inside", "make", path("in/new")),
        ("rename inside", "rename", pair("in/own", "in/renamed")),
        ("thread", "thread", String::new()),
        ("read outside", "read", path("out/secret")),
        ("write outside", "write", path("out/secret")),
        ("make outside", "make", path("out/new")),
        ("remove outside", "remove", path("out/gone")),
        ("read by a link", "read", path("in/leads-out/secret")),
        ("write by a link", "write", path("in/leads-out/secret")),
        ("read by ..", "read", path("in/../out/secret")),
        ("write by ..", "make", path("in/../out/dots")),
        ("rename out", "rename", pair("in/moved-out", "out/moved-out")),
        ("rename in", "rename", pair("out/moved-in", "in/moved-in")),
        ("link out", "link", pair("in/linked-out", "out/linked-out")),
        ("link in", "link", pair("out/linked-in", "in/linked-in")),
        ("connect", "connect", listener.local_addr().unwrap().to_string()),
        ("bind", "bind", "127.0.0.1:0".into()),
        ("udp", "udp", receiver.local_addr().unwrap().to_string()),
        ("exec", "exec", "/bin/sh".into()),
        ("signal", "signal", std::process::id().to_string()),
        ("mode", "mode", path("out/secret")),
    ];
    let arguments: Vec<&str> = acts
        .iter()
        .flat_map(|(_, act, argument)| {
            let (first, second) = argument.split_once(',').unwrap_or((argument, ""));
            [*act, first, second]
        })
        .collect();
    let output = confined(&profile(&folder.path().join("in"), layers), "probe", &arguments);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed.lines().count(), acts.len());
    // What was refused did not happen.
    if layers[0] {
        assert_eq!(fs::read(path("out/secret")).unwrap(), b"out/secret");
        let mut left: Vec<_> =
            fs::read_dir(path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["gone", "linked-in", "moved-in", "secret"]);
    }
    acts.iter().zip(printed.lines()).map(|((name, _, _), answer)| (*name, answer.to_owned())).collect()
}

/// Who refused, by the error that each gives.
fn by(answer: &str) -> &str {
    match answer {
        "done" => "nobody",
        "1" => "seccomp",
        "13" | "18" => "Landlock",
        other => other,
    }
}

const INSIDE: [&str; 5] = ["read inside", "write inside", "make inside", "rename inside", "thread"];
const FILES: [&str; 12] = [
    "read outside",
    "write outside",
    "make outside",
    "remove outside",
    "read by a link",
    "write by a link",
    "read by ..",
    "write by ..",
    "rename out",
    "rename in",
    "link out",
    "link in",
];

#[track_caller]
fn all(tried: &BTreeMap<&str, String>, names: &[&str], who: &str) {
    for name in names {
        assert_eq!(by(&tried[name]), who, "{name}");
    }
}

#[test]
fn without_a_layer_every_act_is_done() {
    let tried = tried([false, false]);
    assert_eq!(tried.len(), 23);
    all(&tried, &tried.keys().copied().collect::<Vec<_>>(), "nobody");
}

#[test]
fn landlock_alone_keeps_files_programs_and_tcp() {
    if !has("read", "Landlock") {
        return;
    }
    let tried = tried([LANDLOCK, false]);
    all(&tried, &INSIDE, "nobody");
    all(&tried, &FILES, "Landlock");
    all(&tried, &["connect", "bind", "exec"], "Landlock");
    // Datagrams are beyond the Landlock of this kernel; signals it refuses with the error of seccomp.
    all(&tried, &["udp", "mode"], "nobody");
    assert_eq!(tried["signal"], "1");
}

#[test]
fn seccomp_alone_keeps_sockets_programs_and_signals() {
    if !has("udp", "seccomp") {
        return;
    }
    let tried = tried([false, SECCOMP]);
    all(&tried, &INSIDE, "nobody");
    all(&tried, &FILES, "nobody");
    all(&tried, &["connect", "bind", "udp", "exec", "signal", "mode"], "seccomp");
}

#[test]
fn both_layers_keep_all() {
    if !has("read", "Landlock") || !has("udp", "seccomp") {
        return;
    }
    let tried = tried([LANDLOCK, SECCOMP]);
    all(&tried, &INSIDE, "nobody");
    all(&tried, &FILES, "Landlock");
    all(&tried, &["connect", "bind", "udp", "exec", "signal", "mode"], "seccomp");
    let output = Command::new(binary()).args(["doctor", "--require-sandbox"]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.lines().all(|line| line.contains("enforced")), "{told}");
}

#[test]
fn limits_of_time_memory_and_files_end_a_child() {
    let folder = tempfile::tempdir().unwrap();
    let run = |limits: Value, script: &str| {
        let mut profile = profile(folder.path(), [false, false]);
        profile["limits"] = limits;
        profile["runs"] = json!(true);
        confined(&profile, "program", &["/bin/sh", "-c", script])
    };
    let (memory, file) = (1_u64 << 31, 1 << 20);
    assert!(run(json!([20, memory, file]), "exit 0").status.success());
    assert!(!run(json!([1, memory, file]), "while :; do :; done").status.success());
    let lots = "x=aaaaaaaa; while :; do x=$x$x; done";
    assert!(!run(json!([20, 1 << 26, file]), lots).status.success());
    let path = folder.path().join("long");
    let write = format!("head -c 100000 /dev/zero > {}", path.display());
    assert!(!run(json!([20, memory, 5000]), &write).status.success());
    assert_eq!(fs::metadata(&path).unwrap().len(), 5000);
}

#[test]
fn a_child_whose_parent_has_ended_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut orphaned = profile(folder.path(), [false, false]);
    orphaned["runs"] = json!(true);
    let made = folder.path().join("made");
    let script = ["/bin/sh", "-c", "touch \"$0\"", made.to_str().unwrap()];
    orphaned["parent"] = json!(1);
    let output = confined(&orphaned, "program", &script);
    assert!(output.status.code() == Some(2) && !made.exists(), "{output:?}");
    orphaned["parent"] = json!(std::process::id());
    assert!(confined(&orphaned, "program", &script).status.success() && made.exists());
}

#[test]
fn what_is_no_profile_starts_nothing() {
    let good = profile(Path::new("/"), [false, false]);
    let mut less = good.clone();
    less.as_object_mut().unwrap().remove("runs");
    for arguments in [
        &["__confined"][..],
        &["__confined", "{}", "probe"],
        &["__confined", &less.to_string(), "probe"],
        &["__confined", &good.to_string(), "shell"],
    ] {
        let output = Command::new(binary()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// A project whose pack a command signs.
fn with_command(script: &str) -> Project {
    let project = Project::new();
    project.expect(0, &["keygen", "release"]);
    project.expect(0, &["build", "rules", "-o", "rules.drv"]);
    project.write("sign.sh", script);
    project
}

const SIGN: [&str; 6] =
    ["sign", "rules.drv", "--key-command", "/bin/sh sign.sh", "--public-key", "release.pub"];

#[test]
fn a_command_signs_what_it_reads() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: no openssl here");
        return;
    }
    // OpenSSL wants to know how long the text is, so the command keeps it first.
    let script = "cat > signed && openssl pkeyutl -sign -inkey release.key -rawin -in signed";
    let project = with_command(script);
    let (_, err) = project.expect(2, &SIGN);
    assert!(!has("read", "Landlock") || err.contains("ermission denied"), "{err}");
    project.expect(0, &[&SIGN[..], &["--key-command-may", "fs-write"]].concat());
    project.expect(0, &["verify", "rules.drv", "--key", "release.pub"]);
    for printed in ["base64 -w0", "od -An -v -tx1 | tr -d ' \\n'"] {
        project.write("sign.sh", format!("{script} | {printed}"));
        project.expect(0, &[&SIGN[..], &["--renew", "--key-command-may", "fs-write"]].concat());
        project.expect(0, &["verify", "rules.drv", "--key", "release.pub"]);
    }
    // Roots and timestamps are signed so too, and the environment names the command as well.
    let by_command = [&SIGN[2..], &["--key-command-may", "fs-write"]].concat();
    project.expect(0, &[&["trust", "init", "trust.root", "release.pub"], &by_command[..]].concat());
    project.expect(0, &["verify", "rules.drv", "--root", "trust.root"]);
}

#[test]
fn a_command_that_signs_nothing_changes_nothing() {
    let cases = [
        ("cat", "no signature", &[][..]),
        ("exit 3", "ended with 3", &[]),
        ("yes", "printed more than", &[]),
        ("sleep 600", "longer than 1 s", &["--key-command-timeout", "1"]),
        ("head -c 64 /dev/zero", "is no signature by", &[]),
    ];
    for (script, expected, more) in cases {
        let project = with_command(script);
        let before = fs::read(project.path("rules.drv")).unwrap();
        let (_, err) = project.expect(2, &[&SIGN[..], more].concat());
        assert!(err.contains(expected), "{script}: {err}");
        assert_eq!(fs::read(project.path("rules.drv")).unwrap(), before);
    }
}

#[test]
fn a_command_is_given_nothing_that_is_open_and_can_change_no_file() {
    // A descriptor that the shell left open, and the mode of a file, which Landlock does not see.
    let project = with_command("echo x >&9; chmod 777 rules.drv; exit 0");
    project.write("nine", "");
    let line = format!(
        "{} {} '{}' {} {} 9>>nine",
        binary().display(),
        SIGN[..3].join(" "),
        SIGN[3],
        SIGN[4],
        SIGN[5]
    );
    let mut shell = Command::new("/bin/sh");
    let before = fs::metadata(project.path("rules.drv")).unwrap().permissions();
    let output = shell.args(["-c", &line]).current_dir(project.path("")).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert_eq!(fs::read(project.path("nine")).unwrap(), b"", "{told}");
    if has("mode", "seccomp") {
        assert_eq!(fs::metadata(project.path("rules.drv")).unwrap().permissions(), before);
    }
}

#[test]
fn a_command_sets_no_flags_of_files_and_reaches_no_queue_of_others() {
    if !has("mode", "seccomp") {
        return;
    }
    let run = |command: &str, arguments: &[&str]| {
        let output = Command::new(command).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let Some(made) = run("ipcmk", &["-Q"]) else {
        eprintln!("skipped: no ipcmk here, or no queues");
        return;
    };
    let queue = made.trim().rsplit(' ').next().unwrap();
    let project = with_command(&format!("ipcrm -q {queue}; chattr +d rules.drv; exit 0"));
    project.write("other", "");
    let path = |name: &str| project.path(name).display().to_string();
    let flags = || run("lsattr", &[&path("rules.drv")]);
    let before = flags();
    project.expect(2, &SIGN);
    // That it is still there to be removed shows that the command could not.
    assert!(run("ipcrm", &["-q", queue]).is_some(), "the queue is gone");
    if run("chattr", &["+d", &path("other")]).is_none() {
        eprintln!("skipped: no chattr here, or a file system without flags");
        return;
    }
    assert_eq!(flags(), before);
}

#[test]
fn the_environment_names_a_key_file_and_never_holds_the_key() {
    let project = with_command("");
    let run = |name: &str, value: &str| {
        let mut command = Command::new(binary());
        command.args(["sign", "rules.drv"]).current_dir(project.path("")).env(name, value).output().unwrap()
    };
    let text = fs::read_to_string(project.path("release.key")).unwrap();
    let secret = text.lines().nth(1).unwrap();
    let refused = run("DRIVEN_KEY", &text);
    let by_argument = project.run(&["sign", "rules.drv", "--json", "--key", &text]);
    let as_command = run("DRIVEN_KEY_COMMAND", &text);
    let as_public = run("DRIVEN_PUBLIC_KEY", &text);
    for output in [refused, by_argument, as_command, as_public, run("DRIVEN_KEY", secret)] {
        let told = [output.stdout, output.stderr].map(|told| String::from_utf8(told).unwrap()).concat();
        assert_eq!(output.status.code(), Some(2));
        assert!(told.contains("private key itself") && !told.contains(secret), "{told}");
    }
    assert!(!run("DRIVEN_OTHER", "release.key").status.success());
    assert!(!run("DRIVEN_KEY_COMMAND", "cat").status.success());
    assert!(run("DRIVEN_KEY", "release.key").status.success());
    project.expect(0, &["verify", "rules.drv", "--key", "release.pub"]);
}

#[test]
fn an_import_is_confined_and_a_link_out_of_the_project_is_not_followed() {
    let project = Project::new();
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("SECRET.md"), "The secret.\n").unwrap();
    fs::create_dir(project.path("foreign")).unwrap();
    project.write("foreign/AGENTS.md", "Be kind.\n");
    std::os::unix::fs::symlink(secret.path().join("SECRET.md"), project.path("foreign/CLAUDE.md")).unwrap();
    project.expect(0, &["import", "foreign", "-o", "taken", "--require-sandbox"]);
    let mut taken = String::new();
    for entry in fs::read_dir(project.path("taken")).unwrap() {
        taken.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    assert!(taken.contains("Be kind.") && !taken.contains("secret"), "{taken}");
    // A dry run can write nowhere at all, and findings keep their exit code.
    project.expect(0, &["import", "foreign", "-o", "other", "--dry-run"]);
    assert!(!project.path("other").exists());
    project.expect(2, &["import", "foreign", "-o", "taken"]);
    assert_eq!(project.json(0, &["import", "foreign", "--dry-run"])["written"], false);
}

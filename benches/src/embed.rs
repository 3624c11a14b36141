//! What embedding costs the crate that does it, small or of real size, and that the bytes are in the binary once.

use std::fs;
use std::path::Path;
use std::process::Command;

use driven_format::{Rule, RuleSet, write_pack};

use crate::data::Set;
use crate::harness::{children_cpu, median};
use crate::report::Report;

/// Bytes of text in the pack.
const BYTES: usize = 10 << 20;
const MARK: &str = "MARK-OF-THE-EMBEDDED-PACK";

pub fn report(root: &Path, twenty: &Set, whole: &Set, report: &mut Report) {
    small(root, report);
    programs(root, twenty, whole, report);
}

/// Crates that do nothing but embed.
fn small(root: &Path, report: &mut Report) {
    let dir = tempfile::tempdir().expect("a folder for the crates");
    let few = pack(4, BYTES);
    let many = pack(1370, BYTES);
    let crates = [
        (
            "include_bytes!",
            "static BYTES: &[u8] = include_bytes!(\"../rules.drv\");",
            "BYTES[std::env::args().count()] as usize",
            &few,
        ),
        (
            "include_rules!, file, 4 rules",
            "driven::include_rules!(mod rules, file = \"rules.drv\");",
            "rules::PACK.rules().map(|r| r.body().as_bytes()[std::env::args().count()] as usize).sum::<usize>()",
            &few,
        ),
        (
            "include_rules!, file and trust, 4 rules",
            "driven::include_rules!(mod rules, file = \"rules.drv\", trust = \"rules.pub\");",
            "rules::PACK.rules().map(|r| r.body().as_bytes()[std::env::args().count()] as usize).sum::<usize>()",
            &few,
        ),
        (
            "include_rules!, file, 1370 rules",
            "driven::include_rules!(mod rules, file = \"rules.drv\");",
            "rules::PACK.rules().map(|r| r.body().as_bytes()[std::env::args().count()] as usize).sum::<usize>()",
            &many,
        ),
    ];
    let key = driven_format::trust::SecretKey::from_seed(&zeroize::Zeroizing::new([7; 32]));
    for (index, (_, item, value, pack)) in crates.iter().enumerate() {
        let folder = dir.path().join(format!("c{index}"));
        fs::create_dir_all(folder.join("src")).expect("the folder is ours");
        let signed = driven_build::sign_pack(pack, &key, 0).expect("a pack can be signed");
        fs::write(folder.join("rules.drv"), signed).expect("the folder is ours");
        fs::write(folder.join("rules.pub"), key.public_key().to_pem()).expect("the folder is ours");
        let main = format!("{item}\nfn main() {{ println!(\"{{}}\", {value}); }}\n");
        fs::write(folder.join("src/main.rs"), main).expect("the folder is ours");
        let manifest = format!(
            "[package]\nname = \"c{index}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             driven = {{ path = {:?}, features = [\"trust\"] }}\n",
            root.join("driven")
        );
        fs::write(folder.join("Cargo.toml"), manifest).expect("the folder is ours");
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the folder is ours");
        build(&folder, dir.path());
    }
    let mut seconds = vec![Vec::new(); crates.len()];
    for _ in 0..7 {
        for (index, seconds) in seconds.iter_mut().enumerate() {
            let folder = dir.path().join(format!("c{index}"));
            // Its text changes, so that Cargo has this one crate to compile.
            let main = fs::read_to_string(folder.join("src/main.rs")).expect("it was written");
            fs::write(folder.join("src/main.rs"), main + "\n").expect("the folder is ours");
            let before = children_cpu();
            build(&folder, dir.path());
            seconds.push(children_cpu() - before);
        }
    }
    let over: Vec<f64> = seconds
        .iter()
        .map(|own| median(own.iter().zip(&seconds[0]).map(|(own, plain)| own / plain).collect()))
        .collect();
    let medians: Vec<f64> = seconds.iter().map(|own| median(own.clone())).collect();
    let rows: Vec<Vec<String>> = crates
        .iter()
        .enumerate()
        .map(|(index, (name, ..))| {
            let binary = fs::read(dir.path().join(format!("target/release/c{index}"))).expect("it was built");
            let times = memchr::memmem::find_iter(&binary, MARK.as_bytes()).count();
            vec![
                (*name).into(),
                format!("{:.3}", medians[index]),
                format!("{:.2}", over[index]),
                times.to_string(),
                binary.len().to_string(),
            ]
        })
        .collect();
    report.heading("Embedding", "A crate with a pack of 10 MB, compiled again in release after an edit; user and system time of Cargo and rustc.");
    let head = ["", "CPU seconds", "against `include_bytes!`", "times in the binary", "bytes of the binary"];
    report.table("compiling a crate that embeds 10 MB", &head, &rows);
    report.at_most("compile time, `include_rules!` of 10 MB, against `include_bytes!`", 1.3, over[1]);
    report.at_most(
        "compile time, `include_rules!` of 10 MB with `trust`, against `include_bytes!`",
        1.5,
        over[2],
    );
    report.at_most("compile time of a rule's name, ms", 0.1, (medians[3] - medians[1]) * 1e3 / 1366.0);
    let once = rows.iter().all(|row| row[3] == "1");
    report.at_most("copies of the pack in the binary", 1.0, if once { 1.0 } else { 2.0 });
}

/// The crate that stands for a program: a copy of it embeds the pack.
const PROGRAM: &str = "driven-build";
/// What is compiled, and how often.
const COMMANDS: [(&[&str], usize); 3] = [(&["check"], 15), (&["build"], 15), (&["build", "--release"], 9)];

/// A program, and how it has the rules.
struct Program<'s> {
    name: &'static str,
    /// What has them.
    item: String,
    /// A crate of its own for the item, upon which the program depends.
    is_apart: bool,
    /// What the program asks the module for that the item is.
    asked: &'static str,
    set: &'s Set,
}

/// What the macro adds to the compile time of a crate of real size, beside what that varies by.
fn programs(root: &Path, twenty: &Set, whole: &Set, report: &mut Report) {
    let opened = |name, is_apart, set| Program {
        name,
        item: "/// The pack.\npub mod embedded {\n/// Its bytes.\n\
            pub static BYTES: &[u8] = include_bytes!(\"../rules.drv\");\n}\n"
            .into(),
        is_apart,
        asked: "/// A rule.\npub fn rule() -> String {\n\
            let pack = driven::Pack::open(embedded::BYTES).expect(\"it was built\");\n\
            pack.rule(\"ID\").expect(\"it is there\").body().to_owned()\n}\n",
        set,
    };
    let embedded = |name, arguments: &str, is_apart, set| Program {
        name,
        item: format!("driven::include_rules!(pub mod embedded, file = \"rules.drv\"{arguments});\n"),
        is_apart,
        asked: "/// A rule.\npub fn rule() -> String {\n\
            let id = embedded::ids::NAME;\n\
            format!(\"{id}: {}\", embedded::get(id).body())\n}\n",
        set,
    };
    let trust = ", trust = \"rules.pub\"";
    let programs = [
        opened("`include_bytes!`, opened at run time", false, whole),
        opened("the same again", false, whole),
        embedded("`include_rules!`, file", "", false, whole),
        embedded("`include_rules!`, file and trust", trust, false, whole),
        embedded("`include_rules!`, file and trust, 20 rules", trust, false, twenty),
        opened("`include_bytes!` in a crate of its own", true, whole),
        embedded("`include_rules!`, file and trust, in a crate of its own", trust, true, whole),
    ];
    // Of a crate to be judged, that beside which it stands.
    let judged = [(2, 0), (3, 0), (4, 0), (6, 5)];
    let apart = [5, 6];
    let dir = tempfile::tempdir().expect("a folder for the crates");
    let lines = write_programs(root, dir.path(), &programs);
    let mut rows: Vec<Vec<String>> = programs.iter().map(|program| vec![program.name.to_owned()]).collect();
    let mut apart_rows: Vec<Vec<String>> =
        ["`include_bytes!`", "`include_rules!`, file and trust"].map(|name| vec![name.to_owned()]).into();
    let mut verdicts = Vec::new();
    for (command, rounds) in COMMANDS {
        let shown = command.join(" ");
        let crates: Vec<String> = (0..programs.len()).map(|index| format!("p{index}")).collect();
        let seconds = time_crates(dir.path(), command, rounds, &crates);
        tell(&seconds, &mut rows);
        for (index, beside) in judged {
            let claim = format!("`cargo {shown}` of a program, {}", programs[index].name);
            verdicts.push((claim, ratio(&seconds[index], &seconds[beside])));
        }
        let seconds = time_crates(dir.path(), command, rounds, &apart.map(|index| format!("r{index}")));
        tell(&seconds, &mut apart_rows);
        let claim = format!("`cargo {shown}` of that crate itself");
        verdicts.push((claim, ratio(&seconds[1], &seconds[0])));
    }
    report.heading(
        "Embedding in a program",
        &format!(
            "A crate (a copy of `{PROGRAM}`, {lines} lines of Rust, of which features leave some out) with a signed \
             pack of {} real rules, {} bytes, or of 20 of them, {} bytes, compiled again after a line end was added to \
             its `lib.rs`: incrementally, as Cargo does by itself, but for release. User and system time of Cargo and \
             rustc; what is added is that of a round against the first row's of that round, in the median and from the \
             first to the third quarter. The row \"the same again\" tells what crates without a difference differ by. \
             In the last two rows the pack is in another crate, which the program depends upon: after an edit of the \
             program that is not compiled again, and what it takes when its pack changes is in the second table.",
            whole.facts.len(),
            whole.pack.len(),
            twenty.pack.len(),
        ),
    );
    let head: Vec<String> = COMMANDS
        .iter()
        .flat_map(|(command, _)| [format!("`cargo {}`, CPU seconds", command.join(" ")), "added, ms".into()])
        .collect();
    let head: Vec<&str> = std::iter::once("").chain(head.iter().map(String::as_str)).collect();
    report.table("compiling a program that embeds real rules", &head, &rows);
    report.table("compiling the crate of its own, when its pack changes", &head, &apart_rows);
    for (claim, over) in verdicts {
        report.at_most(&format!("{claim}, against `include_bytes!`"), 1.05, over);
    }
}

/// Adds the cells of a command to the rows: seconds, and what is added to those of the first row.
fn tell(seconds: &[Vec<f64>], rows: &mut [Vec<String>]) {
    for (row, own) in rows.iter_mut().zip(seconds) {
        let mut added: Vec<f64> =
            own.iter().zip(&seconds[0]).map(|(own, plain)| (own - plain) * 1e3).collect();
        added.sort_by(f64::total_cmp);
        let [low, middle, high] = [1, 2, 3].map(|quarter| added[(added.len() - 1) * quarter / 4]);
        row.push(format!("{:.3}", median(own.clone())));
        row.push(format!("{middle:+.0} ({low:+.0} – {high:+.0})"));
    }
}

/// The median of what rounds of one are to those of the other.
fn ratio(own: &[f64], beside: &[f64]) -> f64 {
    median(own.iter().zip(beside).map(|(own, beside)| own / beside).collect())
}

/// Writes a workspace with driven's own crates and the programs; gives how many lines a program has.
fn write_programs(root: &Path, dir: &Path, programs: &[Program<'_>]) -> usize {
    let libraries = ["driven-format", "driven", "driven-macros"];
    let workspace = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace has a manifest");
    let shared = workspace.find("[workspace.package]").expect("the manifest has it");
    // Profiles are those of a new project.
    let profiles = workspace.find("\n[profile.").unwrap_or(workspace.len());
    let head = "[workspace]\nresolver = \"3\"\nmembers = [\"driven*\", \"p*\", \"r*\"]\n".to_owned();
    write(&dir.join("Cargo.toml"), head + &workspace[shared..profiles]);
    fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).expect("the folder is ours");
    fs::copy(root.join("README.md"), dir.join("README.md")).expect("the folder is ours");
    for library in libraries {
        copy_folder(&root.join(library), &dir.join(library));
    }
    let key = driven_format::trust::SecretKey::from_seed(&zeroize::Zeroizing::new([7; 32]));
    let driven = "driven = { workspace = true, features = [\"std\", \"macros\", \"trust\"] }";
    let mut lines = 0;
    for (index, program) in programs.iter().enumerate() {
        let folder = dir.join(format!("p{index}"));
        lines = copy_folder(&root.join(PROGRAM), &folder);
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("it was copied");
        let depended = if program.is_apart {
            format!("{driven}\nr{index} = {{ path = \"../r{index}\" }}")
        } else {
            driven.to_owned()
        };
        let text = text
            .replace(&format!("name = \"{PROGRAM}\""), &format!("name = \"p{index}\""))
            .replace("driven = { workspace = true, features = [\"state\"], optional = true }", &depended)
            .replace("\"dep:driven\", ", "");
        assert!(text.contains(&depended), "{PROGRAM} depends upon driven in another way");
        write(&manifest, text);
        let lib = fs::read_to_string(folder.join("src/lib.rs")).expect("it was copied");
        write(&folder.join("src/lib.rs"), lib + "/// What is embedded.\npub mod embedding;\n");
        let id = &program.set.model.rules[0].id;
        let name = driven_format::rust_path(id).join("::");
        let [item, asked] =
            [&*program.item, program.asked].map(|text| text.replace("ID", id).replace("NAME", &name));
        let with_pack = if program.is_apart {
            write(&folder.join("src/embedding.rs"), format!("use r{index}::embedded;\n{asked}"));
            let apart = dir.join(format!("r{index}"));
            fs::create_dir_all(apart.join("src")).expect("the folder is ours");
            let head = format!("[package]\nname = \"r{index}\"\nversion = \"0.0.0\"\nedition = \"2024\"");
            write(&apart.join("Cargo.toml"), format!("{head}\n[dependencies]\n{driven}\n"));
            write(&apart.join("src/lib.rs"), item);
            apart
        } else {
            write(&folder.join("src/embedding.rs"), item + &asked);
            folder
        };
        let signed = driven_build::sign_pack(&program.set.pack, &key, 0).expect("a pack can be signed");
        write(&with_pack.join("rules.drv"), signed);
        write(&with_pack.join("rules.pub"), key.public_key().to_pem());
    }
    lines
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).expect("the folder is ours");
}

/// CPU seconds of each crate by round, each compiled again after an edit.
fn time_crates(dir: &Path, command: &[&str], rounds: usize, crates: &[String]) -> Vec<Vec<f64>> {
    let run = |name: &str| {
        let built = Command::new("cargo")
            .args(command)
            .args(["--offline", "--quiet", "--package", name])
            .current_dir(dir)
            .env_remove("CARGO_INCREMENTAL")
            .env("CARGO_TARGET_DIR", dir.join("target"))
            .output()
            .expect("cargo can be run");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    };
    crates.iter().for_each(|name| run(name));
    let mut seconds = vec![Vec::new(); crates.len()];
    for round in 0..rounds {
        for index in (0..crates.len()).map(|index| (index + round) % crates.len()) {
            let lib = dir.join(&crates[index]).join("src/lib.rs");
            let text = fs::read_to_string(&lib).expect("it was written");
            write(&lib, text + "\n");
            let before = children_cpu();
            run(&crates[index]);
            seconds[index].push(children_cpu() - before);
        }
    }
    seconds
}

/// Copies a folder; gives how many lines of Rust there are in it.
fn copy_folder(from: &Path, to: &Path) -> usize {
    fs::create_dir_all(to).expect("the folder is ours");
    let mut lines = 0;
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("the folder is there").path();
        let to = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            lines += copy_folder(&path, &to);
            continue;
        }
        let bytes = fs::read(&path).expect("the file is there");
        if path.extension().is_some_and(|extension| extension == "rs") {
            lines += bytes.iter().filter(|&&byte| byte == b'\n').count();
        }
        fs::write(to, bytes).expect("the folder is ours");
    }
    lines
}

fn pack(rules: usize, bytes: usize) -> Vec<u8> {
    let line = "- A line of text as rules have it, of no particular content.\n";
    let rules = (0..rules).map(|index| {
        let mark = if index == 0 { MARK } else { "" };
        let mut rule = Rule::new(
            format!("group-{}/rule-{index}", index % 10),
            mark.to_owned() + &line.repeat(bytes / rules / line.len()),
        );
        rule.description = format!("What rule {index} is about, in a line");
        rule
    });
    write_pack(&RuleSet { rules: rules.collect(), ..RuleSet::default() }).expect("the model is in order")
}

fn build(folder: &Path, target: &Path) {
    let built = Command::new("cargo")
        .args(["build", "--release", "--offline", "--quiet", "--target-dir"])
        .arg(target.join("target"))
        .current_dir(folder)
        .output()
        .expect("cargo can be run");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

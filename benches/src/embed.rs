//! What embedding costs the crate that does it, and that the bytes are in the binary once.

use std::fs;
use std::path::Path;
use std::process::Command;

use driven_format::{Rule, RuleSet, write_pack};

use crate::harness::{children_cpu, median};
use crate::report::Report;

/// Bytes of text in the pack.
const BYTES: usize = 10 << 20;
const MARK: &str = "MARK-OF-THE-EMBEDDED-PACK";

pub fn report(root: &Path, report: &mut Report) {
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
    report.at_most("the same with `trust`", 1.5, over[2]);
    report.at_most("compile time of a rule's name, ms", 0.1, (medians[3] - medians[1]) * 1e3 / 1366.0);
    let once = rows.iter().all(|row| row[3] == "1");
    report.at_most("copies of the pack in the binary", 1.0, if once { 1.0 } else { 2.0 });
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

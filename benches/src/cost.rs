//! What driven costs its users: crates, and seconds of a cold build.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::children_cpu;
use crate::report::Report;

pub fn report(root: &Path, report: &mut Report) {
    let cases = [
        ("driven, no features", "driven", "default-features = false", "dependencies"),
        ("driven", "driven", "", "dependencies"),
        ("driven with trust", "driven", "features = [\"trust\"]", "dependencies"),
        ("driven-build (in [build-dependencies])", "driven-build", "", "build-dependencies"),
        ("driven-build with sign", "driven-build", "features = [\"sign\"]", "build-dependencies"),
        (
            "driven-build with dependencies",
            "driven-build",
            "features = [\"dependencies\"]",
            "build-dependencies",
        ),
        ("driven-build with secrets", "driven-build", "features = [\"secrets\"]", "build-dependencies"),
        ("driven-assistants", "driven-assistants", "", "dependencies"),
    ];
    let rows: Vec<Vec<String>> =
        cases.iter().map(|(name, krate, options, kind)| measure(root, name, krate, options, kind)).collect();
    report.heading(
        "What it costs to depend on",
        "A new crate with this one dependency, built cold: `cargo build`, user and system time.",
    );
    report.table("cold builds", &["", "crates", "CPU seconds, debug"], &rows);
}

fn measure(root: &Path, name: &str, krate: &str, options: &str, kind: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder for the crate");
    fs::create_dir(dir.path().join("src")).expect("the folder is ours");
    fs::write(dir.path().join("src/lib.rs"), "").expect("the folder is ours");
    fs::write(dir.path().join("build.rs"), "fn main() {}").expect("the folder is ours");
    let comma = if options.is_empty() { "" } else { ", " };
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[{kind}]\n{krate} = {{ path = {:?}{comma}{options} }}\n",
        root.join(krate)
    );
    fs::write(dir.path().join("Cargo.toml"), manifest).expect("the folder is ours");
    fs::copy(root.join("Cargo.lock"), dir.path().join("Cargo.lock")).expect("the folder is ours");
    let tree = Command::new("cargo")
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p}", "-e", "normal,build"])
        .current_dir(dir.path())
        .output()
        .expect("cargo can be run");
    let text = String::from_utf8_lossy(&tree.stdout);
    let mut crates: Vec<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).skip(1).collect();
    crates.sort_unstable();
    crates.dedup();
    let before = children_cpu();
    let built = Command::new("cargo")
        .args(["build", "--offline", "--quiet"])
        .current_dir(dir.path())
        .output()
        .expect("cargo can be run");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    vec![name.into(), crates.len().to_string(), format!("{:.1}", children_cpu() - before)]
}

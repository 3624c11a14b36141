//! Rules written out to every assistant, beside rulesync, which is run from its registry where it can be installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use driven_format::{Activation, Rule, RuleSet};

use crate::harness::{children_cpu, median};
use crate::report::Report;

/// How many rules, and how often each run is made.
const RULES: usize = 400;
const ROUNDS: usize = 3;
/// The version of the rival.
const RIVAL: &str = "rulesync@17.0.0";

/// One tool in its own project, whose runs take turns with the other's.
struct Tool {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// Writes the sources into a project.
    sources: fn(&[Rule], &Path),
}

pub fn report(root: &Path, rules: &RuleSet, report: &mut Report) {
    let work = tempfile::tempdir().expect("a folder for the projects");
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let mut tools = vec![Tool {
        name: "driven",
        program: build(root),
        arguments: words("sync --target *"),
        sources: write_ours,
    }];
    match install(work.path()) {
        Some(program) => tools.push(Tool {
            name: RIVAL,
            program,
            arguments: words("generate --targets * --features rules --silent"),
            sources: write_theirs,
        }),
        None => eprintln!("skipped: {RIVAL} could not be installed by npm"),
    }
    let rules = &rules.rules[..RULES.min(rules.rules.len())];
    let mut seconds = vec![[const { Vec::new() }; 3]; tools.len()];
    let mut files = vec![0; tools.len()];
    for round in 0..ROUNDS {
        for (index, tool) in tools.iter().enumerate() {
            // Each round has a folder of its own: a file system that just removed many files is slow to make new ones.
            let project = work.path().join(format!("{index}-{round}"));
            fs::create_dir(&project).expect("the folder is ours");
            (tool.sources)(rules, &project);
            let before = count(&project);
            for figure in &mut seconds[index][..2] {
                figure.push(tool.run(&tool.arguments, &project));
            }
            files[index] = count(&project) - before;
            for _ in 0..5 {
                seconds[index][2].push(tool.run(&["--version".to_owned()], &project));
            }
        }
    }
    let medians: Vec<[f64; 3]> = seconds.into_iter().map(|figures| figures.map(median)).collect();
    report.heading(
        "Writing rules out to assistants",
        "The same 400 rules of the corpus, scoped by globs and always active ones, from a folder to every target that \
         the tool has; then the same again with nothing changed; then `--version`. User and system time of the process. \
         driven's includes that it checks the rules and looks for hidden text in them.",
    );
    let row = |(tool, (figures, files)): (&Tool, (&[f64; 3], &usize))| {
        let [fresh, same, start] = figures;
        let figures = [format!("{fresh:.2}"), format!("{same:.2}"), format!("{:.1}", start * 1e3)];
        [vec![tool.name.to_owned(), files.to_string()], figures.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = tools.iter().zip(medians.iter().zip(&files)).map(row).collect();
    let head = ["", "files written", "fresh, CPU s", "nothing changed, CPU s", "`--version`, CPU ms"];
    report.table("400 rules, every target", &head, &rows);
    if let [ours, theirs] = medians[..] {
        report.at_least("400 rules to all targets, CPU, against rulesync", 10.0, theirs[0] / ours[0]);
        report.at_least("the same with nothing changed, CPU, against rulesync", 50.0, theirs[1] / ours[1]);
    }
    report.at_most("start-up of `driven --version`, CPU ms", 10.0, medians[0][2] * 1e3);
}

impl Tool {
    /// Runs once, and gives the processor time in seconds.
    fn run(&self, arguments: &[String], project: &Path) -> f64 {
        let before = children_cpu();
        let run = Command::new(&self.program).args(arguments).current_dir(project).output();
        let run = run.expect("the tool can be run");
        assert!(run.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&run.stderr));
        children_cpu() - before
    }
}

fn build(root: &Path) -> PathBuf {
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "-p", "driven-cli", "--message-format", "json"])
        .current_dir(root)
        .output()
        .expect("cargo can be run");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).expect("cargo writes UTF-8");
    let programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.rev().find(|path| path.ends_with("driven")).expect("the command was built")
}

/// Installs the rival; nothing where that can't be done.
fn install(work: &Path) -> Option<PathBuf> {
    let folder = work.join("rival");
    fs::create_dir(&folder).ok()?;
    fs::write(folder.join("package.json"), "{}").ok()?;
    let arguments = ["install", "--silent", "--no-audit", "--no-fund", RIVAL];
    let installed = Command::new("npm").args(arguments).current_dir(&folder).output().ok()?;
    let program = folder.join("node_modules/.bin/rulesync");
    (installed.status.success() && program.exists()).then_some(program)
}

fn count(folder: &Path) -> usize {
    let entries =
        fs::read_dir(folder).expect("the folder is ours").map(|entry| entry.expect("it can be read").path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

fn write_ours(rules: &[Rule], project: &Path) {
    let set = RuleSet { rules: rules.to_vec(), ..RuleSet::default() };
    driven_build::write_folder(&set, &project.join("rules")).expect("the rules can be files");
}

fn write_theirs(rules: &[Rule], project: &Path) {
    for rule in rules {
        let globs: Vec<String> = match rule.activation {
            Activation::Globs => rule.globs.clone(),
            _ => vec!["**/*".into()],
        };
        let head = format!(
            "---\nroot: false\ntargets: [\"*\"]\ndescription: {}\nglobs: {}\n---\n{}",
            serde_json::json!(rule.description),
            serde_json::json!(globs),
            rule.body
        );
        let path = project.join(".rulesync/rules").join(format!("{}.md", rule.id.replace('/', "-")));
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder is ours");
        fs::write(path, head).expect("the folder is ours");
    }
}

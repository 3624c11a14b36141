//! The text of `CLAIMS.md`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::data::Set;
use crate::harness::Timed;

/// Tables and verdicts, as they are measured.
pub struct Report {
    head: String,
    body: String,
    verdicts: Vec<(String, String, f64, bool)>,
}

const DEFINITIONS: &str = "\
## Words

- **ready**: any field of any rule can be read. For an embedded pack that was proved while the program was compiled,
  this is the state at start-up.
- **opened**: what each library does before any field can be read safely from bytes that it does not trust. For
  `LazyPack`: structure, all tables and all names are proved, bodies are not touched.
- **all proved**: `Pack`: also that all text is UTF-8, and that every range lies within its body and cuts no character.
  Rivals prove UTF-8 and their own structure; beside the row of what they do stands one with the ranges checked too,
  which a program must do by itself before it may cut a text by them without a panic.
- **all read**: opened, then every field of every rule is read once and added up.

Every library holds the same facts: id, description, activation, globs, priority, category, tags, languages, when,
targets, requires, conflicts, replaces, capabilities, body, and the outline as kind, level, start and length. Bodies are
stored once, ranges as numbers, in every form.

A figure is the median of 41 rounds, in which the contestants take turns; the spread is from the first to the third
quarter; a ratio is the median of the rounds' ratios. Machines differ and are shared: trust ratios within a table.
";

impl Report {
    pub fn new(root: &Path, twenty: &Set, whole: &Set) -> Self {
        let mut head = String::from(
            "# Claims\n\nWritten by `DRIVEN_CORPUS=... cargo run --release --manifest-path benches/Cargo.toml`; not by hand.\n\n",
        );
        let commit = output(Command::new("git").args([
            "-C",
            &root.to_string_lossy(),
            "rev-parse",
            "--short=12",
            "HEAD",
        ]));
        let _ = writeln!(
            head,
            "- machine: {}, {} cores, Linux",
            cpu(),
            std::thread::available_parallelism().map_or(0, usize::from)
        );
        let _ = writeln!(head, "- compiler: {}", output(Command::new("rustc").arg("--version")));
        let _ = writeln!(head, "- commit: {commit} (and what was changed since, when this file was written)");
        let _ = writeln!(
            head,
            "- input: {} real rule files, {} bytes of source; and {} of them, evenly spread, {} bytes\n",
            whole.facts.len(),
            whole.source_bytes,
            twenty.facts.len(),
            twenty.source_bytes
        );
        Report { head, body: String::new(), verdicts: Vec::new() }
    }

    pub fn heading(&mut self, title: &str, text: &str) {
        let _ = writeln!(self.body, "## {title}\n");
        if !text.is_empty() {
            let _ = writeln!(self.body, "{text}\n");
        }
    }

    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "{text}\n");
    }

    /// A table of times; ratios are against its first row.
    pub fn times(&mut self, title: &str, timed: &[Timed]) {
        eprintln!("{title}");
        let _ = writeln!(
            self.body,
            "### {title}\n\n| | median | spread | against the first |\n|---|--:|--:|--:|"
        );
        for row in timed {
            let (low, high) = row.spread();
            eprintln!("  {:<48} {:>12} {:>8.2}", row.name, time(row.median()), row.over(&timed[0]));
            let _ = writeln!(
                self.body,
                "| {} | {} | {} – {} | {:.2} |",
                row.name,
                time(row.median()),
                time(low),
                time(high),
                row.over(&timed[0])
            );
        }
        self.body.push('\n');
    }

    /// A table of other figures.
    pub fn table(&mut self, title: &str, head: &[&str], rows: &[Vec<String>]) {
        eprintln!("{title}");
        let _ = writeln!(
            self.body,
            "### {title}\n\n| {} |\n|---{}|",
            head.join(" | "),
            "|--:".repeat(head.len() - 1)
        );
        for row in rows {
            eprintln!("  {}", row.join("  "));
            let _ = writeln!(self.body, "| {} |", row.join(" | "));
        }
        self.body.push('\n');
    }

    /// Whether a goal is reached: `factor` must be at least (or, for costs, at most) `goal`.
    pub fn at_least(&mut self, claim: &str, goal: f64, factor: f64) {
        self.verdicts.push((claim.into(), format!("≥ {goal}"), factor, factor >= goal));
    }

    pub fn at_most(&mut self, claim: &str, goal: f64, factor: f64) {
        self.verdicts.push((claim.into(), format!("≤ {goal}"), factor, factor <= goal));
    }

    pub fn text(&self) -> String {
        let mut text = self.head.clone();
        for (title, held) in [("## What holds", true), ("## Where we fall short", false)] {
            let rows: Vec<_> = self.verdicts.iter().filter(|verdict| verdict.3 == held).collect();
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{title}\n\n| | goal | measured |\n|---|--:|--:|");
            for (claim, goal, factor, _) in rows {
                let _ = writeln!(text, "| {claim} | {goal} | {factor:.2} |");
            }
            text.push('\n');
        }
        let _ = writeln!(text, "{DEFINITIONS}");
        text.push_str(self.body.trim_end());
        text.push('\n');
        text
    }
}

/// A duration in the unit that fits.
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        value if value < 1e3 => format!("{value:.1} ns"),
        value if value < 1e6 => format!("{:.2} µs", value / 1e3),
        value => format!("{:.2} ms", value / 1e6),
    }
}

fn output(command: &mut Command) -> String {
    command
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".into(), |(_, name)| name.to_owned())
}

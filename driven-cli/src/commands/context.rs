//! `driven context`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use driven::{Activation, Pack, ProjectPath, RuleView};
use driven_build::printable;
use serde_json::{Value, json};
use tiktoken_rs::o200k_base_singleton;

use crate::output::Output;
use crate::{Exit, Failure, Outcome, source};

/// How tokens are counted.
const TOKENIZER: &str = "o200k_base";
/// Words of a task that say nothing about it.
const COMMON: [&str; 16] = [
    "the", "and", "for", "with", "that", "this", "from", "into", "are", "all", "use", "add", "new", "how",
    "when", "not",
];

/// Print what the rules say about files, within a budget of tokens
///
/// Rules come by falling priority: those that are always active, those whose
/// globs match, and with --for those whose description shares words with the
/// task. What does not fit the budget is named on stderr, with the reason.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven context src/main.rs\n  driven context src/a.rs tests/a.rs --budget 4000\n  \
                  driven context src/db.rs --for 'write a migration' --json\n  driven context src/a.rs --rules rules.drv"
)]
pub(crate) struct Context {
    /// Files, relative to the project
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The most tokens to print, as the tokenizer `o200k_base` counts
    #[arg(long, value_name = "TOKENS")]
    budget: Option<usize>,
    /// What is to be done: rules that the model may choose are chosen by its words
    #[arg(long = "for", value_name = "TASK")]
    task: Option<String>,
    /// A pack or a rule folder; by default the project's
    #[arg(long, value_name = "SOURCE")]
    rules: Option<PathBuf>,
}

/// A rule that applies, and why.
struct Applies<'a> {
    rule: RuleView<'a>,
    why: String,
    text: String,
    tokens: usize,
}

impl Context {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let root = Path::new(".");
        let source = source::find(self.rules.as_deref(), root)?;
        let Some(bytes) = source::load(&source, root, false, output)? else { return Ok(Exit::Findings) };
        let pack = bytes.open()?;
        let applies = self.applies(&pack)?;
        let (mut kept, mut left_out) = (Vec::new(), Vec::new());
        let mut used = 0;
        let replaced: BTreeMap<&str, &str> = applies
            .iter()
            .flat_map(|one| one.rule.replaces().iter().map(|id| (id, one.rule.id())).collect::<Vec<_>>())
            .collect();
        for one in applies {
            if let Some(other) = replaced.get(one.rule.id()) {
                let why = format!("`{other}` takes its place");
                left_out.push((one, why));
            } else if self.budget.is_some_and(|budget| used + one.tokens > budget) {
                let rest = self.budget.unwrap_or_default().saturating_sub(used);
                let why = format!("{} tokens, {rest} are left of the budget", one.tokens);
                left_out.push((one, why));
            } else {
                used += one.tokens;
                kept.push(one);
            }
        }
        self.print(&kept, &left_out, used, output);
        Ok(Exit::Clean)
    }

    /// The rules that apply, by falling priority.
    fn applies<'a>(&self, pack: &Pack<'a>) -> Result<Vec<Applies<'a>>, Failure> {
        let tokenizer = o200k_base_singleton();
        let mut found: Vec<(RuleView<'a>, String)> = Vec::new();
        for path in &self.paths {
            let path = ProjectPath::from_os(path);
            let path = path.as_str();
            if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(Failure::new("path", format!("{path}: not relative to the project"))
                    .hint("give paths below the project's folder, as git does"));
            }
            for rule in pack.for_path(path) {
                let why = match rule.activation() {
                    Activation::Always => "always".to_owned(),
                    _ => format!("matches {path}"),
                };
                if !found.iter().any(|(known, _)| known.id() == rule.id()) {
                    found.push((rule, why));
                }
            }
        }
        if let Some(task) = &self.task {
            let words = words_of(task);
            for rule in pack.activated(Activation::Agent) {
                let about = format!(
                    "{} {} {}",
                    rule.id(),
                    rule.description(),
                    rule.tags().iter().collect::<Vec<_>>().join(" ")
                );
                let shared: Vec<String> = words_of(&about).intersection(&words).cloned().collect();
                if !shared.is_empty() {
                    found.push((rule, format!("shares `{}` with the task", shared.join("`, `"))));
                }
            }
            for rule in pack.activated(Activation::Manual).filter(|rule| names(task, rule.id())) {
                found.push((rule, "named by the task".into()));
            }
        }
        found.sort_by(|(a, _), (b, _)| (b.priority(), a.id()).cmp(&(a.priority(), b.id())));
        let applies = found.into_iter().map(|(rule, why)| {
            let text = format!("<!-- {} -->\n{}\n", rule.id().replace("--", "- -"), rule.body().trim_end());
            let tokens = tokenizer.encode_ordinary(&text).len();
            Applies { rule, why, text, tokens }
        });
        Ok(applies.collect())
    }

    fn print(
        &self,
        kept: &[Applies<'_>],
        left_out: &[(Applies<'_>, String)],
        used: usize,
        output: &mut Output,
    ) {
        let rules: Vec<Value> = kept
            .iter()
            .map(|one| {
                json!({
                    "rule": one.rule.id(),
                    "why": one.why,
                    "priority": one.rule.priority(),
                    "tokens": one.tokens,
                    "body": one.rule.body(),
                })
            })
            .collect();
        let out: Vec<Value> = left_out
            .iter()
            .map(|(one, why)| json!({ "rule": one.rule.id(), "tokens": one.tokens, "why": why }))
            .collect();
        let value = json!({
            "rules": rules,
            "left_out": out,
            "tokens": used,
            "budget": self.budget,
            "tokenizer": TOKENIZER,
        });
        if kept.is_empty() && left_out.is_empty() && !output.is_json() {
            output.note("no rule applies");
            return;
        }
        if output.is_json() {
            return output.value(&value);
        }
        for (index, one) in kept.iter().enumerate() {
            output.line(&format!("{}{}", if index > 0 { "\n" } else { "" }, one.text.trim_end()));
        }
        let mut talk = String::new();
        for one in kept {
            let _ =
                writeln!(talk, "{:>6}  {}  {}", one.tokens, printable(one.rule.id()), printable(&one.why));
        }
        for (one, why) in left_out {
            let _ = writeln!(talk, "left out: {}: {}", printable(one.rule.id()), printable(why));
        }
        let _ = write!(talk, "{used:>6}  tokens of {TOKENIZER}");
        output.note(&talk);
    }
}

/// The words of a text that tell what it is about.
fn words_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !char.is_alphanumeric()).map(str::to_lowercase);
    let long = words.filter(|word| word.chars().count() > 2 && !COMMON.contains(&word.as_str()));
    // `tests` and `test` are one word here.
    long.map(|word| word.strip_suffix('s').filter(|stem| stem.len() > 2).map_or(word.clone(), str::to_owned))
        .collect()
}

/// Whether a task calls for a rule by its name: `@name`, or its id as a word.
fn names(task: &str, id: &str) -> bool {
    let name = id.rsplit('/').next().unwrap_or(id);
    let is_word =
        |word: &str| word == id || word.strip_prefix('@').is_some_and(|word| word == id || word == name);
    task.split(|char: char| char.is_whitespace() || ",;.".contains(char)).any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_rules_meet_by_words() {
        assert_eq!(
            words_of("Write the tests for a migration"),
            ["migration", "test", "write"].map(str::to_owned).into()
        );
        assert!(names("do it as @naming says", "style/naming"));
        assert!(names("see style/naming.", "style/naming"));
        assert!(!names("naming", "style/naming"));
    }
}

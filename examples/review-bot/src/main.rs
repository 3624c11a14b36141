//! Prints, for each file that a revision range changes, the rules to hold against it.
//!
//! ```text
//! cargo run -p review-bot -- . HEAD~1..HEAD 2000
//! ```
//! The last argument is a budget in tokens for each file. A token is taken for
//! four bytes, which is close for English; put your model's tokenizer in
//! [`tokens`] when it must be exact.

use std::env;
use std::process::{Command, ExitCode};

use driven::{ProjectPath, RuleView};

driven::include_rules!(pub mod rules);

const USAGE: &str = "usage: review-bot REPOSITORY RANGE [TOKENS], as in: review-bot . HEAD~1..HEAD 2000";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (Some(repository), Some(range)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let Ok(budget) = arguments.get(2).map_or(Ok(2000), |text| text.parse()) else {
        eprintln!("the budget is a number of tokens\n{USAGE}");
        return ExitCode::from(2);
    };
    match changed_files(repository, range) {
        Ok(files) => {
            for file in &files {
                review(file, budget);
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// The files that exist after the range, as git names them.
fn changed_files(repository: &str, range: &str) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args([
            "-C",
            repository,
            "diff",
            "--name-only",
            "-z",
            "--diff-filter=d",
            "--end-of-options",
            range,
            "--",
        ])
        .output()
        .map_err(|err| format!("git can't be run: {err}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let names = output.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Prints the rules of one file in order of priority, as many as fit.
fn review(file: &str, budget: usize) {
    println!("## {file}\n");
    let path = ProjectPath::from_os(file.as_ref());
    let mut left = budget;
    let mut left_out = Vec::new();
    for rule in rules::PACK.for_path(path.as_str()) {
        match left.checked_sub(tokens(&rule)) {
            Some(rest) => {
                left = rest;
                println!("{}\n", rule.body().trim_end());
            }
            None => left_out.push(rule.id()),
        }
    }
    if !left_out.is_empty() {
        println!("(left out, over {budget} tokens: {})\n", left_out.join(", "));
    }
}

fn tokens(rule: &RuleView<'_>) -> usize {
    rule.body().len().div_ceil(4)
}

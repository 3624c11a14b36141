//! Prints the rules that apply to a path, from a signed pack baked into the binary.
//!
//! ```text
//! cargo run -p quickstart -- src/parser/lexer.rs
//! ```

use std::env;
use std::process::ExitCode;

// `trust` proves the signature while this crate compiles: a pack by another key does not build.
driven::include_rules!(pub mod rules, trust = "keys/development.pub");

fn main() -> ExitCode {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: quickstart PATH, as in: quickstart src/parser/lexer.rs");
        return ExitCode::from(2);
    };
    for rule in rules::PACK.for_path(&path) {
        println!("{} ({})", rule.id(), rule.description());
        for item in rule.items() {
            println!("  - {}", item.text());
        }
    }
    // A rule that is gone does not compile.
    let errors = rules::get(rules::ids::rust::ERROR_HANDLING);
    eprintln!("{} rules in the pack; `{}` has {} bytes", rules::PACK.len(), errors.id(), errors.body().len());
    ExitCode::SUCCESS
}

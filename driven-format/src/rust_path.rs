//! The Rust names of rules: what `include_rules!` writes and what builds check.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Words that can't be names, nor raw ones.
const NOT_RAW: [&str; 4] = ["self", "super", "crate", "_"];
/// Words of the language that a module must be written raw for.
const KEYWORDS: [&str; 48] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The path of the Rust name for an id: modules in lower case, then the rule in upper case.
///
/// What a name can't hold becomes `_`, and a digit in front gets one before it.
///
/// ```
/// # use driven_format::rust_path;
/// assert_eq!(rust_path("rust/error-handling"), ["rust", "ERROR_HANDLING"]);
/// assert_eq!(rust_path("type/2fa"), ["r#type", "_2FA"]);
/// ```
pub fn rust_path(id: &str) -> Vec<String> {
    let mut parts: Vec<&str> = id.split('/').collect();
    let last = parts.pop().unwrap_or_default();
    let mut path: Vec<String> = parts.into_iter().map(module).collect();
    path.push(name(last).to_uppercase());
    path
}

fn module(part: &str) -> String {
    let name = name(part).to_lowercase();
    if NOT_RAW.contains(&name.as_str()) {
        format!("{name}_")
    } else if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}

fn name(part: &str) -> String {
    let mut name: String =
        part.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    if name.chars().next().is_none_or(|first| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if name == "_" { String::from("__") } else { name }
}

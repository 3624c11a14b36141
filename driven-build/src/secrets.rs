//! Secrets in a text, by the rules of `secretscan`.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use secretscan::patterns::{Severity, severity_for};
use secretscan::{ContextFilter, Scanner};

use crate::diagnostics::{Code, Finding, Report, SourceFile};

/// Reports what has the form of a secret; what was found is never shown.
pub(crate) fn check_text(file: &Arc<SourceFile>, report: &mut Report) {
    static SCANNER: OnceLock<Option<Scanner>> = OnceLock::new();
    let mut at = 0;
    for (number, line) in file.text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        if !may_hold_one(line) {
            continue;
        }
        // Made when it is needed: its patterns take longer to compile than most folders to check.
        let scanner = SCANNER.get_or_init(|| Scanner::with_context_filter(ContextFilter::new()).ok());
        let Some(scanner) = scanner else { return };
        let mut seen: Vec<Range<usize>> = Vec::new();
        for found in scanner.scan_text_line(line.trim_end(), number + 1, Path::new("rule")) {
            // What is told by its name alone (`password: …`) is an example far more often than a secret.
            let text = &found.matched_text;
            let is_example = text.contains(":password@") || text.contains("@localhost");
            if severity_for(&found.pattern_name) < Severity::High || is_example {
                continue;
            }
            let range = match line.find(&found.matched_text) {
                Some(offset) => start + offset..start + offset + found.matched_text.len(),
                None => start..start + line.trim_end().len(),
            };
            if seen.contains(&range) {
                continue;
            }
            let message = format!("this has the form of a secret: {}", found.pattern_name);
            let finding = Finding::at(Code::Secret, file, range.clone(), message).without_excerpt();
            report.push(finding.hint("revoke it, and name where it is kept instead"));
            seen.push(range);
        }
    }
}

/// Whether a line has what every secret has: a long word that is no word of a language, or the mark of a key or a URL.
fn may_hold_one(line: &str) -> bool {
    const SHORTEST: usize = 16;
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_random = |word: &[u8]| {
        let is = |test: fn(&u8) -> bool| word.iter().any(test);
        word.len() >= SHORTEST && (is(u8::is_ascii_digit) || !is(u8::is_ascii_lowercase))
    };
    line.as_bytes().split(|&byte| !in_word(byte)).any(is_random)
        || line.contains("-----BEGIN")
        || line.contains("://") && line.contains('@')
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn secrets_are_seen_and_not_shown() {
        // Put together, so that no other scanner stops at this file.
        let github = format!("ghp_{}", "a1B2c3D4e5F6a7B8c9D0e1F2a3B4c5D6e7F8");
        let aws = format!("AKIA{}", "Q3EGRIFWL7QXB5TN");
        let url = format!("postgresql://{}@db.internal/x", "admin:pa55w0rdX9");
        for secret in [github, aws, url] {
            let file = Arc::new(SourceFile {
                path: PathBuf::from("a.md"),
                text: format!("# A rule\n\nUse `{secret}` here.\n"),
            });
            let mut report = Report::default();
            check_text(&file, &mut report);
            assert!(!report.findings().is_empty(), "{secret}");
            let shown = report.render(false);
            assert!(shown.contains("a.md:3") && !shown.contains(&secret), "{shown}");
        }
    }

    #[test]
    fn examples_are_no_secrets() {
        let file = Arc::new(SourceFile {
            path: PathBuf::from("a.md"),
            text: "Set `API_KEY=your-key-here`, `password: hunter2`, postgres://user:password@localhost/db\n"
                .into(),
        });
        let mut report = Report::default();
        check_text(&file, &mut report);
        assert_eq!(report.findings().len(), 0, "{}", report.render(false));
    }
}

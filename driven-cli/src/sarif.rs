//! Findings as SARIF 2.1.0, the form that code scanning services read.

use std::fmt::Write;
use std::path::Path;

use driven_build::{Code, Finding, Level, Report};
use serde_json::{Value, json};

/// One run with all findings; paths are relative to `root`.
pub(crate) fn log(report: &Report, root: &Path) -> Value {
    let rules: Vec<Value> = Code::ALL.iter().map(|&code| rule(code)).collect();
    let results: Vec<Value> = report.findings().iter().map(|finding| result(finding, root)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "driven",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "name": code.lint(),
        "shortDescription": { "text": code.summary() },
        "defaultConfiguration": { "level": code.default_level().as_str() },
        "properties": { "tags": [if code.is_security() { "security" } else { "maintainability" }] },
    })
}

fn result(finding: &Finding, root: &Path) -> Value {
    let mut text = finding.message().to_owned();
    if !finding.hint_text().is_empty() {
        text.push_str(". ");
        text.push_str(finding.hint_text());
    }
    let mut location = json!({ "artifactLocation": { "uri": uri(finding.path(), root) } });
    if let (Some((line, column)), Some((end_line, end_column))) =
        (finding.line_column(), finding.end_line_column())
    {
        location["region"] = json!({
            "startLine": line,
            "startColumn": column,
            "endLine": end_line,
            "endColumn": end_column,
        });
    }
    let index = Code::ALL.iter().position(|&code| code == finding.code());
    json!({
        "ruleId": finding.code().as_str(),
        "ruleIndex": index,
        "level": match finding.level() {
            Level::Deny => "error",
            Level::Warn => "warning",
            Level::Allow => "note",
        },
        "message": { "text": text },
        "locations": [{ "physicalLocation": location }],
    })
}

/// A path as a relative URI.
fn uri(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let mut uri = String::new();
    for byte in below.trim_start_matches("./").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

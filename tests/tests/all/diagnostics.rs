//! Findings: every code has a fixture that provokes it and a paragraph that explains it.
//!
//! A fixture is one file of parts: `=== file PATH`, `=== bytes PATH` (with `\xNN` and `\r`), `=== link PATH`,
//! `=== size PATH`, and at the end `=== expect` with what is printed. `DRIVEN_BLESS=1` writes that part anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use driven_assistants::check::{Scope, check};
use driven_build::{Code, Judge, ProjectSettings};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/diagnostics");

fn fixtures() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(hex) = rest.strip_prefix('x') {
            bytes.push(u8::from_str_radix(&hex[..2], 16).unwrap());
            rest = &hex[2..];
        } else if let Some(after) = rest.strip_prefix('r') {
            bytes.push(b'\r');
            rest = after;
        } else {
            bytes.push(b'\\');
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Lays the parts of a fixture out; gives what it expects.
fn lay_out(fixture: &str, root: &Path) -> String {
    let mut expected = String::new();
    for part in fixture.split("=== ").skip(1) {
        let (head, text) = part.split_once('\n').unwrap();
        let (kind, path) = head.split_once(' ').unwrap_or((head, ""));
        if kind == "expect" {
            text.clone_into(&mut expected);
            continue;
        }
        let path = root.join(String::from_utf8(unescape(path)).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match kind {
            "file" => fs::write(path, text).unwrap(),
            "bytes" => fs::write(path, unescape(text)).unwrap(),
            "size" => fs::File::create(path).unwrap().set_len(text.trim().parse().unwrap()).unwrap(),
            #[cfg(unix)]
            "link" => std::os::unix::fs::symlink(text.trim(), path).unwrap(),
            other => panic!("a fixture has no part `{other}`"),
        }
    }
    expected
}

/// All findings of a fixture as they are printed, without the folder's own path.
fn run(root: &Path) -> String {
    let has_settings = root.join("driven.toml").exists();
    let compiler = driven_build::project(if has_settings { root.to_path_buf() } else { root.join("rules") });
    let (mut report, rules) = compiler.findings();
    let settings = ProjectSettings::load(root).unwrap_or_default();
    let scope = Scope { targets: &settings.sync.targets, rules: &rules, found: Some(&report), files: true };
    report.extend(check(root, root, &scope).unwrap().report);
    Judge::new(&settings, root).unwrap().judge(&mut report);
    let rendered: Vec<String> = report.findings().iter().map(|finding| finding.render(false)).collect();
    let text = rendered.join("\n\n").replace(&format!("{}/", root.display()), "");
    if text.is_empty() { "clean\n".into() } else { text + "\n" }
}

#[test]
fn findings_are_printed_as_the_fixtures_expect() {
    let mut wrong = Vec::new();
    for path in fixtures() {
        let fixture = fs::read_to_string(&path).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let expected = lay_out(&fixture, dir.path());
        let found = run(dir.path());
        if std::env::var_os("DRIVEN_BLESS").is_some() {
            let input = fixture.split("=== expect\n").next().unwrap();
            fs::write(&path, format!("{input}=== expect\n{found}")).unwrap();
        } else if found != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_fixture_and_a_paragraph() {
    let document =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnostics.md")).unwrap();
    let provoked: BTreeSet<String> = fixtures()
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let expected = text.split("=== expect\n").nth(1).unwrap_or_default().to_owned();
            Code::ALL
                .iter()
                .filter(move |code| expected.contains(&format!("[{}]", code.as_str())))
                .map(|code| code.as_str().to_owned())
        })
        .collect();
    for code in Code::ALL {
        assert!(provoked.contains(code.as_str()), "no fixture provokes {}", code.as_str());
        let heading = format!("## {} `{}`", code.as_str(), code.lint());
        assert!(document.contains(&heading), "docs/diagnostics.md has no `{heading}`");
    }
    assert_eq!(document.matches("\n## DRV").count(), Code::ALL.len(), "a paragraph without a code");
}

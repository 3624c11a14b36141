//! What commands print: data to stdout, talk to stderr.

use std::io::{self, IsTerminal, Write};

use driven_build::{Finding, Level, Report, printable};
use serde_json::{Value, json};

use crate::{Exit, Failure, Outcome};

/// So many rules, in words.
pub(crate) fn rules(count: usize) -> String {
    counted(count, "rule")
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Where a command prints to, and how.
pub(crate) struct Output {
    json: bool,
    colour: bool,
    /// Each value is a line.
    is_stream: bool,
    /// Why data could not be printed.
    lost: Option<io::Error>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let colour =
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal();
        Output { json, colour, is_stream: false, lost: None }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data.
    pub(crate) fn line(&mut self, line: &str) {
        match writeln!(io::stdout(), "{line}") {
            // A reader that went away wants no more; that is no failure.
            Err(err) if err.kind() != io::ErrorKind::BrokenPipe => self.lost = Some(err),
            _ => {}
        }
    }

    /// Whether all data was printed.
    pub(crate) fn finish(&mut self) -> Outcome {
        let flushed = io::stdout().flush();
        match self.lost.take().or(flushed.err()).filter(|err| err.kind() != io::ErrorKind::BrokenPipe) {
            Some(err) => {
                Err(Failure::new("io", format!("stdout: {err}")).hint("what was printed is not whole"))
            }
            None => Ok(Exit::Clean),
        }
    }

    /// Data as JSON.
    pub(crate) fn value(&mut self, value: &Value) {
        let text = if self.is_stream { Ok(value.to_string()) } else { serde_json::to_string_pretty(value) };
        self.line(&text.unwrap_or_default());
    }

    /// JSON when it was asked for, else lines for people.
    pub(crate) fn either(&mut self, value: &Value, lines: impl FnOnce() -> String) {
        if self.json {
            self.value(value);
        } else {
            self.line(lines().trim_end());
        }
    }

    /// From now on each value is a line.
    pub(crate) fn begin_stream(&mut self) {
        self.is_stream = true;
    }

    /// A line of data that is to be seen now, as JSON when that was asked for.
    pub(crate) fn stream(&mut self, value: &Value, line: impl FnOnce() -> String) {
        let line = if self.json { value.to_string() } else { line() };
        if let Err(err) = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush()) {
            self.lost.get_or_insert(err);
        }
    }

    /// Whether nobody reads the lines any more, or they can't be written.
    pub(crate) fn is_over(&self) -> bool {
        self.lost.is_some()
    }

    /// Talk.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Findings as talk, for commands whose data is something else.
    pub(crate) fn findings(&mut self, report: &Report) {
        if !report.findings().is_empty() {
            let _ = writeln!(io::stderr(), "{}\n", report.render(self.colour && io::stderr().is_terminal()));
        }
    }

    /// Findings as data.
    pub(crate) fn report(&mut self, report: &Report) {
        if self.json {
            self.value(&findings_json(report));
        } else if !report.findings().is_empty() {
            self.line(&format!("{}\n", report.render(self.colour)));
        }
    }

    pub(crate) fn failure(&mut self, failure: &Failure) {
        let message = printable(&failure.message);
        // A finding says so itself.
        let mut text = if message.starts_with("error[") { message } else { format!("error: {message}") };
        if !failure.hint.is_empty() {
            text.push_str("\nhint: ");
            text.push_str(&printable(&failure.hint));
        }
        let _ = writeln!(io::stderr(), "{text}");
        if self.json {
            self.value(&json!({ "error": { "code": failure.code, "message": failure.message, "hint": failure.hint } }));
        }
    }
}

/// How many errors and warnings there are, in words.
pub(crate) fn count(report: &Report) -> String {
    let of = |level| report.findings().iter().filter(|finding| finding.level() == level).count();
    format!("{}, {}", counted(of(Level::Deny), "error"), counted(of(Level::Warn), "warning"))
}

pub(crate) fn findings_json(report: &Report) -> Value {
    report.findings().iter().map(finding_json).collect()
}

fn finding_json(finding: &Finding) -> Value {
    let place = finding.line_column();
    json!({
        "code": finding.code().as_str(),
        "lint": finding.code().lint(),
        "level": finding.level().as_str(),
        "message": finding.message(),
        "hint": finding.hint_text(),
        "file": finding.path().to_string_lossy(),
        "line": place.map(|(line, _)| line),
        "column": place.map(|(_, column)| column),
    })
}

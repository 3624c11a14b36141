//! Rule sets that come ready-made: every text in them is checked before anything is made of it.

use std::path::Path;

use driven_build::security::check_set;
use driven_build::{Judge, ProjectSettings, Report};
use driven_format::RuleSet;
use serde_json::json;

use crate::Failure;
use crate::output::{Output, findings_json};

/// Prints what is found in a set, judged by the `driven.toml` in `root`; says whether nothing of it denies the set.
pub(crate) fn may_pass(
    set: &RuleSet,
    shown: &Path,
    root: &Path,
    cap: bool,
    output: &mut Output,
) -> Result<bool, Failure> {
    let settings = ProjectSettings::load(root)?;
    let mut report = Report::default();
    check_set(set, shown, &mut report);
    Judge::new(&settings, root)?.cap(cap).judge(&mut report);
    output.findings(&report);
    if !report.has_errors() {
        return Ok(true);
    }
    if output.is_json() {
        output.value(&json!({ "findings": findings_json(&report) }));
    }
    Ok(false)
}

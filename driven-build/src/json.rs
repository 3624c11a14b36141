//! Packs as JSON: the model as it is, so that other programs can read and write it.
//!
//! The outline is left out; it is found anew from the bodies.

use driven_format::{RuleSet, outline};

use crate::error::{Error, Result};

/// Writes a model as JSON, indented.
pub fn to_json(set: &RuleSet) -> String {
    let mut json = serde_json::to_string_pretty(set).expect("the model has only text keys");
    json.push('\n');
    json
}

/// Reads a model from JSON.
///
/// # Errors
/// Text that is no JSON of this shape; the message has line and column.
pub fn from_json(text: &str) -> Result<RuleSet> {
    let mut set: RuleSet =
        serde_json::from_str(text).map_err(|err| Error::setup(format!("no rules as JSON: {err}")))?;
    outline::rescan(&mut set);
    Ok(set)
}

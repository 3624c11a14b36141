//! Hidden text in a pack: every text of it that a model may come to read.

use alloc::string::String;
use core::fmt;

use super::{Hidden, find};
use crate::tables::{Bodies, Tables};

/// Hidden text, and where in a pack it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenInPack {
    /// The id of the rule, persona or workflow; or nothing for the manifest.
    pub id: String,
    /// The line of the text that it is in, from 1.
    pub line: usize,
    /// What it is.
    pub hidden: Hidden,
}

impl fmt::Display for HiddenInPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HiddenInPack { id, line, hidden } = self;
        let id: String = id.chars().filter(|char| !char.is_control()).collect();
        let of = if id.is_empty() { "the manifest" } else { &id };
        write!(f, "{hidden} (in line {line} of a text of `{of}`)")
    }
}

/// Finds the first hidden text in a pack.
///
/// # Errors
/// What is hidden, and where.
pub fn look_through(tables: &Tables<'_>, bodies: &(impl Bodies + ?Sized)) -> Result<(), HiddenInPack> {
    let look = |text: &str, id: &str| match find(text).into_iter().next() {
        Some(hidden) => {
            let line = text[..hidden.range.start].matches('\n').count() + 1;
            Err(HiddenInPack { id: id.into(), line, hidden })
        }
        None => Ok(()),
    };
    let body = |owner, range| bodies.body(owner, range).unwrap_or_default();
    let manifest = tables.manifest();
    for text in [manifest.name(), manifest.description(), manifest.licence()] {
        look(text, "")?;
    }
    let mut owner = 0..;
    for rule in tables.rules() {
        let id = rule.id();
        let text = body(owner.next().unwrap_or_default(), rule.body_range());
        for text in [id, rule.description(), rule.when(), text] {
            look(text, id)?;
        }
        rule.all_lists().iter().try_for_each(|text| look(text, id))?;
        for origin in rule.origins() {
            look(origin.path(), id)?;
            look(origin.text(), id)?;
        }
    }
    for persona in tables.personas() {
        let id = persona.id();
        let text = body(owner.next().unwrap_or_default(), persona.body_range());
        for text in [id, persona.description(), persona.role(), text] {
            look(text, id)?;
        }
        persona.traits().iter().chain(persona.principles().iter()).try_for_each(|text| look(text, id))?;
    }
    for workflow in tables.workflows() {
        let id = workflow.id();
        let text = body(owner.next().unwrap_or_default(), workflow.body_range());
        for text in [id, workflow.description(), text] {
            look(text, id)?;
        }
        for step in workflow.steps() {
            for text in [step.name(), step.text(), step.when()] {
                look(text, id)?;
            }
        }
    }
    Ok(())
}

//! From the model to bytes.
//!
//! The same model gives the same bytes, in whatever order its parts were given:
//! nothing here looks at a clock, an address or a map's order.

use alloc::string::String;
use alloc::vec::Vec;

use crate::attestation::Attestation;
use crate::container::KIND_ATTESTATION;
use crate::error::Error;
use crate::model::{Manifest, Persona, Rule, RuleSet, Workflow};
use crate::writer::{self, Content, Optional, Part};

/// Builds a pack from a model.
///
/// ```
/// use driven_format::{PackBuilder, Rule, Tables};
///
/// let mut rule = Rule::new("no-panics", "Return errors; do not panic.\n");
/// rule.globs = vec!["src/**/*.rs".into()];
/// rule.activation = driven_format::Activation::Globs;
/// let pack = PackBuilder::new("house-rules", 1).rule(rule).finish()?;
///
/// let tables = Tables::check(&pack)?;
/// assert_eq!(tables.find_rule("no-panics").map(|rule| rule.globs().len()), Some(1));
/// # Ok::<(), driven_format::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PackBuilder {
    set: RuleSet,
}

impl PackBuilder {
    /// A pack with a name and a version, and nothing in it.
    pub fn new(name: impl Into<String>, version: u64) -> Self {
        let manifest = Manifest { name: name.into(), version, ..Manifest::default() };
        PackBuilder { set: RuleSet { manifest, ..RuleSet::default() } }
    }

    /// Replaces what the pack says about itself.
    #[must_use]
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.set.manifest = manifest;
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.set.rules.push(rule);
        self
    }

    /// Adds a persona.
    #[must_use]
    pub fn persona(mut self, persona: Persona) -> Self {
        self.set.personas.push(persona);
        self
    }

    /// Adds a workflow.
    #[must_use]
    pub fn workflow(mut self, workflow: Workflow) -> Self {
        self.set.workflows.push(workflow);
        self
    }

    /// The bytes of the pack, unsigned.
    ///
    /// # Errors
    /// Two parts with one id, a glob without meaning, an outline that is no part
    /// of its body, or more than the format holds.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        write_pack(&self.set)
    }
}

/// Writes a pack; [`PackBuilder::finish`] for a model that is already whole.
pub fn write_pack(set: &RuleSet) -> Result<Vec<u8>, Error> {
    write(set, None)
}

/// Writes a pack that says what it was built from.
///
/// # Errors
/// As [`PackBuilder::finish`]; and an attestation that is not printable ASCII.
pub fn write_attested(set: &RuleSet, attestation: &Attestation<'_>) -> Result<Vec<u8>, Error> {
    write(set, Some(&attestation.render()?))
}

fn write(set: &RuleSet, attestation: Option<&str>) -> Result<Vec<u8>, Error> {
    let optional = attestation.map(|text| Optional { kind: KIND_ATTESTATION, bytes: text.as_bytes() });
    let content = Content {
        manifest: &set.manifest,
        rules: set.rules.iter().map(|rule| Part::anew(rule, &rule.body)).collect(),
        personas: set.personas.iter().map(|persona| Part::anew(persona, &persona.body)).collect(),
        workflows: set.workflows.iter().map(|workflow| Part::anew(workflow, &workflow.body)).collect(),
        optional: optional.into_iter().collect(),
        base: None,
        texts: None,
        seed: 0,
    };
    Ok(writer::write(content)?.into_pack())
}

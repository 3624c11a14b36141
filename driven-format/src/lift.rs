//! From a pack back to the model: for conversion to other forms, and for what a patch changes.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::model::{Manifest, Origin, Persona, Rule, RuleSet, Step, Workflow};
use crate::sections::outline::Nodes;
use crate::tables::{ManifestView, PersonaHead, RuleHead, StrList, Tables, WorkflowHead};

/// Reads everything that a pack says.
///
/// # Errors
/// Bytes that are no pack, or whose digests do not hold.
pub fn lift_pack(pack: &[u8]) -> Result<RuleSet, Error> {
    let tables = Tables::check(pack)?;
    let bodies = tables.prove()?;
    let rules = tables.rules().map(|rule| Rule {
        body: bodies[rule.body_range()].into(),
        ..self::rule(&rule, rule.stated_outline())
    });
    let personas = tables
        .personas()
        .map(|persona| Persona { body: bodies[persona.body_range()].into(), ..self::persona(&persona) });
    let workflows = tables
        .workflows()
        .map(|workflow| Workflow { body: bodies[workflow.body_range()].into(), ..self::workflow(&workflow) });
    Ok(RuleSet {
        manifest: manifest(&tables.manifest()),
        rules: rules.collect(),
        personas: personas.collect(),
        workflows: workflows.collect(),
    })
}

/// What a pack says about itself.
pub(crate) fn manifest(manifest: &ManifestView<'_>) -> Manifest {
    Manifest {
        name: manifest.name().into(),
        version: manifest.version(),
        licence: manifest.licence().into(),
        description: manifest.description().into(),
        capabilities: manifest.capabilities(),
        capped: manifest.is_capped(),
    }
}

/// A persona without its body.
pub(crate) fn persona(persona: &PersonaHead<'_>) -> Persona {
    Persona {
        id: persona.id().into(),
        description: persona.description().into(),
        role: persona.role().into(),
        traits: strings(persona.traits()),
        principles: strings(persona.principles()),
        body: String::new(),
    }
}

/// A workflow without its body.
pub(crate) fn workflow(workflow: &WorkflowHead<'_>) -> Workflow {
    let steps = workflow.steps().map(|step| Step {
        kind: step.kind(),
        name: step.name().into(),
        text: step.text().into(),
        when: step.when().into(),
    });
    Workflow {
        id: workflow.id().into(),
        description: workflow.description().into(),
        body: String::new(),
        steps: steps.collect(),
    }
}

/// A rule without its body, with this outline.
pub(crate) fn rule(rule: &RuleHead<'_>, outline: Nodes<'_>) -> Rule {
    let origins = rule.origins().map(|origin| Origin {
        assistant: origin.assistant().into(),
        path: origin.path().into(),
        text: origin.text().into(),
    });
    Rule {
        id: rule.id().into(),
        description: rule.description().into(),
        activation: rule.activation(),
        globs: strings(rule.globs()),
        priority: rule.priority(),
        category: rule.category(),
        tags: strings(rule.tags()),
        languages: strings(rule.languages()),
        when: rule.when().into(),
        targets: strings(rule.targets()),
        requires: strings(rule.requires()),
        conflicts: strings(rule.conflicts()),
        replaces: strings(rule.replaces()),
        capabilities: rule.capabilities(),
        origins: origins.collect(),
        body: String::new(),
        outline: outline.collect(),
    }
}

fn strings(list: StrList<'_>) -> Vec<String> {
    list.iter().map(str::to_owned).collect()
}

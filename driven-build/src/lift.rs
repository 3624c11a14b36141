//! From a pack back to the model, for conversion to other forms.

use driven_format::{Manifest, Origin, Persona, Rule, RuleHead, RuleSet, Step, StrList, Tables, Workflow};

use crate::error::{Error, Result};
use crate::outline;

/// Reads everything that a pack says.
///
/// # Errors
/// Bytes that are no pack, or whose digests do not hold.
pub fn lift_pack(pack: &[u8]) -> Result<RuleSet> {
    let tables = Tables::check(pack).map_err(Error::format)?;
    let bodies = tables.checked_bodies().map_err(Error::format)?;
    tables.check_root().and_then(|()| tables.check_content(bodies)).map_err(Error::format)?;
    let manifest = tables.manifest();
    let personas = tables.personas().map(|persona| Persona {
        id: persona.id().into(),
        description: persona.description().into(),
        role: persona.role().into(),
        traits: strings(persona.traits()),
        principles: strings(persona.principles()),
        body: bodies[persona.body_range()].into(),
    });
    let workflows = tables.workflows().map(|workflow| Workflow {
        id: workflow.id().into(),
        description: workflow.description().into(),
        body: bodies[workflow.body_range()].into(),
        steps: workflow
            .steps()
            .map(|step| Step {
                kind: step.kind(),
                name: step.name().into(),
                text: step.text().into(),
                when: step.when().into(),
            })
            .collect(),
    });
    Ok(RuleSet {
        manifest: Manifest {
            name: manifest.name().into(),
            version: manifest.version(),
            licence: manifest.licence().into(),
            description: manifest.description().into(),
            capabilities: manifest.capabilities(),
            capped: manifest.is_capped(),
        },
        rules: tables.rules().map(|rule| lift_rule(&rule, &bodies[rule.body_range()])).collect(),
        personas: personas.collect(),
        workflows: workflows.collect(),
    })
}

fn lift_rule(rule: &RuleHead<'_>, body: &str) -> Rule {
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
        body: body.into(),
        outline: rule.outline().collect(),
    }
}

fn strings(list: StrList<'_>) -> Vec<String> {
    list.iter().map(str::to_owned).collect()
}

/// Finds the structure of every body anew, for a model that came without it.
pub fn rescan(set: &mut RuleSet) {
    for rule in &mut set.rules {
        rule.outline = outline::scan(&rule.body).nodes;
    }
}

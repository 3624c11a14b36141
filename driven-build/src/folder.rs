//! From the model to a folder of source files.
//!
//! Compiling the folder gives the model again: bodies byte for byte, and every
//! key that differs from what its absence means.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use driven_format::{Activation, Origin, Persona, Rule, RuleSet, Workflow};

use crate::error::{Error, Result};
use crate::settings::PACK_FILE;
use crate::write::write_if_changed;

/// Writes a model as a folder of source files, with its `pack.toml`. Gives what was written.
///
/// Personas go to `personas`, workflows to `workflows`, beside the folder's own name with a dash.
///
/// # Errors
/// An id that is no path, or what the file system says.
pub fn write_folder(set: &RuleSet, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![(folder.join(PACK_FILE), pack_toml(set, folder))];
    for rule in &set.rules {
        files.push((file_of(folder, &rule.id)?, rule_source(rule)));
    }
    for persona in &set.personas {
        files.push((file_of(&beside(folder, "personas"), &persona.id)?, persona_source(persona)));
    }
    for workflow in &set.workflows {
        files.push((file_of(&beside(folder, "workflows"), &workflow.id)?, workflow_source(workflow)));
    }
    let mut written = Vec::new();
    for (path, text) in files {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|err| Error::io(parent, err))?;
        }
        write_if_changed(&path, text.as_bytes()).map_err(|err| Error::io(&path, err))?;
        written.push(path);
    }
    Ok(written)
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().map_or_else(|| "rules".into(), |name| name.to_string_lossy().into_owned());
    folder.with_file_name(format!("{name}-{what}"))
}

/// The file of an id, which must stay below the folder.
fn file_of(folder: &Path, id: &str) -> Result<PathBuf> {
    let sound = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.starts_with('.')
            && !part.contains(['\\', ':', '\0'])
            && !part.chars().any(char::is_control)
    };
    if !id.split('/').all(sound) || matches!(id.rsplit('/').next(), Some("README" | "LICENSE" | "CHANGELOG"))
    {
        return Err(Error::setup(format!("the id `{}` can't be a file below the folder", id.escape_debug())));
    }
    Ok(folder.join(format!("{id}.md")))
}

fn pack_toml(set: &RuleSet, folder: &Path) -> String {
    let manifest = &set.manifest;
    let mut toml = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(toml, "{key} = {value}");
    };
    line("name", quoted(&manifest.name));
    line("version", manifest.version.to_string());
    if !manifest.licence.is_empty() {
        line("licence", quoted(&manifest.licence));
    }
    if !manifest.description.is_empty() {
        line("description", quoted(&manifest.description));
    }
    if !manifest.capabilities.is_empty() {
        line("capabilities", flow(manifest.capabilities.iter().map(driven_format::Capability::as_str)));
    }
    let named = |what: &str| {
        quoted(&format!("../{}", beside(folder, what).file_name().unwrap_or_default().to_string_lossy()))
    };
    if !set.personas.is_empty() || !set.workflows.is_empty() {
        toml.push_str("\n[folders]\n");
    }
    if !set.personas.is_empty() {
        let _ = writeln!(toml, "personas = {}", named("personas"));
    }
    if !set.workflows.is_empty() {
        let _ = writeln!(toml, "workflows = {}", named("workflows"));
    }
    toml
}

/// Lines of frontmatter.
#[derive(Default)]
struct Head(String);

impl Head {
    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            let _ = writeln!(self.0, "{key}: {}", quoted(value));
        }
    }

    fn word(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key}: {value}");
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let _ = writeln!(self.0, "{key}: {}", flow(values.iter().map(String::as_str)));
        }
    }

    /// The file; without a key, a body that could be taken for a head gets an empty one.
    fn with_body(self, body: &str) -> String {
        let looks_like_head = body.starts_with("---") || body.starts_with('\u{FEFF}');
        if self.0.is_empty() && !looks_like_head {
            body.into()
        } else {
            format!("---\n{}---\n{body}", self.0)
        }
    }
}

fn rule_source(rule: &Rule) -> String {
    let mut head = Head::default();
    head.text("description", &rule.description);
    head.list("globs", &escape_commas(&rule.globs));
    let by_default = match (rule.globs.is_empty(), rule.description.is_empty()) {
        (false, _) => Activation::Globs,
        (true, false) => Activation::Agent,
        (true, true) => Activation::Always,
    };
    if rule.activation != by_default {
        head.word("activation", rule.activation.as_str());
    }
    if rule.priority != Rule::DEFAULT_PRIORITY {
        head.word("priority", &rule.priority.to_string());
    }
    if let Some(category) = rule.category {
        head.word("category", category.as_str());
    }
    head.list("tags", &rule.tags);
    head.list("languages", &rule.languages);
    head.text("when", &rule.when);
    head.list("targets", &rule.targets);
    head.list("requires", &rule.requires);
    head.list("conflicts", &rule.conflicts);
    head.list("replaces", &rule.replaces);
    let capabilities: Vec<String> = rule.capabilities.iter().map(|one| one.to_string()).collect();
    head.list("capabilities", &capabilities);
    rule.origins.iter().for_each(|origin| origin_lines(origin, &mut head));
    head.with_body(&rule.body)
}

/// A glob is read as a comma list; those with a comma of their own outside of braces quote it.
fn escape_commas(globs: &[String]) -> Vec<String> {
    let escape = |glob: &String| crate::lower::split_globs(glob).join("\\,");
    globs.iter().map(escape).collect()
}

fn origin_lines(origin: &Origin, head: &mut Head) {
    let _ = writeln!(head.0, "x-{}:", origin.assistant);
    let _ = writeln!(head.0, "  text: {}", quoted(&origin.text));
    if !origin.path.is_empty() {
        let _ = writeln!(head.0, "  path: {}", quoted(&origin.path));
    }
    if origin.byte_order_mark {
        head.0.push_str("  byte-order-mark: true\n");
    }
    if origin.crlf {
        head.0.push_str("  crlf: true\n");
    }
}

fn persona_source(persona: &Persona) -> String {
    let mut head = Head::default();
    head.text("description", &persona.description);
    head.text("role", &persona.role);
    head.list("traits", &persona.traits);
    head.list("principles", &persona.principles);
    head.with_body(&persona.body)
}

fn workflow_source(workflow: &Workflow) -> String {
    let mut head = Head::default();
    head.text("description", &workflow.description);
    if !workflow.steps.is_empty() {
        head.0.push_str("steps:\n");
    }
    for step in &workflow.steps {
        let _ = writeln!(head.0, "  - {}: {}", step.kind, quoted(&step.text));
        for (key, value) in [("name", &step.name), ("when", &step.when)] {
            if !value.is_empty() {
                let _ = writeln!(head.0, "    {key}: {}", quoted(value));
            }
        }
    }
    head.with_body(&workflow.body)
}

fn flow<'v>(values: impl Iterator<Item = &'v str>) -> String {
    let values: Vec<String> = values.map(quoted).collect();
    format!("[{}]", values.join(", "))
}

/// Text in double quotes, as YAML and TOML both read it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if char.is_control() || matches!(char, '\u{FEFF}' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\U{:08X}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}

//! From the model to a folder of source files.
//!
//! Compiling the folder gives the model again: bodies byte for byte, and every
//! key that differs from what its absence means.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use driven_format::{Activation, Origin, Persona, Rule, RuleSet, Workflow, write_pack};
use unicode_normalization::UnicodeNormalization;

use crate::diagnostics::printable;
use crate::error::{Error, Result};
use crate::settings::PACK_FILE;
use crate::write::unused_beside;

/// Writes a model as a new folder of source files, with its `pack.toml`. Gives what was written.
///
/// Personas and workflows go to folders within it, which `pack.toml` names. The
/// folder must not exist, or be empty; it appears whole or not at all.
///
/// # Errors
/// A model that is no pack, an id that can't be a file, or what the file system says.
pub fn write_folder(set: &RuleSet, folder: &Path) -> Result<Vec<PathBuf>> {
    let files = files(set)?;
    if folder.file_name().is_none() {
        return Err(Error::setup("expected the name of a folder"));
    }
    let staged = unused_beside(folder);
    let made = fs::create_dir(&staged).map_err(|err| Error::io(folder, err));
    let written = made
        .and_then(|()| write_files(&staged, &files))
        .and_then(|()| fs::rename(&staged, folder).map_err(|err| Error::io(folder, err)));
    if let Err(err) = written {
        // Nothing more can be done about what was staged than to try.
        let _ = fs::remove_dir_all(&staged);
        return Err(err);
    }
    Ok(files.into_iter().map(|(path, _)| folder.join(path)).collect())
}

fn write_files(root: &Path, files: &[(String, String)]) -> Result<()> {
    for (name, text) in files {
        let path = root.join(name);
        let shown = Path::new(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|err| Error::io(shown, err))?;
        }
        fs::write(&path, text).map_err(|err| Error::io(shown, err))?;
    }
    Ok(())
}

/// Every file, relative to the folder, and its text.
fn files(set: &RuleSet) -> Result<Vec<(String, String)>> {
    // What is no pack is no folder either: two parts with one id, a glob without meaning, ...
    write_pack(set).map_err(Error::format)?;
    let apart = Apart::new(set);
    let mut files = vec![(PACK_FILE.to_owned(), pack_toml(set, &apart))];
    for rule in &set.rules {
        files.push((file_of(&rule.id)?, rule_source(rule)));
    }
    for persona in &set.personas {
        files.push((format!("{}/{}", apart.personas, file_of(&persona.id)?), persona_source(persona)));
    }
    for workflow in &set.workflows {
        files.push((format!("{}/{}", apart.workflows, file_of(&workflow.id)?), workflow_source(workflow)));
    }
    let mut folded: Vec<String> = files.iter().map(|(name, _)| name.to_lowercase()).collect();
    folded.sort();
    match folded.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::setup(format!("two ids differ only in case: `{}`", pair[0]))),
        None => Ok(files),
    }
}

/// Names of the folders of personas and workflows that no rule's folder has.
struct Apart {
    personas: String,
    workflows: String,
}

impl Apart {
    fn new(set: &RuleSet) -> Self {
        let free = |name: &str| {
            let taken = |name: &str| set.rules.iter().any(|rule| rule.id.split('/').next() == Some(name));
            let mut name = name.to_owned();
            while taken(&name) {
                name.push('_');
            }
            name
        };
        Apart { personas: free("personas"), workflows: free("workflows") }
    }
}

/// The file of an id: one that compiling reads as this id again.
fn file_of(id: &str) -> Result<String> {
    let sound = |part: &str| !part.starts_with('.') && !part.contains(['\\', ':', '\0']);
    let stem = id.rsplit('/').next().unwrap_or_default();
    let about = matches!(stem, "README" | "LICENSE" | "CHANGELOG");
    if about || !id.split('/').all(sound) || !id.nfc().eq(id.chars()) {
        return Err(Error::setup(format!(
            "the id `{}` can't be that of a file; give the rule another",
            printable(id)
        )));
    }
    Ok(format!("{id}{}", ending_of(id)))
}

/// `a.instructions.md` would be the file of `a`.
fn ending_of(id: &str) -> &'static str {
    if id.ends_with(".instructions") { ".mdc" } else { ".md" }
}

fn pack_toml(set: &RuleSet, apart: &Apart) -> String {
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
    if !set.personas.is_empty() || !set.workflows.is_empty() {
        toml.push_str("\n[folders]\n");
    }
    if !set.personas.is_empty() {
        let _ = writeln!(toml, "personas = {}", quoted(&apart.personas));
    }
    if !set.workflows.is_empty() {
        let _ = writeln!(toml, "workflows = {}", quoted(&apart.workflows));
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
    head.list("globs", &rule.globs);
    let by_default = match (rule.globs.is_empty(), rule.description.is_empty()) {
        (false, _) => Activation::Globs,
        (true, false) => Activation::Agent,
        (true, true) => Activation::Always,
    };
    if rule.activation != by_default || ending_of(&rule.id) == ".mdc" {
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

fn origin_lines(origin: &Origin, head: &mut Head) {
    let _ = writeln!(head.0, "x-{}:", origin.assistant);
    let _ = writeln!(head.0, "  text: {}", quoted(&origin.text));
    if !origin.path.is_empty() {
        let _ = writeln!(head.0, "  path: {}", quoted(&origin.path));
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
pub fn quoted(text: &str) -> String {
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

//! Settings: `pack.toml` in the rule folder, `driven.toml` at the project's root.
//!
//! `pack.toml` says what the pack is; `driven.toml` says how it is judged. The
//! judge is never inside what is judged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driven_format::{Capabilities, Capability, Manifest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::{Code, Finding, Level, Report, SourceFile};
use crate::nearest::nearest;
use crate::source::read_text;

/// The name of the pack's own settings, in the rule folder.
pub const PACK_FILE: &str = "pack.toml";
/// The name of the project's settings.
pub const PROJECT_FILE: &str = "driven.toml";

/// What `pack.toml` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackSettings {
    pub(crate) manifest: Manifest,
    /// Folder of the personas, relative to the rule folder.
    pub(crate) personas: Option<String>,
    /// Folder of the workflows, relative to the rule folder.
    pub(crate) workflows: Option<String>,
}

impl PackSettings {
    /// The folders of personas and workflows: where they lie within the rule folder they are no rules.
    pub(crate) fn folders(&self, root: &Path) -> Vec<PathBuf> {
        let named = [&self.personas, &self.workflows].into_iter().flatten();
        named.filter_map(|name| root.join(name).canonicalize().ok()).collect()
    }
}

/// What `driven.toml` says.
#[derive(Clone, Debug)]
pub(crate) struct ProjectSettings {
    /// The rule folder, relative to the file.
    pub(crate) rules: String,
    /// Levels that differ from their default.
    pub(crate) lints: BTreeMap<Code, Level>,
    /// The longest body that is not called oversized, in bytes.
    pub(crate) max_body: usize,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        ProjectSettings { rules: "rules".into(), lints: BTreeMap::new(), max_body: 64 * 1024 }
    }
}

/// Reads `pack.toml` in `folder`, if there is one.
pub(crate) fn read_pack(folder: &Path, shown: &Path, report: &mut Report) -> PackSettings {
    let mut settings = PackSettings::default();
    let Some(file) = read_optional(&folder.join(PACK_FILE), &shown.join(PACK_FILE), report) else {
        return settings;
    };
    let mut reader = Reader { file: &file, report };
    let Some(table) = reader.parse() else { return settings };
    let known = ["name", "version", "licence", "license", "description", "capabilities", "folders"];
    for (key, value) in reader.entries(&table, &known) {
        match key {
            "name" => settings.manifest.name = reader.text(value),
            "version" => settings.manifest.version = reader.number(value),
            "licence" | "license" => settings.manifest.licence = reader.text(value),
            "description" => settings.manifest.description = reader.text(value),
            "capabilities" => settings.manifest.capabilities = reader.capabilities(value),
            _ => {
                let Some(folders) = reader.table(value) else { continue };
                for (key, value) in reader.entries(folders, &["personas", "workflows"]) {
                    let text = Some(reader.text(value));
                    if key == "personas" { settings.personas = text } else { settings.workflows = text }
                }
            }
        }
    }
    settings
}

/// Reads `driven.toml`, if there is one.
pub(crate) fn read_project(path: &Path, shown: &Path, report: &mut Report) -> ProjectSettings {
    let mut settings = ProjectSettings::default();
    let Some(file) = read_optional(path, shown, report) else { return settings };
    let mut reader = Reader { file: &file, report };
    let Some(table) = reader.parse() else { return settings };
    for (key, value) in reader.entries(&table, &["rules", "lints", "max-body"]) {
        match key {
            "rules" => settings.rules = reader.text(value),
            "max-body" => settings.max_body = usize::try_from(reader.number(value)).unwrap_or(usize::MAX),
            _ => {
                let Some(lints) = reader.table(value) else { continue };
                settings.lints = reader.lints(lints);
            }
        }
    }
    settings
}

fn read_optional(path: &Path, shown: &Path, report: &mut Report) -> Option<Arc<SourceFile>> {
    if path.symlink_metadata().is_err() {
        return None;
    }
    read_text(path, shown, report)
}

struct Reader<'r> {
    file: &'r Arc<SourceFile>,
    report: &'r mut Report,
}

impl<'r> Reader<'r> {
    fn parse(&mut self) -> Option<DeTable<'r>> {
        match DeTable::parse(&self.file.text) {
            Ok(table) => Some(table.into_inner()),
            Err(err) => {
                let range = err.span().unwrap_or(0..0);
                self.fault(range, format!("no TOML: {}", err.message()), "");
                None
            }
        }
    }

    fn fault(&mut self, range: Range<usize>, message: String, hint: &str) {
        self.report.push(Finding::at(Code::BadSettings, self.file, range, message).hint(hint));
    }

    /// The entries with known keys; the others are faults.
    fn entries<'t>(
        &mut self,
        table: &'t DeTable<'_>,
        known: &[&str],
    ) -> Vec<(&'t str, &'t Spanned<DeValue<'t>>)> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                entries.push((name, value));
                continue;
            }
            let hint = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.fault(key.span(), format!("`{name}` is no setting of this file"), &hint);
        }
        entries
    }

    fn text(&mut self, value: &Spanned<DeValue<'_>>) -> String {
        if let DeValue::String(text) = value.get_ref() {
            return text.to_string();
        }
        self.fault(value.span(), "expected text in quotes".into(), "");
        String::new()
    }

    fn number(&mut self, value: &Spanned<DeValue<'_>>) -> u64 {
        if let DeValue::Integer(number) = value.get_ref()
            && let Ok(number) = u64::from_str_radix(number.as_str(), number.radix())
        {
            return number;
        }
        self.fault(value.span(), "expected a whole number, 0 or above".into(), "");
        0
    }

    fn table<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Option<&'t DeTable<'t>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        self.fault(value.span(), "expected a table".into(), "");
        None
    }

    fn capabilities(&mut self, value: &Spanned<DeValue<'_>>) -> Capabilities {
        let DeValue::Array(list) = value.get_ref() else {
            self.fault(value.span(), "expected a list of capabilities".into(), "");
            return Capabilities::NONE;
        };
        let mut all = Capabilities::NONE;
        for value in list {
            let word = self.text(value);
            if let Some(capability) = Capability::from_word(&word) {
                all = all.with(capability);
            } else {
                let known: Vec<&str> = Capability::ALL.iter().map(|one| one.as_str()).collect();
                let hint = format!("known are {}", known.join(", "));
                self.fault(value.span(), format!("`{word}` is no capability"), &hint);
            }
        }
        all
    }

    fn lints(&mut self, table: &DeTable<'_>) -> BTreeMap<Code, Level> {
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.lint()).collect();
        let mut lints = BTreeMap::new();
        for (name, value) in self.entries(table, &names) {
            let Some(&code) = Code::ALL.iter().find(|code| code.lint() == name) else { continue };
            let word = self.text(value);
            match Level::from_word(&word) {
                Some(level) => {
                    lints.insert(code, level);
                }
                None => self.fault(
                    value.span(),
                    format!("`{word}` is no level"),
                    "a level is `allow`, `warn` or `deny`",
                ),
            }
        }
        lints
    }
}

//! Settings: `pack.toml` in the rule folder, `driven.toml` at the project's root.
//!
//! `pack.toml` says what the pack is; `driven.toml` says how it is judged. The
//! judge is never inside what is judged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use driven_format::{Capabilities, Capability, Manifest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::{Code, Finding, Level, Report, SourceFile};
use crate::error::{Error, Result};
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
pub struct ProjectSettings {
    /// The rule folder, relative to the file.
    pub rules: String,
    /// Levels that differ from their default.
    pub lints: BTreeMap<Code, Level>,
    /// The longest body that is not called oversized, in bytes.
    pub max_body: usize,
    /// How the rules are written out to assistants.
    pub sync: SyncSettings,
    /// Findings that somebody looked at and lets stand.
    pub allow: Vec<Allowance>,
    /// A file of findings that were there before the checks were, relative to this one.
    pub baseline: Option<String>,
    /// Dependencies whose rules are taken.
    pub dependencies: Vec<Approval>,
    /// Who must have signed packs that come ready-made.
    pub trust: Option<TrustSettings>,
}

/// `[trust]`: what is asked of packs that come ready-made. Files are relative to `driven.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustSettings {
    /// The file of the one public key, when there is no root.
    pub key: Option<String>,
    /// The root file.
    pub root: Option<String>,
    /// The name that packs must have.
    pub name: Option<String>,
    /// The file in which is kept what was seen.
    pub state: Option<String>,
    /// The file of the timestamp that says what is current.
    pub timestamp: Option<String>,
    /// Packs whose security findings were let through are taken.
    pub allow_capped: bool,
    /// What rules of a pack may do at most, whatever they ask for and its manifest allows.
    pub grant: Capabilities,
}

/// `[sync]`: how the rules are written out to assistants.
#[derive(Clone, Debug, Default)]
pub struct SyncSettings {
    /// The assistants; when empty, those that are found in the project.
    pub targets: Vec<String>,
    /// `fold`, `skip` or `error`; empty when it is not said.
    pub unsupported: String,
    /// Whether what is written is kept out of version control.
    pub gitignore: bool,
}

/// `[[allow]]`: a finding that somebody looked at and lets stand.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    /// The code or the name of the check.
    pub code: String,
    /// A glob over paths relative to the project.
    pub file: String,
    /// Text that the line must hold; empty for any.
    pub text: String,
    /// Why it may stand; must not be empty.
    pub reason: String,
}

/// `[[dependencies]]`: a dependency whose rules are taken, as they were when somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// The package.
    pub package: String,
    /// Where it comes from, as Cargo writes it; empty for a member of the workspace or a path.
    pub source: String,
    /// The digest of the rules that were looked at.
    pub digest: String,
    /// Activations beyond `globs` and `agent` that its rules may have.
    pub grant: Vec<String>,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        ProjectSettings {
            rules: "rules".into(),
            lints: BTreeMap::new(),
            max_body: 64 * 1024,
            sync: SyncSettings::default(),
            allow: Vec::new(),
            baseline: None,
            dependencies: Vec::new(),
            trust: None,
        }
    }
}

impl ProjectSettings {
    /// Reads the `driven.toml` in `dir`; the defaults when there is none.
    ///
    /// # Errors
    /// What is wrong in it, as findings.
    pub fn load(dir: &Path) -> Result<Self> {
        let mut report = Report::default();
        let file = dir.join(PROJECT_FILE);
        let settings = read_project(&file, &file, &mut report);
        report.settle(Code::default_level);
        if report.has_errors() { Err(Error::findings(report)) } else { Ok(settings) }
    }

    /// The level of a check.
    pub fn level(&self, code: Code) -> Level {
        self.lints.get(&code).copied().unwrap_or(code.default_level())
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
            "name" => settings.manifest.name = reader.line(value),
            "version" => settings.manifest.version = reader.number(value),
            "licence" | "license" => settings.manifest.licence = reader.text(value),
            "description" => settings.manifest.description = reader.text(value),
            "capabilities" => settings.manifest.capabilities = reader.capabilities(value),
            _ => {
                let Some(folders) = reader.table(value) else { continue };
                for (key, value) in reader.entries(folders, &["personas", "workflows"]) {
                    let folder = reader.near_folder(value);
                    if key == "personas" { settings.personas = folder } else { settings.workflows = folder }
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
    let known = ["rules", "max-body", "baseline", "lints", "sync", "trust", "allow", "dependencies"];
    for (key, value) in reader.entries(&table, &known) {
        match key {
            "rules" => settings.rules = reader.text(value),
            "max-body" => settings.max_body = usize::try_from(reader.number(value)).unwrap_or(usize::MAX),
            "baseline" => settings.baseline = Some(reader.text(value)),
            "lints" => {
                let Some(lints) = reader.table(value) else { continue };
                settings.lints = reader.lints(lints);
            }
            "sync" => settings.sync = reader.sync(value),
            "trust" => settings.trust = Some(reader.trust(value)),
            "allow" => {
                settings.allow = reader.tables(value).into_iter().map(|one| reader.allowance(one)).collect();
            }
            _ => {
                settings.dependencies =
                    reader.tables(value).into_iter().map(|one| reader.approval(one)).collect();
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

    /// A text that stands in one line wherever it is shown or signed.
    fn line(&mut self, value: &Spanned<DeValue<'_>>) -> String {
        let text = self.text(value);
        if text.chars().any(char::is_control) {
            self.fault(value.span(), "expected a text without line breaks or control characters".into(), "");
        }
        text
    }

    /// A folder within the rule folder or beside it: what is farther away is somebody else's, and may be the whole disk.
    fn near_folder(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = self.text(value);
        let mut parts =
            Path::new(&text).components().skip_while(|part| *part == Component::CurDir).peekable();
        if parts.peek() == Some(&Component::ParentDir) {
            parts.next();
        }
        if parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_))) {
            return Some(text);
        }
        if !text.is_empty() {
            let message = format!("expected a folder in the rule folder or beside it, found `{text}`");
            self.fault(value.span(), message, "name it as `personas` or `../personas`");
        }
        None
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

    fn truth(&mut self, value: &Spanned<DeValue<'_>>) -> bool {
        if let DeValue::Boolean(truth) = value.get_ref() {
            return *truth;
        }
        self.fault(value.span(), "expected true or false".into(), "");
        false
    }

    fn texts(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let DeValue::Array(list) = value.get_ref() else {
            self.fault(value.span(), "expected a list of texts".into(), "");
            return Vec::new();
        };
        list.iter().map(|one| self.text(one)).collect()
    }

    /// The tables of `[[name]]`.
    fn tables<'t>(&mut self, value: &'t Spanned<DeValue<'t>>) -> Vec<&'t Spanned<DeValue<'t>>> {
        let DeValue::Array(list) = value.get_ref() else {
            self.fault(value.span(), "expected a list of tables".into(), "write its name in double brackets");
            return Vec::new();
        };
        list.iter().collect()
    }

    fn sync(&mut self, value: &Spanned<DeValue<'_>>) -> SyncSettings {
        let mut sync = SyncSettings::default();
        let Some(table) = self.table(value) else { return sync };
        for (key, value) in self.entries(table, &["targets", "unsupported", "gitignore"]) {
            match key {
                "targets" => sync.targets = self.texts(value),
                "gitignore" => sync.gitignore = self.truth(value),
                _ => {
                    sync.unsupported = self.text(value);
                    if !matches!(sync.unsupported.as_str(), "fold" | "skip" | "error") {
                        let message = format!("`{}` is no policy", sync.unsupported);
                        self.fault(value.span(), message, "a policy is `fold`, `skip` or `error`");
                    }
                }
            }
        }
        sync
    }

    fn trust(&mut self, value: &Spanned<DeValue<'_>>) -> TrustSettings {
        let mut trust = TrustSettings::default();
        let Some(table) = self.table(value) else { return trust };
        let known = ["key", "root", "name", "state", "timestamp", "allow-capped", "grant"];
        for (key, value) in self.entries(table, &known) {
            match key {
                "key" => trust.key = Some(self.text(value)),
                "root" => trust.root = Some(self.text(value)),
                "name" => trust.name = Some(self.text(value)),
                "state" => trust.state = Some(self.text(value)),
                "timestamp" => trust.timestamp = Some(self.text(value)),
                "grant" => trust.grant = self.capabilities(value),
                _ => trust.allow_capped = self.truth(value),
            }
        }
        if trust.key.is_some() == trust.root.is_some() {
            self.fault(
                value.span(),
                "expected a `root` or a `key`, and not both".into(),
                "a root lists keys and says how many must sign",
            );
        }
        if trust.key.is_some() && (trust.state.is_some() || trust.timestamp.is_some()) {
            self.fault(
                value.span(),
                "`state` and `timestamp` go with a `root`".into(),
                "make one with `driven trust init`",
            );
        }
        trust
    }

    fn allowance(&mut self, value: &Spanned<DeValue<'_>>) -> Allowance {
        let mut one = Allowance::default();
        let Some(table) = self.table(value) else { return one };
        for (key, value) in self.entries(table, &["code", "file", "text", "reason"]) {
            let text = self.text(value);
            match key {
                "code" => {
                    if !Code::ALL.iter().any(|code| code.as_str() == text || code.lint() == text) {
                        self.fault(value.span(), format!("`{text}` is no check"), "see docs/diagnostics.md");
                    }
                    one.code = text;
                }
                "file" => one.file = text,
                "text" => one.text = text,
                _ => one.reason = text,
            }
        }
        if one.code.is_empty() || one.file.is_empty() || one.reason.trim().is_empty() {
            let hint = "give `code`, `file` (a glob) and `reason`";
            self.fault(value.span(), "this lets nothing stand".into(), hint);
        }
        one
    }

    fn approval(&mut self, value: &Spanned<DeValue<'_>>) -> Approval {
        let mut one = Approval::default();
        let Some(table) = self.table(value) else { return one };
        for (key, value) in self.entries(table, &["package", "source", "digest", "grant"]) {
            match key {
                "package" => one.package = self.text(value),
                "source" => one.source = self.text(value),
                "digest" => one.digest = self.text(value),
                _ => {
                    one.grant = self.texts(value);
                    if let Some(word) =
                        one.grant.iter().find(|word| !matches!(word.as_str(), "always" | "manual"))
                    {
                        let message = format!("`{word}` can't be granted");
                        self.fault(
                            value.span(),
                            message,
                            "beyond `globs` and `agent` there are `always` and `manual`",
                        );
                    }
                }
            }
        }
        if one.package.is_empty() || one.digest.is_empty() {
            let hint = "let `driven deps accept` write it";
            self.fault(value.span(), "a dependency has `package`, `source` and `digest`".into(), hint);
        }
        one
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

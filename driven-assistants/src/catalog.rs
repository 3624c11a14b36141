//! The assistants as data: one small file each, read by one engine.
//!
//! A file says where an assistant reads its rules, in which dialect, and what it
//! can express. It knows no rules. What was not confirmed by the vendor's own
//! page is marked so that users see it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use driven_format::Activation;
use serde::Deserialize;

/// One assistant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Assistant {
    /// The word that people write: `cursor`.
    #[serde(skip)]
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Where its vendor documents its rules; empty when no page is known.
    pub page: String,
    /// The day on which this was written down from `sources`.
    pub checked: String,
    /// Where the facts come from: `vendor` is its own page, the others stand for second hand.
    pub sources: Vec<String>,
    /// Who keeps a path that two assistants want with different content: the lower number.
    pub precedence: u32,
    /// Facts that nothing confirmed.
    #[serde(default)]
    pub unconfirmed: Vec<String>,
    /// Something to know.
    #[serde(default)]
    pub note: String,
    /// Files in the project's root that it reads as well.
    #[serde(default)]
    pub reads: Vec<String>,
    /// `@path` in its files takes in another file.
    #[serde(default)]
    pub imports: bool,
    /// Of `reads`, only the first that exists is read.
    #[serde(default)]
    pub first_match: bool,
    /// Single files that it reads, or once read, and that an import takes in.
    #[serde(default)]
    pub legacy: Vec<String>,
    /// Such a file in a folder speaks about that folder.
    #[serde(default)]
    pub legacy_nested: bool,
    /// The one file that holds everything.
    pub root: Option<RootFile>,
    /// The folder with a file for each rule.
    pub rules: Option<RuleFolder>,
    /// The dialect of the head of a rule's file; without one it has no head.
    pub head: Option<HeadSpec>,
    /// How much it reads.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// A file of settings that must list what it reads.
    pub register: Option<Register>,
    /// The same in the user's home.
    pub global: Option<Global>,
}

/// A single file for all rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootFile {
    /// Its path in the project.
    pub file: String,
    /// A file of that name in a folder speaks about that folder.
    #[serde(default)]
    pub nested: bool,
}

/// A folder with a file for each rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFolder {
    /// Its path in the project.
    pub dir: String,
    /// What its files end in.
    pub ending: String,
    /// Folders in it are read too.
    #[serde(default)]
    pub subfolders: bool,
}

/// The dialect of a head.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSpec {
    /// How it is written.
    pub style: HeadStyle,
    /// Its keys in the order in which they are written.
    pub order: Vec<String>,
    /// The key of the description.
    pub description: Option<String>,
    /// In which modes the description is written; in all when empty.
    #[serde(default)]
    pub describes: Vec<Mode>,
    /// The key of the globs.
    pub globs: Option<GlobKey>,
    /// Keys that fit every mode when they are absent.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Keys that narrow a rule in ways that no other assistant has: such a rule is only ever called for by name elsewhere.
    #[serde(default)]
    pub narrowing: Vec<String>,
    /// What an absent key means.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
    /// The modes that it can express, each with the keys that say so. `{name}` stands for the rule's name.
    pub modes: BTreeMap<Mode, BTreeMap<String, String>>,
}

/// When a rule takes part, as an assistant says it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Always.
    Always,
    /// With files that match.
    Globs,
    /// When the model finds it fitting.
    Agent,
    /// When a person asks for it.
    Manual,
    /// Never.
    Off,
}

impl Mode {
    /// The mode of an activation.
    pub fn of(activation: Activation) -> Mode {
        match activation {
            Activation::Globs => Mode::Globs,
            Activation::Agent => Mode::Agent,
            Activation::Manual => Mode::Manual,
            Activation::Off => Mode::Off,
            _ => Mode::Always,
        }
    }

    /// The activation of a mode.
    pub fn activation(self) -> Activation {
        match self {
            Mode::Always => Activation::Always,
            Mode::Globs => Activation::Globs,
            Mode::Agent => Activation::Agent,
            Mode::Manual => Activation::Manual,
            Mode::Off => Activation::Off,
        }
    }
}

/// How a head is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum HeadStyle {
    /// YAML.
    Yaml,
    /// `key: value` lines that are no YAML.
    Lines,
}

/// The key of the globs and the form of its value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobKey {
    /// The key.
    pub key: String,
    /// How globs are written there.
    pub form: GlobForm,
}

/// How a list of globs is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum GlobForm {
    /// A YAML list.
    List,
    /// Text with commas between globs; commas in braces do not part.
    Comma,
    /// The same without quotes, whatever YAML thinks of it.
    BareComma,
    /// Text that is parted at every comma: braces must be written out.
    SplitComma,
}

/// How much of a file an assistant reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What is counted.
    pub unit: Unit,
    /// The most that is read.
    pub max: usize,
    /// Over what it is counted.
    pub scope: Scope,
    /// How sure it is.
    pub kind: LimitKind,
    /// What happens beyond it.
    pub note: String,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Unicode scalar values.
    Characters,
    /// Lines.
    Lines,
}

impl Unit {
    /// How many `text` has.
    pub fn count(self, text: &str) -> usize {
        match self {
            Unit::Bytes => text.len(),
            Unit::Characters => text.chars().count(),
            Unit::Lines => text.lines().count(),
        }
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Bytes => "bytes",
            Unit::Characters => "characters",
            Unit::Lines => "lines",
        }
    }
}

/// Over what a limit counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Each file by itself.
    File,
    /// The files of all folders from the root to the one that is worked in.
    Chain,
}

/// How sure a limit is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// What is beyond it is not read.
    Limit,
    /// Second hand, or of some versions.
    Reported,
    /// The vendor's advice.
    Advice,
}

/// A file of settings that must list what is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Its path in the project.
    pub file: String,
    /// How it is written.
    pub format: SettingsFormat,
    /// The key of the list.
    pub key: String,
    /// What the list holds.
    pub of: Entries,
}

/// How a file of settings is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SettingsFormat {
    /// JSON.
    Json,
    /// JSON with comments.
    Jsonc,
    /// YAML.
    Yaml,
}

/// What a list in settings holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Entries {
    /// Paths of files.
    Paths,
    /// The rules' texts.
    Texts,
}

/// Where rules for all projects of a user lie, below the home folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Global {
    /// The one file.
    pub root: Option<String>,
    /// The folder.
    pub dir: Option<String>,
    /// What stands there is always active, whatever its head says.
    #[serde(default)]
    pub always: bool,
}

impl Assistant {
    /// Whether its vendor's own page stands behind the facts.
    pub fn is_confirmed(&self) -> bool {
        self.sources.iter().any(|source| source == "vendor") && self.unconfirmed.is_empty()
    }

    /// The path that was once a single file of its, and is now its folder.
    pub fn folder_that_was_a_file(&self) -> Option<&str> {
        let dir = self.rules.as_ref()?.dir.as_str();
        self.legacy.iter().any(|file| file == dir).then_some(dir)
    }

    /// Whether it can express a mode natively.
    pub fn expresses(&self, mode: Mode) -> bool {
        match &self.head {
            Some(head) => head.modes.contains_key(&mode),
            None => mode == Mode::Always,
        }
    }
}

macro_rules! files {
    ($($id:literal)*) => {
        &[$(($id, include_str!(concat!("../assistants/", $id, ".toml")))),*]
    };
}

const FILES: &[(&str, &str)] = files! {
    "agentsmd" "aiassistant" "aider" "amazonq" "amp" "antigravity-cli" "antigravity-ide"
    "augmentcode" "bob" "claudecode" "cline" "codebuddy" "codexcli" "commandcode" "continue"
    "copilot" "copilotcli" "cortexcode" "crush" "cursor" "deepagents" "devin" "dsh" "factorydroid"
    "firebase" "firebender" "geminicli" "geminicodeassist" "goose" "grokcli" "hermesagent" "jules"
    "junie" "kilo" "kimi-code" "kiro" "musecode" "opencode" "openhands" "pi" "pool" "qwencode"
    "reasonix" "replit" "roo" "rovodev" "tabnine" "takt" "trae" "vibe" "warp" "windsurf" "zcode"
    "zed" "zoocode"
};

/// Every assistant, by precedence.
pub fn assistants() -> &'static [Assistant] {
    static ALL: OnceLock<Vec<Assistant>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<Assistant> = FILES.iter().map(|(id, text)| read(id, text)).collect();
        all.sort_by_key(|assistant| assistant.precedence);
        all
    })
}

fn read(id: &str, text: &str) -> Assistant {
    match toml::from_str::<Assistant>(text) {
        Ok(assistant) => Assistant { id: id.into(), ..assistant },
        Err(err) => unreachable!("assistants/{id}.toml is read by a test: {err}"),
    }
}

/// The assistant of a name.
pub fn find(id: &str) -> Option<&'static Assistant> {
    assistants().iter().find(|assistant| assistant.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_says_what_the_engine_can_do() {
        let all = assistants();
        assert!(all.len() >= 40);
        let ranks: BTreeSet<u32> = all.iter().map(|assistant| assistant.precedence).collect();
        assert_eq!(ranks.len(), all.len(), "a precedence twice");
        for assistant in all {
            let id = &assistant.id;
            let register_only = assistant.register.as_ref().is_some_and(|one| one.of == Entries::Texts);
            let writes = usize::from(assistant.root.is_some()) + usize::from(assistant.rules.is_some());
            assert!(writes == 1 || register_only && writes == 0, "{id}: one place to write to");
            let Some(head) = &assistant.head else { continue };
            assert!(assistant.rules.is_some(), "{id}: a head without files");
            let known = |key: &String| head.order.contains(key);
            assert!(head.modes.values().flat_map(BTreeMap::keys).all(known), "{id}: a key without a place");
            assert!(head.description.iter().all(known) && head.globs.iter().all(|globs| known(&globs.key)));
            assert_eq!(head.globs.is_some(), head.modes.contains_key(&Mode::Globs), "{id}");
        }
    }

    #[test]
    fn every_file_in_the_folder_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assistants");
        let files = std::fs::read_dir(folder).expect("the folder is there").count();
        assert_eq!(files, FILES.len());
    }
}

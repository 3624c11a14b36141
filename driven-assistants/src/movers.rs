//! Configurations of rulesync and ruler, for those who move over.

use driven_build::frontmatter::{self, Entry, ValueKind};

use crate::catalog::{Mode, SettingsFormat, find};
use crate::head::Meaning;
use crate::import::{Found, Look, blank_lines};
use crate::{globs, settings};

const RULESYNC: &str = ".rulesync/rules";
const RULER: &str = ".ruler";

/// ruler's names that are not ours.
const RULER_NAMES: [(&str, &str); 15] = [
    ("claude", "claudecode"),
    ("codex", "codexcli"),
    ("gemini-cli", "geminicli"),
    ("kilocode", "kilo"),
    ("qwen", "qwencode"),
    ("amazonqcli", "amazonq"),
    ("antigravity", "antigravity-ide"),
    ("mistral", "vibe"),
    ("factory", "factorydroid"),
    ("jetbrains-ai", "aiassistant"),
    ("augment", "augmentcode"),
    ("firebase-studio", "firebase"),
    ("open-hands", "openhands"),
    ("roocode", "roo"),
    ("kimi", "kimi-code"),
];

/// Takes in what the two have.
pub(crate) fn read(look: &mut Look) {
    rulesync(look);
    ruler(look);
}

fn rulesync(look: &mut Look) {
    for path in look.files(RULESYNC, ".md", true) {
        let Some(text) = look.take(&path) else { continue };
        let front = match frontmatter::read(&text) {
            Ok(front) => front,
            Err(fault) => {
                look.note(&path, format!("its head does not parse: {}", fault.message));
                continue;
            }
        };
        let targets = list(&front.entries, "targets").into_iter().filter(|name| name != "*").collect();
        let (targets, unknown) = known(targets, &[]);
        for name in unknown {
            look.note(&path, format!("driven knows no assistant `{name}`"));
        }
        let start = front.body_start + blank_lines(&text[front.body_start..]);
        look.found.push(Found {
            id: path[RULESYNC.len() + 1..path.len() - 3].to_owned(),
            owner: "",
            meaning: rulesync_meaning(&front.entries),
            front: String::new(),
            body: text[start..].to_owned(),
            targets,
            path,
        });
    }
    for name in ["rulesync.jsonc", "rulesync.json"] {
        let Some(text) = look.take(name) else { continue };
        match settings::texts(&text, SettingsFormat::Jsonc, "targets") {
            Ok(targets) => configured(look, name, targets, &[]),
            Err(why) => look.note(name, why),
        }
    }
}

/// `root: true` is always; `cursor.alwaysApply` says so too.
fn rulesync_meaning(entries: &[Entry]) -> Meaning {
    let is_true = |entries: &[Entry], key: &str| text(entries, key) == "true";
    let cursor = entries.iter().find(|entry| entry.key == "cursor").map(|entry| &entry.value.kind);
    let forced = matches!(cursor, Some(ValueKind::Map(inner)) if is_true(inner, "alwaysApply"));
    let description = text(entries, "description");
    let globs = globs::sound(list(entries, "globs"));
    let mode = if is_true(entries, "root") || forced {
        Mode::Always
    } else if !globs.is_empty() {
        Mode::Globs
    } else if !description.is_empty() {
        Mode::Agent
    } else {
        Mode::Always
    };
    Meaning { mode, description, globs: if mode == Mode::Globs { globs } else { Vec::new() } }
}

fn ruler(look: &mut Look) {
    for path in look.files(RULER, ".md", true) {
        let Some(text) = look.take(&path) else { continue };
        let start = blank_lines(&text);
        look.found.push(Found {
            id: path[RULER.len() + 1..path.len() - 3].to_lowercase(),
            owner: "",
            meaning: crate::head::always(),
            front: String::new(),
            body: text[start..].to_owned(),
            targets: Vec::new(),
            path,
        });
    }
    let name = format!("{RULER}/ruler.toml");
    let Some(text) = look.take(&name) else { return };
    match text.parse::<toml::Table>() {
        Ok(table) => {
            let agents = table.get("default_agents").and_then(toml::Value::as_array);
            let names = agents.into_iter().flatten().filter_map(toml::Value::as_str);
            configured(look, &name, names.map(str::to_owned).collect(), &RULER_NAMES);
        }
        Err(err) => look.note(&name, format!("no TOML: {}", err.message())),
    }
}

/// The assistants that a configuration names.
fn configured(look: &mut Look, path: &str, names: Vec<String>, others: &[(&str, &str)]) {
    let all = names.iter().any(|name| name == "*");
    let (targets, unknown) = known(names.into_iter().filter(|name| name != "*").collect(), others);
    look.out.targets.extend(targets);
    if all {
        look.out.targets.push("*".into());
    }
    for name in unknown {
        look.note(path, format!("driven knows no assistant `{name}`"));
    }
}

/// Names as driven has them, and those that it does not know.
fn known(names: Vec<String>, others: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let ours = |name: String| match others.iter().find(|(theirs, _)| *theirs == name) {
        Some((_, ours)) => (*ours).to_owned(),
        None => name,
    };
    names.into_iter().map(ours).partition(|name| find(name).is_some())
}

fn text(entries: &[Entry], key: &str) -> String {
    match entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value.kind) {
        Some(ValueKind::Scalar(text)) => text.clone(),
        _ => String::new(),
    }
}

fn list(entries: &[Entry], key: &str) -> Vec<String> {
    match entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value.kind) {
        Some(ValueKind::Scalar(text)) => {
            driven_build::split_globs(text).into_iter().map(|one| one.trim().to_owned()).collect()
        }
        Some(ValueKind::List(values)) => values
            .iter()
            .filter_map(|value| match &value.kind {
                ValueKind::Scalar(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

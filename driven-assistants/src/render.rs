//! From a rule to an assistant's own file: the head in its dialect, and prose where it has no word for a scope.
//!
//! Nothing is widened: a rule that can't be scoped natively is folded with its
//! scope named, left out, or refused, as the policy says; and what became of it
//! is told.

use driven::{Activation, RuleView};

use crate::catalog::{Assistant, Mode, find};
use crate::head::{self, Meaning};

/// What happens to a rule whose scope an assistant can't express.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It becomes prose that names its scope; a rule that only a person calls for is left out.
    #[default]
    Fold,
    /// It is left out.
    Skip,
    /// Nothing is written at all.
    Refuse,
}

impl Policy {
    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "fold" => Some(Policy::Fold),
            "skip" => Some(Policy::Skip),
            "error" => Some(Policy::Refuse),
            _ => None,
        }
    }
}

/// What became of a rule in one assistant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The rule's id.
    pub rule: String,
    /// What became of it.
    pub kind: FateKind,
    /// Why it is not as it was, or what the assistant has no word for; empty when nothing was lost.
    pub why: String,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FateKind {
    /// Its mode and globs are said natively.
    Kept,
    /// It stands there as prose that names its scope.
    Folded,
    /// It is not there.
    Skipped,
    /// It is not there, and the policy makes that an error.
    Refused,
}

impl FateKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            FateKind::Kept => "kept",
            FateKind::Folded => "folded",
            FateKind::Skipped => "skipped",
            FateKind::Refused => "refused",
        }
    }
}

/// Whether a rule is for an assistant at all.
pub(crate) fn is_for(rule: &RuleView<'_>, assistant: &Assistant) -> bool {
    let mut targets = rule.targets().iter().peekable();
    // What was a file of its own is in no shared one.
    let is_apart = |target: &str| {
        let file = find(target).and_then(|one| one.root.as_ref()).map(|root| root.file.as_str());
        let mut own = rule.origins().filter(|origin| origin.assistant() == target);
        own.any(|origin| name_of(origin.path()) != file.map_or("", name_of))
    };
    targets.peek().is_none()
        || targets.any(|target| {
            target == "*" || target == assistant.id || !is_apart(target) && reaches(target, assistant)
        })
}

/// Whether what is written for `target` is read by `assistant`: it is that one, or both read one file and nothing else.
fn reaches(target: &str, assistant: &Assistant) -> bool {
    let file = |assistant: &Assistant| {
        assistant.root.as_ref().filter(|_| assistant.rules.is_none()).map(|root| root.file.clone())
    };
    file(assistant).is_some() && find(target).and_then(file) == file(assistant)
}

/// The last part of an id, which is a rule's name.
pub(crate) fn name_of(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// What a rule says, in the words that heads have.
pub(crate) fn meaning_of(rule: &RuleView<'_>) -> Meaning {
    Meaning {
        mode: Mode::of(rule.activation()),
        description: rule.description().into(),
        globs: rule.globs().iter().map(str::to_owned).collect(),
    }
}

/// Whether nothing but a byte-order mark and blank lines stood in front of a body.
pub(crate) fn is_blank(front: &str) -> bool {
    front.trim_start_matches('\u{FEFF}').trim().is_empty()
}

/// What an import found in front of the body for this assistant: its path and its text.
pub(crate) fn origin_of<'a>(rule: &RuleView<'a>, assistant: &Assistant) -> Option<(&'a str, &'a str)> {
    let is_placed = |path: &str| {
        let rules = assistant.rules.as_ref();
        rules.is_some_and(|rules| {
            path.strip_prefix(rules.dir.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    // Assistants that share a folder also share what was found there.
    let own = rule
        .origins()
        .find(|origin| origin.assistant() == assistant.id)
        .or_else(|| rule.origins().find(|origin| is_placed(origin.path())))?;
    Some((own.path(), own.text()))
}

/// How a rule is to be written.
pub(crate) enum Way {
    /// With this head.
    Native(String),
    /// As an always active text behind this prose.
    Fold(String),
    /// Not at all.
    Out,
}

/// How `rule` is written for an assistant with files of their own, and what became of it.
pub(crate) fn way(rule: &RuleView<'_>, assistant: &Assistant, policy: Policy, global: bool) -> (Way, Fate) {
    let meaning = meaning_of(rule);
    let forced = global && assistant.global.as_ref().is_some_and(|global| global.always);
    let native = match &assistant.head {
        _ if !rule.when().is_empty() => None,
        _ if forced && meaning.mode != Mode::Always => None,
        Some(spec) => {
            let origin = origin_of(rule, assistant).map(|(_, text)| text);
            head::write(&meaning, name_of(rule.id()), spec, origin)
        }
        None => {
            let origin = origin_of(rule, assistant).map(|(_, text)| text).filter(|text| is_blank(text));
            (meaning.mode == Mode::Always).then(|| origin.unwrap_or_default().to_owned())
        }
    };
    let fate = |kind, why: String| Fate { rule: rule.id().into(), kind, why };
    if let Some(head) = native {
        let lost = match &assistant.head {
            Some(spec) if !meaning.description.is_empty() && !head::describes(spec, meaning.mode) => {
                "it has no key for the description"
            }
            None if !meaning.description.is_empty() => "it has no key for the description",
            _ => "",
        };
        return (Way::Native(head), fate(FateKind::Kept, lost.into()));
    }
    if meaning.mode == Mode::Off {
        return (Way::Out, fate(FateKind::Skipped, "it is switched off".into()));
    }
    let why = why_not(rule, assistant);
    match policy {
        Policy::Refuse => (Way::Out, fate(FateKind::Refused, why)),
        Policy::Skip => (Way::Out, fate(FateKind::Skipped, why)),
        Policy::Fold if meaning.mode == Mode::Manual => {
            (Way::Out, fate(FateKind::Skipped, format!("{why}; as prose it would always be read")))
        }
        Policy::Fold => {
            match assistant.head.as_ref().map(|spec| head::write(&head::always(), "", spec, None)) {
                Some(None) => (Way::Out, fate(FateKind::Skipped, why)),
                head => {
                    let head = head.flatten().unwrap_or_default();
                    (Way::Fold(format!("{head}{}\n\n", scope(rule))), fate(FateKind::Folded, why))
                }
            }
        }
    }
}

fn why_not(rule: &RuleView<'_>, assistant: &Assistant) -> String {
    let name = &assistant.name;
    if !rule.when().is_empty() {
        return format!("{name} knows no predicates");
    }
    let mode = Mode::of(rule.activation());
    match mode {
        Mode::Globs if assistant.expresses(mode) => format!("{name} can't write these globs"),
        Mode::Globs => format!("{name} knows no globs"),
        Mode::Agent => format!("{name} does not let the model choose"),
        _ => format!("{name} knows no rules called by hand"),
    }
}

/// The scope of a rule in prose.
pub(crate) fn scope(rule: &RuleView<'_>) -> String {
    let mut parts = Vec::new();
    match rule.activation() {
        Activation::Globs => {
            let shown: Vec<String> = rule.globs().iter().map(|glob| format!("`{glob}`")).collect();
            parts.push(format!("to files that match {}", shown.join(", ")));
        }
        Activation::Agent => parts.push(format!("when this fits: {}", one_line(rule.description()))),
        _ => {}
    }
    if !rule.when().is_empty() {
        parts.push(format!("if `{}`", one_line(rule.when())));
    }
    format!("Applies only {}.", parts.join(", and only "))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

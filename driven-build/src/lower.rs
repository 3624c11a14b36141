//! From a source file to the model: what each key of the frontmatter means.
//!
//! One file at a time; what needs all rules is `checks`.

use std::ops::Range;
use std::sync::Arc;

use driven_format::glob::{self, GlobError};
use driven_format::{
    Activation, Capabilities, Capability, Category, Origin, Persona, Rule, Step, StepKind, Workflow, outline,
};

use crate::diagnostics::{Code, Finding, Report, SourceFile};
use crate::frontmatter::{self, Entry, Frontmatter, Value, ValueKind};
use crate::nearest::nearest;
use crate::source::RuleSource;

/// The keys of a rule.
const RULE_KEYS: &[&str] = &[
    "description",
    "globs",
    "applyTo",
    "paths",
    "activation",
    "alwaysApply",
    "priority",
    "category",
    "tags",
    "languages",
    "when",
    "targets",
    "requires",
    "conflicts",
    "replaces",
    "capabilities",
];
const PERSONA_KEYS: &[&str] = &["description", "role", "traits", "principles"];
const WORKFLOW_KEYS: &[&str] = &["description", "steps"];
const STEP_KEYS: &[&str] = &["name", "when", "prompt", "run", "check", "ask"];

/// Texts of a rule that later checks point at.
#[derive(Clone, Debug, Default)]
pub(crate) struct RulePlaces {
    pub(crate) globs: Vec<Range<usize>>,
    pub(crate) requires: Vec<Range<usize>>,
    pub(crate) conflicts: Vec<Range<usize>>,
    pub(crate) replaces: Vec<Range<usize>>,
    pub(crate) capabilities: Range<usize>,
    pub(crate) body_start: usize,
}

/// A rule with the places of its parts.
#[derive(Clone, Debug)]
pub(crate) struct LoweredRule {
    pub(crate) rule: Rule,
    pub(crate) file: Arc<SourceFile>,
    pub(crate) places: RulePlaces,
}

/// Reads a rule; nothing when its frontmatter has no meaning.
pub(crate) fn lower_rule(source: &RuleSource, report: &mut Report) -> Option<LoweredRule> {
    let front = read_head(&source.file, report)?;
    let mut reader = Reader::new(&source.file, report);
    reader.check_keys(&front.entries, RULE_KEYS, true);
    let mut places = RulePlaces { body_start: front.body_start, ..RulePlaces::default() };
    let mut rule = Rule { id: source.id.clone(), ..Rule::default() };
    let mut activation = None;
    let mut always_apply = false;
    for entry in &front.entries {
        let value = &entry.value;
        match entry.key.as_str() {
            "description" => rule.description = reader.text(value),
            "globs" | "applyTo" | "paths" => {
                for (text, range) in reader.globs(value) {
                    rule.globs.push(text);
                    places.globs.push(range);
                }
            }
            "activation" => {
                activation = reader.word(value, Activation::ALL, Activation::as_str).or(activation);
            }
            "alwaysApply" => always_apply = reader.truth(value),
            "priority" => rule.priority = reader.number(value).unwrap_or(rule.priority),
            "category" => rule.category = reader.word(value, Category::ALL, Category::as_str),
            "tags" => (rule.tags, _) = reader.list(value),
            "languages" => (rule.languages, _) = reader.list(value),
            "when" => rule.when = reader.text(value),
            "targets" => (rule.targets, _) = reader.list(value),
            "requires" => (rule.requires, places.requires) = reader.list(value),
            "conflicts" => (rule.conflicts, places.conflicts) = reader.list(value),
            "replaces" => (rule.replaces, places.replaces) = reader.list(value),
            "capabilities" => {
                rule.capabilities = reader.capabilities(value);
                places.capabilities = value.range.clone();
            }
            key => {
                if let Some(assistant) = key.strip_prefix("x-") {
                    rule.origins.extend(reader.origin(assistant, value));
                }
            }
        }
    }
    rule.activation = activation.unwrap_or_else(|| default_activation(&rule, always_apply, source.ending));
    reader.check_globs(&mut rule, &mut places);
    source.file.text[front.body_start..].clone_into(&mut rule.body);
    rule.outline = outline::nodes(&rule.body);
    Some(LoweredRule { rule, file: Arc::clone(&source.file), places })
}

/// When a rule that does not say so takes part.
fn default_activation(rule: &Rule, always_apply: bool, ending: &str) -> Activation {
    if always_apply {
        Activation::Always
    } else if !rule.globs.is_empty() {
        Activation::Globs
    } else if !rule.description.is_empty() {
        Activation::Agent
    } else if ending == ".mdc" {
        Activation::Manual
    } else {
        Activation::Always
    }
}

/// Reads a persona.
pub(crate) fn lower_persona(source: &RuleSource, report: &mut Report) -> Option<Persona> {
    let front = read_head(&source.file, report)?;
    let mut reader = Reader::new(&source.file, report);
    reader.check_keys(&front.entries, PERSONA_KEYS, false);
    let mut persona = Persona { id: source.id.clone(), ..Persona::default() };
    for entry in &front.entries {
        match entry.key.as_str() {
            "description" => persona.description = reader.text(&entry.value),
            "role" => persona.role = reader.text(&entry.value),
            "traits" => (persona.traits, _) = reader.list(&entry.value),
            "principles" => (persona.principles, _) = reader.list(&entry.value),
            _ => {}
        }
    }
    source.file.text[front.body_start..].clone_into(&mut persona.body);
    Some(persona)
}

/// Reads a workflow.
pub(crate) fn lower_workflow(source: &RuleSource, report: &mut Report) -> Option<Workflow> {
    let front = read_head(&source.file, report)?;
    let mut reader = Reader::new(&source.file, report);
    reader.check_keys(&front.entries, WORKFLOW_KEYS, false);
    let mut workflow = Workflow { id: source.id.clone(), ..Workflow::default() };
    for entry in &front.entries {
        match (entry.key.as_str(), &entry.value.kind) {
            ("description", _) => workflow.description = reader.text(&entry.value),
            ("steps", ValueKind::List(steps)) => {
                workflow.steps = steps.iter().filter_map(|step| reader.step(step)).collect();
            }
            ("steps", _) => reader.bad_value(&entry.value, "a list of steps"),
            _ => {}
        }
    }
    source.file.text[front.body_start..].clone_into(&mut workflow.body);
    Some(workflow)
}

fn read_head(file: &Arc<SourceFile>, report: &mut Report) -> Option<Frontmatter> {
    match frontmatter::read(&file.text) {
        Ok(front) => {
            for range in &front.lenient {
                let finding = Finding::at(
                    Code::LenientFrontmatter,
                    file,
                    range.clone(),
                    "no YAML; read as it was meant",
                );
                report.push(finding.hint("put the text in quotes"));
            }
            Some(front)
        }
        Err(fault) => {
            let message = format!("the frontmatter does not parse: {}", fault.message);
            let finding = Finding::at(Code::BadFrontmatter, file, fault.range, message);
            report.push(finding.hint(
                "it is YAML between two lines of `---`: `key: value`, lists in brackets or with dashes",
            ));
            None
        }
    }
}

/// Reads values, and reports those of the wrong kind.
struct Reader<'r> {
    file: &'r Arc<SourceFile>,
    report: &'r mut Report,
}

impl<'r> Reader<'r> {
    fn new(file: &'r Arc<SourceFile>, report: &'r mut Report) -> Self {
        Reader { file, report }
    }

    fn check_keys(&mut self, entries: &[Entry], known: &[&str], assistants: bool) {
        for (index, entry) in entries.iter().enumerate() {
            let key = entry.key.as_str();
            let report = |code, message| Finding::at(code, self.file, entry.key_range.clone(), message);
            if entries[..index].iter().any(|earlier| earlier.key == key) {
                let finding = report(Code::DuplicateKey, format!("`{key}` is set twice"));
                self.report.push(finding.hint("keep one of the two"));
            } else if !known.contains(&key) && (!assistants || !key.starts_with("x-")) {
                let finding = report(Code::UnknownKey, format!("driven does not know the key `{key}`"));
                self.report.push(match nearest(key, known) {
                    Some(near) => finding.hint(format!("did you mean `{near}`?")),
                    None => {
                        finding.hint("remove it; what belongs to one assistant goes below `x-<assistant>`")
                    }
                });
            }
        }
    }

    fn bad_value(&mut self, value: &Value, expected: &str) {
        let seen = match &value.kind {
            ValueKind::Scalar(text) => format!("`{text}`"),
            ValueKind::Null => "nothing".into(),
            ValueKind::List(_) => "a list".into(),
            ValueKind::Map(_) => "a mapping".into(),
        };
        let finding = Finding::at(
            Code::BadValue,
            self.file,
            value.range.clone(),
            format!("expected {expected}, found {seen}"),
        );
        self.report.push(finding.label(format!("expected {expected}")));
    }

    fn text(&mut self, value: &Value) -> String {
        match &value.kind {
            ValueKind::Scalar(text) => text.clone(),
            ValueKind::Null => String::new(),
            _ => {
                self.bad_value(value, "text");
                String::new()
            }
        }
    }

    fn truth(&mut self, value: &Value) -> bool {
        match &value.kind {
            ValueKind::Scalar(text) if matches!(text.as_str(), "true" | "True" | "TRUE" | "yes") => true,
            ValueKind::Scalar(text) if matches!(text.as_str(), "false" | "False" | "FALSE" | "no") => false,
            ValueKind::Null => false,
            _ => {
                self.bad_value(value, "`true` or `false`");
                false
            }
        }
    }

    fn number(&mut self, value: &Value) -> Option<u8> {
        if let ValueKind::Scalar(text) = &value.kind
            && let Ok(number) = text.parse()
        {
            return Some(number);
        }
        self.bad_value(value, "a number from 0 to 255");
        None
    }

    fn word<T: Copy>(&mut self, value: &Value, all: &[T], word: impl Fn(T) -> &'static str) -> Option<T> {
        if value.kind == ValueKind::Null {
            return None;
        }
        let found = match &value.kind {
            ValueKind::Scalar(text) => all.iter().copied().find(|&one| word(one) == text),
            _ => None,
        };
        if found.is_none() {
            let words: Vec<String> = all.iter().map(|&one| format!("`{}`", word(one))).collect();
            self.bad_value(value, &format!("one of {}", words.join(", ")));
        }
        found
    }

    /// A list, whose texts stay whole, or text with commas between its parts.
    fn list(&mut self, value: &Value) -> (Vec<String>, Vec<Range<usize>>) {
        let parts = self.parts(value, |text| text.split(',').collect());
        parts.into_iter().unzip()
    }

    /// Globs: a list of patterns, or text with commas between them; commas in braces do not part.
    fn globs(&mut self, value: &Value) -> Vec<(String, Range<usize>)> {
        let parts = self.parts(value, split_globs);
        if !matches!(value.kind, ValueKind::Scalar(_)) {
            return parts;
        }
        // `globs: "*.ts", "*.js"` is no YAML; the quotes are no part of the patterns.
        let unquoted =
            parts.into_iter().map(|(text, range)| (text.trim_matches(['"', '\'']).to_owned(), range));
        unquoted.filter(|(text, _)| !text.is_empty()).collect()
    }

    fn parts(&mut self, value: &Value, split: fn(&str) -> Vec<&str>) -> Vec<(String, Range<usize>)> {
        match &value.kind {
            ValueKind::Null => Vec::new(),
            ValueKind::Scalar(text) => {
                let parts = self.split_scalar(text, &value.range, split);
                parts.into_iter().filter(|(text, _)| !text.is_empty()).collect()
            }
            ValueKind::List(values) => {
                let whole = values.iter().filter_map(|value| {
                    if let ValueKind::Scalar(text) = &value.kind {
                        return Some((text.clone(), self.place(text, &value.range)));
                    }
                    self.bad_value(value, "text");
                    None
                });
                whole.collect()
            }
            ValueKind::Map(_) => {
                self.bad_value(value, "a list, or text with commas");
                Vec::new()
            }
        }
    }

    /// The parts of a scalar with their places, where the file shows them as they are.
    fn split_scalar(
        &self,
        text: &str,
        range: &Range<usize>,
        split: fn(&str) -> Vec<&str>,
    ) -> Vec<(String, Range<usize>)> {
        let first = self.place(text, range);
        let is_shown = self.file.text.get(first.clone()) == Some(text);
        let parts = split(text).into_iter().map(|part| {
            let trimmed = part.trim();
            let offset = trimmed.as_ptr() as usize - text.as_ptr() as usize;
            let start = first.start + offset;
            (trimmed.to_owned(), if is_shown { start..start + trimmed.len() } else { range.clone() })
        });
        parts.collect()
    }

    /// Where the text of a scalar stands: without its quotes, when the file shows it as it is.
    fn place(&self, text: &str, range: &Range<usize>) -> Range<usize> {
        match self.file.text[range.clone()].find(text) {
            Some(at) => range.start + at..range.start + at + text.len(),
            None => range.clone(),
        }
    }

    fn capabilities(&mut self, value: &Value) -> Capabilities {
        let parts = self.parts(value, |text| text.split(',').collect());
        let mut all = Capabilities::NONE;
        for (word, range) in parts.into_iter().filter(|(word, _)| !word.is_empty()) {
            let value = Value { kind: ValueKind::Scalar(word), range };
            if let Some(one) = self.word(&value, Capability::ALL, Capability::as_str) {
                all = all.with(one);
            }
        }
        all
    }

    fn origin(&mut self, assistant: &str, value: &Value) -> Option<Origin> {
        let mut origin = Origin { assistant: assistant.into(), ..Origin::default() };
        match &value.kind {
            ValueKind::Scalar(text) => origin.text.clone_from(text),
            ValueKind::Map(entries) => {
                for entry in entries {
                    match entry.key.as_str() {
                        "text" => origin.text = self.text(&entry.value),
                        "path" => origin.path = self.text(&entry.value),
                        _ => self.check_keys(std::slice::from_ref(entry), &["text", "path"], false),
                    }
                }
            }
            _ => {
                self.bad_value(value, "the assistant's frontmatter as text");
                return None;
            }
        }
        Some(origin)
    }

    fn step(&mut self, value: &Value) -> Option<Step> {
        let ValueKind::Map(entries) = &value.kind else {
            self.bad_value(value, "a step: one of `prompt`, `run`, `check`, `ask`");
            return None;
        };
        self.check_keys(entries, STEP_KEYS, false);
        let find = |key: &str| entries.iter().find(|entry| entry.key == key);
        let kinds: Vec<StepKind> =
            StepKind::ALL.iter().copied().filter(|kind| find(kind.as_str()).is_some()).collect();
        let [kind] = kinds[..] else {
            self.bad_value(value, "exactly one of `prompt`, `run`, `check`, `ask`");
            return None;
        };
        let mut text_of = |key: &str| find(key).map(|entry| self.text(&entry.value)).unwrap_or_default();
        Some(Step { kind, name: text_of("name"), text: text_of(kind.as_str()), when: text_of("when") })
    }

    /// Reports globs without meaning, and leaves them out, so that a capped build has a pack.
    fn check_globs(&mut self, rule: &mut Rule, places: &mut RulePlaces) {
        let mut sound = Vec::new();
        for (text, range) in rule.globs.iter().zip(&places.globs) {
            let positive = text.strip_prefix('!').unwrap_or(text);
            match glob::expand(positive) {
                Ok(plain) => {
                    if plain.is_empty() {
                        let finding = Finding::at(
                            Code::DeadGlob,
                            self.file,
                            range.clone(),
                            format!("no path can match `{text}`"),
                        );
                        self.report.push(finding.hint("a path has no empty part, no `.` and no `..`"));
                    }
                    sound.push((text.clone(), range.clone()));
                }
                Err(err) => self.bad_glob(text, range, &err, text.len() - positive.len()),
            }
        }
        if !sound.is_empty() && sound.iter().all(|(text, _)| text.starts_with('!')) {
            let range = sound[0].1.start..sound[sound.len() - 1].1.end;
            let finding =
                Finding::at(Code::BadGlob, self.file, range, "a list of only `!` patterns matches nothing");
            self.report.push(finding.hint("put `**` in front of it"));
            sound.clear();
        }
        if rule.activation == Activation::Globs && rule.globs.is_empty() {
            let finding =
                Finding::in_file(Code::NoGlobs, &self.file.path, "the rule waits for globs and has none");
            self.report.push(finding.hint("give it `globs`, or another `activation`"));
        }
        (rule.globs, places.globs) = sound.into_iter().unzip();
    }

    fn bad_glob(&mut self, text: &str, range: &Range<usize>, err: &GlobError, before: usize) {
        let shown = self.file.text.get(range.clone()) == Some(text);
        let at = if shown { range.start + before + err.at() } else { range.start };
        let message = format!("the glob `{text}` has no meaning: {err}");
        let finding = Finding::at(Code::BadGlob, self.file, at..range.end.max(at), message);
        self.report.push(
            finding.hint("mend the pattern, or put `\\` in front of a character that is meant as such"),
        );
    }
}

/// Parts a comma list of globs; commas in braces and classes, and quoted ones, do not part.
pub fn split_globs(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0usize, false);
    for (at, char) in text.char_indices() {
        if quoted {
            quoted = false;
            continue;
        }
        match char {
            '\\' => quoted = true,
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_braces_do_not_part() {
        assert_eq!(split_globs("**/*.{ts,tsx}, b,{a,{b,c}}/d"), ["**/*.{ts,tsx}", " b", "{a,{b,c}}/d"]);
        assert_eq!(split_globs("a\\,b,c"), ["a\\,b", "c"]);
    }
}

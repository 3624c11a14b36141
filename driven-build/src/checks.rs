//! Checks that need all rules of a set, and those of one rule's text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::diagnostics::{Code, Finding, Report};
use crate::lower::LoweredRule;
use crate::nearest::nearest;
use driven_format::{Activation, Capabilities, rust_path};

/// Runs every check. `others` are the ids of rules from elsewhere, `granted` is what the manifest grants, `max_body` the longest body that is not oversized.
pub(crate) fn check(
    rules: &[LoweredRule],
    others: &BTreeSet<String>,
    granted: Capabilities,
    max_body: usize,
    report: &mut Report,
) {
    let mut checker = Checker { rules, others, by_id: BTreeMap::new(), report };
    checker.check_ids();
    for rule in rules {
        checker.check_text(rule, max_body);
        checker.check_capabilities(rule, granted);
        checker.check_relations(rule);
    }
    checker.check_circles("requires", |rule| (&rule.rule.requires, &rule.places.requires));
    checker.check_circles("replaces", |rule| (&rule.rule.replaces, &rule.places.replaces));
    checker.check_conflicts();
}

struct Checker<'c> {
    rules: &'c [LoweredRule],
    others: &'c BTreeSet<String>,
    by_id: BTreeMap<&'c str, usize>,
    report: &'c mut Report,
}

/// A relation's ids and where they stand.
type Relation<'r> = (&'r Vec<String>, &'r Vec<Range<usize>>);

impl<'c> Checker<'c> {
    fn check_ids(&mut self) {
        let mut folded: BTreeMap<String, usize> = BTreeMap::new();
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for (index, lowered) in self.rules.iter().enumerate() {
            let id = lowered.rule.id.as_str();
            let path = &lowered.file.path;
            let other = |index: usize| self.rules[index].file.path.display();
            if let Some(&first) = self.by_id.get(id) {
                let message = format!("the id `{id}` is also that of {}", other(first));
                self.report.push(
                    Finding::in_file(Code::DuplicateId, path, message).hint("rename one of the two files"),
                );
                continue;
            }
            self.by_id.insert(id, index);
            if let Some(first) = folded.insert(id.to_lowercase(), index) {
                let message = format!("the id `{id}` differs only in case from that of {}", other(first));
                let hint = "rename one: some file systems hold only one of the two";
                self.report.push(Finding::in_file(Code::IdCase, path, message).hint(hint));
            } else if let Some(first) = names.insert(rust_path(id).join("::"), index) {
                let name = rust_path(id).join("::");
                let message =
                    format!("the id `{id}` gives the Rust name `{name}`, as does that of {}", other(first));
                self.report.push(
                    Finding::in_file(Code::NameClash, path, message).hint("rename one of the two files"),
                );
            }
        }
        for lowered in self.rules {
            let name = rust_path(&lowered.rule.id);
            let folders = (1..name.len()).map(|len| name[..len].join("::"));
            for folder in folders.filter(|folder| names.contains_key(folder)) {
                let message = format!("`{folder}` would be a module and a rule");
                self.report.push(
                    Finding::in_file(Code::NameClash, &lowered.file.path, message)
                        .hint("rename the folder or the rule"),
                );
            }
        }
    }

    fn check_text(&mut self, lowered: &LoweredRule, max_body: usize) {
        let body = &lowered.rule.body;
        let start = lowered.places.body_start;
        if body.trim().is_empty() {
            let finding = Finding::in_file(Code::EmptyBody, &lowered.file.path, "the rule has no text");
            self.report.push(finding.hint("write what the rule asks for, or delete the file"));
        } else if body.len() > max_body {
            let message = format!("{} bytes of text; assistants read up to {max_body} well", body.len());
            let finding = Finding::at(Code::OversizedRule, &lowered.file, start..start, message);
            self.report.push(finding.hint(
                "split the rule by the files that it speaks about, or raise `max-body` in driven.toml",
            ));
        }
    }

    fn check_capabilities(&mut self, lowered: &LoweredRule, granted: Capabilities) {
        let missing = lowered.rule.capabilities.difference(granted);
        if missing.is_empty() {
            return;
        }
        let words: Vec<String> = missing.iter().map(|one| format!("`{one}`")).collect();
        let message = format!("the rule asks for {}, which pack.toml does not grant", words.join(", "));
        let finding = Finding::at(
            Code::UngrantedCapability,
            &lowered.file,
            lowered.places.capabilities.clone(),
            message,
        );
        self.report.push(finding.hint("add it to `capabilities` in pack.toml, or take it out here"));
    }

    fn check_relations(&mut self, lowered: &LoweredRule) {
        let (rule, places) = (&lowered.rule, &lowered.places);
        let relations: [Relation<'_>; 3] = [
            (&rule.requires, &places.requires),
            (&rule.conflicts, &places.conflicts),
            (&rule.replaces, &places.replaces),
        ];
        for (id, range) in relations.into_iter().flat_map(|(ids, ranges)| ids.iter().zip(ranges)) {
            if self.by_id.contains_key(id.as_str()) || self.others.contains(id) {
                continue;
            }
            let known: Vec<&str> = self.by_id.keys().copied().collect();
            let finding = Finding::at(
                Code::UnknownRule,
                &lowered.file,
                range.clone(),
                format!("there is no rule `{id}`"),
            );
            self.report.push(match nearest(id, &known) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding.hint("an id is the path below the rule folder, without the ending"),
            });
        }
    }

    /// Reports each circle once, at the relation that closes it.
    fn check_circles(&mut self, word: &str, relation: impl Fn(&'c LoweredRule) -> Relation<'c>) {
        let mut state = vec![Visit::New; self.rules.len()];
        for start in 0..self.rules.len() {
            if state[start] != Visit::New {
                continue;
            }
            // A path from `start`: each rule, and which of its relations is next.
            let mut path = vec![(start, 0)];
            state[start] = Visit::Open;
            while let Some((index, next)) = path.last_mut() {
                let (ids, ranges) = relation(&self.rules[*index]);
                let Some(id) = ids.get(*next) else {
                    state[*index] = Visit::Done;
                    path.pop();
                    continue;
                };
                let (at, range) = (*index, ranges[*next].clone());
                *next += 1;
                let Some(&target) = self.by_id.get(id.as_str()) else { continue };
                match state[target] {
                    Visit::New => {
                        state[target] = Visit::Open;
                        path.push((target, 0));
                    }
                    Visit::Open => {
                        let from = path.iter().position(|(index, _)| *index == target).unwrap_or(0);
                        let circle: Vec<&str> = path[from..]
                            .iter()
                            .map(|(index, _)| self.rules[*index].rule.id.as_str())
                            .collect();
                        let message = format!("`{word}` goes in a circle: {} -> {id}", circle.join(" -> "));
                        let finding = Finding::at(Code::CircularRules, &self.rules[at].file, range, message);
                        self.report.push(finding.hint("take one of them out"));
                    }
                    Visit::Done => {}
                }
            }
        }
    }

    /// Rules that conflict must not be always active together, and none may require the other.
    fn check_conflicts(&mut self) {
        for lowered in self.rules {
            for (id, range) in lowered.rule.conflicts.iter().zip(&lowered.places.conflicts) {
                let Some(&other) = self.by_id.get(id.as_str()) else { continue };
                let (a, b) = (&lowered.rule, &self.rules[other].rule);
                let both_always = a.activation == Activation::Always && b.activation == Activation::Always;
                let replaced = a.replaces.contains(&b.id) || b.replaces.contains(&a.id);
                let why = if a.id == b.id {
                    "itself"
                } else if a.requires.contains(&b.id) || b.requires.contains(&a.id) {
                    "a rule that it stands in `requires` with"
                } else if both_always && !replaced {
                    "a rule that is always active as it is"
                } else {
                    continue;
                };
                let message = format!("`{}` conflicts with `{id}`, {why}", a.id);
                let finding = Finding::at(Code::ConflictingRules, &lowered.file, range.clone(), message);
                self.report.push(
                    finding.hint(
                        "scope one of the two by globs, let one replace the other, or drop the conflict",
                    ),
                );
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

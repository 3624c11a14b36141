//! Files patterns by shape and lays the path tables out.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{
    CheckRecord, GroupRecord, HEAD, KeyKind, KeyRecord, PairRecord, PathsRecord, PatternRecord, RowRecord,
    SieveRecord, key_hash, pair_bit, pair_hash, spaced_pair_bits,
};
use crate::glob::{GlobList, literal, tokens};
use crate::hash::{first_word, last_word};
use crate::wire::{StrRef, to_bytes};

/// Gathers patterns and files them by shape.
#[derive(Default)]
pub(crate) struct PathsBuilder {
    base: GroupDraft,
    keys: BTreeMap<(KeyKind, String), GroupDraft>,
    pairs: BTreeMap<(String, String), GroupDraft>,
    steps: Vec<PatternRecord>,
}

#[derive(Default)]
struct GroupDraft {
    rules: BTreeSet<u32>,
    checks: Vec<CheckRecord>,
}

impl PathsBuilder {
    /// A rule for every path.
    pub(crate) fn everywhere(&mut self, rule: u32) {
        self.base.rules.insert(rule);
    }

    /// A rule for the paths that `globs` mean; `intern` puts a string into the names.
    pub(crate) fn scoped(&mut self, rule: u32, globs: &GlobList, intern: &mut impl FnMut(&str) -> StrRef) {
        let takes_away = globs.steps().any(|(negated, _)| negated);
        let (steps_start, mut steps_len) = (self.steps.len() as u32, 0);
        if takes_away {
            for (negated, plain) in globs.steps().rev() {
                let steps = plain.iter().map(|glob| PatternRecord {
                    pattern: intern(glob.as_str()),
                    negated: u32::from(negated),
                });
                self.steps.extend(steps);
            }
            steps_len = self.steps.len() as u32 - steps_start;
        }
        for glob in globs.steps().filter(|(negated, _)| !negated).flat_map(|(_, plain)| plain) {
            let shape = Shape::of(glob.as_str());
            let group = self.group(shape.key);
            if shape.decided && !takes_away {
                group.rules.insert(rule);
                continue;
            }
            group.checks.push(CheckRecord {
                sieve: sieve_of(glob.as_str()),
                rule,
                steps_len,
                steps_start,
                pattern: intern(glob.as_str()),
            });
        }
    }

    fn group(&mut self, key: ShapeKey) -> &mut GroupDraft {
        match key {
            ShapeKey::None => &mut self.base,
            ShapeKey::One(kind, text) => self.keys.entry((kind, text)).or_default(),
            ShapeKey::Pair(folder, extension) => {
                self.keys.entry((KeyKind::Folder, folder.clone())).or_default();
                self.keys.entry((KeyKind::Extension, extension.clone())).or_default();
                self.pairs.entry((folder, extension)).or_default()
            }
        }
    }

    /// Writes the section for a pack of `rule_count` rules.
    pub(crate) fn finish(mut self, rule_count: usize, intern: &mut impl FnMut(&str) -> StrRef) -> Vec<u8> {
        let mut tables = TablesDraft::default();
        let everywhere = core::mem::take(&mut self.base.rules);
        let loose = tables.group(self.base, &everywhere);
        let mut indexes = BTreeMap::new();
        let mut keys = Vec::new();
        for ((kind, text), group) in self.keys {
            indexes.insert((kind, text.clone()), keys.len() as u32);
            keys.push(KeyRecord {
                head: first_word(text.as_bytes()),
                tail: last_word(text.as_bytes()),
                text: intern(&text),
                kind: kind as u32,
                group: tables.group(group, &everywhere),
            });
        }
        let mut pairs = Vec::new();
        for ((folder, extension), group) in self.pairs {
            pairs.push(PairRecord {
                folder: indexes[&(KeyKind::Folder, folder)],
                extension: indexes[&(KeyKind::Extension, extension)],
                group: tables.group(group, &everywhere),
            });
        }
        let key_slots = slots(indexes.iter().map(|((kind, text), _)| key_hash(*kind, text.as_bytes())));
        let pair_slots = slots(pairs.iter().map(|pair| pair_hash(pair.folder, pair.extension)));
        let mut words = vec![0_u64; rule_count.div_ceil(64)];
        for rule in everywhere {
            words[rule as usize / 64] |= 1 << (rule % 64);
        }
        let parts = [
            to_bytes(&key_slots),
            to_bytes(&keys),
            to_bytes(&pair_slots),
            to_bytes(&pairs),
            to_bytes(&words),
            to_bytes(&tables.rows),
            to_bytes(&tables.checks),
            to_bytes(&self.steps),
        ];
        let mut end = HEAD as u32;
        let mut next = |part: &Vec<u8>| {
            end += part.len() as u32;
            end
        };
        let [keys_at, pair_slots_at, pairs_at, everywhere_at, rows_at, checks_at, steps_at, _] =
            parts.each_ref().map(&mut next);
        let loose_checks = loose.check_len;
        let head = PathsRecord {
            keys_at,
            pair_slots_at,
            pairs_at,
            everywhere_at,
            rows_at,
            checks_at,
            steps_at,
            loose_checks,
        };
        [to_bytes(&[head]), parts.concat()].concat()
    }
}

/// Rows and checks as they are laid out; equal rows are stored once.
#[derive(Default)]
struct TablesDraft {
    rows: Vec<RowRecord>,
    checks: Vec<CheckRecord>,
    known: BTreeMap<Vec<(u32, u64)>, u32>,
}

impl TablesDraft {
    /// Lays out a group, without what `everywhere` says already.
    fn group(&mut self, group: GroupDraft, everywhere: &BTreeSet<u32>) -> GroupRecord {
        let mut words: BTreeMap<u32, u64> = BTreeMap::new();
        for rule in group.rules.difference(everywhere) {
            *words.entry(rule / 64).or_default() |= 1 << (rule % 64);
        }
        let words: Vec<(u32, u64)> = words.into_iter().collect();
        let row_len = words.len() as u32;
        let row_start = *self.known.entry(words).or_insert_with_key(|words| {
            let start = self.rows.len() as u32;
            let records = words.iter().map(|&(word, bits)| RowRecord { word, bits });
            self.rows.extend(records);
            start
        });
        let mut checks = group.checks;
        checks.retain(|check| !everywhere.contains(&check.rule) && !group.rules.contains(&check.rule));
        checks.sort_by_key(|check| (check.rule, check.pattern.offset, check.pattern.len));
        checks.dedup();
        let check_start = self.checks.len() as u32;
        let check_len = checks.len() as u32;
        self.checks.extend(checks);
        GroupRecord { row_start, row_len, check_start, check_len }
    }
}

/// Open addressing, at most half full.
fn slots(hashes: impl ExactSizeIterator<Item = u64>) -> Vec<u32> {
    if hashes.len() == 0 {
        return Vec::new();
    }
    let len = (hashes.len() * 2).next_power_of_two();
    let mut slots = vec![0; len];
    for (index, hash) in hashes.enumerate() {
        let mut slot = hash as usize & (len - 1);
        while slots[slot] != 0 {
            slot = (slot + 1) & (len - 1);
        }
        slots[slot] = index as u32 + 1;
    }
    slots
}

/// What a plain pattern is filed under.
struct Shape {
    key: ShapeKey,
    /// The key alone decides the match.
    decided: bool,
}

enum ShapeKey {
    None,
    One(KeyKind, String),
    Pair(String, String),
}

impl Shape {
    fn of(pattern: &str) -> Shape {
        let components: Vec<&str> = pattern.split('/').collect();
        let file = components[components.len() - 1];
        let folder = if components.len() > 1 { literal(components[0]) } else { None };
        if file == "**" {
            return match folder {
                Some(folder) => Shape::new(ShapeKey::One(KeyKind::Folder, folder), components.len() == 2),
                None => Shape::new(ShapeKey::None, components.len() == 1),
            };
        }
        if let Some(name) = literal(file) {
            let anywhere = components.len() == 2 && components[0] == "**";
            return Shape::new(ShapeKey::One(KeyKind::Name, name), anywhere);
        }
        let suffix = literal_suffix(file);
        let only_suffix = file.starts_with('*') && tokens(file).skip(1).all(|(literal, _)| literal.is_some());
        let mut dots = suffix.rmatch_indices('.').map(|(at, _)| at);
        match (dots.next(), dots.next(), folder) {
            (Some(_), Some(first), _) => {
                let decided = only_suffix && first == 0 && components == ["**", file];
                Shape::new(ShapeKey::One(KeyKind::DoubleExtension, suffix[first + 1..].into()), decided)
            }
            (Some(last), None, Some(folder)) => {
                let decided = only_suffix && last == 0 && components.len() == 3 && components[1] == "**";
                Shape::new(ShapeKey::Pair(folder, suffix[last + 1..].into()), decided)
            }
            (Some(last), None, None) => {
                let decided = only_suffix && last == 0 && components == ["**", file];
                Shape::new(ShapeKey::One(KeyKind::Extension, suffix[last + 1..].into()), decided)
            }
            (None, _, Some(folder)) => Shape::new(ShapeKey::One(KeyKind::Folder, folder), false),
            (None, _, None) => Shape::new(ShapeKey::None, false),
        }
    }

    fn new(key: ShapeKey, decided: bool) -> Shape {
        Shape { key, decided }
    }
}

/// What a component's names must end with.
fn literal_suffix(component: &str) -> String {
    tokens(component).fold(String::new(), |mut suffix, (literal, _)| {
        match literal {
            Some(literal) => suffix.push(literal),
            None => suffix.clear(),
        }
        suffix
    })
}

/// The words and bits that every path of a plain pattern has.
fn sieve_of(pattern: &str) -> SieveRecord {
    let mut sieve = SieveRecord::default();
    let runs = literal_runs(pattern);
    if let Some(first) = runs.first() {
        let head = first.as_bytes();
        sieve.head = first_word(head);
        sieve.head_mask = first_word(&[0xFF; 8][..head.len().min(8)]);
    }
    if let Some(last) = runs.last() {
        let tail = last.as_bytes();
        sieve.tail = last_word(tail);
        sieve.tail_mask = last_word(&[0xFF; 8][..tail.len().min(8)]);
    }
    for run in runs.iter().map(String::as_bytes) {
        sieve.pairs |= run.windows(2).fold(0, |bits, pair| bits | pair_bit(pair[0], pair[1]));
        sieve.spaced_pairs |= spaced_pair_bits(run);
    }
    sieve
}

/// Texts that every path of a plain pattern contains; the first begins it and the last ends it.
fn literal_runs(pattern: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    let mut push = |literal: Option<char>| match literal {
        Some(literal) => runs.last_mut().expect("one run from the start").push(literal),
        None => runs.push(String::new()),
    };
    for (index, component) in pattern.split('/').enumerate() {
        let crosses = component == "**";
        if index > 0 && !crosses {
            // The slash in front is there, unless the `**` before it begins the pattern.
            push(if pattern.starts_with("**/") && index == 1 { None } else { Some('/') });
        }
        if crosses {
            // `a/**` has the slash behind `a` for certain, `a/**/b` has one slash or more.
            if index > 0 {
                push(Some('/'));
            }
            push(None);
        } else {
            tokens(component).for_each(|(literal, _)| push(literal));
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_every_match_contains() {
        let runs =
            |pattern| literal_runs(pattern).into_iter().filter(|run| !run.is_empty()).collect::<Vec<_>>();
        assert_eq!(runs("**/a.rs"), ["a.rs"]);
        assert_eq!(runs("a/**/b"), ["a/", "/b"]);
        assert_eq!(runs("a/b*c/d"), ["a/b", "c/d"]);
        assert_eq!(runs("**/a/**"), ["a/"]);
    }
}

//! Files patterns by shape and lays the path tables out.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::kept::{KeptPaths, KeptStep};
use super::{
    CheckRecord, GroupRecord, HEAD, KeyKind, KeyRecord, PairRecord, PathsRecord, PatternRecord, RowRecord,
    SieveRecord, key_hash, pair_bit, pair_hash, spaced_pair_bits,
};
use crate::glob::{GlobList, literal, tokens};
use crate::hash::{first_word, last_word, mix};
use crate::wire::{StrRef, to_bytes};

/// Gathers patterns and files them by shape.
#[derive(Default)]
pub(crate) struct PathsBuilder {
    /// The rules for every path, and the checks of patterns that fix nothing.
    base: GroupDraft,
    /// By kind, by text.
    keys: [BTreeMap<String, GroupDraft>; 4],
    pairs: BTreeMap<(String, String), GroupDraft>,
    steps: Vec<PatternRecord>,
    /// By row, for rules that are kept: where their steps begin.
    kept_steps: Vec<u32>,
}

#[derive(Default)]
pub(super) struct GroupDraft {
    /// In rising order.
    rules: Vec<u32>,
    checks: Vec<CheckDraft>,
    /// What a pack of which rules are kept says beside that.
    kept: Option<GroupRecord>,
}

/// A check whose pattern is in no names yet.
struct CheckDraft {
    pattern: String,
    record: CheckRecord,
}

impl GroupDraft {
    pub(super) fn kept(group: GroupRecord) -> Self {
        GroupDraft { kept: Some(group), ..GroupDraft::default() }
    }

    /// The key alone says that a rule is meant.
    fn decide(&mut self, rule: u32) {
        if self.rules.last() != Some(&rule) {
            self.rules.push(rule);
        }
    }

    /// Takes over what the same group says in the pack of which rules are kept, which has nothing else to say.
    fn join(&mut self, other: GroupDraft) {
        debug_assert!(self.rules.is_empty() && self.checks.is_empty() && other.kept.is_none());
        *self = GroupDraft { kept: self.kept, ..other };
    }
}

/// A key as it will be laid out.
pub(super) struct KeyDraft<'k> {
    pub(super) text: Cow<'k, str>,
    pub(super) group: GroupDraft,
}

/// A pair as it will be laid out.
pub(super) struct PairDraft<'k> {
    pub(super) folder: Cow<'k, str>,
    pub(super) extension: Cow<'k, str>,
    pub(super) group: GroupDraft,
}

impl PathsBuilder {
    /// A rule for every path. Rules come in rising order.
    pub(crate) fn everywhere(&mut self, rule: u32) {
        self.base.decide(rule);
    }

    /// A rule for the paths that `globs` mean; `intern` puts a string into the names. Rules come in rising order.
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
                group.decide(rule);
                continue;
            }
            group.checks.push(CheckDraft {
                pattern: glob.as_str().into(),
                record: CheckRecord {
                    sieve: sieve_of(glob.as_str()),
                    rule,
                    steps_len,
                    steps_start,
                    pattern: StrRef::default(),
                },
            });
        }
    }

    /// A rule that is kept, with its steps in order; rules come in rising order.
    pub(crate) fn keep(
        &mut self,
        rule: u32,
        steps: &[KeptStep<'_>],
        intern: &mut impl FnMut(&str) -> StrRef,
    ) {
        self.kept_steps.resize(rule as usize + 1, self.steps.len() as u32);
        let steps =
            steps.iter().map(|step| PatternRecord { pattern: intern(step.pattern), negated: step.negated });
        self.steps.extend(steps);
    }

    fn key(&mut self, kind: KeyKind, text: &str) -> &mut GroupDraft {
        let keys = &mut self.keys[kind as usize - 1];
        if !keys.contains_key(text) {
            keys.insert(text.into(), GroupDraft::default());
        }
        keys.get_mut(text).expect("it was put there")
    }

    fn group(&mut self, key: ShapeKey<'_>) -> &mut GroupDraft {
        match key {
            ShapeKey::None => &mut self.base,
            ShapeKey::One(kind, text) => self.key(kind, &text),
            ShapeKey::Pair(folder, extension) => {
                self.key(KeyKind::Folder, &folder);
                self.key(KeyKind::Extension, &extension);
                self.pairs.entry((folder.into_owned(), extension.into_owned())).or_default()
            }
        }
    }

    /// Writes the section for a pack of `rule_count` rules, some of which may be kept.
    pub(crate) fn finish(
        mut self,
        rule_count: usize,
        kept: Option<&KeptPaths<'_>>,
        intern: &mut impl FnMut(&str) -> StrRef,
    ) -> Vec<u8> {
        let mut base = core::mem::take(&mut self.base);
        let mut keys = self.keys.map(|keys| -> Vec<KeyDraft<'_>> {
            keys.into_iter().map(|(text, group)| KeyDraft { text: text.into(), group }).collect()
        });
        let pairs = self.pairs.into_iter();
        let mut pairs: Vec<PairDraft<'_>> = pairs
            .map(|((folder, extension), group)| PairDraft {
                folder: folder.into(),
                extension: extension.into(),
                group,
            })
            .collect();
        if let Some(kept) = kept {
            base.rules.extend(kept.everywhere());
            base.kept = Some(kept.loose());
            let (old_keys, old_pairs) = kept.entries();
            for (keys, old) in keys.iter_mut().zip(old_keys) {
                *keys = merge(
                    old,
                    core::mem::take(keys),
                    |one, other| one.text.cmp(&other.text),
                    |one, other| one.group.join(other.group),
                );
            }
            pairs = merge(
                old_pairs,
                pairs,
                |one, other| (&one.folder, &one.extension).cmp(&(&other.folder, &other.extension)),
                |one, other| one.group.join(other.group),
            );
        }
        let mut everywhere = vec![0_u64; rule_count.div_ceil(64)];
        for rule in core::mem::take(&mut base.rules) {
            everywhere[rule as usize / 64] |= 1 << (rule % 64);
        }
        let groups = 1 + keys.iter().map(Vec::len).sum::<usize>() + pairs.len();
        let mut tables = TablesDraft::new(kept, self.kept_steps, everywhere, groups);
        let loose = tables.group(base, intern);
        let mut records = Vec::new();
        let mut hashes = Vec::new();
        // By kind: where its keys begin.
        let mut starts = [0; 5];
        let mut texts: [Vec<Cow<'_, str>>; 4] = Default::default();
        for (index, (kind, drafts)) in KeyKind::ALL.into_iter().zip(keys).enumerate() {
            starts[index] = records.len();
            for KeyDraft { text, group } in drafts {
                hashes.push(key_hash(kind, text.as_bytes()));
                records.push(KeyRecord {
                    head: first_word(text.as_bytes()),
                    tail: last_word(text.as_bytes()),
                    text: intern(&text),
                    kind: kind as u32,
                    group: tables.group(group, intern),
                });
                texts[index].push(text);
            }
        }
        let index_of = |kind: KeyKind, text: &str| {
            let kind = kind as usize - 1;
            let found = texts[kind].binary_search_by(|key| (**key).cmp(text));
            (starts[kind] + found.unwrap_or_default()) as u32
        };
        let keys = records;
        let pairs = pairs.into_iter().map(|pair| PairRecord {
            folder: index_of(KeyKind::Folder, &pair.folder),
            extension: index_of(KeyKind::Extension, &pair.extension),
            group: tables.group(pair.group, intern),
        });
        let pairs: Vec<PairRecord> = pairs.collect();
        let key_slots = slots(hashes.into_iter());
        let pair_slots = slots(pairs.iter().map(|pair| pair_hash(pair.folder, pair.extension)));
        let parts = [
            to_bytes(&key_slots),
            to_bytes(&keys),
            to_bytes(&pair_slots),
            to_bytes(&pairs),
            to_bytes(&tables.everywhere),
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

/// How many places are looked at for a row that is equal to another.
const MAX_PROBES: usize = 8;

/// Rows and checks as they are laid out; equal rows are stored once, but for a few in a million.
struct TablesDraft<'k> {
    /// The tables of the pack of which rules are kept, and by row where the steps of a kept rule begin now.
    kept: Option<&'k KeptPaths<'k>>,
    kept_steps: Vec<u32>,
    /// The rules for every path, as bits.
    everywhere: Vec<u64>,
    rows: Vec<RowRecord>,
    checks: Vec<CheckRecord>,
    /// By what its words mix to: where a row ends, and how many words it has. Not more than a quarter is in use.
    known: Vec<(u32, u32)>,
    /// The words of one row; kept for its room.
    words: Vec<RowRecord>,
}

impl<'k> TablesDraft<'k> {
    fn new(
        kept: Option<&'k KeptPaths<'k>>,
        kept_steps: Vec<u32>,
        everywhere: Vec<u64>,
        groups: usize,
    ) -> Self {
        let (rows, checks, words) = Default::default();
        let known = vec![(0, 0); (4 * groups).next_power_of_two()];
        TablesDraft { kept, kept_steps, everywhere, rows, checks, known, words }
    }

    /// Where the row of `words` begins: where an equal one is, or behind the others.
    fn row(&mut self) -> u32 {
        let (len, next) = (self.words.len() as u32, self.rows.len() as u32);
        if len == 0 {
            return 0;
        }
        let mut key =
            self.words.iter().fold(u64::from(len), |key, row| mix(mix(key ^ u64::from(row.word)) ^ row.bits));
        // Other rows may mix to the same; who makes many such has them stored as often as they come.
        for _ in 0..MAX_PROBES {
            let index = key as usize & (self.known.len() - 1);
            let (end, known) = self.known[index];
            if known == 0 {
                self.known[index] = (next + len, len);
                break;
            }
            let start = end - known;
            if self.rows[start as usize..end as usize] == self.words[..] {
                return start;
            }
            key = mix(key);
        }
        self.rows.extend_from_slice(&self.words);
        next
    }

    /// Lays out a group, without what is said of every path already: a word for each 64 rules.
    fn group(&mut self, mut group: GroupDraft, intern: &mut impl FnMut(&str) -> StrRef) -> GroupRecord {
        let kept = self.kept.zip(group.kept);
        self.words.clear();
        if group.rules.is_empty() {
            kept.into_iter().flat_map(|(kept, group)| kept.rules(group)).for_each(|rule| self.decide(rule));
        } else {
            group.rules.extend(kept.into_iter().flat_map(|(kept, group)| kept.rules(group)));
            group.rules.sort_unstable();
            group.rules.iter().for_each(|&rule| self.decide(rule));
        }
        let row_len = self.words.len() as u32;
        let row_start = self.row();
        let check_start = self.checks.len() as u32;
        let kept = kept.into_iter().flat_map(|(kept, group)| kept.checks(group));
        if group.checks.is_empty() {
            for (pattern, record) in kept {
                let steps_start = self.kept_steps[record.rule as usize];
                self.check(CheckRecord { steps_start, ..record }, pattern, intern);
            }
        } else {
            let kept = kept.map(|(pattern, record)| {
                let steps_start = self.kept_steps[record.rule as usize];
                (record.rule, pattern, CheckRecord { steps_start, ..record })
            });
            let own = group.checks.iter().map(|check| (check.record.rule, &*check.pattern, check.record));
            let mut checks: Vec<(u32, &str, CheckRecord)> = kept.chain(own).collect();
            checks.sort_by_key(|&(rule, pattern, _)| (rule, pattern));
            checks.dedup_by_key(|&mut (rule, pattern, _)| (rule, pattern));
            for (_, pattern, record) in checks {
                self.check(record, pattern, intern);
            }
        }
        let check_len = self.checks.len() as u32 - check_start;
        GroupRecord { row_start, row_len, check_start, check_len }
    }

    /// Adds a rule to the words, unless it is for every path. Rules come in rising order.
    fn decide(&mut self, rule: u32) {
        let (word, bit) = (rule / 64, 1 << (rule % 64));
        if self.everywhere[word as usize] & bit != 0 {
            return;
        }
        match self.words.last_mut().filter(|last| last.word == word) {
            Some(last) => last.bits |= bit,
            None => self.words.push(RowRecord { word, bits: bit }),
        }
    }

    /// Adds a check, unless its rule is meant already.
    fn check(&mut self, record: CheckRecord, pattern: &str, intern: &mut impl FnMut(&str) -> StrRef) {
        let (word, bit) = (record.rule / 64, 1 << (record.rule % 64));
        let decided = self.words.binary_search_by_key(&word, |row| row.word);
        let decided = decided.is_ok_and(|index| self.words[index].bits & bit != 0);
        if !decided && self.everywhere[word as usize] & bit == 0 {
            self.checks.push(CheckRecord { pattern: intern(pattern), ..record });
        }
    }
}

/// Two sorted lists as one; what is in both is joined.
fn merge<T>(
    one: Vec<T>,
    other: Vec<T>,
    order: impl Fn(&T, &T) -> Ordering,
    join: impl Fn(&mut T, T),
) -> Vec<T> {
    if other.is_empty() {
        return one;
    }
    let mut merged: Vec<T> = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    while let (Some(first), Some(second)) = (one.peek(), other.peek()) {
        let which = order(first, second);
        let next = if which.is_le() { one.next() } else { other.next() };
        merged.extend(next);
        if which.is_eq()
            && let (Some(last), Some(same)) = (merged.last_mut(), other.next())
        {
            join(last, same);
        }
    }
    merged.extend(one);
    merged.extend(other);
    merged
}

/// Open addressing, at most half full.
fn slots(hashes: impl ExactSizeIterator<Item = u64>) -> Vec<u32> {
    if hashes.len() == 0 {
        return Vec::new();
    }
    let len = (hashes.len() * 2).next_power_of_two();
    let mut slots = vec![0; len];
    // By slot: where to look on for a free one; paths are halved on the way, so that many of one hash cost no more.
    let mut onward: Vec<u32> = (0..len as u32).collect();
    for (index, hash) in hashes.enumerate() {
        let mut slot = hash as usize & (len - 1);
        while onward[slot] as usize != slot {
            onward[slot] = onward[onward[slot] as usize];
            slot = onward[slot] as usize;
        }
        slots[slot] = index as u32 + 1;
        onward[slot] = (slot as u32 + 1) & (len as u32 - 1);
    }
    slots
}

/// What a plain pattern is filed under.
struct Shape<'g> {
    key: ShapeKey<'g>,
    /// The key alone decides the match.
    decided: bool,
}

enum ShapeKey<'g> {
    None,
    One(KeyKind, Cow<'g, str>),
    Pair(Cow<'g, str>, Cow<'g, str>),
}

impl<'g> Shape<'g> {
    fn of(pattern: &'g str) -> Shape<'g> {
        let (first, behind) = pattern.split_once('/').unwrap_or((pattern, ""));
        let file = pattern.rsplit_once('/').map_or(pattern, |(_, file)| file);
        let is_deep = first.len() < pattern.len();
        let folder = if is_deep { literal(first) } else { None };
        if file == "**" {
            return match folder {
                Some(folder) => Shape::new(ShapeKey::One(KeyKind::Folder, folder), behind == file),
                None => Shape::new(ShapeKey::None, !is_deep),
            };
        }
        let anywhere = first == "**" && behind == file;
        if let Some(name) = literal(file) {
            return Shape::new(ShapeKey::One(KeyKind::Name, name), anywhere);
        }
        let suffix = literal_suffix(file);
        let only_suffix = file.starts_with('*') && tokens(file).skip(1).all(|(literal, _)| literal.is_some());
        let mut dots = suffix.rmatch_indices('.').map(|(at, _)| at);
        let behind_dot = |at: usize| match &suffix {
            Cow::Borrowed(suffix) => Cow::Borrowed(&suffix[at + 1..]),
            Cow::Owned(suffix) => Cow::Owned(suffix[at + 1..].into()),
        };
        match (dots.next(), dots.next(), folder) {
            (Some(_), Some(first), _) => {
                let decided = only_suffix && first == 0 && anywhere;
                Shape::new(ShapeKey::One(KeyKind::DoubleExtension, behind_dot(first)), decided)
            }
            (Some(last), None, Some(folder)) => {
                let one_crossing = behind.strip_prefix("**/") == Some(file);
                let decided = only_suffix && last == 0 && one_crossing;
                Shape::new(ShapeKey::Pair(folder, behind_dot(last)), decided)
            }
            (Some(last), None, None) => {
                let decided = only_suffix && last == 0 && anywhere;
                Shape::new(ShapeKey::One(KeyKind::Extension, behind_dot(last)), decided)
            }
            (None, _, Some(folder)) => Shape::new(ShapeKey::One(KeyKind::Folder, folder), false),
            (None, _, None) => Shape::new(ShapeKey::None, false),
        }
    }

    fn new(key: ShapeKey<'g>, decided: bool) -> Shape<'g> {
        Shape { key, decided }
    }
}

/// What a component's names must end with.
fn literal_suffix(component: &str) -> Cow<'_, str> {
    if !component.bytes().any(|byte| matches!(byte, b'[' | b'\\')) {
        let start = component.rfind(['*', '?']).map_or(0, |at| at + 1);
        return Cow::Borrowed(&component[start..]);
    }
    let suffix = tokens(component).fold(String::new(), |mut suffix, (literal, _)| {
        match literal {
            Some(literal) => suffix.push(literal),
            None => suffix.clear(),
        }
        suffix
    });
    Cow::Owned(suffix)
}

/// The words and bits that every path of a plain pattern has.
fn sieve_of(pattern: &str) -> SieveRecord {
    let mut sieve = SieveRecord::default();
    let runs = literal_runs(pattern);
    let (head, tail) = (runs.run(0), runs.run(runs.ends.len() - 1));
    sieve.head = first_word(head);
    sieve.head_mask = first_word(&[0xFF; 8][..head.len().min(8)]);
    sieve.tail = last_word(tail);
    sieve.tail_mask = last_word(&[0xFF; 8][..tail.len().min(8)]);
    for run in (0..runs.ends.len()).map(|index| runs.run(index)) {
        sieve.pairs |= run.windows(2).fold(0, |bits, pair| bits | pair_bit(pair[0], pair[1]));
        sieve.spaced_pairs |= spaced_pair_bits(run);
    }
    sieve
}

/// Texts, end to end.
struct Runs {
    text: String,
    /// Where each ends; there is at least one.
    ends: Vec<usize>,
}

impl Runs {
    fn run(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text.as_bytes()[start..self.ends[index]]
    }
}

/// Texts that every path of a plain pattern contains; the first begins it and the last ends it.
fn literal_runs(pattern: &str) -> Runs {
    let mut runs = Runs { text: String::with_capacity(pattern.len()), ends: Vec::new() };
    let mut push = |literal: Option<char>| match literal {
        Some(literal) => runs.text.push(literal),
        None => runs.ends.push(runs.text.len()),
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
    runs.ends.push(runs.text.len());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_every_match_contains() {
        let runs = |pattern| {
            let runs = literal_runs(pattern);
            let runs =
                (0..runs.ends.len()).map(|index| String::from_utf8_lossy(runs.run(index)).into_owned());
            runs.filter(|run| !run.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(runs("**/a.rs"), ["a.rs"]);
        assert_eq!(runs("a/**/b"), ["a/", "/b"]);
        assert_eq!(runs("a/b*c/d"), ["a/b", "c/d"]);
        assert_eq!(runs("**/a/**"), ["a/"]);
    }
}

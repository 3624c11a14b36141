//! What path tables say about rules that are kept, for the tables of another pack.
//!
//! Nothing of a glob is read again: rows and checks are taken as they lie there, with the rules renumbered. Tables
//! that were laid out otherwise give other bytes; whoever keeps rules compares what comes out with what was named.

use alloc::vec;
use alloc::vec::Vec;

use super::build::{GroupDraft, KeyDraft, PairDraft};
use super::{CheckRecord, GroupRecord, KeyKind, PathTables, SHARED};

/// A rule that is not kept.
pub(crate) const GONE: u32 = u32::MAX;

/// The path tables of a pack of which rules are kept.
pub(crate) struct KeptPaths<'k> {
    tables: PathTables<'k>,
    /// By row of that pack: the row that the rule has now, or [`GONE`]; those that are kept rise.
    rows: &'k [u32],
}

/// A step of a rule that is kept.
pub(crate) struct KeptStep<'k> {
    /// The row that the rule has now.
    pub(crate) rule: u32,
    pub(super) pattern: &'k str,
    /// 1 when it takes away.
    pub(super) negated: u32,
}

/// How many words the rows of all groups may have beyond [`SHARED`] times those that are stored. Groups share rows, so
/// that a few bytes can stand for many.
const MAX_ROW_WORDS: u64 = 1 << 18;
/// How many bytes the texts of keys, checks and steps may have beyond [`SHARED`] times those of the names, each as often
/// as it is referred to.
const MAX_TEXT: u64 = 1 << 24;

impl<'k> KeptPaths<'k> {
    /// Nothing when it would take much longer to take over what the tables say than to read them.
    pub(crate) fn new(tables: PathTables<'k>, rows: &'k [u32]) -> Option<Self> {
        let groups = tables.keys().iter().map(|key| key.group);
        let groups = groups.chain(tables.pairs().iter().map(|pair| pair.group));
        let words: u64 = groups.map(|group| u64::from(group.row_len)).sum();
        let keys = tables.keys().iter().map(|key| key.text);
        let checks = tables.checks().iter().map(|check| check.pattern);
        let steps = tables.steps().iter().map(|step| step.pattern);
        let text: u64 = keys.chain(checks).chain(steps).map(|text| u64::from(text.len)).sum();
        let is_bounded = words <= MAX_ROW_WORDS + (SHARED * tables.rows().len()) as u64
            && text <= MAX_TEXT + (SHARED * tables.names.len()) as u64;
        is_bounded.then_some(KeptPaths { tables, rows })
    }

    fn row(&self, old: u32) -> Option<u32> {
        self.rows.get(old as usize).copied().filter(|&row| row != GONE)
    }

    /// Every step, by rule, in order; nothing when rules share steps, which no writer lays out.
    pub(crate) fn steps(&self) -> Option<Vec<KeptStep<'k>>> {
        let checks = self.tables.checks();
        let own = checks.iter().filter(|check| check.steps_len > 0);
        let mut runs: Vec<(u32, u32, u32)> = own
            .filter_map(|check| Some((self.row(check.rule)?, check.steps_start, check.steps_len)))
            .collect();
        runs.sort_unstable();
        runs.dedup();
        let steps = self.tables.steps();
        let count: u64 = runs.iter().map(|&(_, _, len)| u64::from(len)).sum();
        (count <= steps.len() as u64).then(|| {
            let each = runs
                .iter()
                .flat_map(|&(rule, start, len)| steps.part(start, len).iter().map(move |step| (rule, step)));
            each.map(|(rule, step)| KeptStep {
                rule,
                pattern: step.pattern.of(self.tables.names),
                negated: step.negated,
            })
            .collect()
        })
    }

    /// The rules for every path.
    pub(super) fn everywhere(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.tables.everywhere().iter().enumerate();
        words.flat_map(|(word, bits)| self.rules_of(word as u32, bits))
    }

    fn rules_of(&self, word: u32, mut bits: u64) -> impl Iterator<Item = u32> + '_ {
        core::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(64 * word + bit)
        })
        .filter_map(|old| self.row(old))
    }

    /// The rules that a group decides.
    pub(super) fn rules(&self, group: GroupRecord) -> impl Iterator<Item = u32> + '_ {
        let rows = self.tables.rows().part(group.row_start, group.row_len);
        rows.iter().flat_map(|row| self.rules_of(row.word, row.bits))
    }

    /// The checks of a group with their patterns; where their steps begin is not what it was.
    pub(super) fn checks(&self, group: GroupRecord) -> impl Iterator<Item = (&'k str, CheckRecord)> + '_ {
        let checks = self.tables.checks().part(group.check_start, group.check_len);
        checks.iter().filter_map(|check| {
            let rule = self.row(check.rule)?;
            Some((check.pattern.of(self.tables.names), CheckRecord { rule, ..check }))
        })
    }

    /// A group that says nothing of a rule that is kept.
    fn says_nothing(&self, group: GroupRecord) -> bool {
        let checks = self.tables.checks().part(group.check_start, group.check_len);
        self.rules(group).next().is_none() && !checks.iter().any(|check| self.row(check.rule).is_some())
    }

    /// The checks of patterns that fix nothing.
    pub(super) fn loose(&self) -> GroupRecord {
        let check_len = self.tables.head().loose_checks;
        GroupRecord { row_start: 0, row_len: 0, check_start: 0, check_len }
    }

    /// Keys by kind, and pairs, that are still needed, sorted as they lie there.
    pub(super) fn entries(&self) -> ([Vec<KeyDraft<'k>>; 4], Vec<PairDraft<'k>>) {
        let old_keys = self.tables.keys();
        let text = |index: u32| old_keys.at(index as usize).text.of(self.tables.names).into();
        // A pair needs the keys that it is of, also where these have no rules of their own.
        let (mut has_pair, mut had_pair) = (vec![false; old_keys.len()], vec![false; old_keys.len()]);
        let mut pairs = Vec::with_capacity(self.tables.pairs().len());
        for pair in self.tables.pairs().iter() {
            // Nobody proved that the keys are there: nobody reads them by these places.
            if pair.folder.max(pair.extension) as usize >= old_keys.len() {
                continue;
            }
            let stays = !self.says_nothing(pair.group) || is_empty(&pair.group);
            for key in [pair.folder, pair.extension] {
                had_pair[key as usize] = true;
                has_pair[key as usize] |= stays;
            }
            if stays {
                pairs.push(PairDraft {
                    folder: text(pair.folder),
                    extension: text(pair.extension),
                    group: GroupDraft::kept(pair.group),
                });
            }
        }
        let kind_of = |kind: u32| (kind as usize).clamp(1, KeyKind::ALL.len()) - 1;
        let mut counts = [0; 4];
        old_keys.iter().for_each(|key| counts[kind_of(key.kind)] += 1);
        let mut keys = counts.map(Vec::with_capacity);
        for (index, key) in old_keys.iter().enumerate() {
            let was_needed = is_empty(&key.group) && !had_pair[index];
            if has_pair[index] || was_needed || !self.says_nothing(key.group) {
                keys[kind_of(key.kind)].push(KeyDraft {
                    text: key.text.of(self.tables.names).into(),
                    group: GroupDraft::kept(key.group),
                });
            }
        }
        (keys, pairs)
    }
}

fn is_empty(group: &GroupRecord) -> bool {
    group.row_len == 0 && group.check_len == 0
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::super::PatternRecord;
    use super::*;
    use crate::builder::write_pack;
    use crate::container::Section;
    use crate::model::{Activation, Rule, RuleSet};
    use crate::tables::Tables;
    use crate::wire::{Record, StrRef};

    #[test]
    fn steps_that_all_name_much_text_are_said_anew() {
        let mut rule = Rule::new("a", "");
        rule.activation = Activation::Globs;
        rule.description = "x".repeat(8192);
        rule.globs = (0..4000).map(|number| format!("!{number}")).collect();
        rule.globs.insert(0, "**".into());
        let pack = write_pack(&RuleSet { rules: vec![rule], ..RuleSet::default() }).expect("in order");
        let tables = Tables::check(&pack).expect("it was written");
        assert!(KeptPaths::new(tables.path_tables(), &[0]).is_some());
        let mut section = Section::Paths.bytes(&pack).to_vec();
        let steps = section.len() - 4001 * PatternRecord::SIZE;
        let offset = tables.names().find("xxx").expect("the description is there") as u32;
        for step in section[steps..].chunks_exact_mut(PatternRecord::SIZE) {
            PatternRecord { pattern: StrRef { offset, len: 8192 }, negated: 1 }.put(step);
        }
        assert!(KeptPaths::new(PathTables::new(&section, tables.names()), &[0]).is_none());
    }
}

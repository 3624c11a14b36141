//! Layers: packs of an organisation, of dependencies, of a repository and of a user, asked as one.
//!
//! Who stands nearer to the work wins: a later layer's rule takes the place of an
//! earlier one's with the same id, or of those that it names in `replaces`. A
//! locked layer's rules can't be replaced. Decided once, when layers are put
//! together; a query merges what the packs answer.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::iter::Peekable;
use core::ops::Deref;

use driven_format::Activation;

use crate::pack::Pack;
use crate::query::bits;
use crate::view::RuleView;

/// One pack among others.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    name: &'a str,
    pack: Pack<'a>,
    is_locked: bool,
}

impl<'a> Layer<'a> {
    /// A layer whose rules a later one may replace.
    pub const fn new(name: &'a str, pack: Pack<'a>) -> Self {
        Layer { name, pack, is_locked: false }
    }

    /// The layer, with rules that can't be replaced.
    #[must_use]
    pub const fn locked(self) -> Self {
        Layer { is_locked: true, ..self }
    }

    /// What it is called.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Its pack.
    pub const fn pack(&self) -> Pack<'a> {
        self.pack
    }

    /// Whether its rules can't be replaced.
    pub const fn is_locked(&self) -> bool {
        self.is_locked
    }
}

/// Several packs that are asked as one.
///
/// Given from far to near: organisation, dependencies, repository, user. Rules come by falling priority; of two
/// with the same, the nearer layer's first.
///
/// ```
/// use driven::{Layer, Layers, Pack};
///
/// # let bytes = driven::doc_pack();
/// # let (organisation, repository) = (Pack::open(&bytes)?, Pack::open(&bytes)?);
/// let layers = Layers::new([
///     Layer::new("organisation", organisation).locked(),
///     Layer::new("repository", repository),
/// ]);
/// // The repository has a rule of the same id; the organisation's can't be replaced.
/// let rule = layers.rule("error-handling").expect("both have it");
/// assert_eq!(rule.layer(), "organisation");
/// assert_eq!(layers.refused().count(), 1);
/// assert_eq!(layers.for_path("src/lib.rs").count(), 1);
/// # Ok::<(), driven::Error>(())
/// ```
#[derive(Clone)]
pub struct Layers<'a> {
    layers: Vec<State<'a>>,
    refused: Vec<Refused<'a>>,
}

#[derive(Clone)]
struct State<'a> {
    layer: Layer<'a>,
    /// The rows whose place another layer's rule has taken, a bit each.
    gone: Vec<u64>,
}

impl State<'_> {
    fn is_gone(&self, row: u32) -> bool {
        self.gone.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    fn take_out(&mut self, row: u32) {
        if let Some(word) = self.gone.get_mut(row as usize / 64) {
            *word |= 1 << (row % 64);
        }
    }

    fn row_of(&self, id: &str) -> Option<u32> {
        let pack = self.layer.pack;
        let rule = pack.tables().find_rule(id)?;
        Some(rule.row())
    }
}

/// A rule that wanted the place of one in a locked layer.
#[derive(Clone, Copy)]
pub struct Refused<'a> {
    /// The rule that was not allowed to.
    pub rule: LayeredRule<'a>,
    /// The rule that stays.
    pub stays: LayeredRule<'a>,
}

/// A rule and the layer that it comes from.
#[derive(Clone, Copy)]
pub struct LayeredRule<'a> {
    layer: &'a str,
    rule: RuleView<'a>,
}

impl<'a> LayeredRule<'a> {
    /// The name of its layer.
    pub fn layer(&self) -> &'a str {
        self.layer
    }

    /// The rule.
    pub fn rule(&self) -> RuleView<'a> {
        self.rule
    }
}

impl<'a> Deref for LayeredRule<'a> {
    type Target = RuleView<'a>;

    fn deref(&self) -> &RuleView<'a> {
        &self.rule
    }
}

impl fmt::Debug for LayeredRule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredRule").field("layer", &self.layer).field("id", &self.rule.id()).finish()
    }
}

impl fmt::Debug for Layers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layers.iter().map(|state| state.layer)).finish()
    }
}

impl<'a> Layers<'a> {
    /// Puts layers together, from far to near.
    pub fn new(layers: impl IntoIterator<Item = Layer<'a>>) -> Self {
        let states =
            layers.into_iter().map(|layer| State { layer, gone: vec![0; layer.pack.len().div_ceil(64)] });
        let mut all = Layers { layers: states.collect(), refused: Vec::new() };
        // First who may stay at all, then whose place those take who do.
        for by_id in [true, false] {
            for near in 1..all.layers.len() {
                for far in 0..near {
                    all.settle(far, near, by_id);
                }
            }
        }
        all
    }

    /// Decides between the rules of two layers: those of one id, or those that name others in `replaces`.
    fn settle(&mut self, far: usize, near: usize, by_id: bool) {
        let (far_layer, near_layer) = (self.layers[far].layer, self.layers[near].layer);
        for (row, rule) in near_layer.pack.rules().enumerate() {
            let row = row as u32;
            if self.layers[near].is_gone(row) {
                continue;
            }
            let far_state = &self.layers[far];
            let same = far_state.row_of(rule.id()).filter(|_| by_id);
            let named = rule.replaces().iter().filter(|_| !by_id).filter_map(|id| far_state.row_of(id));
            let taken: Vec<u32> = same.into_iter().chain(named).collect();
            for other in taken {
                if !far_layer.is_locked {
                    self.layers[far].take_out(other);
                    continue;
                }
                if let Some(stays) = far_layer.pack.rule_at(other) {
                    let stays = LayeredRule { layer: far_layer.name, rule: stays };
                    let rule = LayeredRule { layer: near_layer.name, rule };
                    self.refused.push(Refused { rule, stays });
                }
                // One id is one rule; one that only names another may stand beside it.
                if by_id {
                    self.layers[near].take_out(row);
                }
            }
        }
    }

    /// The layers, from far to near.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'a>> + '_ {
        self.layers.iter().map(|state| state.layer)
    }

    /// Rules that wanted the place of one in a locked layer.
    pub fn refused(&self) -> impl Iterator<Item = Refused<'a>> + '_ {
        self.refused.iter().copied()
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<LayeredRule<'a>> {
        self.layers.iter().rev().find_map(|state| {
            let row = state.row_of(id).filter(|&row| !state.is_gone(row))?;
            Some(LayeredRule { layer: state.layer.name, rule: state.layer.pack.rule_at(row)? })
        })
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = LayeredRule<'a>> + '_ {
        self.merge(|pack| 0..pack.len() as u32)
    }

    /// The rules that speak about a path, as [`Pack::for_path`].
    pub fn for_path<'p>(&'p self, path: &'p str) -> impl Iterator<Item = LayeredRule<'a>> + 'p {
        self.merge(move |pack| bits(pack.tables().path_words(path)))
    }

    /// The rules with an activation, as [`Pack::activated`].
    pub fn activated(&self, activation: Activation) -> impl Iterator<Item = LayeredRule<'a>> + '_ {
        self.merge(move |pack| {
            let rows = pack.tables().rows_activated(activation);
            (0..rows.len()).filter_map(move |at| rows.get(at))
        })
    }

    /// Merges what each pack answers, row by row.
    fn merge<I: Iterator<Item = u32>>(&self, rows: impl Fn(Pack<'a>) -> I) -> Merged<'_, 'a, I> {
        let open = self.layers.iter().map(|state| rows(state.layer.pack).peekable());
        Merged { layers: &self.layers, rows: open.collect() }
    }
}

/// Rows of several packs, by falling priority.
struct Merged<'l, 'a, I: Iterator<Item = u32>> {
    layers: &'l [State<'a>],
    rows: Vec<Peekable<I>>,
}

impl<'a, I: Iterator<Item = u32>> Iterator for Merged<'_, 'a, I> {
    type Item = LayeredRule<'a>;

    fn next(&mut self) -> Option<LayeredRule<'a>> {
        let mut best: Option<(usize, RuleView<'a>)> = None;
        // The nearest layer first, so that of equals it wins.
        for index in (0..self.layers.len()).rev() {
            let state = &self.layers[index];
            let rows = &mut self.rows[index];
            while rows.next_if(|&row| state.is_gone(row)).is_some() {}
            let Some(rule) = rows.peek().and_then(|&row| state.layer.pack.rule_at(row)) else { continue };
            if best.is_none_or(|(_, other)| rule.priority() > other.priority()) {
                best = Some((index, rule));
            }
        }
        let (index, rule) = best?;
        self.rows[index].next();
        Some(LayeredRule { layer: self.layers[index].layer.name, rule })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use driven_format::{PackBuilder, Rule};

    use super::*;

    fn pack(rules: &[(&str, u8, &[&str])]) -> Vec<u8> {
        let all = rules.iter().fold(PackBuilder::new("x", 1), |builder, (id, priority, replaces)| {
            let mut rule = Rule::new(*id, "Text.\n");
            rule.priority = *priority;
            rule.replaces = replaces.iter().map(|&id| String::from(id)).collect();
            builder.rule(rule)
        });
        all.finish().expect("in order")
    }

    fn told<'a>(rules: impl Iterator<Item = LayeredRule<'a>>) -> Vec<(&'a str, &'a str)> {
        rules.map(|rule| (rule.layer(), rule.id())).collect()
    }

    #[test]
    fn the_nearer_layer_wins_and_rules_come_by_priority() {
        let far = pack(&[("a", 100, &[]), ("b", 200, &[]), ("c", 50, &[])]);
        let near = pack(&[("a", 10, &[]), ("d", 200, &[]), ("e", 60, &["c"])]);
        let (far, near) = (Pack::open(&far).expect("a pack"), Pack::open(&near).expect("a pack"));
        let layers = Layers::new([Layer::new("far", far), Layer::new("near", near)]);
        let expected = [("near", "d"), ("far", "b"), ("near", "e"), ("near", "a")];
        assert_eq!(told(layers.rules()), expected);
        assert_eq!(told(layers.for_path("x")), expected);
        assert_eq!(told(layers.activated(Activation::Always)), expected);
        assert_eq!(layers.rule("a").map(|rule| rule.layer()), Some("near"));
        assert!(layers.rule("c").is_none() && layers.rule("x").is_none());
        assert_eq!(layers.refused().count(), 0);
    }

    #[test]
    fn a_locked_layer_keeps_its_rules() {
        let far = pack(&[("a", 100, &[]), ("c", 50, &[])]);
        let near = pack(&[("a", 255, &[]), ("e", 60, &["c"])]);
        let (far, near) = (Pack::open(&far).expect("a pack"), Pack::open(&near).expect("a pack"));
        let layers = Layers::new([Layer::new("far", far).locked(), Layer::new("near", near)]);
        assert_eq!(told(layers.rules()), [("far", "a"), ("near", "e"), ("far", "c")]);
        let refused: Vec<(&str, &str)> =
            layers.refused().map(|one| (one.rule.id(), one.stays.id())).collect();
        assert_eq!(refused, [("a", "a"), ("e", "c")]);
    }

    #[test]
    fn a_rule_that_may_not_stay_takes_nobodys_place() {
        let organisation = pack(&[("a", 100, &[])]);
        let dependency = pack(&[("b", 100, &[])]);
        let repository = pack(&[("a", 100, &["b"])]);
        let open = |bytes| Pack::open(bytes).expect("a pack");
        let layers = Layers::new([
            Layer::new("organisation", open(&organisation)).locked(),
            Layer::new("dependency", open(&dependency)),
            Layer::new("repository", open(&repository)),
        ]);
        assert_eq!(told(layers.rules()), [("dependency", "b"), ("organisation", "a")]);
    }

    #[test]
    fn no_layers_answer_nothing() {
        let layers = Layers::new([]);
        assert_eq!(layers.rules().count(), 0);
        assert!(layers.rule("a").is_none());
    }
}

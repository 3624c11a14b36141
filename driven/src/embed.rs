//! What `include_rules!` expands to stands on these.

use core::fmt;
use core::marker::PhantomData;

use crate::pack::Pack;
use crate::view::RuleView;

/// Bytes at an address that is a multiple of 64: sections then begin at cache lines.
#[doc(hidden)]
#[repr(C, align(64))]
pub struct Aligned<T>(pub T);

/// The name of a rule in one embedded pack, made by `include_rules!` alone.
///
/// Its pack has the rule for certain, so that `get` can't fail. `M` tells packs
/// apart: the constants of one module do not fit another's `get`.
pub struct Embedded<M> {
    row: u32,
    id: &'static str,
    module: PhantomData<fn() -> M>,
}

impl<M> Embedded<M> {
    /// The id, as in [`Pack::rule`].
    pub const fn as_str(&self) -> &'static str {
        self.id
    }

    /// The rule in the pack that it was made for.
    #[doc(hidden)]
    #[inline]
    pub fn of(self, pack: &Pack<'static>) -> RuleView<'static> {
        pack.rule_at(self.row).expect("the macro counted the rows of this pack")
    }
}

/// Makes the name of a rule.
#[doc(hidden)]
pub const fn embedded<M>(row: u32, id: &'static str) -> Embedded<M> {
    Embedded { row, id, module: PhantomData }
}

impl<M> Clone for Embedded<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Embedded<M> {}

impl<M> PartialEq for Embedded<M> {
    fn eq(&self, other: &Self) -> bool {
        self.row == other.row
    }
}

impl<M> Eq for Embedded<M> {}

impl<M> fmt::Debug for Embedded<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Embedded").field(&self.id).finish()
    }
}

impl<M> fmt::Display for Embedded<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}

//! What `include_rules!` expands to stands on these.

use crate::pack::Pack;
use crate::view::RuleView;

/// Bytes at an address that is a multiple of 64: sections then begin at cache lines.
#[doc(hidden)]
#[repr(C, align(64))]
pub struct Aligned<T>(pub T);

/// The rule in a row of the pack that the macro counted the rows of.
#[doc(hidden)]
#[inline]
pub fn rule_at(pack: &Pack<'static>, row: u32) -> RuleView<'static> {
    pack.rule_at(row).expect("the macro counted the rows of this pack")
}

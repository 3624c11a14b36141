//! Rules for AI coding assistants as a build artefact.
//!
//! A `build.rs` compiles a folder of rules into one pack; [`include_rules!`]
//! embeds it, proved at compile time; a program asks it questions and reads the
//! answers in place, without parsing and without copies.
//!
//! ```
//! # use driven::Pack;
//! # let bytes = driven::doc_pack();
//! let pack = Pack::open(&bytes)?;
//! for rule in pack.for_path("src/parser/lexer.rs") {
//!     println!("{}: {}", rule.id(), rule.description());
//! }
//! assert!(pack.rule("error-handling").is_some());
//! # Ok::<(), driven::Error>(())
//! ```
//!
//! # Which type to use
//! | you have | use | proved |
//! |---|---|---|
//! | rules in your own crate | [`include_rules!`] | all, at compile time |
//! | bytes in memory | [`Pack::open`] | structure and all text |
//! | a file | [`PackBuf::open`] | structure and all text |
//! | a pack that is updated while it is read | `state::RuleStore` | structure, text and the digest of every rule |
//! | a large pack of which you read little | [`LazyPack`], [`LazyPackBuf`] | tables and names; a body when it is read |
//! | a need to know who stands behind it | `verify` of either | every byte, and a signature |
//!
//! Views are `Copy`, borrow the pack and allocate nothing; packs are `Send` and `Sync`.
//!
//! # Features
//! - `std` (default): files, and faster proof of UTF-8. Without it the crate needs `alloc` alone.
//! - `macros` (default): [`include_rules!`].
//! - `trust`: Ed25519 keys and `verify`.
//! - `patch`: packs that take patches, and share what did not change.
//! - `state`: [`RuleStore`](state::RuleStore): many readers, none of whom waits, and updates underneath them.
//! - `updates`: [`Updates`](updates::Updates): the newest pack of a tree behind a URL, by the smallest step.
//! - `mmap`: packs mapped into memory.
//! - `pure`: BLAKE3 without a C compiler.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(all(feature = "std", any(feature = "state", feature = "trust")))]
#[doc(hidden)]
pub mod durable;
mod embed;
mod error;
mod guard;
mod layers;
#[allow(unsafe_code)]
mod map;
mod pack;
mod path;
mod query;
mod view;

pub use driven_format::{
    Activation, Capabilities, Capability, Category, Digest, ManifestView, NodeKind, OriginView, OutlineNode,
    Section, StepKind, StepView, StrList, file_hash,
};
pub use error::{Error, ErrorKind};
pub use guard::{Guard, GuardCounts};
pub use layers::{Layer, LayeredRule, Layers, Refused};
#[cfg(feature = "mmap")]
pub use map::MappedPack;
#[cfg(feature = "patch")]
pub use map::SharedPack;
#[cfg(feature = "std")]
pub use map::{LazyPackBuf, PackBuf};
#[cfg(feature = "trust")]
pub use pack::Verified;
pub use pack::{LazyPack, Pack, Proved};
pub use path::ProjectPath;
pub use query::{PathRules, RowRules, Rules};
pub use view::{ItemView, LazyRuleView, PersonaView, RuleView, SectionView, WorkflowView};

#[cfg(feature = "trust")]
pub use driven_format::trust::{KeyId, PublicKey};

#[cfg(feature = "state")]
pub mod state;
#[cfg(feature = "trust")]
pub mod trust;
#[cfg(feature = "updates")]
pub mod updates;

/// Embeds the rules that the build script compiled, as a module.
///
/// ```ignore
/// driven::include_rules!(pub mod rules);
/// ```
///
/// The module holds
/// - `pub static PACK: Pack<'static>`, ready without any work at run time,
/// - `pub enum Id`, a variant for every rule with the rule's description as its docs, so that a `match` can be exhaustive;
///   they are written by the paths of `ids`, which follow from the ids of the rules,
/// - `pub mod ids`, these names by folder (`ids::rust::ERROR_HANDLING`),
/// - `pub fn get(id: Id) -> RuleView<'static>`, which can't fail.
///
/// Arguments follow the module as `key = "literal"`:
/// - `pack = "name"`: the pack that the build script wrote under this name, when it is not the module's own.
/// - `file = "path"`: a ready-made pack, relative to `Cargo.toml`.
/// - `trust = "path"`: the public key, or the root file, by which the pack must be signed, relative to `Cargo.toml`; that
///   is proved while the crate compiles. Needs the feature `trust`.
/// - `cap_lints = "warn"`: hidden text in a ready-made pack (`file`) is let stand; without it that is an error.
///
/// # Compile time
/// The macro proves the pack whenever its crate is compiled, unoptimised unless `[profile.dev.build-override]` in
/// `Cargo.toml` gives an `opt-level`. For a pack of a hundred kilobytes or two that is lost beside what rustc does. One of
/// megabytes is better a crate of its own, with the macro as all of its `lib.rs`: programs then depend upon that, name its
/// rules as they would name their own, and when they are edited it is not compiled again.
/// ```ignore
/// // house-rules/src/lib.rs
/// driven::include_rules!(pub mod rules, file = "house.drv", trust = "house.root");
/// // the program
/// use house_rules::rules;
/// let text = rules::get(rules::ids::rust::ERROR_HANDLING).body();
/// ```
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! include_rules {
    ($($arguments:tt)*) => { $crate::__private::expand! { $crate $($arguments)* } };
}

/// What expansions of the macros name. No part of the public face.
#[doc(hidden)]
pub mod __private {
    pub use core::{concat, env, include_bytes};

    #[cfg(feature = "macros")]
    pub use driven_macros::expand;

    pub use crate::embed::{Aligned, rule_at};
    pub use crate::map::trusted;
}

/// A small pack for the examples in these docs.
#[doc(hidden)]
pub fn doc_pack() -> alloc::vec::Vec<u8> {
    use driven_format::{PackBuilder, Rule};

    let mut rule = Rule::new("error-handling", "# Errors\n- Return them.\n- Add context.\n");
    rule.description = "How errors are handled".into();
    rule.tags = alloc::vec!["errors".into()];
    rule.globs = alloc::vec!["src/**/*.rs".into()];
    rule.activation = Activation::Globs;
    let node = |kind, level, start, len| OutlineNode { kind, level, start, len };
    rule.outline = alloc::vec![
        node(NodeKind::Section, 1, 0, 38),
        node(NodeKind::Title, 1, 2, 6),
        node(NodeKind::Bullet, 1, 11, 12),
        node(NodeKind::Bullet, 1, 26, 12),
    ];
    PackBuilder::new("docs", 1).rule(rule).finish().expect("the example is in order")
}

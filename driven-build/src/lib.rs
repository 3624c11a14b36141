//! Compiles a folder of rules for AI coding assistants into one pack.
//!
//! In a build script:
//! ```no_run
//! fn main() -> driven_build::Result<()> {
//!     driven_build::rules("rules").compile()
//! }
//! ```
//! then `driven::include_rules!(pub mod rules)` embeds it. Outside of Cargo, or
//! to look at the findings, use [`Compiler::try_compile`].
//!
//! The way is: source text ([`frontmatter`], [`outline`]) -> model
//! ([`driven_format::RuleSet`]) -> pack. Faults are collected and shown at once.
//! Reads files, writes at most the pack, never uses the network.
//!
//! # Features
//! - `sign`: signs packs with an Ed25519 key.
//! - `json`: packs as JSON and back.
//! - `dependencies`: takes rules that dependencies ship.
//! - `secrets`: looks for secrets in the text too.
//! - `watch`: follows a folder of rules, for programs that take changes while they run.
//! - `pure`: BLAKE3 without a C compiler.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod checks;
mod compile;
#[cfg(feature = "dependencies")]
pub mod deps;
mod diagnostics;
mod error;
mod folder;
pub mod frontmatter;
#[cfg(feature = "json")]
pub mod json;
mod judge;
mod lower;
mod nearest;
#[cfg(feature = "secrets")]
mod secrets;
pub mod security;
mod settings;
#[cfg(feature = "sign")]
mod sign;
mod source;
#[cfg(feature = "watch")]
mod watch;
mod write;

pub use compile::{BuiltFrom, Compiled, Compiler, RuleText, project, rules};
pub use diagnostics::{Code, Finding, Level, Report, SourceFile, printable, printable_line};
pub use driven_format::{lift_pack, outline};
pub use error::{Error, ErrorKind, Result};
pub use folder::{quoted, write_folder};
pub use judge::{Baseline, Judge, Judgement};
pub use lower::split_globs;
pub use nearest::nearest;
pub use settings::{
    Allowance, Approval, PACK_FILE, PROJECT_FILE, ProjectSettings, SyncSettings, TrustSettings,
};
#[cfg(feature = "sign")]
pub use sign::{holds_key, read_key, sign_pack};
pub use source::{RuleSource, nfc};
#[cfg(feature = "watch")]
pub use watch::{Reload, Watch, watch};
pub use write::{create_whole, replace_whole, write_if_changed, write_whole};

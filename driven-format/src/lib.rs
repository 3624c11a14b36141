//! The bytes of a driven rule pack, and their proofs.
//!
//! What the macros, the compiler and the runtime must agree on stands here, once:
//! the layout, the checks, the signed bytes. [`PackBuilder`] turns a model into
//! bytes, [`Tables::check`] turns bytes into a checked view. No input and no
//! output, no clock, no `unsafe`; without the feature `std` it needs `alloc` alone.
//!
//! Programs read packs through the crate `driven`; this one is for tools. The law
//! is `docs/FORMAT.md`, whose tables the tests compare with the records here.
//!
//! # Features
//! - `std` (default): vector instructions are found at run time.
//! - `simd`: UTF-8 is validated with them too; a loss where dependencies are not optimised, as in build scripts.
//! - `trust`: Ed25519 keys, signing and verifying.
//! - `pure`: BLAKE3 without a C compiler.
//! - `serde`: `serde` traits on the model.
//! - `scan`: finds the headings and list items of bodies.
//! - `patch`: reads and applies patches; `diff`: makes them.
//! - `hidden`: finds text that people don't see and models read.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod attestation;
mod builder;
mod container;
mod digest;
mod error;
mod feed;
pub mod glob;
mod hash;
#[cfg(feature = "hidden")]
pub mod hidden;
mod lift;
mod model;
#[cfg(feature = "scan")]
pub mod outline;
#[cfg(feature = "patch")]
pub mod patch;
mod rust_path;
mod sections;
mod signatures;
mod tables;
#[cfg(feature = "trust")]
pub mod trust;
mod unseen;
mod wire;
mod writer;

pub use attestation::Attestation;
pub use builder::{PackBuilder, write_attested, write_pack};
pub use container::{FORMAT_VERSION, MAGIC, MAX_PACK, SECTION_ALIGN, Section};
pub use digest::{FileHasher, file_hash};
pub use error::{Error, ErrorKind};
pub use feed::{Feed, etag};
pub use lift::lift_pack;
pub use model::{
    Activation, Capabilities, Capability, Category, Manifest, NodeKind, Origin, OutlineNode, Persona, Rule,
    RuleSet, Step, StepKind, Workflow,
};
pub use rust_path::rust_path;
pub use sections::outline::{MAX_BODY, MAX_LEVEL, Nodes};
pub use sections::paths::PathWords;
pub use signatures::MAX_SIGNATURES;
pub use tables::{
    Bodies, ManifestView, OriginView, PersonaHead, RuleHead, StepView, StrList, Tables, WorkflowHead,
};
pub use unseen::is_unseen;
pub use wire::{Digest, Table};

/// The records as they lie in a pack, for tests of `docs/FORMAT.md` and for tools that dump packs.
pub mod records {
    pub use crate::container::{HeaderRecord, SectionRecord};
    pub use crate::sections::ids::IdsRecord;
    pub use crate::sections::outline::OutlineRecord;
    pub use crate::sections::paths::{
        CheckRecord, GroupRecord, KeyRecord, PairRecord, PathsRecord, PatternRecord, RowRecord, SieveRecord,
    };
    pub use crate::sections::postings::{PostingRecord, PostingsRecord};
    pub use crate::sections::records::{
        ManifestRecord, OriginRecord, PersonaRecord, RuleRecord, StepRecord, WorkflowRecord,
    };
    pub use crate::signatures::{SignatureRecord, SignaturesRecord};
    pub use crate::wire::{Record, StrRef, U24};
}

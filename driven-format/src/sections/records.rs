//! The records of fixed size: manifest, rules, personas, workflows, steps, origins.
//!
//! Tables of them are read in place. What each field means, and which values it
//! may have, is `docs/FORMAT.md`; the checks are in `tables.rs`, the writer in
//! `builder.rs`.

use crate::model::RULE_LISTS;
use crate::wire::{Digest, StrRef, records};

records! {
    /// What the pack says about itself.
    pub struct ManifestRecord {
        /// The pack's name.
        pub name: StrRef,
        /// Its version.
        pub version: u64,
        /// An SPDX licence expression.
        pub licence: StrRef,
        /// One line for people.
        pub description: StrRef,
        /// Bits of the capabilities that its rules may ask for.
        pub capabilities: u32,
        /// Bit 0: a security finding was let through when it was built.
        pub marks: u32,
        /// Digest of the content, whatever its layout.
        pub content: Digest,
        /// Digest of all outlines and bodies, as they lie.
        pub texts: Digest,
    }
}

records! {
    /// One rule. Rows are sorted by falling priority, then by id.
    pub struct RuleRecord {
        /// Its id.
        pub id: StrRef,
        /// One line.
        pub description: StrRef,
        /// A predicate, or empty.
        pub when: StrRef,
        /// Where its body begins in the bodies.
        pub body_start: u32,
        /// Length of its body in bytes.
        pub body_len: u32,
        /// Its first record in the outline.
        pub outline_start: u32,
        /// How many records it has there.
        pub outline_len: u32,
        /// Its first entry in the lists.
        pub lists_start: u32,
        /// Entries for globs, tags, languages, targets, requires, conflicts, replaces, in this order.
        pub list_lens: [u16; RULE_LISTS],
        /// Its first record in the origins.
        pub origins_start: u32,
        /// How many records it has there.
        pub origins_len: u16,
        /// 0 to 255; higher comes first.
        pub priority: u8,
        /// Code of the category, 0 for none.
        pub category: u8,
        /// Code of the activation.
        pub activation: u8,
        /// Bits of the capabilities that it asks for.
        pub capabilities: u8,
    }
}

records! {
    /// A persona.
    pub struct PersonaRecord {
        /// Its id.
        pub id: StrRef,
        /// One line.
        pub description: StrRef,
        /// The role in a few words.
        pub role: StrRef,
        /// Where its body begins in the bodies.
        pub body_start: u32,
        /// Length of its body in bytes.
        pub body_len: u32,
        /// Its first entry in the lists.
        pub lists_start: u32,
        /// Entries for traits and principles, in this order.
        pub list_lens: [u16; 2],
    }
}

records! {
    /// A workflow.
    pub struct WorkflowRecord {
        /// Its id.
        pub id: StrRef,
        /// One line.
        pub description: StrRef,
        /// Where its body begins in the bodies.
        pub body_start: u32,
        /// Length of its body in bytes.
        pub body_len: u32,
        /// Its first record in the steps.
        pub steps_start: u32,
        /// How many records it has there.
        pub steps_len: u32,
    }
}

records! {
    /// One step of a workflow.
    pub struct StepRecord {
        /// Its name, or empty.
        pub name: StrRef,
        /// The prompt, the command, the condition or the question.
        pub text: StrRef,
        /// A predicate, or empty.
        pub when: StrRef,
        /// Code of the kind.
        pub kind: u32,
    }
}

records! {
    /// What an assistant's own file looked like.
    pub struct OriginRecord {
        /// The assistant's name.
        pub assistant: StrRef,
        /// Where the file lay, or empty.
        pub path: StrRef,
        /// What stood in front of the body, byte for byte.
        pub text: StrRef,
    }
}

/// [`ManifestRecord::marks`]: a security finding was let through.
pub(crate) const MARK_CAPPED: u32 = 1;

//! Tests that cross the crates.

#![allow(clippy::unwrap_used, missing_docs)]

mod corrupt;
mod diagnostics;
mod format;
mod matching;
mod outline;
mod roundtrip;

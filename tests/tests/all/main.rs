//! Tests that cross the crates.

#![allow(clippy::unwrap_used, missing_docs)]

mod checks;
mod cli;
mod corrupt;
mod deps;
mod diagnostics;
mod embed;
#[cfg(target_os = "linux")]
mod faults;
mod format;
mod gate;
mod guard;
mod harness;
mod import;
mod lazy;
mod matching;
mod outline;
mod patches;
mod roundtrip;
#[cfg(target_os = "linux")]
mod sandbox;
mod secrets;
mod seeds;
mod serve;
mod snapshots;
mod state;
mod sync;
mod trust;
mod updates;
mod watch;

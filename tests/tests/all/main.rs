//! Tests that cross the crates.

#![allow(clippy::unwrap_used, missing_docs)]

mod outline;

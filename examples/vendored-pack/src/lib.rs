//! A ready-made signed pack: no build script, no private key, proved while this crate compiles.
//!
//! The pack in `packs` came from somebody else, as a platform team hands one out:
//! ```text
//! driven build rules -o packs/platform.drv --key platform.key
//! ```
//! This crate has the public key alone. Another pack in its place, or a bit of it
//! changed, does not compile.
//!
//! The rules are a crate of their own, here the library of the package, so that a program that is
//! edited is compiled without them. For large packs that can be felt; with small ones the macro may
//! as well stand in the program.

driven::include_rules!(pub mod platform, file = "packs/platform.drv", trust = "packs/platform.pub");

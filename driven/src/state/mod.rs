//! The state of a program that is updated while it runs.
//!
//! [`RuleStore`] holds the current pack. Many read, and none of them ever waits; one at a time writes: applies a
//! patch, replaces the pack, goes back. What is let in is decided before anything is visible, and those who care
//! learn which rules changed.

mod changes;
mod store;
mod swap;

pub use changes::{Changes, RowSet};
pub use store::{Current, Reader, RuleStore, Subscription, Update};

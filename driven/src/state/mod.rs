//! The state of a program that is updated while it runs.
//!
//! [`RuleStore`] holds the current pack. Many read, and none of them ever waits; one at a time writes: applies a
//! patch, replaces the pack, goes back. What is let in is decided before anything is visible, and those who care
//! learn which rules changed. [`Snapshots`] keeps packs in a folder, so that the next start finds the one that was current.

mod changes;
mod snapshots;
mod store;
mod swap;

pub use changes::{Changes, RowSet};
pub use snapshots::{Hold, Retention, Snapshot, Snapshots};
pub use store::{Current, Reader, RuleStore, Subscription, Update};

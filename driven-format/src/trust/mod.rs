//! Who stands behind a pack: keys, statements, roots, timestamps, and the policy that judges.
//!
//! No file, no clock, no randomness: texts and bytes come in, a verdict goes out.
//! Law: `docs/TRUST.md`, whose checks are cited by their numbers, and "Statement"
//! in `docs/FORMAT.md`.

mod keys;
mod policy;
mod root;
mod sign;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod threshold;
mod time;
mod timestamp;

pub use keys::{KeyId, PublicKey, SecretKey};
pub use policy::{Held, Policy, Step, Story};
pub use root::{Recovery, Revocation, Role, Root, RootChain, RootKey, SignedRoot};
pub use sign::{Signer, add_signature, attach, detach, read_signature, sign, with_signatures};
pub use state::{Floor, State};
pub use text::TextSignature;
pub use time::{parse_time, render_time};
pub use timestamp::{SignedTimestamp, Timestamp};

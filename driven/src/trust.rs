//! Trust: whose packs are taken, and what was seen of them.
//!
//! The checks are those of `docs/TRUST.md`, made by `driven-format`; here they meet
//! packs, and the file in which a program keeps what it has seen.

#[cfg(feature = "std")]
mod store;

pub use driven_format::trust::{
    Floor, Held, Policy, RootChain, SignedTimestamp, State, Step, Story, Timestamp, parse_time, render_time,
};

#[cfg(feature = "std")]
pub use store::{Admitted, Judged, TrustStore};

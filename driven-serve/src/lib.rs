//! Trees of rule packs: written for any web server, and served over HTTP.
//!
//! A [`Tree`] is a folder that a bucket or a CDN can serve as it lies there; a [`Server`] serves the same folder, makes
//! patches that are not in it, and tells those who wait for news. Programs follow either with `driven::updates`. Law:
//! `docs/UPDATES.md`, "Tree".
//!
//! ```
//! # use driven_format::{PackBuilder, Rule};
//! # let folder = std::env::temp_dir().join(format!("driven-serve-doc-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&folder);
//! # let pack = |version, text: &str| PackBuilder::new("house", version).rule(Rule::new("style", text)).finish();
//! # let (old, new) = (pack(1, "Spell words out.\n")?, pack(2, "Spell words right.\n")?);
//! use driven_serve::{Server, ServerOptions, Tree};
//!
//! let tree = Tree::new(&folder);
//! tree.publish(&old)?;
//! let published = tree.publish(&new)?;
//! assert_eq!(published.patches.len(), 1);
//!
//! let server = Server::open(&folder, ServerOptions::default())?.start("127.0.0.1:0")?;
//! println!("http://{}/house", server.address());
//! server.stop();
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod answer;
mod coding;
mod error;
mod metrics;
mod resources;
mod server;
mod tree;

pub use error::{Error, Result};
pub use server::{Running, Server, ServerOptions};
pub use tree::{Edition, Gone, Published, Retained, Tree};

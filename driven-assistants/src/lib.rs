//! One rule set, every assistant: writes the rules of a pack out to the files
//! that AI coding assistants read, and reads those back.
//!
//! [`plan`] makes out of a pack what files there should be, and knows no disk;
//! [`Project`] looks at what is there, says what would change, and changes it.
//! [`import`](mod@import) goes the other way; [`check`](mod@check) looks at what assistants read.
//!
//! ```no_run
//! use driven_assistants::plan::{Options, plan};
//! use driven_assistants::render::Policy;
//! use driven_assistants::{Project, catalog};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pack = driven::PackBuf::open("rules.drv")?;
//! let targets = [catalog::find("cursor").expect("it is in the list")];
//! let mut project = Project::open(".".as_ref())?;
//! let plan = {
//!     let has_folder = |path: &str| project.has_folder(path);
//!     let options = Options { policy: Policy::Fold, has_folder: &has_folder, global: false };
//!     plan(&pack.as_pack(), &targets, &options)?
//! };
//! let changes = project.changes(&plan)?;
//! project.apply(&changes, false)?; // nothing is written where a person changed a file
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod block;
pub mod catalog;
pub mod check;
mod ends;
mod error;
pub mod globs;
pub mod head;
pub mod import;
mod journal;
mod movers;
pub mod plan;
mod project;
mod quality;
pub mod render;
pub mod settings;
mod tree;
mod walk;

pub use error::{Error, ErrorKind, Result};
pub use project::{Change, Changes, Project, STATE_FOLDER, Warning, diff, found_in, text_diff};
pub use walk::Note;

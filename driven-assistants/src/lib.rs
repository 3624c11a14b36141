//! One rule set, every assistant: writes the rules of a pack out to the files
//! that AI coding assistants read, and reads those back.
#![forbid(unsafe_code)]

pub mod block;
pub mod catalog;
pub mod check;
mod error;
pub mod globs;
pub mod head;
pub mod import;
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

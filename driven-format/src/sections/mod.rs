//! The sections of a pack: one file each with record, check, reader and writer.

pub(crate) mod ids;
pub(crate) mod outline;
pub(crate) mod paths;
pub(crate) mod postings;
pub(crate) mod records;

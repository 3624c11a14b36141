//! `driven validate`

use std::path::PathBuf;

use crate::Exit;
use crate::output::{Output, count};

/// Check a rule folder without writing anything
///
/// Prints every finding with its place and a hint. Exit code 1 when one of them
/// is an error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven validate\n  driven validate rules --strict\n  driven validate --json"
)]
pub(crate) struct Validate {
    /// Folder that holds `driven.toml`, or a rule folder itself
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Exit with 1 on any finding
    #[arg(long)]
    strict: bool,
}

impl Validate {
    pub(crate) fn run(self, output: &mut Output) -> Exit {
        let report = driven_build::project(&self.dir).check();
        output.report(&report);
        output.note(&count(&report));
        let bad = report.has_errors() || self.strict && !report.findings().is_empty();
        if bad { Exit::Findings } else { Exit::Clean }
    }
}

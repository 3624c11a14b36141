//! `driven diff`

use std::path::PathBuf;

use driven::PackBuf;
use driven_format::Tables;
use driven_format::patch::diff;
use serde_json::json;

use crate::files::{self, Kind};
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Make the patch that leads from one pack to another
///
/// Every way of telling the difference is tried, and the smallest that leads to exactly the new pack, signatures
/// included, is written. `driven patch` applies it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven diff rules-1.drv rules-2.drv -o rules-1-2.drvp\n  \
                  driven diff old.drv new.drv -o step.drvp --json")]
pub(crate) struct Diff {
    /// The pack that is there
    old: PathBuf,
    /// The pack that comes next
    new: PathBuf,
    /// The patch to write
    #[arg(short, long, value_name = "PATCH")]
    output: PathBuf,
}

impl Diff {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        files::may_write(&self.output, &Kind::Patch)?;
        let old = PackBuf::open(&self.old)?;
        let new = PackBuf::open(&self.new)?;
        let (old, new) = (old.as_pack(), new.as_pack());
        // Proved here too, so that a fault is told with its file.
        old.prove().map_err(|err| Failure::from(err).in_file(&self.old))?;
        new.prove().map_err(|err| Failure::from(err).in_file(&self.new))?;
        let made = diff(old.as_bytes(), new.as_bytes())?;
        files::write(&self.output, &made.patch, &Kind::Patch)?;
        let (bytes, whole) = (made.patch.len(), new.as_bytes().len());
        let edition = |pack: &[u8]| Tables::check(pack).map(|tables| tables.edition().to_string());
        let value = json!({
            "patch": self.output.to_string_lossy(),
            "bytes": bytes,
            "target_bytes": whole,
            "base": edition(old.as_bytes())?,
            "target": edition(new.as_bytes())?,
            "encoding": made.taken,
            "operations": made.operations,
            "candidates": made.candidates,
        });
        output.either(&value, || {
            let operations: Vec<String> =
                made.operations.iter().map(|(name, count)| format!("{name} {count}")).collect();
            format!(
                "{}: {bytes} bytes in place of the new pack's {whole}; {} ({})",
                self.output.display(),
                operations.join(", "),
                made.taken,
            )
        });
        Ok(Exit::Clean)
    }
}

//! `driven patch`

use std::path::{Path, PathBuf};

use driven::{Pack, PackBuf, durable};
use driven_format::patch::{DEFAULT_LIMIT, Patch as Opened, WholeBase};
use serde_json::json;

use crate::files::{self, Kind};
use crate::output::{Output, rules};
use crate::{Exit, Failure, Outcome, trusted};

/// Apply a patch to the pack that it was made for
///
/// The new pack is proved to be the one that the patch names before anything is written; where `driven.toml` says in
/// [trust] whose packs are taken, it must be signed so. Otherwise the patch is refused and nothing changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven patch rules-1.drv rules-1-2.drvp -o rules-2.drv\n  \
                  driven patch rules.drv step.drvp -o rules.drv")]
pub(crate) struct Patch {
    /// The pack that is there
    old: PathBuf,
    /// The patch
    #[arg(value_name = "PATCH")]
    step: PathBuf,
    /// The pack to write
    #[arg(short, long, value_name = "PACK")]
    output: PathBuf,
    /// How long the new pack may be, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_LIMIT)]
    limit: usize,
}

impl Patch {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        files::may_write(&self.output, &Kind::Pack)?;
        // Who signs it meanwhile, or patches it too, goes on from what this writes.
        let is_there = self.output.is_file();
        let _held = is_there.then(|| durable::lock_in_place(&self.output)).transpose()?;
        let old = PackBuf::open(&self.old)?;
        let base = WholeBase::prove(old.as_pack().as_bytes())
            .map_err(|err| Failure::from(err).in_file(&self.old))?;
        let patch = files::read_patch(&self.step, self.limit)?;
        let target = Opened::open(&patch).and_then(|patch| patch.apply(&base, self.limit));
        let bytes = target.map_err(|err| Failure::from(err).in_file(&self.step))?.into_pack(&base);
        let pack = *Pack::open(&bytes)?.prove().map_err(|err| Failure::from(err).in_file(&self.step))?;
        trusted::admit(pack, &self.step, Path::new("."), output)?;
        files::write(&self.output, &bytes, &Kind::Pack)?;
        let manifest = pack.manifest();
        let value = json!({
            "pack": self.output.to_string_lossy(),
            "bytes": bytes.len(),
            "name": manifest.name(),
            "version": manifest.version(),
            "rules": pack.len(),
            "digest": pack.digest().to_string(),
            "signed": pack.is_signed(),
        });
        output.either(&value, || {
            let name = if manifest.name().is_empty() { "a pack" } else { manifest.name() };
            format!(
                "{}: {name}, version {}, {}",
                self.output.display(),
                manifest.version(),
                rules(pack.len())
            )
        });
        Ok(Exit::Clean)
    }
}

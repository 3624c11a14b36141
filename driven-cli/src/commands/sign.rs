//! `driven sign`

use std::path::PathBuf;

use driven_build::{read_key, sign_pack};
use driven_format::file_hash;
use serde_json::json;

use crate::files::{self, Kind};
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Sign a pack
///
/// Adds this key's signature to those that the pack has. The digest stays the
/// same, the file hash does not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven sign rules.drv --key release.key\n  driven sign rules.drv --key release.key -o signed.drv"
)]
pub(crate) struct Sign {
    /// The pack
    file: PathBuf,
    /// Private key, PKCS#8 in PEM
    #[arg(long)]
    key: PathBuf,
    /// Write here instead of into FILE
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

impl Sign {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let key = read_key(&self.key)?;
        let bytes = driven::PackBuf::open(&self.file)?.into_vec();
        let proved = driven::Pack::open(&bytes).and_then(driven::Pack::prove);
        proved.map_err(|err| Failure::from(err).in_file(&self.file))?;
        let signed = sign_pack(&bytes, &key, 0)?;
        let out = self.output.as_ref().unwrap_or(&self.file);
        files::write(out, &signed, &Kind::Pack)?;
        let id = key.public_key().id().to_string();
        let hash = file_hash(&signed).to_string();
        let value =
            json!({ "path": out.to_string_lossy(), "key_id": id, "file_hash": hash, "bytes": signed.len() });
        output.either(&value, || format!("{}: signed by {id}", out.display()));
        Ok(Exit::Clean)
    }
}

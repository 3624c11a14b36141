//! `driven sign`

use std::path::PathBuf;

use driven_build::{read_key, sign_pack};
use driven_format::trust::{KeyId, attach, detach, with_signatures};
use driven_format::{Tables, file_hash};
use serde_json::json;

use crate::files::{self, Kind};
use crate::keys::expiry;
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Sign a pack
///
/// Adds this key's signature to those that the pack has. The digest stays the
/// same, the file hash does not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven sign rules.drv --key release.key\n  driven sign rules.drv --key release.key --expires 2028-01-31\n  \
                  driven sign rules.drv --key bob.key --detached -o bob.sig\n  driven sign rules.drv --attach bob.sig"
)]
pub(crate) struct Sign {
    /// The pack
    file: PathBuf,
    /// Private key, PKCS#8 in PEM
    #[arg(long, required_unless_present = "attach")]
    key: Option<PathBuf>,
    /// When the signatures end to hold: a date in UTC, or never; by default as those that are there
    #[arg(long, value_name = "DATE", value_parser = expiry, requires = "key")]
    expires: Option<u64>,
    /// Drop the signatures that are there first, as another expiry needs
    #[arg(long)]
    renew: bool,
    /// Detached signatures that were made elsewhere
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Write the signatures alone, to be kept beside the pack or merged with others
    #[arg(long, requires = "output")]
    detached: bool,
    /// Write here instead of into FILE
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

impl Sign {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let key = self.key.as_deref().map(read_key).transpose()?;
        let mut signed = driven::PackBuf::open(&self.file)?.into_vec();
        let proved = driven::Pack::open(&signed).and_then(driven::Pack::prove);
        proved.map_err(|err| Failure::from(err).in_file(&self.file))?;
        let there = Tables::check(&signed)?.expires().unwrap_or(0);
        if self.renew {
            signed = with_signatures(&Tables::check(&signed)?, 0, &[])?;
        }
        for file in &self.attach {
            let detached = std::fs::read(file).map_err(|err| Failure::io(file, &err))?;
            signed = attach(&Tables::check(&signed)?, &detached)
                .map_err(|err| Failure::from(err).in_file(file))?;
        }
        if let Some(key) = &key {
            let own = Tables::check(&signed)?.expires().unwrap_or(there);
            signed = sign_pack(&signed, key, self.expires.unwrap_or(own))
                .map_err(|err| Failure::from(err).hint("`--renew` drops the signatures that are there"))?;
        }
        let out = self.output.as_ref().unwrap_or(&self.file);
        if self.detached {
            files::write(out, &detach(&Tables::check(&signed)?), &Kind::Detached)?;
        } else {
            files::write(out, &signed, &Kind::Pack)?;
        }
        let by: Vec<String> =
            Tables::check(&signed)?.signatures().iter().map(|one| KeyId(one.key_id).to_string()).collect();
        let hash = file_hash(&signed).to_string();
        let value =
            json!({ "path": out.to_string_lossy(), "key_ids": by, "file_hash": hash, "bytes": signed.len() });
        output.either(&value, || format!("{}: signed by {}", out.display(), by.join(", ")));
        Ok(Exit::Clean)
    }
}

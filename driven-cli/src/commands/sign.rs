//! `driven sign`

use std::path::PathBuf;

use driven::durable;
use driven_format::trust::{self, KeyId, add_signature, detach, with_signatures};
use driven_format::{Tables, file_hash};
use serde_json::json;

use crate::files::{self, Kind};
use crate::keys::{SignerArguments, expiry, note_expired};
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Sign a pack
///
/// Adds this key's signature to those that the pack has. The digest stays the
/// same, the file hash does not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven sign rules.drv --key release.key\n  driven sign rules.drv --key release.key --expires 2028-01-31\n  \
                  driven sign rules.drv --key bob.key --detached -o bob.sig\n  driven sign rules.drv --attach bob.sig\n  \
                  driven sign rules.drv --key-command 'my-token sign' --public-key release.pub"
)]
pub(crate) struct Sign {
    /// The pack
    file: PathBuf,
    #[command(flatten)]
    signers: SignerArguments,
    /// When the signatures end to hold: a date in UTC, or never; by default as those that are there
    #[arg(long, value_name = "DATE", value_parser = expiry)]
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
        // Whoever attaches signatures may have no key at all.
        let signers = match &self.attach[..] {
            [] => self.signers.named_or_environment()?,
            _ => self.signers.named()?,
        };
        // Who signs the same pack meanwhile adds to what this writes.
        let _held = durable::lock_in_place(&self.file)?;
        let mut signed = driven::PackBuf::open(&self.file)?.into_vec();
        let proved = driven::Pack::open(&signed).and_then(driven::Pack::prove);
        proved.map_err(|err| Failure::from(err).in_file(&self.file))?;
        let there = Tables::check(&signed)?.expires().unwrap_or(0);
        if self.renew {
            signed = with_signatures(&Tables::check(&signed)?, 0, &[])?;
        }
        for file in &self.attach {
            signed = files::attach_file(&signed, file)?;
        }
        if !self.attach.is_empty() {
            output.note("signatures that were attached are not proved here: `driven verify` proves them by a key or a root");
        }
        for signer in &signers {
            let tables = Tables::check(&signed)?;
            let expires = self.expires.unwrap_or(tables.expires().unwrap_or(there));
            if !tables.signatures().is_empty() && tables.expires().unwrap_or(0) != expires {
                return Err(Failure::new(
                    "expiry",
                    "the pack has signatures with another expiry, and one pack has one",
                )
                .hint("`--renew` drops the signatures that are there"));
            }
            let (public, signature) = (signer.public_key(), signer.sign(&tables.statement(expires))?);
            signed = add_signature(&tables, &trust::Signer::Made(&public, signature), expires)?;
        }
        note_expired(Tables::check(&signed)?.expires().unwrap_or(0), output)?;
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

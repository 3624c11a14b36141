//! `driven verify`

use std::fs;
use std::path::PathBuf;

use driven::{Pack, PackBuf, PublicKey};
use driven_format::Tables;
use serde_json::json;

use crate::files::{self, Kind};
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Prove that a key signed a pack, and that the pack is what was signed
///
/// With `--signed-bytes` and `--signature`, writes what was signed and the raw
/// signature, so that another tool can check them:
/// `openssl pkeyutl -verify -pubin -inkey NAME.pub -rawin -in SIGNED -sigfile SIGNATURE`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven verify rules.drv --key release.pub")]
pub(crate) struct Verify {
    /// The pack
    file: PathBuf,
    /// Public key, `SubjectPublicKeyInfo` in PEM
    #[arg(long)]
    key: PathBuf,
    /// Write the bytes that were signed here
    #[arg(long, value_name = "OUT", requires = "signature")]
    signed_bytes: Option<PathBuf>,
    /// Write the signature here, 64 bytes
    #[arg(long, value_name = "OUT", requires = "signed_bytes")]
    signature: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let pem = fs::read_to_string(&self.key).map_err(|err| Failure::io(&self.key, &err))?;
        let key = PublicKey::from_pem(&pem).map_err(|err| Failure::from(err).in_file(&self.key))?;
        let bytes = PackBuf::open(&self.file)?.into_vec();
        let pack = Pack::open(&bytes)?.verify(&key).map_err(|err| Failure::from(err).in_file(&self.file))?;
        let tables = Tables::check(&bytes)?;
        if let (Some(signed), Some(signature)) = (&self.signed_bytes, &self.signature) {
            let own = tables.signatures().iter().find(|signature| signature.key_id == key.id().0);
            let own = own.map_or([0; 64], |own| own.signature_bytes());
            let statement = tables.statement(tables.expires().unwrap_or(0));
            files::may_write(signature, &Kind::Signature)?;
            files::write(signed, &statement, &Kind::Statement)?;
            files::write(signature, &own, &Kind::Signature)?;
        }
        let (id, digest) = (key.id().to_string(), pack.digest().to_string());
        let value = json!({ "verified": true, "key_id": id, "digest": digest, "rules": pack.len(), "expires": pack.expires() });
        output.either(&value, || format!("{}: signed by {id}, digest {digest}", self.file.display()));
        Ok(Exit::Clean)
    }
}

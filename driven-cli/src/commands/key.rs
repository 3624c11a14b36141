//! `driven key`

use std::path::PathBuf;

use clap::Subcommand;
use driven_format::trust::SecretKey;
use serde_json::json;
use zeroize::Zeroizing;

use crate::keys::read_text;
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Look at keys
#[derive(Debug, clap::Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    Show(Show),
}

/// Show the fingerprint of a key, and the public key in PEM
///
/// Reads public keys in PEM, of OpenSSH and of minisign, and private keys in PEM, of which it shows the public half.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven key show release.pub\n  driven key show ~/.ssh/id_ed25519.pub")]
struct Show {
    /// The key
    file: PathBuf,
}

impl Key {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let KeyCommand::Show(Show { file }) = self.command;
        let text = Zeroizing::new(read_text(&file)?);
        let key = if text.contains("PRIVATE KEY") {
            SecretKey::from_pem(&text).map(|key| key.public_key())
        } else {
            driven::PublicKey::from_text(&text)
        };
        let key = key.map_err(|err| Failure::from(err).in_file(&file))?;
        let (id, fingerprint, pem) = (key.id().to_string(), key.fingerprint().to_string(), key.to_pem());
        let value = json!({ "key_id": id, "fingerprint": fingerprint, "public": pem });
        output.either(&value, || format!("fingerprint {fingerprint}\nkey id      {id}\n{pem}"));
        Ok(Exit::Clean)
    }
}

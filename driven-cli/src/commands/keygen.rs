//! `driven keygen`

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use driven_build::write_with;
use driven_format::trust::SecretKey;
use serde_json::json;
use zeroize::Zeroizing;

use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Make a new key pair: NAME.key and NAME.pub
///
/// Ed25519 in PEM; OpenSSL reads both files. `NAME.key` is readable by you alone:
/// keep it out of version control. Files that exist are never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven keygen release")]
pub(crate) struct Keygen {
    /// Path of the two files without their endings
    name: PathBuf,
}

impl Keygen {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let with_ending = |ending: &str| {
            let mut path = self.name.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        let (private, public) = (with_ending(".key"), with_ending(".pub"));
        if let Some(there) = [&private, &public].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            let message = format!("{} exists already", there.display());
            return Err(Failure::new("exists", message).hint("choose another name, or move the old key away"));
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|err| Failure::new("random", format!("no randomness to be had: {err}")))?;
        let key = SecretKey::from_seed(&seed);
        let write = |path: &Path, text: &str, prepare: fn(&File) -> io::Result<()>| {
            write_with(path, text.as_bytes(), prepare).map_err(|err| Failure::io(path, &err))
        };
        write(&private, &key.to_pem(), only_for_owner)?;
        write(&public, &key.public_key().to_pem(), |_| Ok(()))?;
        let fingerprint = key.public_key().fingerprint().to_string();
        let value = json!({
            "private": private.to_string_lossy(),
            "public": public.to_string_lossy(),
            "key_id": key.public_key().id().to_string(),
            "fingerprint": fingerprint,
        });
        output.either(&value, || {
            format!("{}\n{}\nfingerprint {fingerprint}", private.display(), public.display())
        });
        Ok(Exit::Clean)
    }
}

#[cfg(unix)]
fn only_for_owner(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn only_for_owner(_: &File) -> io::Result<()> {
    Ok(())
}

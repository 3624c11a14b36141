//! `driven keygen`

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
        // `x/` and `x/.` have a file name by the rules of paths, and `x/.key` is not what anybody means.
        let whole = self.name.as_os_str().as_encoded_bytes();
        if !self.name.file_name().is_some_and(|name| whole.ends_with(name.as_encoded_bytes())) {
            let message = format!("{}: expected the name of a file", self.name.display());
            return Err(
                Failure::new("usage", message).hint("give the path of the two files, without their endings")
            );
        }
        let with_ending = |ending: &str| {
            let mut path = self.name.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        let (private, public) = (with_ending(".key"), with_ending(".pub"));
        if let Some(there) = [&private, &public].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            let message = format!("{} exists already", there.display());
            let hint = if public.symlink_metadata().is_ok() {
                "choose another name, or move the old key away"
            } else {
                "choose another name; `driven key show` prints the public key to a private one"
            };
            return Err(Failure::new("exists", message).hint(hint));
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|err| Failure::new("random", format!("no randomness to be had: {err}")))?;
        let key = SecretKey::from_seed(&seed);
        let pem = key.to_pem();
        write_new(&private, pem.as_bytes(), 0o600).map_err(|err| Failure::io(&private, &err))?;
        let pem = key.public_key().to_pem();
        write_new(&public, pem.as_bytes(), 0o666).map_err(|err| {
            // Nobody has used it yet, and half a pair is in the way of the next try.
            let _ = fs::remove_file(&private);
            Failure::io(&public, &err)
        })?;
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

/// Writes a file that is not there yet, with at most this mode from its first moment on; one that came meanwhile stays.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    write_unnamed(path, bytes, mode).unwrap_or_else(|| write_named(path, bytes, mode))
}

/// Writes a file that has a name only once it is whole, so that whoever is killed leaves no part of a key; nothing where
/// the system has no such files.
#[cfg(target_os = "linux")]
fn write_unnamed(path: &Path, bytes: &[u8], mode: u32) -> Option<io::Result<()>> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use rustix::io::Errno;

    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = File::from(open(folder, flags, Mode::from_raw_mode(mode)).ok()?);
    if let Err(err) = file.write_all(bytes).and_then(|()| file.sync_all()) {
        return Some(Err(err));
    }
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Some(Ok(())),
        Err(err @ Errno::EXIST) => Some(Err(err.into())),
        Err(_) => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn write_unnamed(_: &Path, _: &[u8], _: u32) -> Option<io::Result<()>> {
    None
}

/// The same with a name from the beginning.
fn write_named(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    limit(options.write(true).create_new(true), mode);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // A part of a key is of no use; nothing more can be done about it than to try.
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(unix)]
fn limit(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;

    options.mode(mode);
}

#[cfg(not(unix))]
fn limit(_: &mut OpenOptions, _: u32) {}

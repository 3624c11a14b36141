//! Signing in builds: a key is named by a file, and never held by the environment.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use driven_format::Tables;
use driven_format::trust::{self, SecretKey};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The longest key that is read, in bytes.
const MAX_KEY: u64 = 64 * 1024;

/// Where the key of a build is.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    /// A key in the open, which others may read.
    Development(PathBuf),
    Environment(String),
}

impl KeySource {
    /// The key's file; nothing when the environment names none.
    fn file(&self) -> Option<PathBuf> {
        match self {
            KeySource::Development(file) => Some(file.clone()),
            KeySource::Environment(variable) => env::var_os(variable).map(PathBuf::from),
        }
    }

    /// Tells Cargo what a change of the key would be.
    pub(crate) fn print_watches(&self) {
        if let KeySource::Environment(variable) = self {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        if let Some(file) = self.file().filter(|file| !is_key(file)) {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }

    pub(crate) fn sign(&self, pack: Vec<u8>) -> Result<Vec<u8>> {
        let Some(file) = self.file() else { return Ok(pack) };
        let key = match self {
            KeySource::Development(_) => open_key(&file)?.0,
            KeySource::Environment(_) => read_key(&file)?,
        };
        sign_pack(&pack, &key, 0)
    }
}

/// Reads a private key in PKCS#8 PEM. The error names the file and never quotes it.
///
/// # Errors
/// A file that can't be read, that others may read (Unix), or that holds no Ed25519 key.
pub fn read_key(file: &Path) -> Result<SecretKey> {
    // First whether it is one: a public key may well be read by all.
    let (key, opened) = open_key(file)?;
    refuse_open(file, &opened)?;
    Ok(key)
}

/// Whether a key was given in place of its file's path, as it happens with variables; it is shown nowhere.
fn is_key(path: &Path) -> bool {
    holds_key(&path.as_os_str().to_string_lossy())
}

/// Whether a text is a private key, in PEM or its base64 alone.
pub fn holds_key(text: &str) -> bool {
    // What PKCS#8 begins with for Ed25519, of version 1 and of version 2.
    let bare = ["MC4CAQAwBQYDK2Vw", "MFECAQEwBQYDK2Vw"];
    text.contains("-----BEGIN") && text.contains("PRIVATE KEY") || bare.iter().any(|head| text.contains(head))
}

#[cfg(unix)]
fn refuse_open(file: &Path, opened: &fs::File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = opened.metadata().map_err(|err| Error::io(file, err))?.permissions().mode();
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    let text =
        format!("{}: others may read this key (mode {:03o}): `chmod 600` it", file.display(), mode & 0o777);
    Err(Error::setup(text))
}

/// Other systems say in other ways who may read a file; nothing is asked of it there.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn refuse_open(_: &Path, _: &fs::File) -> Result<()> {
    Ok(())
}

/// Reads a key, and gives the file as well.
fn open_key(file: &Path) -> Result<(SecretKey, fs::File)> {
    if is_key(file) {
        let text =
            "this is a private key itself: expected the path of a file that only you may read (mode 600)";
        return Err(Error::setup(text));
    }
    let opened = fs::File::open(file).map_err(|err| Error::io(file, err))?;
    // All at once: what grows leaves copies behind.
    let mut pem = Zeroizing::new(Vec::with_capacity(MAX_KEY as usize + 1));
    (&opened).take(MAX_KEY).read_to_end(&mut pem).map_err(|err| Error::io(file, err))?;
    let pem = std::str::from_utf8(&pem).unwrap_or_default();
    Ok((SecretKey::from_pem(pem).map_err(|err| Error::in_file(file, err))?, opened))
}

/// Signs the bytes of a pack; `expires` in seconds since 1970, 0 for never.
///
/// Whoever signs vouches for every digest that the pack states: of one that came from elsewhere, prove them first.
///
/// # Errors
/// Bytes that are no pack.
pub fn sign_pack(pack: &[u8], key: &SecretKey, expires: u64) -> Result<Vec<u8>> {
    let tables = Tables::check(pack).map_err(Error::format)?;
    trust::sign(&tables, key, expires).map_err(Error::format)
}

//! Keys, roots, timestamps and times as arguments name them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use driven::PublicKey;
use driven_format::trust::{RootChain, parse_time};

use crate::Failure;

/// The longest key, root or timestamp that is read, in bytes.
const MAX_TEXT: u64 = (1 << 20) + 1;

/// Reads a short text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_TEXT).read_to_string(&mut text));
    read.map(|_| text).map_err(|err| Failure::io(path, &err))
}

/// Reads a public key, in whatever form.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_text(&read_text(path)?).map_err(|err| Failure::from(err).in_file(path))
}

/// Reads a root file and proves it.
pub(crate) fn read_root(path: &Path) -> Result<RootChain, Failure> {
    RootChain::read(&read_text(path)?).map_err(|err| Failure::from(err).in_file(path))
}

/// The time by the clock of the system.
pub(crate) fn now() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map(|since| since.as_secs())
        .map_err(|_| Failure::new("clock", "the clock is before 1970").hint("set it"))
}

/// A time: `2027-01-31`, `2027-01-31T12:00:00Z`.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.into() };
    parse_time(&whole).ok_or_else(|| "expected a date in UTC: 2027-01-31 or 2027-01-31T12:00:00Z".into())
}

/// When something ends to hold: a time, or `never`, which is 0.
pub(crate) fn expiry(text: &str) -> Result<u64, String> {
    if text == "never" { Ok(0) } else { time(text) }
}

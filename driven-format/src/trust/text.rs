//! Signed texts: lines with one form, and the signatures behind them.
//!
//! Knows how lines, numbers and digests are written; what they mean is for
//! `root`, `timestamp` and `state`. Law: `docs/TRUST.md`, "Files".

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::str::FromStr;

use super::keys::{KeyId, PublicKey};
use crate::error::{Error, ErrorKind};
use crate::unseen::is_unseen;
use crate::wire::Digest;

/// The longest text that is read, in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;
/// Begins a line with a signature.
const SIGNATURE: &str = "signature";

/// A signature behind a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextSignature {
    /// Which key.
    pub key: KeyId,
    /// R, then S.
    pub signature: [u8; 64],
}

/// Reads a text line by line.
pub(super) struct Lines<'t> {
    /// What it is, for people.
    what: &'static str,
    kind: ErrorKind,
    text: &'t str,
    /// Where the next line begins.
    at: usize,
    number: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(what: &'static str, kind: ErrorKind, text: &'t str) -> Result<Self, Error> {
        if text.len() > MAX_TEXT {
            return Err(Error::new(kind, format!("{what}: longer than {MAX_TEXT} bytes")));
        }
        if text.is_empty() {
            return Err(Error::new(kind, format!("{what}: it is empty")));
        }
        // What is signed is the bytes: an editor or a checkout that changes them is told of, not guessed at.
        if text.starts_with('\u{feff}') {
            return Err(Error::new(kind, format!("{what}: it begins with a byte order mark; expected none")));
        }
        if let Some(line) = text.split('\n').position(|line| line.ends_with('\r')) {
            let text = format!("{what}: line {} ends with CR LF; expected LF alone", line + 1);
            return Err(Error::new(kind, text));
        }
        if !text.ends_with('\n') {
            return Err(Error::new(kind, format!("{what}: the last line is cut off")));
        }
        Ok(Lines { what, kind, text, at: 0, number: 1 })
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// The text from a place up to here.
    pub(super) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    pub(super) fn fault(&self, expected: &str) -> Error {
        Error::new(self.kind, format!("{}: line {}: expected {expected}", self.what, self.number))
    }

    fn peek(&self) -> &'t str {
        self.text[self.at..].split('\n').next().unwrap_or_default()
    }

    fn next(&mut self) {
        self.at += self.peek().len() + 1;
        self.number += 1;
    }

    /// The next line must be this one.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Error> {
        if self.is_at_end() || self.peek() != line {
            return Err(self.fault(&format!("`{line}`")));
        }
        self.next();
        Ok(())
    }

    /// What stands behind `word` in the next line, if that begins with it.
    pub(super) fn optional(&mut self, word: &str) -> Option<&'t str> {
        let rest = self.peek().strip_prefix(word)?.strip_prefix(' ')?;
        self.next();
        Some(rest)
    }

    /// What stands behind `word` in the next line, read by `read`.
    pub(super) fn field<T>(
        &mut self,
        word: &str,
        form: &str,
        read: impl FnOnce(&'t str) -> Option<T>,
    ) -> Result<T, Error> {
        let fault = self.fault(&format!("`{word} {form}`"));
        self.optional(word).and_then(read).ok_or(fault)
    }

    /// Every following line that begins with `word`.
    pub(super) fn fields<T>(
        &mut self,
        word: &str,
        form: &str,
        read: impl Fn(&'t str) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        loop {
            let fault = self.fault(&format!("`{word} {form}`"));
            let Some(rest) = self.optional(word) else { return Ok(all) };
            all.push(read(rest).ok_or(fault)?);
        }
    }

    /// The signatures behind a text: sorted, each key once.
    pub(super) fn signatures(&mut self) -> Result<Vec<TextSignature>, Error> {
        let all = self.fields(SIGNATURE, "KEYID SIGNATURE", |rest| {
            let (key, signature) = rest.split_once(' ')?;
            Some(TextSignature { key: KeyId(from_hex(key)?), signature: from_hex(signature)? })
        })?;
        if all.is_sorted_by(|a, b| a.key < b.key) {
            return Ok(all);
        }
        Err(self.fault("the signatures above sorted by key, each key once"))
    }
}

/// Writes the lines of signatures.
pub(super) fn render_signatures(signatures: &[TextSignature]) -> String {
    let mut text = String::new();
    for TextSignature { key, signature } in signatures {
        let _ = writeln!(text, "{SIGNATURE} {key} {}", hex(signature));
    }
    text
}

/// Adds a signature, or renews the key's.
pub(super) fn put(signatures: &mut Vec<TextSignature>, one: TextSignature) {
    signatures.retain(|other| other.key != one.key);
    signatures.push(one);
    signatures.sort_unstable();
}

/// Adds the signatures of keys that have none yet.
pub(super) fn merge(signatures: &mut Vec<TextSignature>, others: &[TextSignature]) {
    for &one in others {
        if !signatures.iter().any(|own| own.key == one.key) {
            put(signatures, one);
        }
    }
}

/// Adds a signature of `signed` that was made elsewhere, or renews the key's.
pub(super) fn add(
    signatures: &mut Vec<TextSignature>,
    signed: &str,
    key: &PublicKey,
    signature: [u8; 64],
) -> Result<(), Error> {
    if !key.verify(signed.as_bytes(), &signature) {
        return Err(Error::new(ErrorKind::Signature, format!("the signature by {} does not hold", key.id())));
    }
    put(signatures, TextSignature { key: key.id(), signature });
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes of lower-case hex.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

pub(super) fn digest(text: &str) -> Option<Digest> {
    from_hex(text).map(Digest)
}

/// A decimal number without leading zeros or sign.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    let plain = text == "0" || !text.starts_with(['0', '+', '-']);
    if plain { text.parse().ok() } else { None }
}

/// A text that may stand at the end of a line, and is what it looks like.
pub(super) fn name(text: &str) -> Option<&str> {
    let fine = !text.is_empty() && text.len() <= 256 && text.trim() == text && !text.contains(is_unseen);
    fine.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(number::<u64>("0"), Some(0));
        assert_eq!(number::<u64>("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1e3"] {
            assert_eq!(number::<u64>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hex_has_one_form() {
        assert_eq!(from_hex("00ff"), Some([0, 255]));
        for wrong in ["", "00", "00f", "00FF", "00fg", "0x0f", "+0ff"] {
            assert_eq!(from_hex::<2>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_stand_in_one_line() {
        assert_eq!(name("acme rules"), Some("acme rules"));
        assert_eq!(name(&"x".repeat(256)).map(str::len), Some(256));
        assert_eq!(name("می\u{200C}خواهم"), Some("می\u{200C}خواهم"));
        let hidden = ["a\u{202E}b", "\u{200B}", "a\u{2066}b", "\u{FEFF}a", "a\u{E0041}", "\u{3164}"];
        for wrong in ["", " a", "a ", "a\nb", "a\u{85}b", &"x".repeat(257)].into_iter().chain(hidden) {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_text_ends_with_its_last_line_and_within_the_limit() {
        let read = |text: &str| Lines::new("text", ErrorKind::Root, text).map(|_| ());
        assert_eq!(read("a\n"), Ok(()));
        assert!(read("a").unwrap_err().to_string().contains("cut off"));
        assert!(read("").unwrap_err().to_string().contains("empty"));
        assert!(read("\u{feff}a\n").unwrap_err().to_string().contains("byte order mark"));
        assert!(read("a\nb\r\n").unwrap_err().to_string().contains("line 2 ends with CR LF"));
        let mut long = "a".repeat(MAX_TEXT - 1);
        long.push('\n');
        assert_eq!(read(&long), Ok(()));
        long.push('\n');
        assert!(read(&long).unwrap_err().to_string().contains("longer than"));
    }

    use alloc::string::ToString;
}

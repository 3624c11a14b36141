//! Edits of a body: what is found and replaced, line hunks, bytes that differ.

use alloc::string::String;
use alloc::vec::Vec;

use super::stream::Stream;
use crate::error::Error;

/// The variants of `PatchText`.
pub(super) const BODY: u8 = 0;
pub(super) const HUNKS: u8 = 1;
pub(super) const BYTES: u8 = 2;

/// What `TemplateDefine` says: each place of one text becomes another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template<'s> {
    pub(super) find: &'s str,
    pub(super) replace: &'s str,
}

impl Template<'_> {
    /// The body with each place replaced, of at most `limit` bytes.
    pub(super) fn apply(&self, body: &str, limit: usize) -> Result<String, Error> {
        let places = if self.find.is_empty() { 0 } else { body.matches(self.find).count() };
        if places == 0 {
            return Err(Error::damaged("a template finds nothing in the body"));
        }
        let grown = places.checked_mul(self.replace.len()).filter(|&grown| grown <= limit);
        grown.ok_or_else(too_long)?;
        Ok(body.replace(self.find, self.replace))
    }
}

/// Reads the edit of a variant and applies it to `body`; what comes out has at most `limit` bytes.
pub(super) fn read(variant: u8, stream: &mut Stream<'_>, body: &str, limit: usize) -> Result<String, Error> {
    match variant {
        BODY => Ok(stream.text()?.into()),
        HUNKS => read_hunks(stream, body, limit),
        BYTES => read_bytes(stream, body),
        _ => Err(Error::damaged("an unknown way to patch a text")),
    }
}

fn read_hunks(stream: &mut Stream<'_>, body: &str, limit: usize) -> Result<String, Error> {
    let mut rest = body;
    let mut new = String::with_capacity(body.len());
    for _ in 0..stream.operations.number()? {
        let stay = lines_len(rest, stream.operations.size()?)?;
        let (stays, behind) = rest.split_at(stay);
        let go = lines_len(behind, stream.operations.size()?)?;
        new.push_str(stays);
        new.push_str(stream.text()?);
        if new.len() > limit {
            return Err(too_long());
        }
        rest = &behind[go..];
    }
    new.push_str(rest);
    Ok(new)
}

/// How many bytes the first `count` lines have.
fn lines_len(text: &str, count: usize) -> Result<usize, Error> {
    let mut len = 0;
    for _ in 0..count {
        match memchr::memchr(b'\n', &text.as_bytes()[len..]) {
            Some(at) => len += at + 1,
            None if len < text.len() => len = text.len(),
            None => return Err(Error::damaged("a hunk reaches behind the body")),
        }
    }
    Ok(len)
}

fn read_bytes(stream: &mut Stream<'_>, body: &str) -> Result<String, Error> {
    let mut bytes = Vec::from(body);
    let mut at = 0_usize;
    for _ in 0..stream.operations.number()? {
        at = at.saturating_add(stream.operations.size()?);
        let change = stream.bytes()?;
        let place = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..change.len()));
        let place = place.ok_or_else(|| Error::damaged("a run of bytes reaches behind the body"))?;
        place.iter_mut().zip(change).for_each(|(byte, change)| *byte ^= change);
        at += change.len();
    }
    String::from_utf8(bytes).map_err(|_| Error::damaged("a patched body is not UTF-8"))
}

#[cold]
pub(super) fn too_long() -> Error {
    Error::new(crate::ErrorKind::PatchLimit, "the target is longer than the limit")
}

//! How a stream is packed: as it is, or one Zstandard frame, alone or against the base.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use zstd_safe::{DCtx, DParameter};

use super::Base;
use super::edit::too_long;
use super::stream::Input;
use crate::error::Error;

/// What a frame begins with; it is left out.
const FRAME_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// What a stream may have beside the target, in bytes.
const SLACK: usize = 1 << 16;

/// What a stream was packed against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Packing {
    /// It is not packed.
    Stored = 0,
    /// Nothing.
    Alone = 1,
    /// The names of the base, and some of its rules.
    Rows = 2,
    /// All of the base.
    Base = 3,
}

impl Packing {
    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Packing::Stored, Packing::Alone, Packing::Rows, Packing::Base].get(usize::from(code)).copied()
    }
}

/// The names of the base and the bodies of some rules: what is most like what is new comes last.
pub(super) fn prefix_of_rows(base: &impl Base, rows: &[u32]) -> Vec<u8> {
    let names = base.tables().names();
    let len = rows.iter().map(|&row| base.body(row).len()).sum::<usize>();
    let mut prefix = Vec::with_capacity(names.len() + len);
    prefix.extend_from_slice(names.as_bytes());
    for &row in rows {
        prefix.extend_from_slice(base.body(row).as_bytes());
    }
    prefix
}

/// Unpacks the stream that fills the rest of a patch.
pub(super) fn unpack<'p>(
    packing: Packing,
    rest: &mut Input<'p>,
    base: &'p impl Base,
    limit: usize,
) -> Result<Cow<'p, [u8]>, Error> {
    let prefix = match packing {
        Packing::Stored => return Ok(Cow::Borrowed(rest.rest())),
        Packing::Alone => Cow::Borrowed([].as_slice()),
        Packing::Rows => Cow::Owned(prefix_of_rows(base, &read_rows(rest, base.tables().rule_count())?)),
        Packing::Base => base.digested(),
    };
    inflate(rest.rest(), &prefix, limit).map(Cow::Owned)
}

/// Unpacks a frame whose magic number was left out.
pub(super) fn inflate(frame: &[u8], prefix: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let frame = [&FRAME_MAGIC, frame].concat();
    let refused = |what: &str| Error::damaged(format!("the frame of the patch: {what}"));
    let len = zstd_safe::get_frame_content_size(&frame).ok().flatten();
    let len = len.ok_or_else(|| refused("it does not state its length"))?;
    if zstd_safe::find_frame_compressed_size(&frame) != Ok(frame.len()) {
        return Err(refused("it does not end where the patch ends"));
    }
    let len =
        usize::try_from(len).ok().filter(|&len| len <= limit.saturating_add(SLACK)).ok_or_else(too_long)?;
    let mut stream = Vec::with_capacity(len);
    let mut context = DCtx::try_create().ok_or_else(|| refused("no memory for it"))?;
    let mut run = || {
        context.set_parameter(DParameter::WindowLogMax(31))?;
        context.ref_prefix(prefix)?;
        context.decompress(&mut stream, &frame)
    };
    run().map_err(|code| refused(zstd_safe::get_error_name(code)))?;
    Ok(stream)
}

fn read_rows(rest: &mut Input<'_>, count: usize) -> Result<Vec<u32>, Error> {
    let mut next = 0_i64;
    let len = rest.size()?;
    if len > count {
        return Err(Error::damaged("the frame was packed against more rules than the base has"));
    }
    let mut rows = Vec::with_capacity(len);
    let mut is_named = vec![false; count];
    for _ in 0..len {
        let row = next.checked_add(rest.signed()?).and_then(|row| u32::try_from(row).ok());
        let row = row.filter(|&row| (row as usize) < count);
        let row =
            row.ok_or_else(|| Error::damaged("the frame was packed against a rule that is not there"))?;
        if core::mem::replace(&mut is_named[row as usize], true) {
            return Err(Error::damaged("the frame was packed against one rule twice"));
        }
        rows.push(row);
        next = i64::from(row) + 1;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_once() {
        let read = |bytes: &[u8]| read_rows(&mut Input::new(bytes), 3);
        // Each is told by its distance from the one behind the row before, folded.
        assert_eq!(read(&[2, 0, 2]).unwrap(), [0, 2]);
        assert!(format!("{}", read(&[2, 2, 1]).unwrap_err()).contains("one rule twice"));
        assert!(read(&[1, 6]).is_err());
        assert!(read(&[4, 0, 0, 0, 0]).is_err());
    }
}

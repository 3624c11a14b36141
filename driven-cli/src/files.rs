//! What commands write, and what they refuse to write over.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use driven::PackBuf;
use driven_build::{create_whole, write_if_changed};
use driven_format::Tables;
use driven_format::patch::PATCH_MAGIC;
use driven_format::trust::{KeyId, attach};

use crate::Failure;
use crate::output::Output;

/// What a set of rules as JSON begins with, white space left out.
const OUR_JSON: &[u8] = br#"{"manifest":{"#;

/// What a file that may be replaced begins with.
pub(crate) enum Kind {
    /// A pack.
    Pack,
    /// JSON.
    Json,
    /// What `verify --signed-bytes` writes.
    Statement,
    /// 64 bytes of signature.
    Signature,
    /// Signatures of a pack, without it.
    Detached,
    /// A timestamp.
    Timestamp,
    /// Findings to pass over.
    Baseline,
    /// A patch.
    Patch,
}

impl Kind {
    fn is(&self, head: &[u8]) -> bool {
        match self {
            Kind::Pack => head.starts_with(&driven_format::MAGIC),
            Kind::Json => head.trim_ascii_start().starts_with(b"{"),
            Kind::Statement => head.starts_with(b"driven pack statement"),
            Kind::Signature => head.len() == 64,
            Kind::Detached => head.starts_with(b"DRVSIGN\n"),
            Kind::Timestamp => head.starts_with(b"driven timestamp"),
            Kind::Baseline => head.starts_with(b"# driven baseline"),
            Kind::Patch => head.starts_with(&PATCH_MAGIC),
        }
    }

    /// Whether a file that begins so may be replaced. JSON may be anybody's: it is only ours as `convert` writes it.
    fn may_replace(&self, head: &[u8]) -> bool {
        let is_our_json = || {
            let dense = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
            dense.take(OUR_JSON.len()).eq(OUR_JSON.iter().copied())
        };
        self.is(head) && (!matches!(self, Kind::Json) || is_our_json())
    }

    fn name(&self) -> &'static str {
        match self {
            Kind::Pack => "pack",
            Kind::Json => "JSON of rules",
            Kind::Statement => "signed statement",
            Kind::Signature => "signature",
            Kind::Detached => "detached signatures",
            Kind::Timestamp => "timestamp",
            Kind::Baseline => "baseline",
            Kind::Patch => "patch",
        }
    }
}

/// Reads a pack or JSON, told apart by how they begin; anything else is read no further than that.
pub(crate) fn read_pack_or_json(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = |file: File, bytes: &mut Vec<u8>| {
        let mut file = file.take(u64::from(u32::MAX));
        file.by_ref().take(64).read_to_end(bytes)?;
        if Kind::Pack.is(bytes) || Kind::Json.is(bytes) { file.read_to_end(bytes) } else { Ok(0) }
    };
    File::open(path).and_then(|file| read(file, &mut bytes)).map_err(|err| Failure::io(path, &err))?;
    Ok(bytes)
}

/// Reads a patch that leads to at most `limit` bytes; anything else is read no further than its head.
pub(crate) fn read_patch(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = |file: File, bytes: &mut Vec<u8>| {
        // What doesn't pack costs a patch no more than this beside the target.
        let mut file = file.take(limit.saturating_add(1 << 16) as u64);
        file.by_ref().take(PATCH_MAGIC.len() as u64).read_to_end(bytes)?;
        if Kind::Patch.is(bytes) { file.read_to_end(bytes) } else { Ok(0) }
    };
    File::open(path).and_then(|file| read(file, &mut bytes)).map_err(|err| Failure::io(path, &err))?;
    Ok(bytes)
}

/// The longest detached signatures, in bytes: 64 of them, and more than that.
const MAX_DETACHED: u64 = 64 * 1024;

/// Puts detached signatures into a pack.
pub(crate) fn attach_file(pack: &[u8], file: &Path) -> Result<Vec<u8>, Failure> {
    let detached = read_detached(file)?;
    attach(&Tables::check(pack)?, &detached).map_err(|err| {
        let failure = Failure::from(err).in_file(file);
        let is_broken = failure.code.starts_with("pack-");
        if is_broken { failure.hint("fetch the signatures again: this file is damaged") } else { failure }
    })
}

/// Reads detached signatures.
fn read_detached(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_DETACHED).read_to_end(&mut bytes));
    read.map_err(|err| Failure::io(path, &err))?;
    if Kind::Detached.is(&bytes) {
        return Ok(bytes);
    }
    let message = format!("{}: these are no detached signatures", path.display());
    Err(Failure::new("signature", message).hint("`driven sign PACK --detached -o FILE` makes them"))
}

/// Refuses a file that exists and is something else: it may be a key or a source.
pub(crate) fn may_write(path: &Path, kind: &Kind) -> Result<(), Failure> {
    let there = fs::metadata(path);
    if let Err(err) = &there
        && path.is_symlink()
    {
        let is_dangling = err.kind() == io::ErrorKind::NotFound;
        let why = if is_dangling { "leads nowhere".into() } else { format!("can't be followed: {err}") };
        let message = format!("{} is a link that {why}", path.display());
        return Err(Failure::new("exists", message).hint("remove it, or choose another name"));
    }
    if there.is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let message = format!("{} is no regular file", path.display());
        return Err(Failure::new("exists", message).hint("name a file"));
    }
    if path.is_file() {
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(65).read_to_end(&mut head));
        read.map_err(|err| Failure::io(path, &err))?;
        if !head.is_empty() && !kind.may_replace(&head) {
            let message = format!("{} exists and is no {}", path.display(), kind.name());
            return Err(Failure::new("exists", message).hint("choose another name, or remove it"));
        }
    }
    let is_source = || {
        path.extension()
            .is_some_and(|ending| ["md", "mdc"].iter().any(|source| ending.eq_ignore_ascii_case(source)))
    };
    if matches!(kind, Kind::Pack) && is_source() {
        let message = format!("{}: a name that rules have, and no pack", path.display());
        return Err(Failure::new("usage", message).hint("give a name that ends in `.drv`"));
    }
    Ok(())
}

/// Writes a pack that was made anew, and says whose signatures were there and are not in this one.
pub(crate) fn write_built(path: &Path, pack: &[u8], output: &mut Output) -> Result<(), Failure> {
    let there = if path.is_file() { PackBuf::open(path).ok() } else { None };
    let was_signed_by = there.map_or(Vec::new(), |there| signers(there.as_pack().as_bytes()));
    write(path, pack, &Kind::Pack)?;
    let is_signed_by = signers(pack);
    let gone: Vec<String> =
        was_signed_by.iter().filter(|id| !is_signed_by.contains(id)).map(KeyId::to_string).collect();
    match (gone.is_empty(), is_signed_by.is_empty()) {
        (true, _) => {}
        (_, true) => {
            output.note("the pack that was there was signed, and this one is not: `driven sign` signs it");
        }
        _ => output.note(&format!(
            "the pack that was there was signed by {} too, and this one is not: have it signed again",
            gone.join(", ")
        )),
    }
    Ok(())
}

/// The keys that signed a pack.
fn signers(pack: &[u8]) -> Vec<KeyId> {
    let tables = Tables::check(pack);
    tables.map_or(Vec::new(), |tables| tables.signatures().iter().map(|one| KeyId(one.key_id)).collect())
}

/// Writes a file whole, where nothing is and [`may_write`] allows it; gives whether it did.
pub(crate) fn create(path: &Path, bytes: &[u8], kind: &Kind) -> Result<bool, Failure> {
    may_write(path, kind)?;
    create_whole(path, bytes).map_err(|err| Failure::io(path, &err))
}

/// Writes a file whole, where [`may_write`] allows it.
pub(crate) fn write(path: &Path, bytes: &[u8], kind: &Kind) -> Result<(), Failure> {
    may_write(path, kind)?;
    write_if_changed(path, bytes).map(|_| ()).map_err(|err| Failure::io(path, &err))
}

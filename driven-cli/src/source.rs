//! Where a command gets its rules from: a pack, a rule folder, or the project at hand.

use std::path::{Path, PathBuf};

use driven::{Pack, PackBuf};
use driven_build::{Compiled, Compiler, ErrorKind, PROJECT_FILE, lift_pack};
use serde_json::json;

use crate::output::{Output, findings_json};
use crate::{Failure, ready_made, trusted};

/// What was given, or else the project's own rules.
pub(crate) fn find(given: Option<&Path>, root: &Path) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.into());
    }
    if root.join(PROJECT_FILE).is_file() {
        return Ok(root.into());
    }
    let rules = root.join("rules");
    if rules.is_dir() {
        return Ok(rules);
    }
    Err(Failure::new("no-rules", format!("{} has no driven.toml and no folder `rules`", root.display()))
        .hint("make one with `driven init` or `driven import`, or name a pack or a rule folder"))
}

/// A pack, wherever its bytes are.
pub(crate) enum Bytes {
    File(PackBuf, PathBuf),
    Built(Vec<u8>),
}

impl Bytes {
    pub(crate) fn open(&self) -> Result<Pack<'_>, Failure> {
        match self {
            Bytes::File(pack, path) => {
                Ok(*pack.as_pack().prove().map_err(|err| Failure::from(err).in_file(path))?)
            }
            Bytes::Built(bytes) => Ok(Pack::open(bytes)?),
        }
    }
}

/// The rules as a pack; nothing when findings deny one, which are then printed.
pub(crate) fn load(
    source: &Path,
    root: &Path,
    cap: bool,
    output: &mut Output,
) -> Result<Option<Bytes>, Failure> {
    if source.is_file() {
        let pack = PackBuf::open(source)?;
        trusted::admit(pack.as_pack(), source, root, output)?;
        let set = lift_pack(pack.as_pack().as_bytes()).map_err(|err| Failure::from(err).in_file(source))?;
        let passes = ready_made::may_pass(&set, source, root, cap, output)?;
        return Ok(passes.then(|| Bytes::File(pack, source.into())));
    }
    let mut compiler = driven_build::project(source);
    if cap {
        compiler = compiler.cap_lints_warn();
    }
    Ok(compile(compiler, output)?.map(|compiled| Bytes::Built(compiled.pack)))
}

/// Compiles; nothing when findings deny a pack, which are then printed.
pub(crate) fn compile(compiler: Compiler, output: &mut Output) -> Result<Option<Compiled>, Failure> {
    match compiler.try_compile() {
        Ok(compiled) => {
            output.findings(&compiled.report);
            Ok(Some(compiled))
        }
        Err(err) if err.kind() == ErrorKind::Findings => {
            if let Some(report) = err.report() {
                output.findings(report);
                if output.is_json() {
                    output.value(&json!({ "findings": findings_json(report) }));
                }
            }
            Ok(None)
        }
        Err(err) => Err(err.into()),
    }
}

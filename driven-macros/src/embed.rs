//! Finds the pack, proves it, and says what the module is made of.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use driven_format::Tables;
use driven_format::hidden::look_through;
use proc_macro::{Span, TokenStream};

use crate::Fault;
use crate::arguments::{Arguments, Text};
use crate::print::{self, Source};

pub(crate) fn embed(arguments: &Arguments) -> Result<TokenStream, Fault> {
    let place = find_pack(arguments)?;
    let at = |message: String| Fault::new(place.span, message);
    let bytes = fs::read(&place.path).map_err(|err| at(place.missing(&err)))?;
    let shown = place.path.display();
    let tables = Tables::check(&bytes).map_err(|err| at(format!("{shown}: {err}")))?;
    if let Some(key) = &arguments.trust {
        verify(&tables, key, arguments.cap_lints.is_some())?;
    }
    let bodies = tables.prove().map_err(|err| at(format!("{shown}: {err}")))?;
    // The build script has looked at what it compiled itself.
    if arguments.file.is_some() && arguments.cap_lints.is_none() {
        look_through(&tables, bodies).map_err(|found| {
            let hint = "have it built anew without that, or let it stand by `cap_lints = \"warn\"`";
            at(format!("{shown}: {found}; {hint}"))
        })?;
    }
    let source = match &arguments.trust {
        Some(key) => Source::Proved { file: &place.file, key: &key.value },
        None => Source::File(&place.file),
    };
    print::module(arguments, &tables, &source).map_err(at)
}

/// Where the pack is.
struct Place {
    path: PathBuf,
    /// How the expansion names it.
    file: FileName,
    span: Span,
}

/// A file below a folder that Cargo names in the environment.
pub(crate) struct FileName {
    pub(crate) variable: &'static str,
    pub(crate) below: String,
}

fn find_pack(arguments: &Arguments) -> Result<Place, Fault> {
    if let Some(file) = &arguments.file {
        let path = below_manifest(file)?;
        let name = FileName { variable: "CARGO_MANIFEST_DIR", below: file.value.clone() };
        return Ok(Place { path, file: name, span: file.span });
    }
    let (name, span) = match &arguments.pack {
        Some(pack) => (pack.value.clone(), pack.span),
        None => (arguments.module.to_string(), arguments.module.span()),
    };
    let Some(out_dir) = env::var_os("OUT_DIR") else {
        return Err(Fault::new(
            span,
            "there is no build script to compile the rules: add `build.rs` with \
             `fn main() -> driven_build::Result<()> { driven_build::rules(\"rules\").compile() }` \
             and `driven-build` to `[build-dependencies]`, or give a ready-made pack with `file = \"...\"`",
        ));
    };
    let below = format!("{name}.drv");
    Ok(Place { path: Path::new(&out_dir).join(&below), file: FileName { variable: "OUT_DIR", below }, span })
}

impl Place {
    fn missing(&self, err: &std::io::Error) -> String {
        if self.file.variable != "OUT_DIR" {
            return format!("{}: {err}", self.path.display());
        }
        let name = self.file.below.trim_end_matches(".drv");
        let others = self.path.parent().and_then(|dir| fs::read_dir(dir).ok());
        let names = others.into_iter().flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".drv").map(|name| format!("`{name}`"))
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        let known = if names.is_empty() { "none".into() } else { names.join(", ") };
        format!(
            "the build script wrote no pack `{name}` (it wrote: {known}): add \
             `driven_build::rules(\"{name}\").compile()` to `build.rs`, or name another with `pack = \"...\"`"
        )
    }
}

fn below_manifest(file: &Text) -> Result<PathBuf, Fault> {
    let root = env::var_os("CARGO_MANIFEST_DIR");
    let root =
        root.ok_or_else(|| Fault::new(file.span, "CARGO_MANIFEST_DIR is not set: build with Cargo"))?;
    Ok(Path::new(&root).join(&file.value))
}

#[cfg(feature = "trust")]
fn verify(tables: &Tables<'_>, key: &Text, cap: bool) -> Result<(), Fault> {
    use driven_format::trust::{Policy, PublicKey, RootChain};

    let path = below_manifest(key)?;
    let shown = path.display();
    let at = |message: String| Fault::new(key.span, message);
    let text = fs::read_to_string(&path).map_err(|err| at(format!("{shown}: {err}")))?;
    let refused = |err| at(format!("not to be trusted: {err}"));
    // Nothing here knows the time: expiry is for who runs the program.
    if text.starts_with("driven root") {
        let chain = RootChain::read(&text).map_err(|err| at(format!("{shown}: {err}")))?;
        return allowing(Policy::root(&chain), cap).check(tables, None).map_err(refused);
    }
    let public = PublicKey::from_text(&text).map_err(|err| at(format!("{shown}: {err}")))?;
    allowing(Policy::key(&public), cap).check(tables, None).map_err(refused)
}

/// `cap_lints` lets pass what was let through when the pack was built.
#[cfg(feature = "trust")]
fn allowing(policy: driven_format::trust::Policy<'_>, cap: bool) -> driven_format::trust::Policy<'_> {
    if cap { policy.allow_capped() } else { policy }
}

#[cfg(not(feature = "trust"))]
fn verify(_: &Tables<'_>, key: &Text, _: bool) -> Result<(), Fault> {
    Err(Fault::new(key.span, "`trust` needs the feature `trust` of the crate `driven`"))
}

//! `driven build`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use driven::{Digest, PackBuf};
use driven_build::{BuiltFrom, printable, read_key, sign_pack};
use driven_format::{Tables, file_hash};
use serde_json::json;

use crate::files;
use crate::output::{Output, findings_json, rules};
use crate::source::compile;
use crate::{Exit, Failure, Outcome};

/// Compile a rule folder into one pack
///
/// The same folder and key give the same bytes on every machine. Nothing is
/// written when a finding is an error, or when the file has these bytes already.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven build rules -o rules.drv\n  driven build rules -o rules.drv --key release.key\n  \
                  driven build vendor/rules -o vendor.drv --cap-lints warn\n  \
                  driven build rules -o rules.drv --attest --commit \"$(git rev-parse HEAD)\"\n  driven build rules --reproduce rules.drv"
)]
pub(crate) struct Build {
    /// The rule folder, or a folder that holds `driven.toml`
    dir: PathBuf,
    /// The pack to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "reproduce")]
    output: Option<PathBuf>,
    /// Private key to sign with, PKCS#8 in PEM
    #[arg(long)]
    key: Option<PathBuf>,
    /// Turn errors of checks into warnings
    #[arg(long, value_parser = ["warn"])]
    cap_lints: Option<String>,
    /// Have the pack say what it was built from: the digest of its sources, and what the next three name
    #[arg(long)]
    attest: bool,
    /// Where the sources are kept
    #[arg(long, value_name = "URL", requires = "attest", default_value = "")]
    repository: String,
    /// The revision of the sources
    #[arg(long, requires = "attest", default_value = "")]
    commit: String,
    /// Who or what builds
    #[arg(long, value_name = "NAME", requires = "attest", default_value = "")]
    builder: String,
    /// Write nothing; say whether these sources give the bytes of this pack, signatures left out
    #[arg(long, value_name = "PACK", conflicts_with_all = ["output", "key", "attest", "repository", "commit", "builder", "cap_lints"])]
    reproduce: Option<PathBuf>,
}

impl Build {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        if let Some(pack) = &self.reproduce {
            return reproduce(&self.dir, pack, output);
        }
        let Some(out) = &self.output else { return Err(Failure::new("usage", "no output is named")) };
        let key = self.key.as_deref().map(read_key).transpose()?;
        let mut compiler = driven_build::project(&self.dir);
        if self.cap_lints.is_some() {
            compiler = compiler.cap_lints_warn();
        }
        if self.attest {
            compiler = compiler.attest(BuiltFrom {
                repository: self.repository.clone(),
                commit: self.commit.clone(),
                builder: self.builder.clone(),
            });
        }
        let Some(compiled) = compile(compiler, output)? else {
            output.note("nothing was written");
            return Ok(Exit::Findings);
        };
        let pack = match &key {
            Some(key) => sign_pack(&compiled.pack, key, 0)?,
            None => compiled.pack,
        };
        files::write_built(out, &pack, output)?;
        let tables = Tables::check(&pack)?;
        let (digest, hash) = (tables.root_digest().to_string(), file_hash(&pack).to_string());
        let value = json!({
            "path": out.to_string_lossy(),
            "rules": tables.rule_count(),
            "bytes": pack.len(),
            "digest": digest,
            "file_hash": hash,
            "signed": key.is_some(),
            "findings": findings_json(&compiled.report),
        });
        output.either(&value, || {
            format!(
                "{}: {}, {} bytes, digest {digest}",
                out.display(),
                rules(tables.rule_count()),
                pack.len()
            )
        });
        Ok(Exit::Clean)
    }
}

/// Builds again what a pack says that it is, and compares.
fn reproduce(dir: &Path, file: &Path, output: &mut Output) -> Outcome {
    let given = PackBuf::open(file)?;
    let given = given.as_pack().prove().map_err(|err| Failure::from(err).in_file(file))?;
    let given = Tables::check(given.as_bytes())?;
    let mut compiler = driven_build::project(dir);
    if let Some(said) = given.attestation() {
        compiler = compiler.attest(BuiltFrom {
            repository: said.repository.into(),
            commit: said.commit.into(),
            builder: said.builder.into(),
        });
    }
    // What was let through then must be let through now, and leaves the same mark.
    if given.manifest().is_capped() {
        compiler = compiler.cap_lints_warn();
    }
    let Some(built) = compile(compiler, output)? else { return Ok(Exit::Findings) };
    let built = Tables::check(&built.pack)?;
    let differences = if built.digested_bytes() == given.digested_bytes() {
        Vec::new()
    } else {
        differences(&given, &built)
    };
    let reproduced = differences.is_empty();
    let digest = built.root_digest().to_string();
    let value = json!({ "reproduced": reproduced, "digest": digest, "differences": differences });
    output.either(&value, || {
        if reproduced {
            return format!("{}: reproduced, digest {digest}", file.display());
        }
        let mut text = format!("{}: not reproduced\n", file.display());
        for line in &differences {
            text.push_str(&printable(line));
            text.push('\n');
        }
        text
    });
    Ok(if reproduced { Exit::Clean } else { Exit::Findings })
}

/// In what two packs differ; at least one line.
fn differences(given: &Tables<'_>, built: &Tables<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let sources = [given, built].map(|tables| tables.attestation().map(|said| said.source));
    match sources {
        [Some(given), Some(built)] if given != built => {
            lines.push(format!("sources: the pack says {given}, these are {built}"));
        }
        [None, _] => lines.push("sources: the pack does not say what it was built from".into()),
        _ => {}
    }
    let (one, two) = (given.manifest(), built.manifest());
    let version = |manifest: &driven::ManifestView<'_>| manifest.version().to_string();
    let fields = [
        ("name", one.name().to_owned(), two.name().to_owned()),
        ("version", version(&one), version(&two)),
        ("licence", one.licence().to_owned(), two.licence().to_owned()),
        ("description", one.description().to_owned(), two.description().to_owned()),
    ];
    for (field, given, built) in fields.into_iter().filter(|(_, given, built)| given != built) {
        lines.push(format!("{field}: the pack has `{given}`, these sources give `{built}`"));
    }
    let owners = |tables: &Tables<'_>| -> BTreeMap<(&'static str, String), Digest> {
        let rules = tables.rules().map(|one| (("rule", one.id().to_owned()), one.digest()));
        let personas = tables.personas().map(|one| (("persona", one.id().to_owned()), one.digest()));
        let workflows = tables.workflows().map(|one| (("workflow", one.id().to_owned()), one.digest()));
        rules.chain(personas).chain(workflows).collect()
    };
    let (in_given, in_built) = (owners(given), owners(built));
    let all: BTreeSet<_> = in_given.keys().chain(in_built.keys()).collect();
    for key @ (kind, id) in all {
        let verdict = match (in_given.get(key), in_built.get(key)) {
            (Some(_), None) => "only in the pack",
            (None, Some(_)) => "only in these sources",
            (given, built) if given != built => "another text or other keys",
            _ => continue,
        };
        lines.push(format!("{kind} {id}: {verdict}"));
    }
    let same_content = one.content_digest() == two.content_digest();
    lines.push(match (same_content, lines.is_empty()) {
        (true, true) => {
            "the content is the same, laid out otherwise: another version of driven built it".into()
        }
        (true, false) => "the content is the same".into(),
        (false, true) => "the manifest allows or marks something else".into(),
        (false, false) => return lines,
    });
    lines
}

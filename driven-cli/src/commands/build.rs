//! `driven build`

use std::path::PathBuf;

use driven_build::{ErrorKind, read_key, sign_pack};
use driven_format::{Tables, file_hash};
use serde_json::json;

use crate::files::{self, Kind};
use crate::output::{Output, findings_json};
use crate::{Exit, Outcome};

/// Compile a rule folder into one pack
///
/// The same folder and key give the same bytes on every machine. Nothing is
/// written when a finding is an error, or when the file has these bytes already.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven build rules -o rules.drv\n  driven build rules -o rules.drv --key release.key\n  \
                  driven build vendor/rules -o vendor.drv --cap-lints warn"
)]
pub(crate) struct Build {
    /// The rule folder, or a folder that holds `driven.toml`
    dir: PathBuf,
    /// The pack to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Private key to sign with, PKCS#8 in PEM
    #[arg(long)]
    key: Option<PathBuf>,
    /// Turn errors of checks into warnings
    #[arg(long, value_parser = ["warn"])]
    cap_lints: Option<String>,
}

impl Build {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let key = self.key.as_deref().map(read_key).transpose()?;
        let mut compiler = driven_build::project(&self.dir);
        if self.cap_lints.is_some() {
            compiler = compiler.cap_lints_warn();
        }
        let compiled = match compiler.try_compile() {
            Ok(compiled) => compiled,
            Err(err) if err.kind() == ErrorKind::Findings => {
                if let Some(report) = err.report() {
                    output.findings(report);
                    if output.is_json() {
                        output.value(&json!({ "findings": findings_json(report) }));
                    }
                }
                output.note("nothing was written");
                return Ok(Exit::Findings);
            }
            Err(err) => return Err(err.into()),
        };
        output.findings(&compiled.report);
        let pack = match &key {
            Some(key) => sign_pack(&compiled.pack, key, 0)?,
            None => compiled.pack,
        };
        files::write(&self.output, &pack, &Kind::Pack)?;
        let tables = Tables::check(&pack)?;
        let (digest, hash) = (tables.root_digest().to_string(), file_hash(&pack).to_string());
        let value = json!({
            "path": self.output.to_string_lossy(),
            "rules": tables.rule_count(),
            "bytes": pack.len(),
            "digest": digest,
            "file_hash": hash,
            "signed": key.is_some(),
            "findings": findings_json(&compiled.report),
        });
        output.either(&value, || {
            format!(
                "{}: {} rules, {} bytes, digest {digest}",
                self.output.display(),
                tables.rule_count(),
                pack.len()
            )
        });
        Ok(Exit::Clean)
    }
}

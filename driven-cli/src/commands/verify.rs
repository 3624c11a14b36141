//! `driven verify`

use std::path::{Path, PathBuf};

use driven::trust::{Held, Judged, Story};
use driven::{Pack, PackBuf};
use driven_build::printable;
use driven_format::Tables;
use serde_json::{Value, json};

use crate::files::{self, Kind};
use crate::keys::time;
use crate::output::Output;
use crate::trusted::{Asked, By, FIRST_USE, read_timestamp};
use crate::{Exit, Failure, Outcome};

/// Prove who signed a pack, and that the pack is what was signed
///
/// By one key, or by a root file: then also that enough keys signed, that none was revoked, that nothing
/// expired, and with `--state` that no newer version was seen before. Prints each check with its number in
/// docs/TRUST.md.
///
/// With `--signed-bytes` and `--signature`, writes what was signed and the raw
/// signature, so that another tool can check them:
/// `openssl pkeyutl -verify -pubin -inkey NAME.pub -rawin -in SIGNED -sigfile SIGNATURE`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven verify rules.drv --root trust.root --state trust.state --name house-rules\n  \
                  driven verify rules.drv --key release.pub\n  driven verify rules.drv"
)]
pub(crate) struct Verify {
    /// The pack
    file: PathBuf,
    /// Public key: PEM, OpenSSH or minisign
    #[arg(long, conflicts_with = "root")]
    key: Option<PathBuf>,
    /// Root file; without it and a key, what [trust] in `driven.toml` asks for
    #[arg(long)]
    root: Option<PathBuf>,
    /// Detached signatures, besides those in the pack
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// The name that the pack must have
    #[arg(long)]
    name: Option<String>,
    /// The pack must be the one that this timestamp names
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    timestamp: Option<PathBuf>,
    /// Refuse what is older than what was seen before, and write down what is seen, in this file
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    state: Option<PathBuf>,
    /// Take exactly this version although it is older, expired or not current
    #[arg(long, value_name = "VERSION")]
    accept_version: Option<u64>,
    /// Take a pack whose security findings were let through
    #[arg(long)]
    allow_capped: bool,
    /// The time to compare with, instead of now
    #[arg(long, value_name = "DATE", value_parser = time)]
    at: Option<u64>,
    /// Write the bytes that were signed here
    #[arg(long, value_name = "OUT", requires_all = ["signature", "key"], conflicts_with = "root")]
    signed_bytes: Option<PathBuf>,
    /// Write the signature here, 64 bytes
    #[arg(long, value_name = "OUT", requires = "signed_bytes")]
    signature: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let asked = self.asked()?;
        let mut bytes = PackBuf::open(&self.file)?.into_vec();
        for file in &self.signatures {
            bytes = files::attach_file(&bytes, file)?;
        }
        let pack = Pack::open(&bytes).map_err(|err| Failure::from(err).in_file(&self.file))?;
        let Judged { story, is_first_use } = asked.judge(pack, &self.file)?;
        if let Some(failure) =
            asked.fault(&story, &self.file, self.timestamp.as_deref().or(asked.timestamp_file.as_deref()))
        {
            if !output.is_json() {
                output.line(shown(&story).trim_end());
            }
            return Err(failure);
        }
        // Time does not count here: that what is read alone is what is read whole is known from every digest, which the story
        // of who keeps no state leaves out.
        pack.prove().map_err(|err| Failure::from(err).in_file(&self.file))?;
        if is_first_use {
            output.note(FIRST_USE);
        }
        let key = match &asked.by {
            By::Key(key) => Some(key),
            By::Root(_) => None,
        };
        if let (Some(signed), Some(signature), Some(key)) = (&self.signed_bytes, &self.signature, key) {
            let tables = Tables::check(&bytes)?;
            let own = tables.signatures().iter().find(|signature| signature.key_id == key.id().0);
            let own = own.map_or([0; 64], |own| own.signature_bytes());
            let statement = tables.statement(tables.expires().unwrap_or(0));
            files::may_write(signature, &Kind::Signature)?;
            files::write(signed, &statement, &Kind::Statement)?;
            files::write(signature, &own, &Kind::Signature)?;
        }
        let digest = pack.digest().to_string();
        let value = json!({ "verified": true, "digest": digest, "rules": pack.len(), "expires": pack.expires(),
            "key_id": key.map(|key| key.id().to_string()), "checks": checks(&story) });
        output.either(&value, || format!("{}{}: holds", shown(&story), self.file.display()));
        Ok(Exit::Clean)
    }
}

impl Verify {
    /// By what the arguments name, else by `[trust]` of the project at hand; the other arguments add to either.
    fn asked(&self) -> Result<Asked, Failure> {
        let asked = match (&self.key, &self.root) {
            (Some(key), _) => Asked::by(By::key_in(key.clone())?)?,
            (None, Some(root)) => Asked::by(By::root_in(root.clone())?)?,
            (None, None) => Asked::of_project(Path::new("."))?.ok_or_else(|| {
                Failure::new("no-trust", "nobody is named whose packs are taken")
                    .hint("give `--root` or `--key`, or [trust] in driven.toml")
            })?,
        };
        let given = self.timestamp.as_deref().map(read_timestamp).transpose()?;
        Ok(Asked {
            name: self.name.clone().or(asked.name),
            timestamp: given.or(asked.timestamp),
            state: self.state.clone().or(asked.state),
            accept_version: self.accept_version,
            allow_capped: self.allow_capped || asked.allow_capped,
            now: self.at.unwrap_or(asked.now),
            ..asked
        })
    }
}

/// The story without characters that steer a terminal.
fn shown(story: &Story) -> String {
    story.to_string().lines().flat_map(|line| [printable(line), "\n".into()]).collect()
}

fn checks(story: &Story) -> Vec<Value> {
    let word = |held| match held {
        Held::Yes => "yes",
        Held::Passed => "passed",
        Held::No => "no",
    };
    let steps = story.steps().iter();
    steps.map(|step| json!({ "check": step.check, "held": word(step.held), "text": step.text })).collect()
}

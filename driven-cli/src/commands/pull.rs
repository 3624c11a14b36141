//! `driven pull`

use std::path::PathBuf;

use driven::updates::{Fetched, Way};
use driven::{SharedPack, durable};
use serde_json::json;

use crate::fetching::Fetching;
use crate::files::{self, Kind};
use crate::keys::now;
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Take the newest pack from where it is served
///
/// By a patch to the pack that is there, else whole. It must be signed by whom `--key`, `--root` or [trust] in
/// `driven.toml` names, and have nothing hidden in it; otherwise what is there stays. It is kept in a folder of
/// snapshots and made current there, or written to a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven pull https://rules.example.com/house --key release.pub\n  \
                  driven pull file:///srv/rules/house -o rules.drv --root trust.root --state trust.state")]
pub(crate) struct Pull {
    #[command(flatten)]
    fetching: Fetching,
    /// Write the pack here and keep no snapshots; what is there is what a patch is asked for
    #[arg(short, long, value_name = "PACK", conflicts_with = "dir")]
    output: Option<PathBuf>,
}

/// How often what another process put there meanwhile is followed.
const ATTEMPTS: usize = 4;

impl Pull {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let mut updates = self.fetching.updates()?;
        for _ in 0..ATTEMPTS {
            let held = self.held()?;
            let gate = self.fetching.gate(held.as_ref())?;
            let fetched = updates.fetch(held.as_ref())?;
            let pack = match (&fetched, &held) {
                (Some(fetched), _) => &fetched.pack,
                (None, Some(held)) => held,
                (None, None) => return Err(Failure::new("feed", "nothing is here, and nothing was sent")),
            };
            // Also what is here already: its signature may have expired, or its key been revoked.
            gate.admit_told(pack.as_pack(), output)?;
            if fetched.is_none() || self.take(held.as_ref(), pack)? {
                told(pack, fetched.as_ref(), output);
                return Ok(Exit::Clean);
            }
        }
        let place = self.output.as_ref().unwrap_or(&self.fetching.dir);
        let message = format!("{}: others change it all the time", place.display());
        Err(Failure::new("busy", message)
            .hint("find out who does, or give another place with `-o` or `--dir`"))
    }

    /// Puts a pack where it belongs, unless somebody else put another one there meanwhile.
    fn take(&self, held: Option<&SharedPack>, pack: &SharedPack) -> Result<bool, Failure> {
        let expected = held.map(SharedPack::file_hash);
        if let Some(file) = &self.output {
            let bytes = pack.as_pack().as_bytes();
            let Some(expected) = expected else { return files::create(file, bytes, &Kind::Pack) };
            if !file.is_file() {
                return Ok(false);
            }
            let _held = durable::lock_in_place(file)?;
            if SharedPack::open(file)?.file_hash() != expected {
                return Ok(false);
            }
            return files::write(file, bytes, &Kind::Pack).map(|()| true);
        }
        Ok(self.fetching.snapshots().take_if(expected.as_ref(), pack, now()?)?)
    }

    fn held(&self) -> Result<Option<SharedPack>, Failure> {
        match &self.output {
            Some(file) if file.exists() => {
                files::may_write(file, &Kind::Pack)?;
                let held = SharedPack::open(file)?;
                self.fetching.may_follow(&held, file, "give another file with `-o`")?;
                Ok(Some(held))
            }
            Some(_) => Ok(None),
            None => self.fetching.held(),
        }
    }
}

fn told(pack: &SharedPack, fetched: Option<&Fetched>, output: &mut Output) {
    let manifest = pack.as_pack().manifest();
    let (name, version) = (manifest.name(), manifest.version());
    let value = json!({
        "name": name,
        "version": version,
        "hash": pack.file_hash().to_string(),
        "changed": fetched.is_some(),
        "way": fetched.map(|fetched| word(fetched.way)),
        "bytes": fetched.map_or(0, |fetched| fetched.bytes),
    });
    output.either(&value, || match fetched {
        Some(fetched) => format!("{name} {version}: {}, {} bytes", word(fetched.way), fetched.bytes),
        None => format!("{name} {version}: nothing newer"),
    });
}

/// How a pack came, in a word.
pub(crate) fn word(way: Way) -> &'static str {
    match way {
        Way::Patch => "patch",
        Way::Whole => "whole",
    }
}

//! `driven publish`

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use driven::trust::SignedTimestamp;
use driven::{Pack, PackBuf};
use driven_serve::{Published, Tree};
use serde_json::json;

use crate::keys::read_text;
use crate::output::Output;
use crate::trusted::read_timestamp;
use crate::{Exit, Failure, Outcome};

/// Put packs into a tree that any web server can serve
///
/// The tree holds each pack under its own name, the same packed, and patches that lead to it from the ones before. What
/// is current is said last, so that who asks meanwhile finds the old pack or the new one. Serve the folder with
/// `driven serve`, from a bucket, or by any web server; take packs from it with `driven pull`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven publish site rules.drv\n  driven publish site rules.drv --patches 20 --keep 50"
)]
pub(crate) struct Publish {
    /// The folder of the tree
    tree: PathBuf,
    /// The packs, each of which becomes current under its name
    #[arg(required = true)]
    packs: Vec<PathBuf>,
    /// Make patches from so many packs before
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    patches: usize,
    /// Keep so many packs of a name; without it all stay
    #[arg(long, value_name = "COUNT")]
    keep: Option<NonZeroUsize>,
    /// A signed timestamp for the one pack
    #[arg(long, value_name = "FILE")]
    timestamp: Option<PathBuf>,
}

impl Publish {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        if self.timestamp.is_some() && self.packs.len() > 1 {
            return Err(Failure::new("usage", "a timestamp is about one pack")
                .hint("publish the packs one by one, each with its own"));
        }
        let mut tree = Tree::new(&self.tree).patches(self.patches);
        let timestamp = self.timestamp.as_ref().map(|file| Ok::<_, Failure>((file, read_timestamp(file)?)));
        let timestamp = timestamp.transpose()?;
        if let Some((file, _)) = &timestamp {
            tree = tree.timestamp(read_text(file)?);
        }
        if let Some(keep) = self.keep {
            tree = tree.keep(keep);
        }
        let (mut values, mut lines) = (Vec::new(), Vec::new());
        // All of them are looked at before the first becomes current.
        let packs = self.packs.iter().map(|path| {
            let pack = PackBuf::open(path)?;
            pack.as_pack().prove().map_err(|err| Failure::from(err).in_file(path))?;
            Ok((path, pack))
        });
        for (path, pack) in packs.collect::<Result<Vec<_>, Failure>>()? {
            match &timestamp {
                Some((file, timestamp)) => is_about(file, timestamp, pack.as_pack())?,
                None if !pack.as_pack().is_signed() => output.note(&format!(
                    "{}: it is not signed: who takes packs by a key, or by a root, refuses it",
                    path.display()
                )),
                None => {}
            }
            let published =
                tree.publish(pack.as_pack().as_bytes()).map_err(|err| Failure::from(err).in_file(path))?;
            if published.before.is_some_and(|before| before > published.feed.version) {
                output.note(
                    "an older version became current: programs that keep what they have seen refuse it",
                );
            }
            if timestamp.is_none() && self.is_stale(&pack.as_pack()) {
                output.note("the timestamp that lies beside it is about another pack: give a new one with `--timestamp`");
            }
            for version in &published.lost {
                output.note(&format!(
                    "the pack of version {version} is lost or damaged in the tree: no patch leads on from it"
                ));
            }
            values.push(json!({
                "name": published.feed.name,
                "version": published.feed.version,
                "edition": published.feed.edition.to_string(),
                "hash": published.feed.hash.to_string(),
                "bytes": published.feed.length,
                "packed": published.packed,
                "was_current": published.was_current,
                "patches": published.patches.iter()
                    .map(|(from, bytes)| json!({ "from": from, "bytes": bytes })).collect::<Vec<_>>(),
                "lost": published.lost,
                "removed": published.removed,
            }));
            lines.push(told(&published));
        }
        output.either(&json!({ "published": values }), || lines.join("\n"));
        Ok(Exit::Clean)
    }
}

impl Publish {
    /// Whether a timestamp lies beside the pack that is about another one.
    fn is_stale(&self, pack: &Pack<'_>) -> bool {
        let file = self.tree.join(pack.manifest().name()).join("timestamp");
        file.is_file() && read_timestamp(&file).is_ok_and(|timestamp| !names(&timestamp, pack))
    }
}

/// Whether a timestamp is about a pack.
fn names(timestamp: &SignedTimestamp, pack: &Pack<'_>) -> bool {
    let (said, manifest) = (timestamp.timestamp(), pack.manifest());
    said.pack == manifest.name() && said.version == manifest.version() && said.digest == pack.digest()
}

/// Refuses a timestamp that is about another pack: whoever asks for one would refuse the pack by it.
fn is_about(file: &Path, timestamp: &SignedTimestamp, pack: Pack<'_>) -> Result<(), Failure> {
    if names(timestamp, &pack) {
        return Ok(());
    }
    let (said, manifest) = (timestamp.timestamp(), pack.manifest());
    let message = format!(
        "{}: it is about version {} of `{}`, and the pack is version {} of `{}`, or has other content",
        file.display(),
        said.version,
        said.pack,
        manifest.version(),
        manifest.name().escape_debug(),
    );
    Err(Failure::new("timestamp", message).hint("make one for this pack: `driven trust timestamp PACK`"))
}

fn told(published: &Published) -> String {
    let Published { feed, packed, patches, was_current, .. } = published;
    let word = if *was_current { "was current already" } else { "is current" };
    let mut text = format!("{} {} {word}: {} bytes, {packed} packed", feed.name, feed.version, feed.length);
    if let (Some(least), Some(most)) =
        (patches.iter().map(|(_, bytes)| bytes).min(), patches.iter().map(|(_, bytes)| bytes).max())
    {
        let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
        // A string takes all that is written to it.
        let _ = write!(text, ", {} patches of {range} bytes", patches.len());
    }
    text
}

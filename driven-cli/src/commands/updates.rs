//! `driven updates`

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use driven::updates::{Pulled, Stop};
use driven::{Pack, SharedPack};
use serde_json::json;

use super::pull::word;
use crate::fetching::Fetching;
use crate::gate::Gate;
use crate::keys::now;
use crate::output::Output;
use crate::trusted::FIRST_USE;
use crate::{Exit, Failure, Outcome};

/// Say whether a newer pack is served, or follow it
///
/// With `--watch` takes each into the folder of snapshots as `driven pull` does, until it is stopped: programs that
/// read the folder find it there. A refused pack is told, and what is there stays. With `--json` every update and
/// every note is an object in a line of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven updates https://rules.example.com/house\n  \
                  driven updates https://rules.example.com/house --key release.pub --watch")]
pub(crate) struct Updates {
    #[command(flatten)]
    fetching: Fetching,
    /// Follow it
    #[arg(long)]
    watch: bool,
    /// How often to ask, in seconds, where the server does not tell by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    interval: u64,
}

impl Updates {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        if self.watch { self.follow(output) } else { self.look(output) }
    }

    fn look(&self, output: &mut Output) -> Outcome {
        self.fetching.refuse_trust()?;
        let held = self.fetching.held()?;
        let newer = self.fetching.updates()?.look(held.as_ref())?;
        let name = self.fetching.name();
        let here = held.as_ref().map(|held| held.as_pack().manifest().version());
        let value = json!({
            "name": name,
            "here": here,
            "newer": newer.as_ref().map(|feed| json!({
                "version": feed.version, "hash": feed.hash.to_string(), "bytes": feed.length })),
        });
        output.either(&value, || {
            let here = here.map_or("nothing is here".into(), |version| format!("version {version} is here"));
            match &newer {
                Some(feed) => format!("{name}: version {} is served, {here}", feed.version),
                None => format!("{name}: {here}, nothing newer"),
            }
        });
        Ok(Exit::Clean)
    }

    fn follow(&self, output: &mut Output) -> Outcome {
        let mut updates = self.fetching.updates()?;
        // Why what is here would not be let in, as it was told last.
        let mut refused = None;
        let (first, gate) = loop {
            let held = self.fetching.held()?;
            let gate = self.fetching.gate(held.as_ref())?.beside(self.fetching.snapshots());
            if let Some(held) = held {
                // What is here is followed from, also when it is not let in any more: what follows may be.
                self.judge_again(&gate, held.as_pack(), &mut refused, output);
                break (held, Arc::new(gate));
            }
            // Otherwise another process was faster, and something is here.
            if let Some(first) = self.first(&mut updates, &gate, output)? {
                break (first, Arc::new(gate));
            }
        };
        let store = self.fetching.store(first, Arc::clone(&gate))?;
        self.note(&format!("following `{}`", self.fetching.name()), output);
        let stop = Stop::default();
        let interval = Duration::from_secs(self.interval.max(1));
        // What went wrong in the round before: it is told once, however often it is tried.
        let mut failed = None;
        updates.follow(&store, interval, &stop, |round| {
            let why = round.as_ref().err().map(ToString::to_string);
            if let Ok(Some(pulled)) = round {
                refused = None;
                if self.told(pulled, output).is_break() {
                    stop.stop();
                }
            } else {
                if let Some(why) = &why
                    && failed.as_ref() != Some(why)
                {
                    self.note(&format!("{why}; what is here stays"), output);
                }
                // It was let in once: since then it may have expired, or a timestamp that names it, or lost its keys.
                // What counts is what others read in the folder, whoever put it there.
                match self.fetching.held() {
                    Ok(Some(held)) => self.judge_again(&gate, held.as_pack(), &mut refused, output),
                    Ok(None) => self.judge_again(&gate, store.load().pack(), &mut refused, output),
                    Err(failure) => self.tell_once(Some(failure), &mut refused, output),
                }
            }
            failed = why;
        });
        Ok(Exit::Clean)
    }

    /// Takes the first pack into the folder, unless there is one by now.
    fn first(
        &self,
        updates: &mut driven::updates::Updates,
        gate: &Gate,
        output: &mut Output,
    ) -> Result<Option<SharedPack>, Failure> {
        let fetched = updates.fetch(None)?.ok_or_else(|| Failure::new("feed", "nothing was sent"))?;
        gate.admit_told(fetched.pack.as_pack(), output)?;
        if !self.fetching.snapshots().take_if(None, &fetched.pack, now()?)? {
            return Ok(None);
        }
        updates.taken(&fetched);
        let version = fetched.pack.as_pack().manifest().version();
        // That nobody reads what is told shows with the next one.
        let _ = self.told(&Pulled { generation: 1, version, way: fetched.way, bytes: fetched.bytes }, output);
        Ok(Some(fetched.pack))
    }

    /// One line for each update; says when nobody reads them any more.
    fn told(&self, pulled: &Pulled, output: &mut Output) -> ControlFlow<()> {
        let Pulled { version, way, bytes, .. } = *pulled;
        let name = self.fetching.name();
        let value = json!({ "name": name, "version": version, "way": word(way), "bytes": bytes });
        output.stream(&value, || format!("{name} {version}: {}, {bytes} bytes", word(way)))
    }
    /// Tells, once, that what is here stays in use although it would not be let in any more, or what keeps that from being
    /// known.
    fn judge_again(&self, gate: &Gate, pack: Pack<'_>, told: &mut Option<String>, output: &mut Output) {
        let with = |what: &str, failure: Failure| {
            let message = format!("{what}: {}", failure.message);
            Failure { message, ..failure }
        };
        let news = match gate.judge(pack) {
            Ok(judgement) => {
                if judgement.is_first_use {
                    self.note(FIRST_USE, output);
                }
                judgement.missing.map(|failure| with("no timestamp can be had", failure))
            }
            Err(failure) => Some(with("what is here would not be let in any more", failure)),
        };
        self.tell_once(news, told, output);
    }

    /// Tells what is not what was told last.
    fn tell_once(&self, news: Option<Failure>, told: &mut Option<String>, output: &mut Output) {
        // How it can't be reached changes from one time to the next.
        let key = |failure: &Failure| {
            if failure.code == "unreachable" { failure.code.into() } else { failure.message.clone() }
        };
        let is = news.as_ref().map(key);
        if let Some(failure) = news
            && *told != is
        {
            self.note(&failure.message, output);
        }
        *told = is;
    }

    /// Talk; for programs it is a line of the stream, since nothing else tells them.
    fn note(&self, text: &str, output: &mut Output) {
        if output.is_json() {
            // That nobody reads it shows with the next update.
            let _ = output.stream(&json!({ "name": self.fetching.name(), "note": text }), String::new);
        } else {
            output.note(text);
        }
    }
}

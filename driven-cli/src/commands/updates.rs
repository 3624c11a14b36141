//! `driven updates`

use std::sync::Arc;
use std::time::Duration;

use driven::state::RuleStore;
use driven::updates::{Pulled, Stop};
use driven::{Pack, SharedPack};
use serde_json::json;

use super::pull::word;
use crate::fetching::Fetching;
use crate::gate::{Gate, Judgement};
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
        output.begin_stream();
        let mut updates = self.fetching.updates()?;
        let mut told = Told::default();
        let (first, gate) = loop {
            let held = self.fetching.held()?;
            let gate = self.fetching.gate(held.as_ref())?.beside(self.fetching.snapshots());
            if let Some(held) = held {
                // What is here is followed from, also when it is not let in any more: what follows may be.
                self.judge_again(&gate, held.as_pack(), &mut told, output);
                break (held, Arc::new(gate));
            }
            // Otherwise another process was faster, and something is here.
            if let Some(first) = self.first(&mut updates, &gate, output)? {
                break (first, Arc::new(gate));
            }
        };
        let store = self.fetching.store(first, Arc::clone(&gate))?;
        self.note(&format!("following `{}`", self.fetching.name()), None, output);
        let stop = Stop::default();
        let interval = Duration::from_secs(self.interval.max(1));
        updates.follow(&store, interval, &stop, |round| {
            let refusal = gate.refusal();
            let failed = round.as_ref().err().map(|err| match refusal.filter(|_| err.code() == "refused") {
                Some(refusal) => (refusal.message.clone(), refusal),
                // How it fails may be another each time, as whoever serves nonsense can see to.
                None => (err.code().into(), Failure::new(err.code(), err.to_string()).hint(err.hint())),
            });
            let failed = failed.map(|(kind, failure)| {
                (kind, Failure { message: format!("{}; what is here stays", failure.message), ..failure })
            });
            self.tell_once(failed, &mut told.failed, output);
            if let Ok(Some(pulled)) = round {
                (told.refused, told.missing) = (None, None);
                self.told(pulled, output);
            } else {
                self.judge_here(&gate, &store, &mut told, output);
            }
            if output.is_over() {
                stop.stop();
            }
        });
        Ok(Exit::Clean)
    }

    /// Judges what is in the folder, as long as nothing new comes.
    fn judge_here(&self, gate: &Gate, store: &RuleStore, told: &mut Told, output: &mut Output) {
        // It was let in once: since then it may have expired, or a timestamp that names it, or lost its keys. What counts
        // is what others read in the folder, whoever put it there.
        let (held, trouble) = match self.fetching.held() {
            Ok(held) => (held, None),
            Err(failure) => (None, Some(with("what is in the folder can't be used", failure))),
        };
        self.tell_once(trouble.map(by_message), &mut told.folder, output);
        let snapshot = store.load();
        let here = held.as_ref().map_or(snapshot.pack(), SharedPack::as_pack);
        self.judge_again(gate, here, told, output);
    }

    /// Takes the first pack into the folder, unless there is one by now.
    fn first(
        &self,
        updates: &mut driven::updates::Updates,
        gate: &Gate,
        output: &mut Output,
    ) -> Result<Option<SharedPack>, Failure> {
        let fetched = updates.fetch(None)?.ok_or_else(|| Failure::new("feed", "nothing was sent"))?;
        if gate.admit(fetched.pack.as_pack())? {
            self.note(FIRST_USE, None, output);
        }
        if !self.fetching.snapshots().take_if(None, &fetched.pack, now()?)? {
            return Ok(None);
        }
        updates.taken(&fetched);
        let version = fetched.pack.as_pack().manifest().version();
        self.told(&Pulled { generation: 1, version, way: fetched.way, bytes: fetched.bytes }, output);
        Ok(Some(fetched.pack))
    }

    /// One line for each update.
    fn told(&self, pulled: &Pulled, output: &mut Output) {
        let Pulled { version, way, bytes, .. } = *pulled;
        let name = self.fetching.name();
        let value = json!({ "name": name, "version": version, "way": word(way), "bytes": bytes });
        output.stream(&value, || format!("{name} {version}: {}, {bytes} bytes", word(way)));
    }

    /// Tells, once, that what is here would not be let in any more, although it stays in use; and what keeps it from being
    /// known whether another is current; and that it is good again.
    fn judge_again(&self, gate: &Gate, pack: Pack<'_>, told: &mut Told, output: &mut Output) {
        let judged = gate.judge(pack);
        let Judgement { fault, is_first_use, missing, is_up_to_date } =
            judged.unwrap_or_else(|failure| Judgement { fault: Some(failure), ..Judgement::default() });
        if is_first_use {
            self.note(FIRST_USE, None, output);
        }
        told.is_good_owed |= fault.is_some() || missing.is_some();
        let fault =
            fault.map(|failure| by_message(with("what is here would not be let in any more", failure)));
        let is_good = fault.is_none();
        self.tell_once(fault, &mut told.refused, output);
        let missing = missing.map(|failure| {
            let code = if failure.code == "equivocation" { failure.code } else { "no-timestamp" };
            (code.into(), Failure { code, ..with("no timestamp can be had", failure) })
        });
        // By what is kept alone it is not known; none can be had then, as before.
        if missing.is_some() || is_up_to_date {
            self.tell_once(missing, &mut told.missing, output);
        }
        if is_good && is_up_to_date && told.is_good_owed {
            told.is_good_owed = false;
            self.note("what is here is good again", None, output);
        }
    }

    /// Tells what is of another kind than what was told last.
    fn tell_once(&self, news: Option<(String, Failure)>, told: &mut Option<String>, output: &mut Output) {
        let (kind, failure) = news.unzip();
        if let Some(failure) = failure
            && *told != kind
        {
            self.note(&failure.message, Some(&failure), output);
        }
        *told = kind;
    }

    /// Talk; for programs it is a line of the stream, since nothing else tells them.
    fn note(&self, text: &str, why: Option<&Failure>, output: &mut Output) {
        if output.is_json() {
            let mut value = json!({ "name": self.fetching.name(), "note": text });
            if let Some(failure) = why {
                value["code"] = failure.code.into();
                value["hint"] = failure.hint.as_str().into();
            }
            output.stream(&value, String::new);
        } else {
            output.note(text);
            if let Some(hint) = why.map(|failure| &failure.hint).filter(|hint| !hint.is_empty()) {
                output.note(&format!("hint: {hint}"));
            }
        }
    }
}

/// Of what kind is what was told last, and holds still.
#[derive(Default)]
struct Told {
    /// What went wrong in a round.
    failed: Option<String>,
    /// What is wrong with the folder.
    folder: Option<String>,
    /// Why what is here would not be let in any more.
    refused: Option<String>,
    /// Why no timestamp can be had.
    missing: Option<String>,
    /// Something was told since what is here was good.
    is_good_owed: bool,
}

/// A failure that is of another kind whenever its words differ.
fn by_message(failure: Failure) -> (String, Failure) {
    (failure.message.clone(), failure)
}

/// The same with what it means in front.
fn with(what: &str, failure: Failure) -> Failure {
    Failure { message: format!("{what}: {}", failure.message), ..failure }
}

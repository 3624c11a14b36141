//! Who lets a fetched pack in: what is asked of it, by the newest root and timestamp that are known.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use driven::Pack;
use driven::state::Snapshots;
use driven::trust::{SignedTimestamp, Story};
use driven::updates::Updates;

use driven_build::printable;

use crate::Failure;
use crate::output::Output;
use crate::trusted::{Asked, FIRST_USE};

/// Lets packs in, or refuses them.
pub(crate) struct Gate {
    /// What is asked of a pack, where anything is.
    known: Option<Mutex<Known>>,
    past: Mutex<Past>,
    /// Why the last pack was not let in, in words of this program: a store that asks has fewer words for it.
    refusal: Mutex<Option<Failure>>,
    /// Where the packs come from.
    address: PathBuf,
    /// Where other processes may put newer ones.
    snapshots: Option<Snapshots>,
}

/// Which versions came.
#[derive(Clone, Copy)]
struct Past {
    /// The newest version that was let in, or was here.
    newest: Option<u64>,
    /// Which version may come although it is older than what is here.
    accepted: Option<u64>,
    /// It came.
    is_accepted_taken: bool,
}

/// What is asked, and what was learnt.
struct Known {
    asked: Asked,
    /// Something was judged by it: time may have passed since it was read.
    is_used: bool,
    /// Whence the timestamp comes, where one is asked for.
    updates: Updates,
    /// The last timestamp that held.
    newest: Option<SignedTimestamp>,
}

/// What was found of a pack.
#[derive(Default)]
pub(crate) struct Judgement {
    /// Why it is refused, if it is.
    pub(crate) fault: Option<Failure>,
    /// It is the first that was seen.
    pub(crate) is_first_use: bool,
    /// Why no timestamp could be had, of a pack that is here; not that one can't be reached while another is kept.
    pub(crate) missing: Option<Failure>,
    /// The newest timestamp was had, where one is asked for.
    pub(crate) is_up_to_date: bool,
}

/// By which timestamp a pack is judged.
#[derive(Default)]
struct Choice {
    timestamp: Option<SignedTimestamp>,
    /// Where it comes from.
    place: PathBuf,
    /// Why none could be had, where the one that is kept takes its place, or nothing does.
    missing: Option<Failure>,
    /// Nothing says that it counts: somebody may have brought it by hand.
    is_doubtful: bool,
}

/// Why a pack is not let in.
pub(crate) enum Refused {
    /// In words of this program.
    Told(Failure),
    /// As the library has it, with what whoever tries again goes by.
    Library(driven::Error),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Refused::Told(failure)
    }
}

impl From<driven::Error> for Refused {
    fn from(err: driven::Error) -> Self {
        Refused::Library(err)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Told(failure) => failure,
            Refused::Library(err) => err.into(),
        }
    }
}

impl From<Refused> for driven::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Told(failure) => driven::Error::refused(failure.message),
            Refused::Library(err) => err,
        }
    }
}

impl Gate {
    /// Lets in from `address` what is asked for, where anything is, and not what is older than `newest` but for `accepted`.
    pub(crate) fn new(
        address: &str,
        asked: Option<(Asked, Updates)>,
        newest: Option<u64>,
        accepted: Option<u64>,
    ) -> Self {
        let known =
            asked.map(|(asked, updates)| Mutex::new(Known { asked, is_used: false, updates, newest: None }));
        let is_accepted_taken = accepted.is_some() && newest == accepted;
        let past = Mutex::new(Past { newest, accepted, is_accepted_taken });
        Gate { known, past, refusal: Mutex::default(), address: address.into(), snapshots: None }
    }

    /// Judges also by what is current in the folder, which other processes may change.
    pub(crate) fn beside(self, snapshots: Snapshots) -> Self {
        Gate { snapshots: Some(snapshots), ..self }
    }

    /// Refuses a pack that is not what is asked for; says whether it is the first that was seen.
    pub(crate) fn admit(&self, pack: Pack<'_>) -> Result<bool, Refused> {
        self.refuse_older(pack)?;
        let Judgement { fault, is_first_use, .. } = self.judge_by(pack, false)?;
        if let Some(failure) = fault {
            return Err(failure.into());
        }
        self.past().took(pack.manifest().version());
        Ok(is_first_use)
    }

    /// The same, for a store; [`refusal`](Self::refusal) tells more of why it is not let in.
    pub(crate) fn admit_to_store(&self, pack: Pack<'_>) -> Result<(), driven::Error> {
        self.admit(pack).map(|_| ()).map_err(|refused| {
            if let Refused::Told(failure) = &refused {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
            }
            refused.into()
        })
    }

    /// Why a store was told that a pack is refused, in words of this program.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The same, for a command that takes one pack.
    pub(crate) fn admit_told(&self, pack: Pack<'_>, output: &mut Output) -> Result<(), Failure> {
        if self.admit(pack)? {
            output.note(FIRST_USE);
        }
        Ok(())
    }

    /// Judges a pack that is here: it may be one that would not be let in any more. While no timestamp can be had it is judged
    /// by the one that is kept, or by all else.
    pub(crate) fn judge(&self, pack: Pack<'_>) -> Result<Judgement, Failure> {
        Ok(self.judge_by(pack, true)?)
    }

    fn judge_by(&self, pack: Pack<'_>, is_here: bool) -> Result<Judgement, Refused> {
        let Some(mut known) = self.known() else {
            return Ok(Judgement { is_up_to_date: true, ..Judgement::default() });
        };
        // A program that follows for days must not judge by what held when it began.
        if known.is_used {
            known.asked.renew()?;
        }
        known.is_used = true;
        known.asked.check_files()?;
        let (name, version) = (pack.manifest().name(), pack.manifest().version());
        let Choice { timestamp, place, missing, is_doubtful } = known.choose(name, is_here, &self.address)?;
        let past = *self.past();
        let mut asked = Asked { timestamp, accept_version: past.accepted, ..known.asked.clone() };
        // Whoever went back on purpose does not take others who keep the same state back with him, again and again.
        let is_back = is_here && past.is_accepted_taken && past.accepted == Some(version);
        let mut told =
            if is_back { asked.observe(pack, &self.address)? } else { asked.judge(pack, &self.address)? };
        let is_of_timestamp =
            |check: &str| check.starts_with('T') || check == "P9" && asked.timestamp.is_none();
        let is_lacking = missing.is_some() && is_doubtful && failed(&told.story).is_some_and(is_of_timestamp);
        if is_lacking {
            asked = Asked { timestamp: None, timestamp_file: None, ..asked };
            told = asked.observe(pack, &self.address)?;
        }
        // What is proved is remembered also when the pack is refused, and that it can't be is an error (S5).
        if asked.holds_timestamp(name)? {
            known.newest.clone_from(&asked.timestamp);
            asked.keep_timestamp(name)?;
        }
        let fault = asked.fault(&told.story, &self.address, Some(&place));
        // What keeps it from being known whether another one is current is told; not so that one can't be reached just now.
        let is_up_to_date = missing.is_none();
        let missing = missing.filter(|failure| is_lacking || failure.code != "unreachable");
        let is_first_use = told.is_first_use && fault.is_none() && !is_back && !is_lacking;
        Ok(Judgement { fault, is_first_use, missing, is_up_to_date })
    }

    /// Refuses a version that is older than what is here, unless it was named, or a state tells which may come.
    fn refuse_older(&self, pack: Pack<'_>) -> Result<(), Refused> {
        let manifest = pack.manifest();
        let version = manifest.version();
        let is_told = match self.known() {
            Some(known) => known.asked.knows(manifest.name())?,
            None => false,
        };
        let Past { newest, accepted, .. } = *self.past();
        if is_told || accepted == Some(version) {
            return Ok(());
        }
        let in_folder = self.snapshots.as_ref().map(Snapshots::current).transpose()?.flatten();
        let in_folder = in_folder.map(|pack| pack.as_pack().manifest().version());
        match newest.max(in_folder) {
            Some(newest) if version < newest => {
                let refused = driven::Error::refused(format!(
                    "version {version} is served and version {newest} is here: an older one is taken with \
                     `--accept-version {version}`"
                ));
                Err(Failure::from(refused).in_file(&self.address).into())
            }
            _ => Ok(()),
        }
    }

    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        self.known.as_ref().map(|known| known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The check that failed.
fn failed(story: &Story) -> Option<&'static str> {
    story.fault().and(story.steps().last()).map(|step| step.check)
}

impl Past {
    /// Notes a version that was let in. One that was accepted by name is so once: when a newer one came after it, whoever
    /// serves the packs must not go back to it by himself.
    fn took(&mut self, version: u64) {
        self.newest = Some(version);
        match self.accepted {
            Some(accepted) if version == accepted => self.is_accepted_taken = true,
            Some(accepted) if version > accepted && self.is_accepted_taken => self.accepted = None,
            _ => {}
        }
    }
}

impl Known {
    /// The newest timestamp that is served or was kept, where one is asked for.
    fn choose(&mut self, pack: &str, is_here: bool, address: &Path) -> Result<Choice, Refused> {
        let Some(file) = self.asked.timestamp_file.clone() else { return Ok(Choice::default()) };
        let in_file = self.asked.kept_timestamp(pack)?;
        let mut newest: Option<SignedTimestamp> = None;
        for kept in [&in_file, &self.newest].into_iter().flatten() {
            let is_newer =
                newest.as_ref().is_none_or(|newest| kept.timestamp().issued > newest.timestamp().issued);
            if is_newer && self.asked.goes_by(kept)? {
                newest = Some(kept.clone());
            }
        }
        let place = address.join("timestamp");
        let missing = match self.served(&place) {
            Ok(Some(served)) => match self.why_not(&served, newest.as_ref(), pack) {
                // What does not count puts nothing aside by which a pack that is here was let in.
                Some(failure) if is_here => Some(failure.in_file(&place)),
                Some(failure) if failure.code == "equivocation" => {
                    return Err(failure.in_file(&place).into());
                }
                _ => {
                    match newest.as_ref().map(|kept| kept.timestamp().issued.cmp(&served.timestamp().issued))
                    {
                        // Whoever serves an old one does not say what is current.
                        Some(Ordering::Greater) if is_here => {
                            let message =
                                format!("{}: it is older than the one that is kept", place.display());
                            Some(Failure::new("unreachable", message))
                        }
                        Some(Ordering::Greater | Ordering::Equal) => None,
                        _ => return Ok(Choice { timestamp: Some(served), place, ..Choice::default() }),
                    }
                }
            },
            Ok(None) if is_here => {
                Some(Failure::new("unreachable", format!("{}: there is none", place.display())))
            }
            Ok(None) => None,
            Err(missing) if is_here => Some(missing.into()),
            Err(missing) => return Err(missing),
        };
        let is_doubtful = newest.is_none();
        if let (None, Some(kept)) = (&newest, in_file)
            && !self.asked.forgets(&kept)?
        {
            newest = Some(kept);
        }
        Ok(Choice { timestamp: newest, place: file, missing, is_doubtful })
    }

    /// Why a timestamp that is served does not count beside the one that is kept.
    fn why_not(
        &self,
        served: &SignedTimestamp,
        kept: Option<&SignedTimestamp>,
        pack: &str,
    ) -> Option<Failure> {
        let said = served.timestamp();
        if !self.asked.is_signed_by_ours(served) {
            let failure = Failure::new("timestamp", "it is not signed by keys that count");
            return Some(failure.hint("ask whoever serves it for the one that was signed"));
        }
        if said.pack != pack {
            let message = format!("it is about `{}`, not about `{pack}`", said.pack);
            let failure = Failure::new("wrong-pack", printable(&message));
            return Some(failure.hint("ask whoever serves it for the one of this pack"));
        }
        let is_another = |kept: &SignedTimestamp| {
            kept.timestamp().issued == said.issued && kept.signed_bytes() != served.signed_bytes()
        };
        kept.is_some_and(is_another).then(|| {
            Failure::new("equivocation", "two timestamps were issued at one time")
                .hint("do not use either before you know why there are two")
        })
    }

    /// The timestamp that lies beside the pack.
    fn served(&mut self, place: &Path) -> Result<Option<SignedTimestamp>, Refused> {
        let Some(text) = self.updates.timestamp()? else { return Ok(None) };
        let served = SignedTimestamp::read(&text);
        Ok(Some(served.map_err(|err| Failure::from(err).in_file(place))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_accepted_by_name_is_so_until_a_newer_one_came() {
        let mut past = Past { newest: Some(6), accepted: Some(5), is_accepted_taken: false };
        past.took(7);
        assert_eq!(past.accepted, Some(5));
        past.took(5);
        assert_eq!((past.newest, past.accepted), (Some(5), Some(5)));
        past.took(5);
        assert_eq!(past.accepted, Some(5));
        past.took(6);
        assert_eq!((past.newest, past.accepted), (Some(6), None));
        // What is here already has come.
        for (here, is_taken) in [(Some(5), true), (Some(6), false), (None, false)] {
            let gate = Gate::new("https://rules.example.com/house", None, here, Some(5));
            assert_eq!(gate.past().is_accepted_taken, is_taken);
        }
        assert!(!Gate::new("https://rules.example.com/house", None, None, None).past().is_accepted_taken);
    }
}

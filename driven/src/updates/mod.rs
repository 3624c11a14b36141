//! Updates: the newest pack of a tree, by the smallest step, into a store that is read meanwhile.
//!
//! A *tree* lies behind any web server, or in a folder; `driven publish` writes it and `driven serve` serves it. Law:
//! `docs/UPDATES.md`, "Tree" and "How a program follows a tree".

mod follow;
mod http;
mod transport;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::io::Read;
use std::time::Instant;

use driven_format::hidden::look_through;
use driven_format::{Digest, Feed, file_hash};

use crate::error::Error;
use crate::map::{PackBuf, SharedPack};
use crate::state::RuleStore;

pub use follow::{Round, Stop};
pub use http::Http;
pub use transport::{Answer, Folder, Found, Refusal, Request, Transport};

use follow::{backoff, spread_beyond};

/// How often something is asked for that can't be had, unless a program says otherwise.
const ATTEMPTS: u32 = 4;
/// The longest timestamp that is read, in bytes: one with a hundred signatures.
const MAX_TIMESTAMP: u64 = 32 * 1024;
/// How many things are kept that came in part: a patch and a pack.
const MOST_PARTIALS: usize = 2;
/// How long bringing an update may take, unless a program says otherwise.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// Brings the newest pack of one name.
///
/// ```
/// use driven::state::RuleStore;
/// use driven::updates::Updates;
/// use driven::{PackBuf, SharedPack};
/// # let tree = std::env::temp_dir().join(format!("driven-updates-doc-{}", std::process::id()));
/// # let pack = driven::doc_pack();
/// # let first = SharedPack::prove(PackBuf::from_vec(pack)?)?;
/// # let feed = driven_format::Feed {
/// #     name: "docs".into(), version: 1, edition: first.edition(), hash: first.file_hash(),
/// #     length: first.len_in_bytes() as u64,
/// # };
/// # std::fs::create_dir_all(tree.join("docs"))?;
/// # std::fs::write(tree.join("docs/current"), feed.render())?;
/// # let address = format!("file://{}/docs", tree.display());
///
/// // In a program `address` is for instance `https://rules.example.com/docs`, and a signature is verified.
/// let store = RuleStore::open_to_all(first);
/// let mut updates = Updates::at(&address)?;
/// match updates.pull(&store)? {
///     Some(pulled) => println!("version {} after {} bytes", pulled.version, pulled.bytes),
///     None => println!("nothing newer"),
/// }
/// # std::fs::remove_dir_all(&tree)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Updates {
    transport: Box<dyn Transport>,
    name: String,
    /// What messages are about: the address, or the name.
    place: String,
    limit: usize,
    time_limit: Duration,
    attempts: u32,
    is_offline: bool,
    lets_hidden_stand: bool,
    /// The `ETag` of the feed whose pack was taken last.
    seen: Option<String>,
    /// The edition that was taken last: who goes back on purpose does not take it again.
    last: Option<Digest>,
    /// What came of a patch and of a pack: neither is in the way of the other.
    partials: Vec<Partial>,
    /// Ends pauses.
    stop: Stop,
}

/// What came of something before the connection broke.
struct Partial {
    path: String,
    etag: String,
    bytes: Vec<u8>,
}

/// How an update came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a patch to what is there.
    Patch,
    /// As a whole pack.
    Whole,
}

/// A pack that was brought, and is not active yet.
#[derive(Debug)]
pub struct Fetched {
    /// The pack, every digest proved. Who stands behind it is for whoever takes it to ask.
    pub pack: SharedPack,
    /// How it came.
    pub way: Way,
    /// How many bytes were transferred for it, those of attempts that failed too.
    pub bytes: u64,
    etag: Option<String>,
}

/// A pack that was brought, and is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Its generation in the store.
    pub generation: u64,
    /// Its version.
    pub version: u64,
    /// How it came.
    pub way: Way,
    /// How many bytes were transferred for it.
    pub bytes: u64,
}

/// What is asked, within which bounds.
struct Ask<'p> {
    path: &'p str,
    unless: Option<&'p str>,
    wait: Duration,
    limit: u64,
    deadline: Instant,
}

/// What was answered.
enum Got {
    Bytes {
        etag: Option<String>,
        bytes: Vec<u8>,
    },
    Unchanged,
    Missing,
    /// It is longer than the limit.
    TooLong,
}

impl Updates {
    /// The pack behind an address: `https://rules.example.com/packs/house` is the pack `house` of the tree in front of
    /// it. `file:///srv/rules/house` is one in a folder.
    ///
    /// # Errors
    /// An address that is none, or can't be gone to by this build.
    pub fn at(address: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::update("address", format!("`{}`: {why}", address.escape_debug()));
        let Some((scheme, rest)) = address.trim_end_matches('/').split_once("://") else {
            return Err(wrong("it does not begin with `https://`, `http://` or `file://`"));
        };
        let Some((above, name)) = rest.rsplit_once('/').filter(|(_, name)| Feed::is_name(name)) else {
            return Err(wrong("it does not end with the name of a pack"));
        };
        let at = |updates| Ok(Updates { place: address.trim_end_matches('/').to_owned(), ..updates });
        match scheme {
            "file" if above.starts_with('/') => at(Updates::new(Folder::new(above), name)),
            "file" => Err(wrong("a folder is given from the root on, as `file:///srv/rules/house`")),
            // A password is not repeated.
            "http" | "https" if above.contains(['?', '#', '@']) => {
                let message = "user names, queries and fragments have no place in an address of packs";
                Err(Error::update("address", message))
            }
            "http" | "https" if above.is_empty() || above.starts_with(['/', ':']) => {
                Err(wrong("it names no host"))
            }
            "http" | "https" if !has_sound_port(above) => Err(wrong("a port is a number from 1 to 65535")),
            "http" | "https" => at(Updates::new(Http::new(format!("{scheme}://{above}")), name)),
            _ => Err(wrong("it does not begin with `https://`, `http://` or `file://`")),
        }
    }

    /// The pack `name`, brought by a transport of the program's own.
    ///
    /// # Panics
    /// When the name can't be one of a tree's; see [`Feed::is_name`].
    pub fn new(transport: impl Transport + 'static, name: &str) -> Self {
        assert!(Feed::is_name(name), "`{name}` can't be the name of a pack in a tree");
        Updates {
            transport: Box::new(transport),
            name: name.to_owned(),
            place: name.to_owned(),
            limit: SharedPack::LIMIT,
            time_limit: TIME_LIMIT,
            attempts: ATTEMPTS,
            is_offline: false,
            lets_hidden_stand: false,
            seen: None,
            last: None,
            partials: Vec::new(),
            stop: Stop::default(),
        }
    }

    /// How long a pack may be, in bytes; [`SharedPack::LIMIT`] otherwise. Whatever is sent, no more is read, and what
    /// a patch is made into takes a few times as much memory at most.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        Updates { limit: bytes, ..self }
    }

    /// How long bringing an update may take, attempts and pauses in all; 5 minutes otherwise.
    #[must_use]
    pub fn time_limit(self, limit: Duration) -> Self {
        // A day is as good as for ever, and can be added to any time.
        Updates { time_limit: limit.min(Duration::from_hours(24)), ..self }
    }

    /// How often each thing is asked for at most, 4 otherwise; the pauses double, and differ from program to program.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Updates { attempts: attempts.max(1), ..self }
    }

    /// Whether to stay on this machine: what would leave it is refused before anything is sent.
    #[must_use]
    pub fn offline(self, is_offline: bool) -> Self {
        Updates { is_offline, ..self }
    }

    /// Takes packs that have text in them which people don't see.
    #[must_use]
    pub fn allow_hidden(self) -> Self {
        Updates { lets_hidden_stand: true, ..self }
    }

    /// What is current in the tree; nothing when it is what is held.
    ///
    /// # Errors
    /// A tree that can't be reached, or has no pack of this name.
    pub fn look(&mut self, held: Option<&SharedPack>) -> Result<Option<Feed>, Error> {
        let asked = self.ask_feed(held, Duration::ZERO)?;
        Ok(asked.map(|(feed, _)| feed))
    }

    /// Brings what is current in the tree, and proves every digest; nothing when it is what is held.
    ///
    /// What it gives is not taken yet: whoever takes it calls [`taken`](Self::taken) when it is active.
    ///
    /// # Errors
    /// A tree that can't be reached, or what it sends is refused; nothing is kept of that.
    pub fn fetch(&mut self, held: Option<&SharedPack>) -> Result<Option<Fetched>, Error> {
        self.fetch_waiting(held, Duration::ZERO)
    }

    /// The signed timestamp beside the pack, if there is one, to be judged by a policy.
    ///
    /// # Errors
    /// A tree that can't be reached.
    pub fn timestamp(&mut self) -> Result<Option<String>, Error> {
        let path = format!("{}/timestamp", self.name);
        let deadline = Instant::now() + self.time_limit;
        let ask = Ask { path: &path, unless: None, wait: Duration::ZERO, limit: MAX_TIMESTAMP, deadline };
        match self.ask(&ask, &mut 0)? {
            Got::Bytes { bytes, .. } => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Got::Missing | Got::Unchanged => Ok(None),
            Got::TooLong => {
                Err(Error::update("too-long", format!("`{}/timestamp`: longer than any", self.place)))
            }
        }
    }

    /// Says that what was fetched is active: from now on it is asked only whether anything else is current.
    pub fn taken(&mut self, fetched: &Fetched) {
        self.seen.clone_from(&fetched.etag);
        self.last = Some(fetched.pack.edition());
    }

    /// Brings what is current in the tree into a store; nothing when it is there.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch), or what the store's judge says; the store stays as it is, and the next call asks for
    /// the same again.
    pub fn pull(&mut self, store: &RuleStore) -> Result<Option<Pulled>, Error> {
        self.pull_waiting(store, Duration::ZERO)
    }

    fn pull_waiting(&mut self, store: &RuleStore, wait: Duration) -> Result<Option<Pulled>, Error> {
        let Some(fetched) = self.fetch_waiting(Some(&store.load()), wait)? else { return Ok(None) };
        let Fetched { ref pack, way, bytes, .. } = fetched;
        let version = pack.as_pack().manifest().version();
        let generation = store.replace(pack.clone())?;
        self.taken(&fetched);
        Ok(Some(Pulled { generation, version, way, bytes }))
    }

    fn fetch_waiting(&mut self, held: Option<&SharedPack>, wait: Duration) -> Result<Option<Fetched>, Error> {
        let began = Instant::now();
        let Some((feed, etag)) = self.ask_feed(held, wait)? else { return Ok(None) };
        if feed.length > self.limit as u64 {
            let message =
                format!("`{}`: it has {} bytes, the limit is {}", self.place, feed.length, self.limit);
            return Err(Error::update("too-long", message));
        }
        // To wait for news is no part of bringing it.
        let deadline = began + began.elapsed().min(wait) + self.time_limit;
        let mut spent = 0;
        let stepped = held.and_then(|held| self.step(held, &feed, deadline, &mut spent));
        let (pack, way) = match stepped {
            Some(pack) => (pack, Way::Patch),
            None => (self.whole(&feed, deadline, &mut spent)?, Way::Whole),
        };
        self.check(&pack, &feed)?;
        self.partials.clear();
        Ok(Some(Fetched { pack, way, bytes: spent, etag }))
    }

    /// What is current, and the feed's `ETag`; nothing when it is what is held.
    fn ask_feed(
        &mut self,
        held: Option<&SharedPack>,
        wait: Duration,
    ) -> Result<Option<(Feed, Option<String>)>, Error> {
        let path = format!("{}/current", self.name);
        // What is held says itself under which ETag a tree of ours would send it, also after a restart.
        let unless = held.map(|held| self.seen.clone().unwrap_or_else(|| self.feed_of(held).etag()));
        let deadline = Instant::now() + self.time_limit;
        let ask = Ask { path: &path, unless: unless.as_deref(), wait, limit: Feed::MAX as u64, deadline };
        let (etag, bytes) = match self.ask(&ask, &mut 0)? {
            Got::Bytes { etag, bytes } => (etag, bytes),
            Got::Unchanged => return Ok(None),
            Got::Missing => {
                let message = format!("`{}`: there is no such pack", self.place);
                return Err(Error::update("no-such-pack", message));
            }
            Got::TooLong => {
                return Err(Error::update("feed", format!("`{}/current`: longer than any feed", self.place)));
            }
        };
        let feed = Feed::read(&String::from_utf8_lossy(&bytes))
            .map_err(|err| Error::update("feed", format!("`{}/current`: {err}", self.place)))?;
        if feed.name != self.name {
            let message = format!("`{}/current`: it is about the pack `{}`", self.place, feed.name);
            return Err(Error::update("feed", message));
        }
        if held.is_some_and(|held| held.edition() == feed.edition || self.last == Some(feed.edition)) {
            self.seen = etag;
            self.last = Some(feed.edition);
            return Ok(None);
        }
        Ok(Some((feed, etag)))
    }

    fn feed_of(&self, held: &SharedPack) -> Feed {
        Feed {
            name: self.name.clone(),
            version: held.as_pack().manifest().version(),
            edition: held.edition(),
            hash: held.file_hash(),
            length: held.len_in_bytes() as u64,
        }
    }

    /// By a patch; nothing when there is none that leads there.
    fn step(
        &mut self,
        held: &SharedPack,
        feed: &Feed,
        deadline: Instant,
        spent: &mut u64,
    ) -> Option<SharedPack> {
        let path = format!("{}/patch/{}", self.name, step_name(&held.edition(), &feed.edition));
        // One that hangs leaves time for the pack.
        let deadline = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        // One that is longer than the pack is not worth it.
        let ask = Ask { path: &path, unless: None, wait: Duration::ZERO, limit: feed.length, deadline };
        // One that can't be had now is no reason to stay behind either: the whole pack is asked for.
        let Ok(Got::Bytes { bytes, .. }) = self.ask(&ask, spent) else { return None };
        // A patch that is bent is no reason to stay behind: the whole pack is asked for.
        let pack = held.apply(&bytes, self.limit).ok().filter(|pack| pack.edition() == feed.edition)?;
        pack.as_pack().check_bytes().is_ok().then_some(pack)
    }

    /// The whole pack.
    fn whole(&mut self, feed: &Feed, deadline: Instant, spent: &mut u64) -> Result<SharedPack, Error> {
        let path = format!("{}/pack/{}.drv", self.name, feed.edition);
        let packed = format!("{path}.zst");
        let ask = |path, limit| Ask { path, unless: None, wait: Duration::ZERO, limit, deadline };
        let unpacked = match self.ask(&ask(&packed, feed.length), spent) {
            Ok(Got::Bytes { bytes, .. }) => unpack(&bytes, feed.length as usize),
            _ => None,
        };
        // What can't be had packed, or does not unpack, may be there plain.
        let bytes = match unpacked {
            Some(bytes) => bytes,
            None => match self.ask(&ask(&path, feed.length), spent)? {
                Got::Bytes { bytes, .. } => bytes,
                Got::TooLong => {
                    let message = format!(
                        "`{}`: {path} is longer than the {} bytes that were told",
                        self.place, feed.length
                    );
                    return Err(Error::update("pack-damaged", message));
                }
                Got::Unchanged | Got::Missing => {
                    let message = format!("`{}`: {path} is named and is not there", self.place);
                    return Err(Error::update("no-such-pack", message));
                }
            },
        };
        // What is exactly what was told, and is still refused, was published so: it may be of a newer format.
        if file_hash(&bytes) != feed.hash {
            return Err(self.damaged());
        }
        SharedPack::prove(PackBuf::from_vec(bytes)?)
    }

    fn damaged(&self) -> Error {
        let message = format!("`{}`: what arrived is not the pack that was told", self.place);
        Error::update("pack-damaged", message)
    }

    /// What arrived is what was told, and has nothing hidden in it.
    fn check(&self, pack: &SharedPack, feed: &Feed) -> Result<(), Error> {
        if pack.edition() != feed.edition || self.feed_of(pack) != *feed {
            return Err(self.damaged());
        }
        let name = pack.as_pack().manifest().name().to_owned();
        if name != self.name {
            let message =
                format!("`{}`: the pack that is there is named `{}`", self.place, name.escape_debug());
            return Err(Error::update("wrong-pack", message));
        }
        if self.lets_hidden_stand {
            return Ok(());
        }
        let pack = pack.as_pack();
        look_through(&pack.tables(), &pack.text())
            .map_err(|found| Error::update("hidden-text", format!("`{}`: {found}", self.place)))
    }

    /// Asks until there is an answer, as often and as long as may be.
    fn ask(&mut self, ask: &Ask<'_>, spent: &mut u64) -> Result<Got, Error> {
        if self.is_offline && self.transport.goes_out() {
            let message = format!("`{}` is not on this machine, and nothing may leave it", self.place);
            return Err(Error::update("offline", message));
        }
        let mut attempt = 0;
        loop {
            if self.stop.is_stopped() {
                return Err(Error::unreachable(format!("`{}`: it was stopped", self.place), None));
            }
            let refusal = match self.ask_once(ask, spent) {
                Ok(got) => return Ok(got),
                Err(refusal) => refusal,
            };
            attempt += 1;
            let pause = backoff(attempt - 1, Duration::from_millis(250), Duration::from_secs(10));
            let pause = refusal.retry_after.map_or(pause, spread_beyond);
            let left = ask.deadline.saturating_duration_since(Instant::now());
            if !refusal.is_passing || attempt >= self.attempts || pause >= left {
                let tries = if attempt == 1 { String::new() } else { format!(", after {attempt} attempts") };
                let message = format!("{}{tries}", refusal.message);
                return Err(Error::unreachable(message, refusal.retry_after));
            }
            self.stop.pause(pause);
        }
    }

    fn ask_once(&mut self, ask: &Ask<'_>, spent: &mut u64) -> Result<Got, Refusal> {
        // Only once: what is wrong with it would stay wrong.
        let before = self.partials.iter().position(|partial| partial.path == ask.path);
        let before = before.map(|at| self.partials.remove(at));
        let before = before.filter(|partial| partial.bytes.len() as u64 <= ask.limit);
        let request = Request {
            path: ask.path,
            unless: ask.unless,
            resume: before.as_ref().map(|partial| (partial.bytes.len() as u64, &*partial.etag)),
            wait: ask.wait,
            timeout: ask.deadline.saturating_duration_since(Instant::now()),
        };
        let found = match self.transport.get(&request) {
            Ok(Answer::Found(found)) => found,
            Ok(Answer::Unchanged) => return Ok(Got::Unchanged),
            Ok(Answer::Missing) => return Ok(Got::Missing),
            Err(refusal) => {
                // Nothing came: the next attempt goes on where this one would have.
                if let Some(partial) = before {
                    self.put_by(partial);
                }
                return Err(refusal);
            }
        };
        let Found { etag, start, length, body } = found;
        let mut bytes = match before {
            Some(partial) if start == partial.bytes.len() as u64 => partial.bytes,
            _ => Vec::new(),
        };
        if length.is_some_and(|length| start.saturating_add(length) > ask.limit) {
            return Ok(Got::TooLong);
        }
        let had = bytes.len();
        // One byte more than may be shows that there are more.
        let read = body.take(ask.limit + 1 - had as u64).read_to_end(&mut bytes);
        *spent += (bytes.len() - had) as u64;
        if bytes.len() as u64 > ask.limit {
            return Ok(Got::TooLong);
        }
        let missing = length.is_some_and(|length| ((bytes.len() - had) as u64) < length);
        let why = match read {
            Ok(_) if !missing => return Ok(Got::Bytes { etag, bytes }),
            Ok(_) => "it ended too early".into(),
            Err(err) => format!("{err}"),
        };
        let message = format!("{}: the connection broke behind {} bytes: {why}", ask.path, bytes.len());
        if let Some(etag) = etag {
            self.put_by(Partial { path: ask.path.to_owned(), etag, bytes });
        }
        Err(Refusal::passing(message))
    }

    /// Keeps what came, in place of what came longest ago.
    fn put_by(&mut self, partial: Partial) {
        if self.partials.len() == MOST_PARTIALS {
            self.partials.remove(0);
        }
        self.partials.push(partial);
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").field("name", &self.name).field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// Whether what stands before the first `/` has no port, or one that can be.
fn has_sound_port(above: &str) -> bool {
    let authority = above.split('/').next().unwrap_or_default();
    // The colons of an IPv6 address stand in brackets.
    let behind_host = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    behind_host.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// How a patch is called in a tree.
pub fn step_name(old: &Digest, new: &Digest) -> String {
    let short = |edition: &Digest| format!("{edition}")[..32].to_owned();
    format!("{}..{}", short(old), short(new))
}

/// Unpacks a Zstandard frame of exactly `len` bytes.
fn unpack(frame: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    zstd_safe::decompress(&mut bytes, frame).ok()?;
    (bytes.len() == len).then_some(bytes)
}

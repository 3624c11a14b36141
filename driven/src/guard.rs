//! Proving again what a program holds for long.
//!
//! Memory that was proved once may be another later: a stray write, a bad module, a file that is mapped and that
//! somebody writes to. A [`Guard`] keeps the tables of a pack for itself and proves the rest against them as often
//! as it is asked. No thread and no clock: the program says when.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use driven_format::{RuleHead, Tables};

use crate::error::Error;

/// Bodies shorter than this are copied with the tables, in bytes.
const SHORT: usize = 64 * 1024;

type OnFault<'a> = Box<dyn Fn(&Error) + Send + Sync + 'a>;

/// Proves a pack in memory again, whole or by rule.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// let bytes = driven::doc_pack();
/// let alarm = AtomicBool::new(false);
/// let guard = driven::Guard::new(&bytes)?.on_fault(|_| alarm.store(true, Ordering::Relaxed));
///
/// // Before what matters: a copy that was proved, and that nobody can change any more.
/// let text: String = guard.read("error-handling")?;
/// // Now and then, from wherever the program has time: the next ten rules.
/// let round_is_over = guard.step(10)?;
/// assert!(round_is_over && !alarm.load(Ordering::Relaxed));
/// assert_eq!(guard.counts().faults, 0);
/// # assert!(text.starts_with("# Errors"));
/// # Ok::<(), driven::Error>(())
/// ```
pub struct Guard<'a> {
    /// What is guarded.
    bytes: &'a [u8],
    /// A copy of it, in the long run without outlines and bodies.
    own: Vec<u8>,
    /// The part at which the next step begins: 0 for the tables, then the rules.
    next: AtomicUsize,
    proofs: AtomicU64,
    faults: AtomicU64,
    on_fault: Option<OnFault<'a>>,
}

/// How often a [`Guard`] proved something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardCounts {
    /// Tables and rules that held.
    pub proofs: u64,
    /// Tables and rules that did not.
    pub faults: u64,
}

impl<'a> Guard<'a> {
    /// Guards the bytes of a pack: those of an embedded one, of a [`PackBuf`](crate::PackBuf), of a map.
    ///
    /// # Errors
    /// Bytes that are no pack, or that do not have the digests that they state.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let tables = Tables::check(bytes)?;
        let (start, [_, (_, len)]) = (Tables::front_len(bytes), Tables::text_ranges(bytes));
        let own = if len > SHORT {
            let behind = Tables::digested_len_of(bytes);
            [&bytes[..start], &bytes[behind..]].concat()
        } else {
            bytes.to_vec()
        };
        let expected = tables.root_digest();
        let guard = Guard {
            bytes,
            own,
            next: AtomicUsize::new(0),
            proofs: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            on_fault: None,
        };
        // From here on only the copy is looked at, and it must be what was found.
        let own = guard.tables()?;
        own.check_root()?;
        if own.root_digest() != expected {
            return Err(Error::changed());
        }
        guard.check()?;
        Ok(guard)
    }

    /// Calls `call` with every fault that is found, besides giving it back.
    #[must_use]
    pub fn on_fault(mut self, call: impl Fn(&Error) + Send + Sync + 'a) -> Self {
        self.on_fault = Some(Box::new(call));
        self
    }

    /// How often something was proved.
    pub fn counts(&self) -> GuardCounts {
        GuardCounts {
            proofs: self.proofs.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
        }
    }

    /// Proves all of it.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), Error> {
        let tables = self.count_fault(self.tables())?;
        self.count(self.check_tables(&tables))?;
        for rule in tables.rules() {
            self.count(self.copy_of(&rule))?;
        }
        self.check_rest(&tables)
    }

    /// Proves the tables, then the rules one after the other, then what is left, `parts` of them at a time; says
    /// whether it came to the end, where it begins anew.
    ///
    /// # Errors
    /// The first fault; the next step goes on behind it.
    pub fn step(&self, parts: usize) -> Result<bool, Error> {
        for _ in 0..parts {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            let tables = self.count_fault(self.tables())?;
            if part == 0 {
                self.count(self.check_tables(&tables))?;
                continue;
            }
            let Some(rule) = tables.rule_at(u32::try_from(part - 1).unwrap_or(u32::MAX)) else {
                self.next.store(0, Ordering::Relaxed);
                self.check_rest(&tables)?;
                return Ok(true);
            };
            self.count(self.copy_of(&rule))?;
        }
        Ok(false)
    }

    /// Personas and workflows, by the digest of all outlines and bodies.
    fn check_rest(&self, tables: &Tables<'_>) -> Result<(), Error> {
        if tables.personas().len() + tables.workflows().len() == 0 {
            return Ok(());
        }
        let copy = self.bytes[Tables::front_len(&self.own)..Tables::digested_len_of(&self.own)].to_vec();
        self.count(tables.check_texts_in(&copy).map_err(Error::from))
    }

    /// The body of a rule: copied first, and the copy proved, so that what is read is what was proved.
    ///
    /// # Errors
    /// A rule that the pack does not have, or a fault.
    pub fn read(&self, id: &str) -> Result<String, Error> {
        let tables = self.count_fault(self.tables())?;
        let rule = tables.find_rule(id).ok_or_else(|| Error::no_rule(id))?;
        self.count(self.copy_of(&rule))
    }

    /// The tables of the copy, which is in nobody's reach; still it is memory, and looked at each time.
    fn tables(&self) -> Result<Tables<'_>, Error> {
        let tables = if self.own.len() < self.bytes.len() {
            Tables::check_front(&self.own, self.bytes.len())
        } else {
            Tables::check(&self.own)
        };
        Ok(tables?)
    }

    fn check_tables(&self, tables: &Tables<'_>) -> Result<(), Error> {
        tables.check_root()?;
        let start = Tables::front_len(&self.own);
        let behind = Tables::digested_len_of(&self.own);
        let own_behind = if self.own.len() < self.bytes.len() { start } else { behind };
        let same = self.bytes[..start] == self.own[..start] && self.bytes[behind..] == self.own[own_behind..];
        if same { Ok(()) } else { Err(Error::changed()) }
    }

    fn copy_of(&self, rule: &RuleHead<'_>) -> Result<String, Error> {
        let [_, (start, _)] = Tables::text_ranges(&self.own);
        let copy = self.bytes[start..][rule.body_range()].to_vec();
        let outline = self.bytes[Tables::front_len(&self.own)..][rule.outline_range()].to_vec();
        rule.prove_body_of(&copy, &outline)?;
        Ok(String::from_utf8(copy).expect("it was just found to be text"))
    }

    /// What is no proof of its own, and may be a fault.
    fn count_fault<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.is_err() { self.count(outcome) } else { outcome }
    }

    fn count<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match &outcome {
            Ok(_) => {
                self.proofs.fetch_add(1, Ordering::Relaxed);
            }
            Err(err) => {
                self.faults.fetch_add(1, Ordering::Relaxed);
                if let Some(call) = &self.on_fault {
                    call(err);
                }
            }
        }
        outcome
    }
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

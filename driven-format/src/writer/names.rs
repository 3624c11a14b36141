//! The names of a pack as they are written: each distinct text once.
//!
//! Texts that are kept from the names of another pack mostly come in the order that they have there. Runs of them are noted
//! and copied in one go; a text is only looked for when it is new, or there are too many runs.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::hash::hash;
use crate::wire::{StrRef, may_refer_to};

/// The names as they grow; each distinct text is there once.
#[derive(Default)]
pub(super) struct Names<'m> {
    text: String,
    /// The distinct texts in order; those of `taken` may be behind the end of `text` yet.
    places: Vec<StrRef>,
    /// Places by text: open addressing, at most half full; a reference of no length is a free slot. With a base it is made
    /// once it is worth it.
    slots: Vec<StrRef>,
    /// The names of the pack that is kept from.
    base: &'m str,
    /// What is being taken over from the base, at the end of `text`; `copied` bytes of it are there, and from `until` on the
    /// base was taken over before.
    taken: Run,
    copied: usize,
    until: u32,
    /// What was taken over before.
    runs: Vec<Run>,
    /// The places of texts that are not of the base, until there are slots; and their lengths, each a bit of 64.
    anew: Vec<StrRef>,
    anew_lens: u64,
    /// How many texts were looked for without slots.
    looked_for: usize,
    /// Bytes of all strings, each as often as it is referred to.
    referred: u64,
    /// What hashes begin with, so that nobody chooses texts that all meet in one slot.
    seed: u64,
}

/// How many texts are looked for one by one among all, before each is given a slot.
const LOOKED_FOR: usize = 32;
/// How many runs of the base are noted: who finds nothing in them looks for the text.
const MAX_RUNS: usize = 64;

/// A part of the names of a base that lies here as it lies there.
#[derive(Clone, Copy, Default)]
struct Run {
    /// Where it begins in the base.
    from: u32,
    len: u32,
    /// Where it begins here.
    to: u32,
}

impl Run {
    /// Where `len` bytes of the base from `at` on are here.
    #[inline]
    fn find(&self, at: u32, len: u32) -> Option<u32> {
        let behind = at.wrapping_sub(self.from);
        (behind < self.len && len <= self.len - behind).then(|| self.to + behind)
    }
}

impl<'m> Names<'m> {
    /// No names, and what hashes begin with.
    pub(super) fn seeded(seed: u64) -> Self {
        Names { seed, ..Names::default() }
    }

    /// Begins with room for what `base` has, from which texts are kept.
    pub(super) fn start_from(&mut self, base: &'m str) {
        self.base = base;
        self.text.reserve(base.len() + base.len() / 8);
        self.places.reserve(base.len() / 16);
    }

    /// All names, unless they are referred to too often.
    pub(super) fn finish(mut self) -> Result<String, Error> {
        self.copy_taken();
        if may_refer_to(self.referred, &self.text) {
            return Ok(self.text);
        }
        Err(Error::new(
            ErrorKind::Model,
            "the fields of all rules have more than 256 MiB of text that stands elsewhere too",
        ))
    }

    /// The place of `text`, a part of the names of the base; another text is looked for as by [`intern`](Self::intern).
    ///
    /// In a base that our writer wrote texts that differ in place differ, so that one that was not kept yet is only looked
    /// for among those that came anew. It is mostly the next of the base, and copied with those around it. Of another base
    /// other names come out, as of all that is kept.
    #[inline]
    pub(super) fn keep(&mut self, text: &str) -> StrRef {
        let at = (text.as_ptr() as usize).wrapping_sub(self.base.as_ptr() as usize);
        if at >= self.base.len() || text.is_empty() {
            return self.intern(text);
        }
        let (at, len) = (at as u32, text.len() as u32);
        self.referred += u64::from(len);
        if let Some(offset) = self.taken.find(at, len) {
            return StrRef { offset, len };
        }
        let goes_on = self.taken.len > 0 && at == self.taken.from + self.taken.len && at < self.until;
        if !goes_on {
            return self.keep_apart(text, at);
        }
        if self.may_be_anew(text)
            && let Some(place) = self.search(&self.anew, text)
        {
            return place;
        }
        let place = StrRef { offset: self.taken.to + self.taken.len, len };
        self.taken.len += len;
        self.places.push(place);
        place
    }

    /// The place of a text of the base that does not go on with what is being taken over.
    fn keep_apart(&mut self, text: &str, at: u32) -> StrRef {
        let len = text.len() as u32;
        if let Some(offset) = self.runs.iter().find_map(|run| run.find(at, len)) {
            return StrRef { offset, len };
        }
        if self.slots.is_empty() {
            if self.may_be_anew(text)
                && let Some(place) = self.search(&self.anew, text)
            {
                return place;
            }
            self.close_taken();
            if self.runs.len() < MAX_RUNS {
                let place = StrRef { offset: self.text.len() as u32, len };
                self.taken = Run { from: at, len, to: place.offset };
                let behind = self.runs.iter().map(|run| run.from).filter(|&from| from > at);
                self.until = behind.min().unwrap_or(u32::MAX);
                self.places.push(place);
                return place;
            }
        }
        self.intern_by_slot(text)
    }

    #[inline]
    fn may_be_anew(&self, text: &str) -> bool {
        self.anew_lens >> (text.len() % 64) & 1 != 0
    }

    /// Copies what is being taken over, which goes on all the same.
    fn copy_taken(&mut self) {
        let Run { from, len, .. } = self.taken;
        self.text.push_str(&self.base[from as usize + self.copied..(from + len) as usize]);
        self.copied = len as usize;
    }

    /// Copies what is being taken over; something else comes behind it.
    fn close_taken(&mut self) {
        self.copy_taken();
        let taken = core::mem::take(&mut self.taken);
        self.copied = 0;
        self.runs.extend((taken.len > 0).then_some(taken));
    }

    /// The place of `text`.
    pub(super) fn intern(&mut self, text: &str) -> StrRef {
        if text.is_empty() {
            return StrRef::default();
        }
        self.referred += text.len() as u64;
        if self.slots.is_empty() && !self.base.is_empty() && self.looked_for < LOOKED_FOR {
            self.looked_for += 1;
            self.copy_taken();
            return self.search(&self.places, text).unwrap_or_else(|| {
                let place = self.put(text, None);
                self.anew.push(place);
                self.anew_lens |= 1 << (text.len() % 64);
                place
            });
        }
        self.intern_by_slot(text)
    }

    fn intern_by_slot(&mut self, text: &str) -> StrRef {
        if 2 * self.places.len() >= self.slots.len() {
            self.index();
        }
        self.slot(text).unwrap_or_else(|slot| self.put(text, Some(slot)))
    }

    /// Finds `text` among these places.
    fn search(&self, places: &[StrRef], text: &str) -> Option<StrRef> {
        let len = text.len() as u32;
        places.iter().copied().find(|place| place.len == len && place.of(&self.text) == text)
    }

    /// Appends a text that has no place yet, and gives it the slot.
    fn put(&mut self, text: &str, slot: Option<usize>) -> StrRef {
        self.close_taken();
        let place = StrRef { offset: self.text.len() as u32, len: text.len() as u32 };
        self.text.push_str(text);
        self.places.push(place);
        if let Some(slot) = slot {
            self.slots[slot] = place;
        }
        place
    }

    /// The place of `text`, or the slot where it would be; there is a free one.
    fn slot(&self, text: &str) -> Result<StrRef, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(text.as_bytes(), self.seed) as usize & mask;
        loop {
            let place = self.slots[slot];
            if place.len == 0 {
                return Err(slot);
            }
            if place.of(&self.text) == text {
                return Ok(place);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Gives every text a slot, and has as many again.
    fn index(&mut self) {
        self.close_taken();
        self.slots = vec![StrRef::default(); (4 * self.places.len()).next_power_of_two().max(64)];
        for index in 0..self.places.len() {
            let place = self.places[index];
            if let Err(slot) = self.slot(place.of(&self.text)) {
                self.slots[slot] = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// Some number below `end`; the same in every run.
    fn draw(state: &mut u64, end: usize) -> usize {
        *state = crate::hash::mix(*state + 1);
        *state as usize % end
    }

    #[test]
    fn names_are_the_same_whether_texts_are_kept_or_come_anew() {
        let mut state = 0;
        for round in 0..400 {
            let texts = 1 + draw(&mut state, 300);
            let said: Vec<String> =
                (0..2 * texts).map(|_| format!("text-{}", draw(&mut state, texts))).collect();
            let mut old = Names::default();
            let places: Vec<StrRef> = said.iter().map(|text| old.intern(text)).collect();
            // Some are gone, some come from elsewhere, new or not, and in some rounds all of them.
            let (gone, other) = (1 + draw(&mut state, 40), [1, 30, 100][round % 3]);
            let (mut kept, mut anew) = (Names::default(), Names::default());
            kept.start_from(&old.text);
            let mut next = 0;
            while next < said.len() {
                let (was, is) = match draw(&mut state, 200) {
                    drawn if drawn < other => {
                        let text = format!("text-{}", draw(&mut state, 2 * texts));
                        (kept.intern(&text), anew.intern(&text))
                    }
                    _ => {
                        let text = places[next].of(&old.text);
                        (kept.keep(text), anew.intern(text))
                    }
                };
                assert_eq!(was, is, "round {round}");
                next += if draw(&mut state, gone) == 0 { 1 + draw(&mut state, 9) } else { 1 };
            }
            kept.copy_taken();
            assert_eq!((kept.text, kept.referred), (anew.text, anew.referred), "round {round}");
        }
    }

    #[test]
    fn names_that_come_in_order_are_copied_by_runs() {
        let said: Vec<String> = (0..500).map(|number| format!("text-{number}")).collect();
        let mut old = Names::default();
        let places: Vec<StrRef> = said.iter().map(|text| old.intern(text)).collect();
        let mut kept = Names::default();
        kept.start_from(&old.text);
        for (index, place) in places.iter().enumerate() {
            if index == 100 {
                kept.intern("something new");
            }
            if !(200..210).contains(&index) {
                kept.keep(place.of(&old.text));
            }
        }
        let ends = [(0, 100), (100, 200)].map(|(from, to)| places[to].offset - places[from].offset);
        assert_eq!(kept.runs.iter().map(|run| run.len).collect::<Vec<_>>(), ends);
        assert_eq!(kept.taken.len, old.text.len() as u32 - places[210].offset);
        assert_eq!((kept.places.len(), kept.anew.len(), kept.slots.len()), (491, 1, 0));
    }

    #[test]
    fn names_of_a_base_that_overlap_are_what_they_say() {
        let base = "abcdefgh";
        let mut kept = Names::default();
        kept.start_from(base);
        let texts = [&base[0..4], &base[2..6], &base[1..3], &base[4..8], &base[0..8]];
        let places = texts.map(|text| kept.keep(text));
        kept.copy_taken();
        assert_eq!(places.map(|place| place.of(&kept.text)), texts);
    }

    #[test]
    fn names_of_a_base_in_any_order_are_found_by_their_text() {
        let said: Vec<String> = (0..500).map(|number| format!("text-{number}")).collect();
        let mut old = Names::default();
        let places: Vec<StrRef> = said.iter().map(|text| old.intern(text)).collect();
        let (mut kept, mut anew) = (Names::default(), Names::default());
        kept.start_from(&old.text);
        for index in (0..1000).map(|number| number * 7 % 500) {
            let text = places[index].of(&old.text);
            assert_eq!(kept.keep(text), anew.intern(text), "{text}");
        }
        assert!(!kept.slots.is_empty(), "there are too many runs");
        kept.copy_taken();
        assert_eq!(kept.text, anew.text);
    }
}

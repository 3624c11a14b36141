//! The id index: from an id to the one rule that may have it.
//!
//! A perfect hash after Belazzougui, Botelho and Dietzfelbinger, "Hash,
//! displace, and compress" (2009): an id's bucket holds a displacement, which
//! with the id's hash gives a slot, which holds a row. The displacement is
//! mixed in before the slot is taken, so that two ids of one bucket can always
//! be parted. A look-up then compares the id itself. Law: `docs/FORMAT.md`, "Ids".

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::hash::{hash, mix, reduce};
use crate::wire::{Record, Table, records, to_bytes};

/// A slot that no rule has.
pub(crate) const NO_RULE: u32 = u32::MAX;
/// Ids in a bucket, on average.
const BUCKET_SIZE: usize = 4;
/// Ids in a bucket at most: chance does not bring more together, and it takes long to place them.
const MAX_BUCKET: usize = 32;
/// Seeds that are tried before a set of ids is given up.
const MAX_SEEDS: u32 = 64;

records! {
    /// The head of the id index; displacements and slots follow it.
    pub struct IdsRecord {
        /// Seed of the hash.
        pub seed: u32,
        /// How many displacements of two bytes follow.
        pub bucket_count: u32,
        /// How many slots of four bytes follow these.
        pub slot_count: u32,
        /// Zero.
        pub reserved: u32,
    }
}

const HEAD: usize = IdsRecord::SIZE;

/// The row that `id` has, if the pack has it at all.
#[inline]
pub(crate) fn candidate(section: &[u8], id: &str) -> Option<u32> {
    let head = IdsRecord::read(section);
    let (buckets, slots) = (head.bucket_count, head.slot_count);
    if slots == 0 {
        return None;
    }
    let hash = hash(id.as_bytes(), u64::from(head.seed));
    let bucket = HEAD + 2 * reduce(hash, buckets) as usize;
    let displacement = u16::from_le_bytes([section[bucket], section[bucket + 1]]);
    let slot = HEAD + 2 * buckets as usize + 4 * slot(hash, displacement, slots) as usize;
    let row = crate::wire::u32_at(section, slot);
    (row != NO_RULE).then_some(row)
}

fn slot(hash: u64, displacement: u16, slots: u32) -> u32 {
    reduce(mix(hash ^ mix(u64::from(displacement))), slots)
}

/// Proves lengths, and that every slot holds a rule or none.
pub(crate) fn check(section: &[u8], rule_count: u32) -> Result<(), Error> {
    let Some(head) = section.get(..HEAD) else {
        return Err(Error::malformed("ids: shorter than its head"));
    };
    let head = IdsRecord::read(head);
    let (buckets, slots) = ((head.bucket_count as usize), (head.slot_count as usize));
    let len = HEAD as u64 + 2 * buckets as u64 + 4 * slots as u64;
    if section.len() as u64 != len || head.reserved != 0 || (buckets == 0) != (slots == 0) {
        return Err(Error::malformed(format!("ids: {} bytes, its head says {len}", section.len())));
    }
    let slots: Table<'_, u32> = Table::new(&section[HEAD + 2 * buckets..]);
    let known = slots.iter().all(|slot| slot < rule_count || slot == NO_RULE);
    if known { Ok(()) } else { Err(Error::malformed("ids: a slot names a rule that is not there")) }
}

/// Builds the section for ids that are distinct.
pub(crate) fn build(ids: &[&str]) -> Result<Vec<u8>, Error> {
    if ids.is_empty() {
        return Ok(vec![0; HEAD]);
    }
    let buckets = ids.len().div_ceil(BUCKET_SIZE) as u32;
    let slots = (ids.len() + ids.len().div_ceil(4)) as u32;
    let (seed, displacements, rows) = (0..MAX_SEEDS)
        .find_map(|seed| place(ids, seed, buckets, slots).map(|(d, r)| (seed, d, r)))
        .ok_or_else(|| Error::new(ErrorKind::Model, "no perfect hash found for these ids"))?;
    let head = IdsRecord { seed, bucket_count: buckets, slot_count: slots, reserved: 0 };
    Ok([to_bytes(&[head]), to_bytes(&displacements), to_bytes(&rows)].concat())
}

/// Displacements and slots under one seed, or nothing if some bucket finds no place.
fn place(ids: &[&str], seed: u32, buckets: u32, slots: u32) -> Option<(Vec<u16>, Vec<u32>)> {
    let hashes: Vec<u64> = ids.iter().map(|id| hash(id.as_bytes(), u64::from(seed))).collect();
    // The members of all buckets, one bucket after another, and where each begins and ends.
    let mut ends = vec![0_u32; buckets as usize + 1];
    for &hash in &hashes {
        ends[reduce(hash, buckets) as usize + 1] += 1;
    }
    if ends.iter().any(|&len| len as usize > MAX_BUCKET) {
        return None;
    }
    let mut order: Vec<u32> = (0..buckets).collect();
    order.sort_by_key(|&bucket| u32::MAX - ends[bucket as usize + 1]);
    for bucket in 0..buckets as usize {
        ends[bucket + 1] += ends[bucket];
    }
    let mut members = vec![(0, 0); ids.len()];
    for (row, &hash) in hashes.iter().enumerate() {
        let next = &mut ends[reduce(hash, buckets) as usize];
        members[*next as usize] = (hash, row as u32);
        *next += 1;
    }
    // By now it is where each one ends.
    let mut displacements = vec![0; buckets as usize];
    let mut rows = vec![NO_RULE; slots as usize];
    let mut places = [0; MAX_BUCKET];
    for bucket in order {
        let bucket = bucket as usize;
        let start = bucket.checked_sub(1).map_or(0, |before| ends[before]);
        let ids = &members[start as usize..ends[bucket] as usize];
        let places = &mut places[..ids.len()];
        let displacement = (0..=u16::MAX).find(|&d| fits(ids, d, &rows, places))?;
        displacements[bucket] = displacement;
        for (&place, &(_, row)) in places.iter().zip(ids) {
            rows[place as usize] = row;
        }
    }
    Some((displacements, rows))
}

/// Whether ids find free places with this displacement; finds all of them first, which no branch has to guess.
fn fits(ids: &[(u64, u32)], displacement: u16, rows: &[u32], places: &mut [u32]) -> bool {
    let mut is_free = true;
    for (place, &(hash, _)) in places.iter_mut().zip(ids) {
        *place = slot(hash, displacement, rows.len() as u32);
        is_free &= rows[*place as usize] == NO_RULE;
    }
    is_free && (1..places.len()).all(|index| !places[..index].contains(&places[index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn every_id_finds_its_row() {
        for count in [1usize, 2, 5, 448, 10_000] {
            let ids: Vec<String> = (0..count).map(|n| format!("group-{}/rule-{n}", n % 7)).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let section = build(&ids).expect("distinct ids have a perfect hash");
            check(&section, count as u32).expect("what was built is in order");
            for (row, id) in ids.iter().enumerate() {
                assert_eq!(candidate(&section, id), Some(row as u32), "{id} of {count}");
            }
        }
    }

    #[test]
    fn ids_that_meet_are_given_up_before_they_are_placed() {
        let ids: Vec<String> = (0..=MAX_BUCKET).map(|n| format!("rule-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let room = 65_536;
        assert!(place(&ids, 0, 1, room).is_none(), "all are in the one bucket");
        assert!(place(&ids[1..], 0, 1, room).is_some());
    }

    #[test]
    fn an_empty_index_holds_nothing() {
        let section = build(&[]).expect("nothing is distinct");
        check(&section, 0).expect("in order");
        assert_eq!(candidate(&section, "any"), None);
    }
}

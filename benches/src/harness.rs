//! Times contestants side by side.
//!
//! Every round runs each contestant once, for a few milliseconds, in turn, so
//! that all see the same weather on a shared machine. A figure is the median of
//! its rounds; a ratio is the median of the rounds' ratios.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds of a comparison.
const ROUNDS: usize = 41;
/// How long a contestant runs in one round.
const SLICE: Duration = Duration::from_millis(4);

/// One way to do the job.
pub struct Contestant<'c> {
    name: String,
    run: Box<dyn FnMut() -> usize + 'c>,
}

/// Makes a contestant; what `run` gives is kept from being optimised away.
pub fn contestant<'c>(name: impl Into<String>, run: impl FnMut() -> usize + 'c) -> Contestant<'c> {
    Contestant { name: name.into(), run: Box::new(run) }
}

/// What a comparison gave.
pub struct Timed {
    /// The contestant.
    pub name: String,
    /// Nanoseconds a call, in every round.
    rounds: Vec<f64>,
}

impl Timed {
    /// The median, in nanoseconds.
    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The quarter and three-quarter points, in nanoseconds.
    pub fn spread(&self) -> (f64, f64) {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        (sorted[sorted.len() / 4], sorted[sorted.len() * 3 / 4])
    }

    /// How many times longer this takes than `other`: the median of the rounds' ratios.
    pub fn over(&self, other: &Timed) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(own, other)| own / other).collect())
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs all contestants in turn.
pub fn race(mut contestants: Vec<Contestant<'_>>) -> Vec<Timed> {
    let calls: Vec<u32> = contestants.iter_mut().map(|contestant| calibrate(&mut contestant.run)).collect();
    let mut timed: Vec<Timed> = contestants
        .iter()
        .map(|contestant| Timed { name: contestant.name.clone(), rounds: Vec::new() })
        .collect();
    for _ in 0..ROUNDS {
        for ((contestant, &calls), timed) in contestants.iter_mut().zip(&calls).zip(&mut timed) {
            let start = Instant::now();
            for _ in 0..calls {
                black_box((contestant.run)());
            }
            timed.rounds.push(start.elapsed().as_nanos() as f64 / f64::from(calls));
        }
    }
    timed
}

/// How many calls fill a slice; warms up on the way.
fn calibrate(run: &mut impl FnMut() -> usize) -> u32 {
    let mut calls = 1;
    loop {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(run());
        }
        let elapsed = start.elapsed();
        if elapsed * 2 > SLICE || calls > 1 << 24 {
            return calls.max((f64::from(calls) * SLICE.as_secs_f64() / elapsed.as_secs_f64()) as u32).max(1);
        }
        calls *= 2;
    }
}

/// Processor time of the finished children of this process, in seconds.
pub fn children_cpu() -> f64 {
    cpu(libc::RUSAGE_CHILDREN)
}

/// Processor time of this process, in seconds.
pub fn own_cpu() -> f64 {
    cpu(libc::RUSAGE_SELF)
}

fn cpu(who: libc::c_int) -> f64 {
    // SAFETY: all-zero bytes are a value of this plain C struct, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

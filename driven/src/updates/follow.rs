//! Following a tree: asking again and again, and being patient with who can't answer.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::{Pulled, Updates};
use crate::error::Error;
use crate::state::RuleStore;

/// How long a server is asked to put off the answer that nothing changed.
const WAIT: Duration = Duration::from_secs(25);
/// The least time between two questions, also where the answers come at once.
const LEAST: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const MOST: Duration = Duration::from_hours(1);

/// What became of one question of [`Updates::follow`].
pub type Round = Result<Option<Pulled>, Error>;

/// Ends [`Updates::follow`], from any thread.
#[derive(Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Stops whoever follows with this: at once in a pause, or after the answer that is waited for.
    pub fn stop(&self) {
        let (flag, changed) = &*self.0;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Whether it was said to stop.
    pub fn is_stopped(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses; says whether it was said to stop.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let (flag, changed) = &*self.0;
        let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(flag, length, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_stopped()).finish()
    }
}

impl Updates {
    /// Pulls into a store whenever something else is current, until it is stopped; for a thread of its own.
    ///
    /// A server that can is asked to answer when something changed; others are asked every `interval`, a little more or
    /// less. After failures the pauses double, up to an hour. `told` is called with what became of every question: also
    /// when there is nothing newer, which is when to ask whether what is held is still good, as by its expiry.
    ///
    /// ```no_run
    /// # fn run(store: &driven::state::RuleStore) -> Result<(), driven::Error> {
    /// use driven::updates::{Stop, Updates};
    /// use std::time::Duration;
    ///
    /// let stop = Stop::default();
    /// let mut updates = Updates::at("https://rules.example.com/house")?;
    /// std::thread::scope(|threads| {
    ///     threads.spawn(|| {
    ///         updates.follow(store, Duration::from_secs(60), &stop, |round| match round {
    ///             Ok(Some(pulled)) => eprintln!("rules: version {}", pulled.version),
    ///             Ok(None) => {}
    ///             Err(err) => eprintln!("rules stay as they are: {err}"),
    ///         });
    ///     });
    ///     // ... the program ...
    ///     stop.stop();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow(
        &mut self,
        store: &RuleStore,
        interval: Duration,
        stop: &Stop,
        mut told: impl FnMut(&Round),
    ) {
        let mut failures = 0;
        // Whether the server itself does the waiting.
        let mut waits = false;
        self.stop = stop.clone();
        while !stop.is_stopped() {
            let asked = Instant::now();
            let round = self.pull_waiting(store, WAIT);
            if round.is_err() && stop.is_stopped() {
                break;
            }
            told(&round);
            if matches!(round, Ok(None)) {
                waits = asked.elapsed() >= WAIT / 2;
            }
            let pause = match &round {
                Ok(_) if waits => LEAST,
                Ok(_) => spread(interval.max(LEAST)),
                Err(err) => match err.retry_after() {
                    Some(after) => spread_beyond(after.max(LEAST)),
                    None => backoff(failures, interval.max(LEAST), MOST),
                },
            };
            failures = if round.is_err() { failures.saturating_add(1) } else { 0 };
            stop.pause(pause);
        }
        self.stop = Stop::default();
    }
}

/// How long to pause after so many failures before: doubling from `first` up to `most`, and spread.
pub(super) fn backoff(failures: u32, first: Duration, most: Duration) -> Duration {
    spread(first.saturating_mul(1 << failures.min(16)).min(most))
}

/// Between three quarters and all of a pause, so that many programs don't ask at once.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + 0.25 * fastrand::f64())
}

/// All of a pause that was asked for, and up to a quarter more.
pub(super) fn spread_beyond(pause: Duration) -> Duration {
    pause.saturating_add(pause.mul_f64(0.25 * fastrand::f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_somewhere() {
        let (first, most) = (Duration::from_secs(1), Duration::from_mins(1));
        for (failures, whole) in [(0, 1), (1, 2), (3, 8), (6, 60), (u32::MAX, 60)] {
            let whole = Duration::from_secs(whole);
            for _ in 0..50 {
                let pause = backoff(failures, first, most);
                assert!((whole.mul_f64(0.75)..=whole).contains(&pause), "{failures}: {pause:?}");
            }
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_left_alone_that_long() {
        let asked = Duration::from_mins(2);
        for _ in 0..50 {
            assert!((asked..=asked.mul_f64(1.25)).contains(&spread_beyond(asked)));
        }
        assert_eq!(spread_beyond(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn who_pauses_is_stopped_at_once() {
        let stop = Stop::default();
        std::thread::scope(|threads| {
            let pausing = threads.spawn(|| stop.pause(Duration::from_hours(1)));
            stop.stop();
            assert!(pausing.join().expect("it does not panic"));
        });
        assert!(stop.is_stopped());
    }
}

//! The one place that swaps: a version behind a pointer, and the number of the newest beside it.
//!
//! A writer puts the version there, then counts. A reader that sees the count sees the version too, so that looking at
//! the count is enough to know that what it holds is current. Law: `docs/UPDATES.md`, "State". Both parts are behind
//! traits, so that `loom` can run every order of events over the same code.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// What is swapped knows its number.
pub(super) trait Numbered {
    fn number(&self) -> u64;
}

/// A pointer that is swapped while it is read.
pub(super) trait Pointer<T> {
    fn new(first: Arc<T>) -> Self;
    fn store(&self, version: Arc<T>);
    fn load(&self) -> Arc<T>;
}

/// A number that is written with `Release` and read with `Acquire`.
pub(super) trait Counter {
    fn new(first: u64) -> Self;
    fn store(&self, number: u64);
    fn load(&self) -> u64;
}

impl<T> Pointer<T> for ArcSwap<T> {
    fn new(first: Arc<T>) -> Self {
        ArcSwap::new(first)
    }

    fn store(&self, version: Arc<T>) {
        ArcSwap::store(self, version);
    }

    fn load(&self) -> Arc<T> {
        self.load_full()
    }
}

impl Counter for AtomicU64 {
    fn new(first: u64) -> Self {
        AtomicU64::new(first)
    }

    fn store(&self, number: u64) {
        AtomicU64::store(self, number, Ordering::Release);
    }

    #[inline]
    fn load(&self) -> u64 {
        AtomicU64::load(self, Ordering::Acquire)
    }
}

/// The current version and its number.
pub(super) struct Swap<T, P = ArcSwap<T>, C = AtomicU64> {
    version: P,
    newest: C,
    holds: core::marker::PhantomData<T>,
}

impl<T: Numbered, P: Pointer<T>, C: Counter> Swap<T, P, C> {
    pub(super) fn new(first: T) -> Self {
        let newest = C::new(first.number());
        Swap { version: P::new(Arc::new(first)), newest, holds: core::marker::PhantomData }
    }

    /// Makes a version current. One writer at a time, and numbers only rise.
    pub(super) fn publish(&self, version: Arc<T>) {
        let number = version.number();
        self.version.store(version);
        self.newest.store(number);
    }

    /// The current version; it is at least as new as every number that was seen.
    pub(super) fn load(&self) -> Arc<T> {
        self.version.load()
    }

    /// The number of the newest version.
    #[inline]
    pub(super) fn newest(&self) -> u64 {
        self.newest.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::sync::RwLock;
    use loom::sync::atomic::AtomicU64 as Number;
    use loom::thread;

    struct Version(u64);

    impl Numbered for Version {
        fn number(&self) -> u64 {
            self.0
        }
    }

    /// `arc_swap` is taken at its word: a pointer that is whole whenever it is read.
    struct Locked(RwLock<Arc<Version>>);

    impl Pointer<Version> for Locked {
        fn new(first: Arc<Version>) -> Self {
            Locked(RwLock::new(first))
        }

        fn store(&self, version: Arc<Version>) {
            *self.0.write().expect("nobody panics") = version;
        }

        fn load(&self) -> Arc<Version> {
            Arc::clone(&self.0.read().expect("nobody panics"))
        }
    }

    impl Counter for Number {
        fn new(first: u64) -> Self {
            Number::new(first)
        }

        fn store(&self, number: u64) {
            Number::store(self, number, Ordering::Release);
        }

        fn load(&self) -> u64 {
            Number::load(self, Ordering::Acquire)
        }
    }

    type Modelled = Swap<Version, Locked, Number>;

    #[test]
    fn whoever_sees_a_number_sees_its_version() {
        loom::model(|| {
            let swap = Arc::new(Modelled::new(Version(0)));
            let writer = {
                let swap = Arc::clone(&swap);
                thread::spawn(move || (1..=2).for_each(|number| swap.publish(Arc::new(Version(number)))))
            };
            let mut held = swap.load();
            for _ in 0..2 {
                let newest = swap.newest();
                if newest > held.0 {
                    held = swap.load();
                    assert!(held.0 >= newest, "{} was held, {newest} was seen", held.0);
                }
            }
            writer.join().expect("it ends");
            assert_eq!((swap.newest(), swap.load().0), (2, 2));
        });
    }

    /// The same with the steps of a writer the other way round: the model must find it out.
    #[test]
    #[should_panic(expected = "was seen")]
    fn the_model_finds_a_writer_that_counts_first() {
        loom::model(|| {
            let swap = Arc::new(Modelled::new(Version(0)));
            let writer = {
                let swap = Arc::clone(&swap);
                thread::spawn(move || {
                    Counter::store(&swap.newest, 1);
                    swap.version.store(Arc::new(Version(1)));
                })
            };
            let newest = swap.newest();
            let held = swap.load();
            assert!(held.0 >= newest, "{} was held, {newest} was seen", held.0);
            writer.join().expect("it ends");
        });
    }
}

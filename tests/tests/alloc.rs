//! No query allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` asked the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The one test of this binary: others would allocate beside it.
#[test]
fn no_query_allocates() {
    let bytes = driven_tests::samples::small_signed();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let pack = driven::Pack::open(&bytes).expect("in order");
    let mut seen = 0;
    for path in ["src/main.rs", "crates/a/Cargo.toml", "docs/a.md", "a.spec.ts"] {
        for rule in pack.for_path(path) {
            seen += rule.sections().count()
                + rule.items().count()
                + rule.globs().iter().map(str::len).sum::<usize>();
        }
    }
    seen += pack.tagged("errors").count() + pack.for_language("rust").count();
    seen += pack.activated(driven::Activation::Manual).count()
        + pack.in_category(driven::Category::ErrorHandling).count();
    seen += pack.rule("rust/errors").map_or(0, |rule| rule.body().len())
        + pack.rules().map(|rule| rule.id().len()).sum::<usize>();
    seen += pack.personas().map(|persona| persona.body().len()).sum::<usize>();
    seen += pack.workflows().map(|workflow| workflow.steps().count()).sum::<usize>();
    let lazy = driven::LazyPack::open(&bytes).expect("in order");
    seen += lazy.rule("style").expect("it is there").read().expect("in order").body().len();
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!(after - before, 0, "opening and asking allocated; {seen} things were seen");
}

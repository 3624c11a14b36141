//! Rules in a program without the standard library and without a heap.
//!
//! Built by itself: `cargo run --manifest-path examples/no-std/Cargo.toml`. It
//! prints with the C library's `write`; everything else is Rust's `core`. The
//! allocator has nothing to give, so that the program also shows that reading
//! rules takes no memory.

#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_int, c_void};
use core::panic::PanicInfo;

driven::include_rules!(mod rules);

unsafe extern "C" {
    fn write(file: c_int, bytes: *const c_void, len: usize) -> isize;
    fn abort() -> !;
}

fn print(text: &str) {
    // SAFETY: the pointer and the length are those of `text`, which lives through the call.
    unsafe { write(1, text.as_ptr().cast(), text.len()) };
}

/// The C library calls this.
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    for rule in rules::PACK.for_path("src/interrupt.rs") {
        print(rule.id());
        print(": ");
        print(rule.description());
        print("\n");
    }
    print(rules::get(rules::ids::INTERRUPTS).body());
    0
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: `abort` has no preconditions.
    unsafe { abort() }
}

/// Rust's own `alloc` comes compiled for unwinding and names this; with `panic = "abort"` nobody calls it.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

struct NoHeap;

// SAFETY: no block is ever given out, so none can be misused.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;

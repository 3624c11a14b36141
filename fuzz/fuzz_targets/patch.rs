#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| driven_tests::fuzz::patch(bytes));

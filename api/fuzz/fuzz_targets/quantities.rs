//! See `targets.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| squall_api_fuzz::quantities(data));

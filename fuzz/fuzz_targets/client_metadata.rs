//! See `keywright_parsers::client_metadata`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _either = keywright_parsers::client_metadata(input);
});

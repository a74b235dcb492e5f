//! See `keywright_parsers::jwk_set`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _either = keywright_parsers::jwk_set(input);
});

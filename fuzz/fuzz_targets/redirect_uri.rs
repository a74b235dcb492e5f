//! See `keywright_parsers::redirect_uri`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _either = keywright_parsers::redirect_uri(input);
});

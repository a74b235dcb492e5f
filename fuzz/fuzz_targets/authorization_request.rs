//! See `keywright_parsers::authorization_request`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _either = keywright_parsers::authorization_request(input);
});

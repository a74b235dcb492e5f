//! See `keywright_parsers::credential`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _either = keywright_parsers::credential(input);
});

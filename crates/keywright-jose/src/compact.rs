//! The compact serialisation: base64url parts with dots between them, and nothing else.

/// The longest token that is looked at, in bytes. Real ones are 1 to 4 KiB; a JWE with a
/// certificate chain in its header stays far below. (A 500 MB header is how CVE-2025-61920 worked.)
pub const MAX_TOKEN_LEN: usize = 64 * 1024;

/// Splits into exactly `N` parts, or says why not.
pub(crate) fn split<const N: usize>(token: &str) -> Result<[&str; N], &'static str> {
    if token.len() > MAX_TOKEN_LEN {
        return Err("longer than 64 KiB");
    }
    split_any(token)
}

/// Splits what may be as long as it is.
pub(crate) fn split_any<const N: usize>(token: &str) -> Result<[&str; N], &'static str> {
    let mut parts = token.split('.');
    let mut out = [""; N];
    for slot in &mut out {
        *slot = parts.next().ok_or("too few parts")?;
    }
    match parts.next() {
        Some(_) => Err("too many parts"),
        None => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7515_7_1_exactly_the_parts_asked_for() {
        assert_eq!(split::<3>("a.b.c"), Ok(["a", "b", "c"]));
        assert_eq!(split::<3>("a..c"), Ok(["a", "", "c"]));
        assert_eq!(split::<3>("a.b"), Err("too few parts"));
        assert_eq!(split::<3>("a.b.c.d"), Err("too many parts"));
        assert_eq!(split::<1>(&"a".repeat(MAX_TOKEN_LEN)).map(|[part]| part.len()), Ok(65_536));
        assert_eq!(split::<1>(&"a".repeat(MAX_TOKEN_LEN + 1)), Err("longer than 64 KiB"));
    }
}

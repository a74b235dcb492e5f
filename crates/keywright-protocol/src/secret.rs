//! Values that must never be printed, serialised or copied.

use std::fmt;

use zeroize::Zeroize;

/// A secret: no `Display`, no `Serialize`, no `Clone`; wiped when dropped.
///
/// ```
/// use keywright_protocol::secret::Secret;
/// let password = Secret::new(String::from("correct horse"));
/// assert_eq!(format!("{password:?}"), "[secret]");
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value that is secret from now on.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; every call site is listed by `cargo xtask tidy --exposures`.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

//! How a verb ends inside its transaction: it is kept, or everything it did is undone.

use std::convert::Infallible;

use crate::StoreFault;

/// What a verb's transaction says: keep `T`, or undo all.
pub(crate) type Attempt<T, O> = Result<T, Undo<O>>;

/// Why everything that a verb did is undone.
#[derive(Debug)]
pub(crate) enum Undo<O> {
    /// The store failed.
    Fault(StoreFault),
    /// The verb ends in an outcome that changes nothing.
    Verdict(O),
}

impl<O> From<StoreFault> for Undo<O> {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault)
    }
}

impl<O> Undo<O> {
    /// The store's failure, if it is one.
    pub(crate) const fn fault(&self) -> Option<&StoreFault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Verdict(_) => None,
        }
    }

    /// For verbs whose outcomes do not name it: what must be used once was used before.
    pub(crate) fn used_before() -> Self {
        StoreFault::Unavailable("a one-time value was used before".to_owned()).into()
    }
}

/// Splits an attempt after its transaction: the inner `Err` is a verdict that changed nothing.
pub(crate) fn judged<T, O>(attempt: Attempt<T, O>) -> Result<Result<T, O>, StoreFault> {
    match attempt {
        Ok(kept) => Ok(Ok(kept)),
        Err(Undo::Verdict(verdict)) => Ok(Err(verdict)),
        Err(Undo::Fault(fault)) => Err(fault),
    }
}

/// The outcome of a verb that names it in both ways.
pub(crate) fn either<O>(outcome: Result<O, O>) -> O {
    outcome.unwrap_or_else(|verdict| verdict)
}

/// The outcome of a verb that undoes nothing: where it changes nothing it says so by its value.
pub(crate) fn kept<T>(outcome: Result<T, Infallible>) -> T {
    match outcome {
        Ok(value) => value,
    }
}

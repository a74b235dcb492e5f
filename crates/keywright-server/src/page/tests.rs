//! What holds for every page: the contract's names, and that nothing hostile comes alive.

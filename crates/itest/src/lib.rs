//! Tests that need the whole workspace live in `tests/itest`.

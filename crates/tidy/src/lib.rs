//! Tests of the repository itself. Nothing is built from here: see `tests/tidy/`.

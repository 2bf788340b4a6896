//! Tests of the repository itself: crate directions, purity, sizes, licences, generated tables.

//! The stentor program: configuration, command line, wiring.

//! The deterministic simulator: the same engine and entities, driven from a seed, and its checkers.

//! Records and logs with group commit, on several engines.

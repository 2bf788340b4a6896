//! actix: the registry, entity actors, timers, store threads and drain.

//! Two members in one process, over one store: what one has for the other goes by a channel instead of a link.

mod client;
mod moving;
mod pair;
mod taking_over;

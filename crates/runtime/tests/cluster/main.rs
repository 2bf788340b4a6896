//! A cluster in one process, over real sockets.

mod authority;
mod members;
mod strangers;
mod world;

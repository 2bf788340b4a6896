//! A cluster in one process, over real sockets.

mod authority;
mod cuts;
mod members;
mod proxy;
mod strangers;
mod world;

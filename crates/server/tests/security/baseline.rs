//! What a server has before a row, and that it has no more than that once the row's clients are gone. `server.rs` asks
//! it of each server that a row has for itself, when the row lets go of it; `main.rs` after each of the others.

use crate::client::Client;
use crate::server::{Server, address, many, wait_for};
use crate::told::figures;

/// What may be left behind in memory: caches, records of addresses, what the allocator keeps. With all the connections
/// that S022 asks for, the last is much; `crowds.rs` sees to it that more of them add nothing.
const LEFT_BYTES_MAX: u64 = 24 * 1_024 * 1_024;
/// Files of the store, or connections to it, that may have been opened meanwhile.
const FILES_MAX: usize = 24;
/// Threads for blocking work, as those that derive keys, which stay for some seconds; and one of the store's.
const POOL_MAX: usize = 4;

/// Who comes once a row is over, and is served.
const AFTER: &str = "after@example.org/phone";

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    descriptors: usize,
    threads: usize,
    resident: u64,
}

impl Baseline {
    pub(crate) fn of(server: &Server) -> Self {
        Self { descriptors: server.descriptors(), threads: server.threads(), resident: server.resident() }
    }

    /// Bytes that the server has more of than at first.
    pub(crate) fn kept(&self, server: &Server) -> u64 {
        server.resident().saturating_sub(self.resident)
    }

    /// Waits until the server has what it had, but for what `clients` take that are still there: descriptors, threads,
    /// tasks, which are an actor for each connection and for each entity, and memory.
    pub(crate) fn returns(&self, server: &Server, clients: usize) {
        wait_for("descriptors are closed", || server.descriptors() <= self.descriptors + FILES_MAX + clients);
        wait_for("threads end", || server.threads() <= self.threads + POOL_MAX);
        // An account stays loaded for a minute after it was used; nobody else does.
        let accounts = server.accounts();
        let most = [
            ("connections", clients),
            ("sessions", clients),
            ("entities", accounts),
            ("store_write_sets_waiting", 0),
            ("store_queries_waiting", 0),
        ];
        for (name, most) in most {
            let figure = |http| figures(http)[&format!("stentor_{name}")];
            wait_for(name, || server.http.is_none_or(|http| figure(http) <= most as f64));
        }
        let kept = self.kept(server);
        assert!(kept < many(1, 16) as u64 * LEFT_BYTES_MAX, "{kept} bytes are left behind");
    }

    /// All of a server's rows are over.
    pub(crate) fn has_returned(&self, server: &Server) {
        server.account("after@example.org");
        Client::online(server, address("after"), AFTER).talk_to_itself(AFTER);
        self.returns(server, 0);
        println!("{} kB are left behind", self.kept(server) / 1_024);
    }
}

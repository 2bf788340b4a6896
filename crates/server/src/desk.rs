//! Who answers on the control socket from the first to the last: at the start, as long as the store is waited for, that
//! it is; then the running server.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::config::Config;
use crate::control::{
    ControlError, ControlErrorKind, ControlFuture, ControlHandler, ControlRequest, ControlResponse,
};
use crate::server::{Phase, Server};

/// See the module.
pub(crate) struct Desk {
    waits: &'static str,
    phase: watch::Sender<Phase>,
    running: OnceLock<Arc<Server>>,
}

impl Desk {
    /// Of a server that starts; whoever ends it says so by `phase`.
    pub(crate) fn new(config: &Config, phase: watch::Sender<Phase>) -> Self {
        let waits = match (config.store.embedded(), &config.cluster) {
            (Some(_), _) => "the server starts: it opens its store",
            (None, None) => "the server starts: it waits for its database",
            (None, Some(_)) => "the server starts: it waits for its database, or to be let into the cluster",
        };
        Self { waits, phase, running: OnceLock::new() }
    }

    /// It runs from now on.
    pub(crate) fn open(&self, server: Arc<Server>) {
        // It is told once.
        let _ = self.running.set(server);
    }

    fn starting(&self, request: &ControlRequest) -> Result<ControlResponse, ControlError> {
        match request {
            ControlRequest::Shutdown { .. } => {
                self.phase.send_replace(Phase::Ending);
                Ok(ControlResponse::Done)
            }
            _ => Err(ControlError::new(ControlErrorKind::Unavailable, self.waits)),
        }
    }
}

impl ControlHandler for Desk {
    fn handle(&self, request: ControlRequest) -> ControlFuture<'_> {
        match self.running.get() {
            Some(server) => server.handle(request),
            None => Box::pin(async move { self.starting(&request) }),
        }
    }
}

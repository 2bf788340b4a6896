//! XEP-0012 Last Activity, version 2.0: of an account that is away, and the server's uptime.

use super::User;
use super::iq::{Answer, Request, only_get};
use stentor_xml::ElementBuilder;
use stentor_xmpp::{Condition, ns};

impl User {
    /// Seconds since the account was last available (3), for those who see its presence.
    pub(crate) fn last_activity(&self, request: &Request<'_>) -> Answer {
        only_get(request)?;
        // 3 says `forbidden`, RFC 6121 8.5.1 `service-unavailable` where there is no account; the latter for both, so
        // that nobody learns which it is.
        self.check_trusted(request)?;
        let is_here = !self.resources.is_empty();
        let (seconds, status) = match &self.last_activity {
            _ if is_here => (0, ""),
            Some((at, status)) => (request.now.unix.saturating_sub(*at) / 1_000, &**status),
            None => return Err(Condition::ItemNotFound.into()),
        };
        let query = ElementBuilder::new("query", ns::LAST_ACTIVITY).attr("seconds", seconds.to_string());
        Ok(Some(query.text(status).build()))
    }

    /// Seconds since the server started (5).
    pub(crate) fn server_uptime(&self, request: &Request<'_>) -> Answer {
        only_get(request)?;
        let seconds = request.now.unix.saturating_sub(self.hosts.started) / 1_000;
        Ok(Some(ElementBuilder::new("query", ns::LAST_ACTIVITY).attr("seconds", seconds.to_string()).build()))
    }
}

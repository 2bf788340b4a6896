//! XEP-0012 Last Activity, version 2.0: of an account that is away, and the server's uptime.

use super::User;
use super::iq::{Answer, Request};
use stentor_xml::ElementBuilder;
use stentor_xmpp::{Condition, IqType, ns};

impl User {
    /// Seconds since the account was last available (3), for those who see its presence.
    pub(crate) fn last_activity(&self, request: &Request<'_>) -> Answer {
        if request.kind != IqType::Get {
            return Err(Condition::NotAllowed.into());
        }
        // 3: forbidden to those who are not subscribed; the same where there is no account.
        self.check_trusted(request).map_err(|_| Condition::Forbidden)?;
        let is_here = self.resources.iter().any(|resource| resource.presence.is_some());
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
        if request.kind != IqType::Get {
            return Err(Condition::NotAllowed.into());
        }
        let seconds = request.now.unix.saturating_sub(self.hosts.started) / 1_000;
        Ok(Some(ElementBuilder::new("query", ns::LAST_ACTIVITY).attr("seconds", seconds.to_string()).build()))
    }
}

//! UTS 39: names of accounts that a reader could take for one another.

use crate::Administration;
use crate::limits::NAMES_PAGE;
use stentor_store::Fault;
use stentor_xmpp::BareJid;
use unicode_security::confusable_detection::skeleton;

impl Administration {
    /// Whether the name looks like that of an account of the same host. Reads the names of all accounts, so it is for what
    /// is done seldom, and one at a time.
    ///
    /// # Errors
    /// The store could not be read through.
    pub async fn has_lookalike(&self, jid: &BareJid) -> Result<bool, Fault> {
        let wanted = appearance(jid.local().unwrap_or_default());
        let mut after = None;
        loop {
            let page = self.accounts(after, NAMES_PAGE).await?;
            let mut names = page.iter().filter_map(|owner| owner.address.split_once('@'));
            if names.any(|(local, domain)| domain == jid.domain() && appearance(local) == wanted) {
                return Ok(true);
            }
            after = match page.last() {
                Some(last) if page.len() == NAMES_PAGE => Some(last.clone()),
                _ => return Ok(false),
            };
        }
    }
}

/// The same for two prepared localparts that a reader could take for one another: UTS 39's skeleton (section 4), in which
/// letters that differ in case are the same besides, as they are in localparts. So `0`, which looks like `O`, looks like
/// `o`.
fn appearance(local: &str) -> String {
    skeleton(local).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::appearance;
    use stentor_xmpp::prepare_localpart;

    #[test]
    fn names_that_look_alike() {
        for (one, other, looks_alike) in [
            ("paypal", "paypa1", true),
            ("paypal", "PayPal", true),
            ("paypal", "p\u{430}yp\u{430}l", true),
            ("bob", "b0b", true),
            ("marnie", "mamie", true),
            ("admin", "\u{430}dmin", true),
            ("cafe\u{301}", "caf\u{e9}", true),
            ("scope", "\u{455}\u{441}\u{43e}\u{440}\u{435}", true),
            ("alice", "a1ice", true),
            ("admin", "adm\u{ed}n", false),
            ("alice", "alicia", false),
            ("a.b", "a-b", false),
            ("romeo", "juliet", false),
        ] {
            let [one, other] = [one, other].map(|name| prepare_localpart(name).unwrap());
            assert_eq!(appearance(&one) == appearance(&other), looks_alike, "{one} {other}");
        }
    }
}

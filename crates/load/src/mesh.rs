//! Clients that have each other on their rosters, and preparing such rosters.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::element;
use crate::link::{Link, LinkError, Next};
use crate::run::{Group, Run, progress};
use crate::tally::Tally;
use crate::target::expect_result;

const ROSTER_GET: &[u8] = b"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";

/// The accounts `first` to `first + size - 1`, each a contact of all others.
pub(crate) struct Mesh {
    pub(crate) first: u32,
    pub(crate) size: u32,
    pub(crate) links: Vec<Link>,
}

impl Mesh {
    /// Splits `accounts` accounts into meshes where each has `contacts` contacts, but for the last mesh.
    pub(crate) fn split(first: u32, accounts: u32, contacts: u32) -> impl Iterator<Item = Self> {
        let size = contacts.saturating_add(1);
        (0..accounts.div_ceil(size)).map(move |number| Self {
            first: first + number * size,
            size: size.min(accounts - number * size),
            links: Vec::new(),
        })
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = u32> + use<> {
        self.first..self.first + self.size
    }

    /// Logs all in as clients do: fetch the roster, then send presence.
    pub(crate) async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        for account in self.accounts() {
            let mut link = run.log_in(account, Some("load")).await?;
            let contacts = contacts(&mut link).await?.len();
            if contacts + 1 < usize::try_from(self.size).unwrap_or(usize::MAX) {
                let answer = format!(
                    "{} has {contacts} contacts of {}: run `prepare-rosters` with the same numbers first",
                    link.jid,
                    self.size - 1
                );
                return Err(LinkError::Refused { stage: "roster", answer });
            }
            link.stanza().extend_from_slice(b"<presence/>");
            link.stanza_done();
            link.ask_for_the_rest();
            self.links.push(link);
        }
        Ok(())
    }
}

/// Fetches the roster: the bare JIDs of the contacts with mutual subscription.
pub(crate) async fn contacts(link: &mut Link) -> Result<Vec<String>, LinkError> {
    let mut text = String::new();
    link.stanza().extend_from_slice(ROSTER_GET);
    link.stanza_done();
    expect_result(link, "roster", &mut text).await?;
    Ok(both(&text).map(str::to_owned).collect())
}

/// The contacts with mutual subscription in a roster result or push.
fn both(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = element::descendant(rest, "item")?;
            if element::attribute(rest, "subscription") == Some("both") {
                return element::attribute(rest, "jid");
            }
        }
    })
}

/// A mesh whose members subscribe to each other (RFC 6121 3).
pub(crate) struct Befriend {
    mesh: Mesh,
    /// For each member, the contacts that it does not have yet.
    wanting: Vec<BTreeSet<String>>,
}

impl Befriend {
    pub(crate) fn new(mesh: Mesh) -> Self {
        Self { mesh, wanting: Vec::new() }
    }

    fn ask(&mut self) {
        for (link, wanting) in self.mesh.links.iter_mut().zip(&self.wanting) {
            for contact in wanting {
                let _ = write!(link.stanza(), "<presence type='subscribe' to='{contact}'/>");
                link.stanza_done();
            }
        }
    }

    /// Asks for the rosters, in case a push was missed.
    fn look(&mut self) {
        for link in &mut self.mesh.links {
            link.stanza().extend_from_slice(ROSTER_GET);
            link.stanza_done();
        }
    }

    fn receive(&mut self, text: &mut String) -> Result<(), LinkError> {
        for (link, wanting) in self.mesh.links.iter_mut().zip(&mut self.wanting) {
            loop {
                match link.next(text)? {
                    Next::Element => befriend(link, wanting, text),
                    Next::Nothing => break,
                    Next::End => return Err(LinkError::Closed),
                }
            }
        }
        Ok(())
    }
}

fn befriend(link: &mut Link, wanting: &mut BTreeSet<String>, text: &str) {
    match (element::name(text), element::attribute(text, "type"), element::attribute(text, "from")) {
        ("presence", Some("subscribe"), Some(from)) => {
            let _ = write!(link.stanza(), "<presence type='subscribed' to='{from}'/>");
            link.stanza_done();
        }
        ("iq", Some("set" | "result"), _) => both(text).for_each(|contact| {
            wanting.remove(contact);
        }),
        _ => {}
    }
}

impl Group for Befriend {
    async fn enter(&mut self, run: &Run) -> Result<(), LinkError> {
        let mut text = String::new();
        for account in self.mesh.accounts() {
            let mut link = run.log_in(account, Some("load")).await?;
            link.stanza().extend_from_slice(ROSTER_GET);
            expect_result(&mut link, "roster", &mut text).await?;
            let others = self.mesh.accounts().filter(|other| *other != account);
            let mut wanting: BTreeSet<String> = others.map(|other| run.target.bare_jid(other)).collect();
            both(&text).for_each(|contact| {
                wanting.remove(contact);
            });
            link.stanza().extend_from_slice(b"<presence/>");
            link.stanza_done();
            self.mesh.links.push(link);
            self.wanting.push(wanting);
        }
        // Preparing needs no common start, and thousands of connections at once would only slow it down.
        self.befriend_all(run).await?;
        for link in &mut self.mesh.links {
            let _ = tokio::time::timeout(Duration::from_secs(5), link.close()).await;
        }
        self.mesh.links.clear();
        Ok(())
    }

    async fn work(&mut self, _run: &Run) -> Result<(), LinkError> {
        Ok(())
    }

    fn links(&mut self) -> &mut Vec<Link> {
        &mut self.mesh.links
    }
}

impl Befriend {
    async fn befriend_all(&mut self, run: &Run) -> Result<(), LinkError> {
        let began = Instant::now();
        let mut text = String::new();
        self.ask();
        loop {
            let missing: usize = self.wanting.iter().map(BTreeSet::len).sum();
            if missing == 0 {
                Tally::add(&run.tally.received, u64::from(self.mesh.size));
                return Ok(());
            }
            if began.elapsed() > run.patience * 6 {
                let answer = format!("{missing} contacts are missing still; run this again");
                return Err(LinkError::Refused { stage: "subscriptions", answer });
            }
            match tokio::time::timeout(Duration::from_secs(2), progress(&mut self.mesh.links)).await {
                Ok(result) => {
                    result?;
                    self.receive(&mut text)?;
                }
                Err(_) => {
                    self.look();
                    self.ask();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_cover_the_accounts() {
        let split =
            |accounts| Mesh::split(5, accounts, 10).map(|mesh| (mesh.first, mesh.size)).collect::<Vec<_>>();
        assert_eq!(split(0), []);
        assert_eq!(split(11), [(5, 11)]);
        assert_eq!(split(25), [(5, 11), (16, 11), (27, 3)]);
    }

    #[test]
    fn mutual_contacts_are_read_from_rosters() {
        let roster = "<iq><query><item jid='a@x' subscription='both'/><item jid='b@x' subscription='to'/>\
                      <item subscription=\"both\" jid=\"c@x\"><group>g</group></item></query></iq>";
        assert_eq!(both(roster).collect::<Vec<_>>(), ["a@x", "c@x"]);
    }
}

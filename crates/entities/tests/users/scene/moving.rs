//! A user's slot becomes another member's.

use super::{Scene, key};
use stentor_engine::{Epoch, Event, TakenOver, ToSession};

impl Scene {
    /// The owner of this account's slot dies, and another member takes it. Its clock stands where it likes.
    pub(crate) fn moves(&mut self, jid: &str) {
        let key = key(jid);
        self.shells.remove(&key);
        self.timers.retain(|(_, owner, _)| *owner != key);
        let epoch = self.epochs.entry(key.clone()).or_insert(Epoch(1));
        *epoch = Epoch(epoch.0 + 1);
        self.now.monotonic -= 500;
        self.now.unix -= 500;
        self.give(key, Event::TakenOver(TakenOver::unknown()));
    }

    /// The client's session is told to attach.
    pub(crate) fn attaches(&mut self, client: &str) {
        let client = self.clients.get_mut(client).unwrap();
        let told = client.told(ToSession::Reattach).expect("it is attached");
        let (key, session) = (client.key.clone(), client.session);
        self.give(key, Event::Session(session, told));
    }

    /// Every member has had its sessions attach.
    pub(crate) fn gathered(&mut self, jid: &str) {
        self.give(key(jid), Event::Gathered);
    }
}

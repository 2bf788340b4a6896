//! A user's slot becomes another member's.

use super::{Scene, key};
use stentor_engine::{Epoch, Event, FromSession, MemberId, SessionKey, TakenOver, ToSession};

impl Scene {
    /// [`Scene::online`], in a cluster.
    pub(crate) fn clustered(clients: &[&str]) -> Self {
        let mut scene = Self::new();
        std::sync::Arc::get_mut(&mut scene.hosts).unwrap().is_clustered = true;
        scene.come_online(clients);
        scene
    }

    /// The user is gone with its member, and is loaded when there is something for it, long after its slot was gathered.
    pub(crate) fn forgets(&mut self, jid: &str) {
        let key = key(jid);
        self.shells.remove(&key);
        self.timers.retain(|(_, owner, _)| *owner != key);
    }

    /// The owner of this account's slot dies, and another member takes it. Its clock stands where it likes.
    pub(crate) fn moves(&mut self, jid: &str) {
        self.becomes_anothers(jid, false);
    }

    fn becomes_anothers(&mut self, jid: &str, is_given: bool) {
        let key = key(jid);
        self.forgets(jid);
        let epoch = self.epochs.entry(key.clone()).or_insert(Epoch(1));
        *epoch = Epoch(epoch.0 + 1);
        self.now.monotonic -= 500;
        self.now.unix -= 500;
        self.give(key, Event::TakenOver(TakenOver { gathers: true, is_given, ..TakenOver::default() }));
    }

    /// [`Scene::is_given`], and all sessions have attached there.
    pub(crate) fn is_given_away(&mut self, jid: &str) {
        self.is_given(jid);
        self.gathered(jid);
    }

    /// The slot is given to another member, with the streams that wait to be resumed.
    pub(crate) fn is_given(&mut self, jid: &str) {
        let mut outputs = Vec::new();
        let shell = self.shells.get_mut(&key(jid)).expect("it is loaded");
        shell.retire(self.now, &mut outputs);
        let streams = shell.entity().streams();
        self.carry_out(&key(jid), outputs);
        self.becomes_anothers(jid, true);
        let waiting = streams.into_iter().filter(|(session, _)| session.is_none());
        for (serial, (_, stream)) in (1_000..).zip(waiting) {
            let session = SessionKey { member: MemberId(1), arbiter: 0, serial };
            let lost = FromSession::Detached { attachment: stream.attachment, resumable: true };
            self.give(key(jid), Event::Session(session, FromSession::Attach(Box::new(stream))));
            self.give(key(jid), Event::Session(session, lost));
        }
    }

    /// The client's session is told to attach.
    pub(crate) fn attaches(&mut self, client: &str) {
        let client = self.clients.get_mut(client).unwrap();
        let told = client.told(ToSession::Reattach).expect("it is attached");
        let (key, session) = (client.key.clone(), client.session);
        self.give(key, Event::Session(session, told));
    }

    /// The member is gone that accepted the sessions here.
    pub(crate) fn member_goes(&mut self, jid: &str) {
        self.give(key(jid), Event::MemberGone { member: MemberId(1), gave: false });
    }

    /// The member is lost that gave the slot away.
    pub(crate) fn giver_is_lost(&mut self, jid: &str) {
        self.give(key(jid), Event::MemberGone { member: MemberId(9), gave: true });
    }

    /// Every member has had its sessions attach.
    pub(crate) fn gathered(&mut self, jid: &str) {
        self.give(key(jid), Event::Gathered);
    }
}

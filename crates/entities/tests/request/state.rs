//! What the first byte of an input says: the state in which a scene begins.

use crate::scene::Scene;
use std::cell::RefCell;
use std::collections::BTreeMap;
use stentor_xmpp::Stanza;

/// How often a scene is used. Clients acknowledge nothing, and their streams end when too much waits for that.
const USES_MAX: u32 = 64;

#[derive(Clone, Copy)]
pub(crate) struct State(pub(crate) u8);

thread_local! {
    /// Scenes in which nothing has changed since they were made, and how often each was used.
    static UNCHANGED: RefCell<BTreeMap<u8, (Scene, u32)>> = RefCell::default();
    /// A request for the roster, and available presence.
    static SAID: [Stanza; 2] = [ROSTER_GET, "<presence/>"].map(|xml| Stanza::parse(xml).unwrap());
}

const ROSTER_GET: &str = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";

pub(crate) fn roster_get() -> Stanza {
    SAID.with(|said| said[0].clone())
}

impl State {
    /// Alice has a roster, and something waits for her.
    const HAS_LIVED: u8 = 0x01;
    /// Her client has asked for the roster.
    const IS_INTERESTED: u8 = 0x02;
    const IS_AVAILABLE: u8 = 0x04;
    const IS_MANAGED: u8 = 0x08;
    /// Another client of hers is available, and one of Bob's.
    const HAS_COMPANY: u8 = 0x10;
    /// Her host keeps nothing.
    const IS_IN_MEMORY: u8 = 0x20;
    const IS_CLUSTERED: u8 = 0x80;

    fn is(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Alice's domain.
    pub(crate) fn domain(self) -> &'static str {
        if self.is(Self::IS_IN_MEMORY) { "memory.example" } else { "a.example" }
    }

    /// Runs an input in a scene. Where it changes nothing, the scene is as good as a new one, which takes longer to make
    /// than most inputs take.
    pub(crate) fn play(self, input: impl FnOnce(&mut Scene)) {
        let kept = UNCHANGED.with_borrow_mut(|unchanged| unchanged.remove(&self.0));
        let (mut scene, uses) = kept.unwrap_or_else(|| (self.scene(), 0));
        input(&mut scene);
        if !scene.is_changed && uses < USES_MAX {
            UNCHANGED.with_borrow_mut(|unchanged| unchanged.insert(self.0, (scene, uses + 1)));
        }
    }

    /// Client 0 is Alice's that sends.
    fn scene(self) -> Scene {
        let mut scene = Scene::new(self.domain(), self.is(Self::HAS_LIVED), self.is(Self::IS_CLUSTERED));
        let mut jids = vec![format!("alice@{}/x", self.domain())];
        if self.is(Self::HAS_COMPANY) {
            jids.extend([format!("alice@{}/y", self.domain()), "bob@b.example/x".to_owned()]);
        }
        for jid in &jids {
            scene.connects(jid);
        }
        if self.is(Self::IS_MANAGED) {
            scene.enables(0);
        }
        if self.is(Self::IS_INTERESTED) {
            scene.sends(0, roster_get());
        }
        for index in usize::from(!self.is(Self::IS_AVAILABLE))..jids.len() {
            scene.sends(index, SAID.with(|said| said[1].clone()));
        }
        scene.clients.iter_mut().for_each(|client| client.got.clear());
        (scene.is_written, scene.is_changed) = (false, false);
        scene
    }
}

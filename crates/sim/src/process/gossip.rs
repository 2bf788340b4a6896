//! Gossip of a process: the server's own, over datagrams that the network loses.

use super::{Process, info};
use crate::stage::Stage;
use core::time::Duration;
use stentor_cluster::{Gossip, GossipConfig, GossipEvent, GossipKeys, GossipOutput};
use stentor_engine::MemberId;

impl Process {
    /// It is a member now.
    pub(super) fn join_gossip(&mut self, now: u64, member: MemberId, stage: &mut Stage) {
        stage.members.insert(member, self.place);
        let mut seed = [0; 32];
        seed.fill_with(|| stage.random.next() as u8);
        let keys = GossipKeys::new(&[[7; 32].into()]).expect("one key is neither none nor too many");
        let config = GossipConfig { member, address: info(self.place.at).gossip, cluster: "c".into(), keys };
        self.gossip = Some(Gossip::new(config, seed, Duration::from_millis(now)));
    }

    /// When it has something to do next.
    pub(super) fn gossip_due(&self) -> Option<u64> {
        // Not before it is due, in whole milliseconds.
        self.gossip.as_ref().map(|gossip| gossip.due().as_nanos().div_ceil(1_000_000) as u64)
    }

    /// Lets gossip do something, and does what it says.
    pub(super) fn gossip(
        &mut self,
        now: u64,
        stage: &mut Stage,
        asked: impl FnOnce(&mut Gossip, Duration, &mut Vec<GossipOutput>),
    ) {
        let Some(gossip) = &mut self.gossip else { return };
        let refused = |gossip: &Gossip| gossip.refusals().values().sum::<u64>();
        let (before, mut outputs) = (refused(gossip), Vec::new());
        asked(gossip, Duration::from_millis(now), &mut outputs);
        stage.coverage.gossip_refused += refused(gossip) - before;
        for output in outputs {
            match output {
                GossipOutput::Send { to, datagram } => stage.send_datagram(usize::from(to.port()), datagram),
                GossipOutput::Tell(member, message) => {
                    if self.links.is_up(member) {
                        stage.coverage.views += 1;
                        self.links.tell(member, message);
                    }
                }
                GossipOutput::Event(event) => self.heard(now, event, stage),
            }
        }
    }

    fn heard(&mut self, now: u64, event: GossipEvent, stage: &mut Stage) {
        stage.trace(|| format!("hears {event:?}"));
        let is_alive =
            |member| stage.members.get(&member).is_some_and(|place| stage.network.is_alive(*place));
        match event {
            GossipEvent::Suspected(member) => {
                let is_wrong = is_alive(member);
                stage.coverage.deaths += u64::from(!is_wrong);
                stage.coverage.wrong_deaths += u64::from(is_wrong);
                self.doubted.insert(member);
            }
            GossipEvent::Down(member) => {
                stage.coverage.given_up += 1;
                self.doubted.insert(member);
            }
            GossipEvent::Up(member) => {
                stage.coverage.returns += u64::from(self.doubted.remove(&member));
            }
            GossipEvent::Newer { .. } => stage.coverage.newer += 1,
        }
        if let (Some(steward), Some(hint)) = (&mut self.steward, event.hint()) {
            steward.hint(now, hint);
        }
    }
}

//! Gossip in a network of virtual time: what holds for 3, 10 and 100 members, and under every fault of a network.

mod body;
mod network;
#[path = "../steward/random.rs"]
#[allow(dead_code, reason = "for tests of other kinds")]
mod random;
mod seeded;

use core::time::Duration;
use network::{Faults, Network, address, keys};
use stentor_cluster::{GossipEvent, Refusal};
use stentor_engine::MemberId;

const SIZES: [u64; 3] = [3, 10, 100];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn refused(network: &Network, why: Refusal) -> u64 {
    network.nodes.values().filter_map(|node| node.gossip.refusals().get(&why)).sum()
}

#[test]
fn a_mass_join_completes_within_seconds_and_a_quiet_network_stays_quiet() {
    for size in SIZES {
        let mut network = Network::of(size, size);
        let joined = network.run_until(seconds(20), Network::is_whole);
        network.forget_events();
        network.bytes = 0;
        network.run(seconds(30));
        assert_eq!(network.events().collect::<Vec<_>>(), [], "{size} members, after {joined:?}");
        let rate = network.bytes as u64 / 30 / size;
        assert!(rate < 1_500, "{size} members: {rate} bytes a second and member");
        assert_eq!(refused(&network, Refusal::Replayed), 0);
    }
}

#[test]
fn a_crash_is_told_by_all() {
    for size in SIZES {
        let mut network = Network::of(size, size);
        network.run_until(seconds(20), Network::is_whole);
        network.forget_events();
        network.kill(2);
        // A round of probes meets everybody once, but who probes first is chance.
        network.run_until(seconds(10), Network::is_whole);
        let told = |event: GossipEvent| network.events().filter(|(_, told)| *told == event).count() as u64;
        assert_eq!(told(GossipEvent::Down(MemberId(2))), size - 1, "{size} members");
        let others = network.events().filter(
            |(_, event)| matches!(event, GossipEvent::Down(id) | GossipEvent::Suspected(id) if id.0 != 2),
        );
        assert_eq!(others.count(), 0, "{size} members");
    }
}

#[test]
fn all_converge_whatever_the_network_does() {
    for size in SIZES {
        for seed in 0..if size == 100 { 1 } else { 10 } {
            let mut network = Network::new(seed);
            network.faults = Faults { lost: 10, twice: 10, late: 20, spoilt: 5, replayed: 5 };
            (1..=size).for_each(|member| network.enter(member));
            (1..=size).for_each(|member| network.start(member, "c1"));
            network.run_until(seconds(30), Network::is_whole);
            network.kill(1);
            network.run(seconds(20));
            network.faults = Faults::default();
            network.run_until(seconds(10), Network::is_whole);
            for why in [Refusal::Replayed, Refusal::Forged] {
                assert!(refused(&network, why) > 0, "{size} members, seed {seed}: {why:?}");
            }
            assert_eq!(refused(&network, Refusal::Malformed), 0, "what was spoilt is not opened");
        }
    }
}

#[test]
fn a_member_declared_down_while_alive_comes_back() {
    for size in SIZES {
        let mut network = Network::of(size, size);
        network.run_until(seconds(20), Network::is_whole);
        network.cut_off.insert(MemberId(1));
        network.run_until(seconds(10), Network::is_whole);
        network.run(seconds(10));
        let alive = network.nodes[&MemberId(1)].gossip.alive().count();
        assert!(size > 10 || alive == 0, "all others are down to it, which takes a probe of each: {alive}");
        network.cut_off.clear();
        network.run_until(seconds(20), Network::is_whole);
    }
}

#[test]
fn who_was_cut_off_for_a_minute_is_found_again() {
    // Two, so that neither knows anybody alive, and foca alone would stay silent for ever.
    let mut network = Network::of(5, 5);
    network.run_until(seconds(20), Network::is_whole);
    network.cut_off.extend([MemberId(4), MemberId(5)]);
    network.run_until(seconds(10), Network::is_whole);
    network.run(seconds(60));
    network.cut_off.clear();
    network.run_until(seconds(20), Network::is_whole);
}

#[test]
fn the_next_incarnation_takes_the_address_over() {
    let mut network = Network::of(1, 3);
    network.run_until(seconds(20), Network::is_whole);
    network.kill(3);
    network.remove(3);
    network.restart(3, 4);
    network.tell_table();
    network.run_until(seconds(10), Network::is_whole);
    assert!(network.events().any(|(_, event)| event == GossipEvent::Down(MemberId(3))));
}

#[test]
fn a_leave_is_told_at_once() {
    let mut network = Network::of(1, 10);
    network.run_until(seconds(20), Network::is_whole);
    network.leave(10);
    let time = network.run_until(seconds(5), Network::is_whole);
    assert!(time < seconds(2), "{time:?}");
}

#[test]
fn a_later_version_of_the_table_is_told() {
    let mut network = Network::of(1, 3);
    network.run_until(seconds(20), Network::is_whole);
    assert!(!network.events().any(|(_, event)| matches!(event, GossipEvent::Newer { .. })));
    network.enter(9);
    network.tell_table_to(1);
    network.run(seconds(5));
    let newer = GossipEvent::Newer { member: MemberId(1), version: network.version() };
    let told: Vec<_> = network.events().filter(|(_, event)| *event == newer).map(|(by, _)| by.0).collect();
    assert!(told.contains(&2) && told.contains(&3) && !told.contains(&1), "{told:?}");
}

#[test]
fn what_outsiders_send_changes_nothing() {
    let mut network = Network::of(1, 3);
    network.tapped = Some(Vec::new());
    network.run_until(seconds(20), Network::is_whole);
    network.run(seconds(10));
    let tapped = network.tapped.take().unwrap();
    network.forget_events();

    // A member of another cluster, which has the same key and our addresses.
    let mut other = Network::new(7);
    (1..=3).for_each(|member| other.enter(member));
    other.start(9, "c2");
    other.tapped = Some(Vec::new());
    other.run(seconds(10));
    let foreign = other.tapped.take().unwrap();
    assert!(!foreign.is_empty());
    let count = foreign.len() as u64;
    for (to, datagram) in foreign {
        network.inject(to, datagram);
    }
    network.run(seconds(1));
    assert_eq!(refused(&network, Refusal::Forged), count);

    // All of the last seconds once more, to whom it was for, and to everybody.
    for (to, datagram) in &tapped {
        network.inject(*to, datagram.clone());
    }
    network.run(seconds(1));
    assert_eq!(refused(&network, Refusal::Replayed), tapped.len() as u64);
    for (_, datagram) in &tapped {
        (1..=3).for_each(|member| network.inject(address(member), datagram.clone()));
    }
    network.run(seconds(10));
    assert_eq!(network.events().collect::<Vec<_>>(), []);
    assert!(network.is_whole());
}

#[test]
fn who_has_left_the_table_is_not_brought_back_by_its_old_datagrams() {
    let mut network = Network::of(1, 4);
    network.tapped = Some(Vec::new());
    network.run_until(seconds(20), Network::is_whole);
    network.run(seconds(5));
    network.kill(3);
    network.remove(3);
    network.tell_table();
    network.run_until(seconds(10), Network::is_whole);
    // Members that know nothing of the past.
    network.enter(5);
    network.tell_table();
    network.start(5, "c1");
    network.run_until(seconds(20), Network::is_whole);
    network.forget_events();
    for (_, datagram) in network.tapped.take().unwrap() {
        network.inject(address(5), datagram);
    }
    network.run(seconds(10));
    assert!(!network.events().any(|(_, event)| event == GossipEvent::Up(MemberId(3))));
    assert!(refused(&network, Refusal::Stranger) > 0);
}

#[test]
fn keys_are_rotated_in_three_steps_member_by_member() {
    let mut network = Network::of(1, 3);
    network.run_until(seconds(20), Network::is_whole);
    network.forget_events();
    for step in [&[1, 2][..], &[2, 1], &[2]] {
        for member in 1..=3 {
            network.nodes.get_mut(&MemberId(member)).unwrap().gossip.set_keys(keys(step));
            network.run(seconds(5));
        }
    }
    assert_eq!(network.events().collect::<Vec<_>>(), []);
    assert_eq!(refused(&network, Refusal::Key), 0);
    // With the old key alone, nobody hears it.
    network.nodes.get_mut(&MemberId(1)).unwrap().gossip.set_keys(keys(&[1]));
    network.run(seconds(10));
    assert!(refused(&network, Refusal::Key) > 0);
    assert!(network.events().any(|(by, event)| by.0 == 2 && event == GossipEvent::Down(MemberId(1))));
}

//! Stewards, with a register, links that delay, clocks that differ and a store that fails. A failure names its seed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod process;
mod random;
mod register;
mod world;

use process::info;
use stentor_cluster::Ending;
use stentor_cluster::limits::UNREACHABLE_MS;
use stentor_engine::Slot;
use world::{Store, World};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn settled(seed: u64, names: &[&str]) -> World {
    let mut world = World::new(seed);
    for name in names {
        world.start(name);
    }
    world.until("all have their share", World::is_settled);
    world
}

/// Things go wrong for a while; then all is well again, and nothing changes any more.
fn storm(seed: u64) {
    let mut world = World::new(seed);
    for name in NAMES.iter().take(1 + seed as usize % 5) {
        world.start(name);
    }
    let mut store_until = 0;
    for _ in 0..40 {
        let (pause, kind) = (world.random.between(50, 4_000), world.random.between(0, 9));
        world.run(pause);
        world.revive();
        if world.now >= store_until {
            world.store = Store::Up;
        }
        let alive = world.alive();
        let Some(at) = world.random.pick(&alive) else {
            world.start("a");
            continue;
        };
        match kind {
            0 | 1 => world.kill(at),
            2 | 3 => world.processes[at].paused = world.now + world.random.between(100, 9_000),
            4 => {
                world.store = if world.random.chance(50) { Store::Failing } else { Store::Hanging };
                store_until = world.now + world.random.between(100, 12_000);
            }
            5 if alive.len() > 1 => {
                let clock = world.processes[at].clock(world.now);
                world.processes[at].is_draining = true;
                world.processes[at].steward.drain(clock);
            }
            6 => {
                let others = world.processes[at].table.members().keys().copied().collect::<Vec<_>>();
                if let Some(other) = world.random.pick(&others) {
                    let is_linked = world.random.chance(50);
                    world.link(at, other, is_linked);
                }
            }
            _ => {
                let is_used =
                    |name: &&str| world.alive().iter().any(|at| &*world.processes[*at].info.name == *name);
                let free: Vec<_> = NAMES.into_iter().filter(|name| !is_used(name)).collect();
                if let Some(name) = world.random.pick(&free) {
                    world.start(name);
                }
            }
        }
    }
    world.store = Store::Up;
    for _ in 0..20 {
        world.run(1_000);
        world.revive();
    }
    if world.alive().is_empty() {
        world.start("a");
    }
    for at in world.alive() {
        let members: Vec<_> = world.register.table.members().keys().copied().collect();
        for member in members {
            world.link(at, member, true);
        }
    }
    world.until("all is well again", |world| {
        let is_drained = |at: &usize| !world.processes[*at].is_draining;
        world.is_settled() && world.alive().iter().all(is_drained)
    });
    // A few slots may still be on their way to where they belong.
    world.run(10_000);
    let version = world.register.table.version();
    world.run(20_000);
    world.check(world.register.table.version() == version, || "it changes without a reason".into());
    world.check(world.is_settled(), || "and not all is well".into());
}

#[test]
fn all_is_well_after_whatever_happened() {
    for seed in 0..8 {
        storm(seed);
    }
}

#[test]
fn a_restart_of_the_store_moves_nothing() {
    for (seed, store) in [(1, Store::Failing), (2, Store::Hanging), (3, Store::Failing), (4, Store::Hanging)]
    {
        let mut world = settled(seed, &NAMES[..4]);
        let version = world.register.table.version();
        world.store = store;
        world.run(20_000);
        let releases =
            world.processes.iter().any(|process| process.steward.may_release(process.clock(world.now)));
        world.check(!releases, || "somebody releases effects without a lease".into());
        world.store = Store::Up;
        world.run(20_000);
        world.check(world.register.table.version() == version, || "something has moved".into());
        world.check(world.is_settled(), || "not everybody goes on".into());
    }
}

#[test]
fn several_that_die_together_go_in_few_changes_and_in_time() {
    let mut world = settled(5, &NAMES[..5]);
    let version = world.register.table.version();
    for at in 1..4 {
        world.kill(at);
    }
    let died = world.now;
    world.until("the others have all", |world| {
        let owners =
            |slot| world.register.table.owner(slot).member.and_then(|id| world.register.table.member(id));
        world.register.table.members().len() == 2 && Slot::all().all(|slot| owners(slot).is_some())
    });
    world.check(world.now - died < 6_000, || format!("it took {} ms", world.now - died));
    world.check(world.register.table.version() - version <= 3, || "each was taken out alone".into());
    world.until("they have their share", World::is_settled);
}

#[test]
fn who_comes_back_has_its_slots_back() {
    let mut world = settled(6, &NAMES[..3]);
    let id = world.processes[1].id.unwrap();
    let had: Vec<_> = world.register.table.slots_of(id).collect();
    world.kill(1);
    let at = world.start("b");
    world.until("it is back", World::is_settled);
    let id = world.processes[at].id.unwrap();
    assert_eq!(world.register.table.slots_of(id).collect::<Vec<_>>(), had);
}

#[test]
fn who_drains_leaves_nothing_behind() {
    let mut world = settled(7, &NAMES[..3]);
    let clock = world.processes[0].clock(world.now);
    let id = world.processes[0].id.unwrap();
    world.processes[0].steward.drain(clock);
    world.until("it has drained", |world| world.processes[0].has_drained);
    for other in &world.processes[1..] {
        assert_eq!(other.table.slots_of(id).count(), 0, "nobody sends it anything more");
    }
    world.until("it has left", |world| world.processes[0].ending == Some(Ending::Left));
    world.until("the others have their share", World::is_settled);
    // The last leaves too; then somebody begins anew with all.
    for at in [1, 2] {
        let clock = world.processes[at].clock(world.now);
        world.processes[at].steward.drain(clock);
        world.until("it has left", |world| world.processes[at].ending == Some(Ending::Left));
    }
    assert!(world.register.table.members().is_empty());
    world.start("d");
    world.until("it has all", World::is_settled);
}

/// As a member whose certificate the others do not trust.
#[test]
fn who_can_be_linked_with_by_nobody_holds_up_nobody() {
    let mut world = settled(11, &NAMES[..4]);
    let at = world.start("f");
    world.processes[at].is_apart = true;
    world.until("it is a member", |world| world.processes[at].id.is_some());
    world.run(UNREACHABLE_MS + 2_000);
    let have_all = |world: &World| {
        let alive = world.alive();
        alive.iter().all(|at| world.processes[*at].gathering.is_empty())
            && alive
                .iter()
                .map(|at| Slot::all().filter(|slot| world.processes[*at].owns(*slot)).count())
                .sum::<usize>()
                == usize::from(Slot::COUNT)
    };
    world.kill(0);
    let died = world.now;
    world.until("the others have all", have_all);
    world.check(world.now - died < 7_000, || format!("it took {} ms", world.now - died));
    // And who drains.
    let clock = world.processes[1].clock(world.now);
    world.processes[1].steward.drain(clock);
    let began = world.now;
    world.until("it has left", |world| world.processes[1].ending == Some(Ending::Left));
    world.check(world.now - began < 8_000, || format!("to leave took {} ms", world.now - began));
}

#[test]
fn who_cannot_be_a_member_says_why_and_changes_nothing() {
    let mut world = settled(8, &NAMES[..2]);
    let version = world.register.table.version();
    let named = |name: &str| info(name);
    let expected = [
        (named("a"), Ending::NameInUse { name: "a".into() }),
        (
            stentor_engine::MemberInfo { settings: 8, ..named("c") },
            Ending::SettingsDiffer { name: "c".into(), other: "a".into(), theirs: named("a").settings },
        ),
        (
            stentor_engine::MemberInfo { wire: (2, 3), ..named("c") },
            Ending::WireDiffers { name: "c".into(), ours: (2, 3), other: "a".into(), theirs: (1, 1) },
        ),
    ];
    for (info, ending) in expected {
        let at = world.start("x");
        world.processes[at].steward = stentor_cluster::Steward::new(info);
        world.until("it says why", |world| world.processes[at].ending.is_some());
        assert_eq!(world.processes[at].ending, Some(ending));
    }
    assert_eq!(world.register.table.version(), version);
}

#[test]
fn other_settings_than_those_of_the_dead_are_no_reason() {
    let mut world = settled(9, &NAMES[..2]);
    world.kill(0);
    world.kill(1);
    let at = world.start("c");
    world.processes[at].steward =
        stentor_cluster::Steward::new(stentor_engine::MemberInfo { settings: 8, ..info("c") });
    world.until("it has all", World::is_settled);
}

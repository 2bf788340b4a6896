//! Two clients at two members of a cluster of three: they befriend, chat, and lose nothing while members die.

use crate::driver::Program;
use crate::scenario::{Outcome, Side, befriend, change_presence, chat, leave, log_in, say};
use crate::server::{Cluster, Tls};
use serde_json::json;

/// The first client is at this member, the second at the next; the third serves the first one's account.
pub const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// Accounts are tried until one is where it is wanted: a third of them is.
const TRIES: u32 = 64;

/// Leads two clients, each its name and program, through the story.
///
/// # Errors
/// What came to pass that should not have.
pub fn play(
    cluster: &mut Cluster,
    first: (&'static str, &Program),
    second: (&'static str, &Program),
) -> Result<(), String> {
    cluster.start(&MEMBERS)?;
    let [member_a, member_b, member_c] = MEMBERS;
    let localpart = account(cluster, first.0, member_c)?;
    let mut a = Side::start(cluster, first.0, first.1, &localpart, Tls::Starttls)?;
    let mut b = Side::start(cluster, second.0, second.1, &format!("{}-2", second.0), Tls::Direct)?;
    for (name, step) in [
        ("log in", log_in as crate::scenario::Step),
        ("befriend", befriend),
        ("chat", chat),
        ("change presence", change_presence),
    ] {
        let outcome = step_of(step, &mut a, &mut b);
        told(&a, &b, name, outcome)?;
    }
    let died = connected_member_dies(cluster, &mut a, &mut b, (member_a, member_b));
    told(&a, &b, "the member dies that the first is connected to", died)?;
    cluster.settled(&[member_b, member_c])?;
    let died = serving_member_dies(cluster, &mut a, &mut b, member_c);
    told(&a, &b, "the member dies that serves the first one's account", died)?;
    let left = leave(&mut a, &mut b).map(drop);
    told(&a, &b, "leave", left)
}

fn step_of(step: crate::scenario::Step, a: &mut Side, b: &mut Side) -> Result<(), String> {
    match step(a, b)? {
        Outcome::Passed | Outcome::Skipped(_) => Ok(()),
        Outcome::Failed(reason) => Err(reason),
    }
}

fn told(a: &Side, b: &Side, step: &str, outcome: Result<(), String>) -> Result<(), String> {
    outcome.map_err(|reason| {
        let logs = [a, b].map(|side| format!("\n--- log of {}:\n{}", side.name, side.driver.log()));
        format!("{step}: {reason}{}", logs.concat())
    })
}

/// A localpart whose account this member serves.
fn account(cluster: &Cluster, name: &str, member: &str) -> Result<String, String> {
    for number in 0..TRIES {
        let localpart = format!("{name}-1-{number}");
        if cluster.locate(MEMBERS[0], &localpart)? == member {
            return Ok(localpart);
        }
    }
    Err(format!("none of {TRIES} accounts is served by {member}"))
}

/// The first comes back at another member, resumes its stream there, and has all that was sent meanwhile.
fn connected_member_dies(
    cluster: &mut Cluster,
    a: &mut Side,
    b: &mut Side,
    (dies, stays): (&str, &str),
) -> Result<(), String> {
    for _ in 0..5 {
        b.send(a, "before the member died")?;
        a.send(b, "before the member died")?;
    }
    a.is_handled()?;
    cluster.kill(dies);
    a.expect(json!({"event": "disconnected"}))?;
    for _ in 0..5 {
        b.send(a, "while it was away")?;
    }
    a.proxy.redirect(cluster.address_of(stays, Tls::Starttls));
    a.expect(json!({"event": "resumed"}))?;
    a.has_all(b)?;
    b.has_all(a)?;
    say(a, b, &["after the resumption"])?;
    say(b, a, &["after the resumption"])
}

/// The connections stay; what was under way arrives once another member has taken over.
fn serving_member_dies(cluster: &mut Cluster, a: &mut Side, b: &mut Side, dies: &str) -> Result<(), String> {
    for _ in 0..5 {
        b.send(a, "before the member died")?;
        a.send(b, "before the member died")?;
    }
    cluster.kill(dies);
    for _ in 0..5 {
        b.send(a, "while nobody served")?;
        a.send(b, "while nobody served")?;
    }
    a.has_all(b)?;
    b.has_all(a)?;
    say(a, b, &["after the take-over"])?;
    say(b, a, &["after the take-over"])
}

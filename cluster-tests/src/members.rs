//! Pairs of clients at two members of a cluster of three: they befriend, chat, and lose nothing while members die.

use crate::driver::Program;
use crate::scenario::{Outcome, Side, Step, befriend, change_presence, chat, leave, log_in, say};
use crate::server::{Cluster, Tls};
use serde_json::json;

/// The first client of each pair is at this member, the second at the next; the third serves the first one's account.
const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// Accounts are tried until one is where it is wanted: a third of them is.
const TRIES: u32 = 64;

/// What each pair does while all members are there.
const STORY: &[(&str, Step)] =
    &[("log in", log_in), ("befriend", befriend), ("chat", chat), ("change presence", change_presence)];

/// The names of a cluster's members for [`play`].
pub const NAMES: &[&str] = &MEMBERS;

/// A client's name and its program.
pub type Client<'a> = (&'static str, &'a Program);

struct Pair {
    sides: [Side; 2],
}

/// Leads all pairs through the story at once, since each member dies for all.
///
/// # Errors
/// What came to pass that should not have.
pub fn play(cluster: &mut Cluster, pairs: &[(Client<'_>, Client<'_>)]) -> Result<(), String> {
    cluster.start(&MEMBERS)?;
    let [member_a, member_b, member_c] = MEMBERS;
    let start = |(number, (first, second)): (usize, &(Client<'_>, Client<'_>))| -> Result<Pair, String> {
        let one = account(cluster, &format!("{}-{number}", first.0), member_c)?;
        let other = format!("{}-{number}-other", second.0);
        let one = Side::start(cluster, first.0, first.1, &one, Tls::Starttls)?;
        Ok(Pair { sides: [one, Side::start(cluster, second.0, second.1, &other, Tls::Direct)?] })
    };
    let mut pairs = pairs.iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
    for (name, step) in STORY {
        each(&mut pairs, name, |a, b| match step(a, b)? {
            Outcome::Passed | Outcome::Skipped(_) => Ok(()),
            Outcome::Failed(reason) => Err(reason),
        })?;
    }
    each(&mut pairs, "before the member dies that the first is connected to", |a, b| {
        exchange(a, b, "before the member died")?;
        a.is_handled()
    })?;
    cluster.kill(member_a);
    let elsewhere = cluster.address_of(member_b, Tls::Starttls);
    each(&mut pairs, "the member dies that the first is connected to", |a, b| {
        a.expect(json!({"event": "disconnected"}))?;
        if can_resume(a) {
            (0..5).try_for_each(|_| b.send(a, "while it was away"))?;
        }
        a.proxy.redirect(elsewhere);
        a.expect(json!({"event": if can_resume(a) { "resumed" } else { "online" }}))?;
        both_have_all(a, b)
    })?;
    cluster.settled(&[member_b, member_c])?;
    each(&mut pairs, "before the member dies that serves the first one's account", |a, b| {
        exchange(a, b, "before the member died")
    })?;
    cluster.kill(member_c);
    each(&mut pairs, "the member dies that serves the first one's account", |a, b| {
        exchange(a, b, "while nobody served")?;
        both_have_all(a, b)
    })?;
    each(&mut pairs, "leave", |a, b| leave(a, b).map(drop))
}

fn each(
    pairs: &mut [Pair],
    step: &str,
    act: impl Fn(&mut Side, &mut Side) -> Result<(), String>,
) -> Result<(), String> {
    pairs.iter_mut().try_for_each(|Pair { sides: [a, b] }| {
        act(a, b).map_err(|reason| {
            let logs = [&a, &b].map(|side| format!("\n--- log of {}:\n{}", side.name, side.driver.log()));
            format!("{} and {}: {step}: {reason}{}", a.name, b.name, logs.concat())
        })
    })
}

/// A client that keeps no stream is promised nothing of what is under way when its connection or its account moves.
fn can_resume(side: &Side) -> bool {
    !side.driver.cannot("resume")
}

fn exchange(a: &mut Side, b: &mut Side, text: &str) -> Result<(), String> {
    if !can_resume(a) {
        return Ok(());
    }
    (0..5).try_for_each(|_| {
        b.send(a, text)?;
        a.send(b, text)
    })
}

fn both_have_all(a: &mut Side, b: &mut Side) -> Result<(), String> {
    a.has_all(b)?;
    b.has_all(a)?;
    say(a, b, &["with fewer members"])?;
    say(b, a, &["with fewer members"])
}

/// A localpart whose account this member serves.
fn account(cluster: &Cluster, name: &str, member: &str) -> Result<String, String> {
    for number in 0..TRIES {
        let localpart = format!("{name}-{number}");
        if cluster.locate("a", &localpart)? == member {
            return Ok(localpart);
        }
    }
    Err(format!("none of {TRIES} accounts is served by {member}"))
}

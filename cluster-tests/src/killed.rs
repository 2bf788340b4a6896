//! Pairs of clients at members of a cluster that are killed while they chat.

use crate::driver::Program;
use crate::scenario::{Outcome, Side, befriend, leave, log_in, say};
use crate::server::{Cluster, Tls};
use serde_json::json;
use std::thread;

/// The first client of each pair is at the first of these, the second at the next; the third serves the first's account.
pub const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// Accounts are tried until one is where it is wanted: a third of them is.
const TRIES: u32 = 64;

/// A client's name and its program.
pub type Client<'a> = (&'static str, &'a Program);

/// The steps that a pair was led through, with what became of them.
pub type Told = Vec<(&'static str, Outcome)>;

struct Pair {
    /// The localpart of the first.
    account: String,
    sides: [Side; 2],
    told: Told,
}

/// Leads all pairs through the story at once, since a member dies for all; for each pair its steps with their outcomes.
///
/// # Errors
/// A client does not start, or the cluster does not do what the story takes.
pub fn play(cluster: &mut Cluster, pairs: &[(Client<'_>, Client<'_>)]) -> Result<Vec<Told>, String> {
    let [member_a, member_b, member_c] = MEMBERS;
    let start = |(first, second): &(Client<'_>, Client<'_>)| -> Result<Pair, String> {
        let account = account_at(cluster, &format!("{}-with-{}", first.0, second.0), member_c)?;
        let other = format!("{}-with-{}", second.0, first.0);
        let one = Side::start(cluster, first.0, first.1, &account, Tls::Starttls)?;
        let other = Side::start(cluster, second.0, second.1, &other, Tls::Direct)?;
        Ok(Pair { account, sides: [one, other], told: Vec::new() })
    };
    let mut pairs = pairs.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    each(&mut pairs, "log in", log_in);
    each(&mut pairs, "befriend", befriend);
    each(&mut pairs, "chat before a member dies", |a, b| {
        exchange(a, b)?;
        // Handled by the server, not yet acknowledged to the client: resent, it would come twice.
        a.is_handled().map(|()| Outcome::Passed)
    });
    let elsewhere = cluster.address_of(member_b, Tls::Starttls);
    each(&mut pairs, "chat as a member dies", |a, b| {
        // Nobody tries the dead member: profanity gives its stream up when it is refused a connection.
        a.proxy.hold();
        a.proxy.redirect(elsewhere);
        under_way(a, b)
    });
    cluster.kill(member_a);
    each(&mut pairs, "the first resumes at another member", resume);
    cluster.settled(&[member_b, member_c])?;
    for pair in &pairs {
        if cluster.locate(member_b, &pair.account)? != member_c {
            return Err(format!("{} is no longer at {member_c}, which lives", pair.account));
        }
    }
    each(&mut pairs, "chat as another member dies", |a, b| exchange(a, b).map(|()| Outcome::Passed));
    cluster.kill(member_c);
    each(&mut pairs, "both go on without the member of the first's account", |a, b| {
        exchange(a, b)?;
        have_all(a, b).map(|()| Outcome::Passed)
    });
    each(&mut pairs, "leave", leave);
    Ok(pairs.into_iter().map(|pair| pair.told).collect())
}

/// One step for all pairs at once that have not failed.
fn each(
    pairs: &mut [Pair],
    name: &'static str,
    step: impl Fn(&mut Side, &mut Side) -> Result<Outcome, String> + Sync,
) {
    let step = &step;
    thread::scope(|scope| {
        for Pair { sides: [a, b], told, .. } in pairs {
            if told.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))) {
                continue;
            }
            scope.spawn(move || {
                let outcome = step(a, b).unwrap_or_else(|reason| Outcome::failed(reason, a, b));
                told.push((name, outcome));
            });
        }
    });
}

/// Messages both ways, for which nobody waits. None with a client that keeps no stream, which is promised nothing of what
/// is under way when its connection or its account is lost.
fn exchange(a: &mut Side, b: &mut Side) -> Result<(), String> {
    if a.lacks("resume").is_some() {
        return Ok(());
    }
    (0..5).try_for_each(|_| {
        b.send(a, "around the death")?;
        a.send(b, "around the death")
    })
}

/// Messages that the server may or may not have handled when the member dies.
fn under_way(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    if let Some(skipped) = a.lacks("resume") {
        return Ok(skipped);
    }
    if a.lacks("send offline").is_none() {
        exchange(a, b)?;
    } else {
        // It would be told to send when it no longer can.
        (0..5).try_for_each(|_| b.send(a, "around the death"))?;
    }
    Ok(Outcome::Passed)
}

/// The first, whose member is dead, goes on at another.
fn resume(a: &mut Side, b: &mut Side) -> Result<Outcome, String> {
    a.expect(json!({"event": "disconnected"}))?;
    if let Some(skipped) = a.lacks("resume") {
        a.proxy.restore();
        a.expect(json!({"event": "online"}))?;
        return have_all(a, b).map(|()| skipped);
    }
    (0..5).try_for_each(|_| b.send(a, "while away"))?;
    b.is_handled()?;
    // It sends nothing meanwhile: slixmpp would send that before what it sends again.
    a.proxy.restore();
    a.expect(json!({"event": "resumed"}))?;
    have_all(a, b).map(|()| Outcome::Passed)
}

/// Each has all that the other ever sent, once and in order, and more comes.
fn have_all(a: &mut Side, b: &mut Side) -> Result<(), String> {
    a.has_all(b)?;
    b.has_all(a)?;
    say(a, b, &["with fewer members"])?;
    say(b, a, &["with fewer members"])
}

/// A localpart whose account this member serves.
fn account_at(cluster: &Cluster, name: &str, member: &str) -> Result<String, String> {
    for number in 0..TRIES {
        let localpart = format!("{name}-{number}");
        if cluster.locate(member, &localpart)? == member {
            return Ok(localpart);
        }
    }
    Err(format!("none of {TRIES} accounts is served by {member}"))
}

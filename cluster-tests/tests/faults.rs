//! Members of a cluster as processes, as their operator and many clients meet them: they join, are killed, hang, leave
//! and are refused.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;
use stentor_cluster_tests::accounts;
use stentor_cluster_tests::load::Load;
use stentor_cluster_tests::server::{Cluster, DOMAIN, cluster};
use stentor_cluster_tests::verdict::{self, FAILED, RESUMED};

type Result<T = ()> = std::result::Result<T, String>;

const MEMBERS: [&str; 3] = ["a", "b", "c"];
const CLIENTS: u32 = 300;
/// Each is a contact of the others in its group.
const GROUP: u32 = 11;
/// One of so many stays away if it loses its connection.
const AWAY: u32 = 7;
/// How a message begins in the store.
const ENTRY: &[u8] = b"<log:entry ";

/// A chapter's name, and what it does to the member in that place.
type Fault = (&'static str, fn(&mut Cluster, usize) -> Result);

/// Chapters that need no member but those that are there; they leave them as they found them.
const FAULTS: &[Fault] = &[
    ("one is killed", one_is_killed),
    ("one hangs", one_hangs),
    ("writes of one come late", writes_of_one_come_late),
];

/// One story, since each chapter needs the members of the one before it.
#[test]
fn members_serve_die_hang_and_leave() -> Result {
    let Some(mut cluster) = cluster(&MEMBERS)? else { return Ok(()) };
    cluster.restore(&accounts::backup(CLIENTS, GROUP)?)?;
    cluster.start(&MEMBERS)?;
    any_member_answers(&cluster)?;
    sessions_are_listed_and_ended(&cluster)?;
    let rounds: Option<usize> = std::env::var("STENTOR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let faults = FAULTS.iter().cycle().take(rounds.unwrap_or(1) * FAULTS.len());
    let last: Fault = ("one is drained", one_is_drained);
    for ((name, chapter), place) in faults.chain([&last]).zip([1, 2, 0].into_iter().cycle()) {
        let start = Instant::now();
        chapter(&mut cluster, place).map_err(|error| {
            let logs = MEMBERS.map(|name| format!("\n--- log of {name}:\n{}", cluster.log_of(name)));
            format!("{name}: {error}{}", logs.concat())
        })?;
        println!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    }
    one_starts_alone(&mut cluster)
}

fn at(place: usize) -> &'static str {
    MEMBERS.get(place % MEMBERS.len()).copied().unwrap_or_default()
}

fn other_than(place: usize) -> &'static str {
    at(place + 1)
}

/// Waits until the members other than that one have all slots.
fn settled_without(cluster: &Cluster, place: usize) -> Result {
    cluster.settled(&[at(place + 1), at(place + 2)])
}

fn any_member_answers(cluster: &Cluster) -> Result {
    let new = format!("new@{DOMAIN}");
    cluster.ask("a", &["user", "add", &new, "--password", "secret"])?;
    let again = cluster.ask("c", &["user", "add", &new, "--password", "x"]).expect_err("it is there");
    assert!(again.contains("there is an account"), "{again}");
    cluster.ask("c", &["user", "befriend", &new, &accounts::jid(0)])?;
    for number in 0..8 {
        let account = accounts::jid(number);
        cluster.ask("b", &["user", "show", &account])?;
        let locate = |name| cluster.ask(name, &["cluster", "locate", &account]);
        assert_eq!((locate("a")?, locate("b")?), (locate("b")?, locate("c")?));
    }
    let users = cluster.ask("c", &["user", "list"])?;
    assert_eq!(users.as_array().map(Vec::len), Some(CLIENTS as usize + 1));
    assert_eq!(cluster.ask("b", &["session", "list"])?, json!([]));
    assert_eq!(cluster.ask("a", &["cluster", "slots"])?.as_array().map(Vec::len), Some(4_096));
    Ok(())
}

/// The addresses of the sessions that a member lists.
fn sessions(cluster: &Cluster, name: &str, more: &[&str]) -> Result<Vec<String>> {
    let listed = cluster.ask(name, &[&["session", "list"], more].concat())?;
    let jid = |session: &Value| session.get("jid").and_then(Value::as_str).map(str::to_owned);
    Ok(listed.as_array().into_iter().flatten().filter_map(jid).collect())
}

fn sessions_are_listed_and_ended(cluster: &Cluster) -> Result {
    const FEW: u32 = 9;
    let load = ["--contacts", "8", "--seconds", "600", "--settle", "0"];
    let mut load = Load::start(cluster, &MEMBERS, "idle", FEW, &load)?;
    load.wait_until("logged in", FEW.into())?;
    let all: Vec<_> = (0..FEW).map(|number| format!("{}/load", accounts::jid(number))).collect();
    for name in MEMBERS {
        assert_eq!(sessions(cluster, name, &[])?, all, "{name}");
    }
    assert_eq!(sessions(cluster, "c", &["--user", &accounts::jid(4)])?, all.get(4..5).unwrap_or_default());
    // Each member ends sessions of each: client N is at member N modulo 3.
    for (name, number) in [("a", 0), ("a", 1), ("b", 5), ("c", 6)] {
        let jid = format!("{}/load", accounts::jid(number));
        cluster.ask(name, &["session", "kick", &jid, "--reason", "off you go"])?;
        assert_eq!(sessions(cluster, name, &["--user", &accounts::jid(number)])?, [""; 0]);
    }
    for name in MEMBERS {
        assert_eq!(sessions(cluster, name, &[])?.len(), FEW as usize - 4, "{name}");
    }
    a_new_password_ends_sessions_everywhere(cluster)?;
    drop(load);
    Ok(())
}

/// S066: whichever member is told of it, and wherever the client is. Of the clients that are left, each member has one of
/// these three.
fn a_new_password_ends_sessions_everywhere(cluster: &Cluster) -> Result {
    let streams = |cluster: &Cluster, name: &str| -> Result<Option<u64>> {
        Ok(cluster.ask(name, &["status"])?.get("sessions").and_then(Value::as_u64))
    };
    for number in [2, 3, 4] {
        let (asked, of) = (at(number + 1), at(number));
        let before = streams(cluster, of)?.ok_or("no number of sessions")?;
        let jid = accounts::jid(number as u32);
        cluster.ask(asked, &["user", "passwd", &jid, "--password", "another"])?;
        for name in MEMBERS {
            assert_eq!(sessions(cluster, name, &["--user", &jid])?, [""; 0], "{name}");
        }
        cluster.until("its stream is closed", |cluster| Ok(streams(cluster, of)? == Some(before - 1)))?;
        cluster.ask(asked, &["user", "passwd", &jid, "--password", accounts::PASSWORD])?;
    }
    Ok(())
}

/// Who is expected to come back how, if that member is gone without a word: of its clients, those whose account it serves
/// as well, and those who stay away for longer than their stream is kept, on another stream.
fn affected(cluster: &Cluster, place: usize) -> Result<BTreeMap<u32, &'static str>> {
    clients_of(place)
        .map(|number| {
            let is_lost = cluster.locate("a", &format!("load{number}"))? == at(place);
            Ok((number, if is_lost || is_away(number) { FAILED } else { RESUMED }))
        })
        .collect()
}

/// Whether a client stays away for longer than its stream is kept, once it has lost its connection.
fn is_away(number: u32) -> bool {
    number.is_multiple_of(AWAY)
}

/// The accounts of the clients at that member.
fn clients_of(place: usize) -> impl Iterator<Item = u32> {
    (0..CLIENTS).filter(move |number| *number as usize % MEMBERS.len() == place)
}

/// Clients that chat, without ids by which the server would know what they send again.
fn chat(cluster: &Cluster) -> Result<Load> {
    let away = AWAY.to_string();
    let arguments = ["--rate", "300", "--seconds", "600", "--until-eof", "--no-origin-ids"];
    let away = ["--stay-away", &away, "--resume-away", "2", "--silence", "10"];
    let mut load = Load::start(cluster, &MEMBERS, "failover", CLIENTS, &[&arguments[..], &away].concat())?;
    load.wait_until("sent", 300)?;
    Ok(load)
}

/// Ends the chat, in which all must have gone as it should.
fn verdict(load: Load, expected: &BTreeMap<u32, &str>) -> Result {
    verdict::holds(&load.finish()?, expected)
}

fn one_is_killed(cluster: &mut Cluster, place: usize) -> Result {
    let expected = affected(cluster, place)?;
    let slots = |cluster: &Cluster| -> Result<Vec<Value>> {
        let slots = cluster.ask(other_than(place), &["cluster", "slots"])?;
        Ok(slots.as_array().into_iter().flatten().filter_map(|slot| slot.get("member").cloned()).collect())
    };
    let before = slots(cluster)?;
    let mut load = chat(cluster)?;
    cluster.kill(at(place));
    settled_without(cluster, place)?;
    // Of who has gone just before a slot is given away contacts may be told twice (decision 0014).
    load.wait_until("back", expected.len() as u64)?;
    // It comes back amid the chat, and takes its share.
    cluster.start(&[at(place)])?;
    cluster.until("all slots are where they were", |cluster| Ok(slots(cluster)? == before))?;
    verdict(load, &expected)
}

/// A member's process and its id in the cluster.
fn incarnation(cluster: &Cluster, name: &str) -> Result<(Value, Value)> {
    let of = |arguments: &[&str], key: &str| -> Result<Value> {
        Ok(cluster.ask(name, arguments)?.get(key).cloned().unwrap_or_default())
    };
    Ok((of(&["status"], "process")?, of(&["cluster", "status"], "member")?))
}

/// What a member that was taken out tried since then, and what it tells of it, behind that many lines of its log and before
/// it begins anew: write sets that the store refused, and effects that did not leave.
fn tried_in_vain(cluster: &Cluster, name: &str, behind: usize) -> Result<(u64, u64)> {
    // Many lines may follow: what waits for members that are gone is refused at once.
    let log = cluster.whole_log_of(name);
    let told = log.lines().skip(behind).filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut told = told.filter(|event| event.get("write_sets_refused").is_some());
    let event = told.next().ok_or("it does not tell what it tried")?;
    let count = |key: &str| event.get(key).and_then(Value::as_u64).ok_or(format!("no {key}: {event}"));
    Ok((count("write_sets_refused")?, count("effects_withheld")?))
}

/// It stands still for longer than its lease lasts, with what clients go on sending to it, and then goes on.
fn one_hangs(cluster: &mut Cluster, place: usize) -> Result {
    let expected = affected(cluster, place)?;
    let before = incarnation(cluster, at(place))?;
    let told_before = cluster.whole_log_of(at(place)).lines().count();
    let mut load = chat(cluster)?;
    cluster.signal(at(place), "STOP")?;
    settled_without(cluster, place)?;
    load.wait_until("back", expected.len() as u64)?;
    cluster.signal(at(place), "CONT")?;
    cluster.settled(&MEMBERS)?;
    let after = incarnation(cluster, at(place))?;
    assert_eq!(before.0, after.0, "the process is the same");
    assert_ne!(before.1, after.1, "the incarnation is another");
    let (writes, effects) = tried_in_vain(cluster, at(place), told_before)?;
    println!("it tried {writes} write sets and {effects} effects that were not accepted");
    verdict(load, &expected)
}

/// How many of a member's write sets were refused, committed, in conflict with others, and failed.
fn outcomes(cluster: &Cluster, name: &str) -> Result<[u64; 4]> {
    let mut counts = [0; 4];
    for (count, outcome) in counts.iter_mut().zip(["fenced", "committed", "conflicting", "failed"]) {
        *count = cluster.metric(name, &format!("stentor_store_write_sets_total{{outcome=\"{outcome}\"}}"))?;
    }
    Ok(counts)
}

/// What it writes stays on its way until others have its accounts, and reaches the database then. The member can neither
/// take it back nor know that it is late: only the database can refuse it.
fn writes_of_one_come_late(cluster: &mut Cluster, place: usize) -> Result {
    let expected = affected(cluster, place)?;
    let before = incarnation(cluster, at(place))?;
    let told_before = cluster.whole_log_of(at(place)).lines().count();
    let mut load = chat(cluster)?;
    let messages_kept = |cluster: &Cluster| {
        let kept = cluster.database_of(at(place)).kept();
        kept.windows(ENTRY.len()).filter(|bytes| *bytes == ENTRY).count()
    };
    cluster.database_of(at(place)).keep();
    cluster.until("messages are on their way", |cluster| Ok(messages_kept(cluster) > 0))?;
    settled_without(cluster, place)?;
    // So it hears by none of the connections that have been that it was taken out.
    cluster.until("it has given up renewing its lease by the connection that it had", |cluster| {
        let log = cluster.whole_log_of(at(place));
        Ok(log.lines().skip(told_before).any(|line| line.contains("did not answer about the cluster")))
    })?;
    let messages = messages_kept(cluster);
    let told = outcomes(cluster, at(place))?;
    cluster.database_of(at(place)).let_go();
    let answered = |cluster: &Cluster| Ok(outcomes(cluster, at(place))? != told);
    cluster.until("the database has answered", answered)?;
    let now = outcomes(cluster, at(place))?;
    assert_eq!(now[1..], told[1..], "write sets committed, conflicting and failed, of those that came late");
    // It hears that it was taken out, and begins anew. It joins once all are back: of who has gone just before a slot is
    // given away contacts may be told twice (decision 0014).
    let way = cluster.change_database_of(at(place))?;
    way.restore();
    load.wait_until("back", expected.len() as u64)?;
    cluster.database_of(at(place)).restore();
    cluster.settled(&MEMBERS)?;
    assert_ne!(before.1, incarnation(cluster, at(place))?.1, "the incarnation is another");
    let (refused, withheld) = tried_in_vain(cluster, at(place), told_before)?;
    println!("{messages} messages came late; {refused} write sets were refused, {withheld} effects withheld");
    verdict(load, &expected)
}

/// Its accounts move first; then its connections are closed, and its clients resume their streams elsewhere.
fn one_is_drained(cluster: &mut Cluster, place: usize) -> Result {
    let how = |number| if is_away(number) { FAILED } else { RESUMED };
    let expected = clients_of(place).map(|number| (number, how(number))).collect();
    let load = chat(cluster)?;
    cluster.ask(at(place), &["cluster", "drain"])?;
    assert_eq!(cluster.ended(at(place))?.code(), Some(0));
    settled_without(cluster, place)?;
    verdict(load, &expected)
}

/// All die; one that starts later has it all.
fn one_starts_alone(cluster: &mut Cluster) -> Result {
    MEMBERS.iter().for_each(|name| cluster.kill(name));
    cluster.start(&["b"])?;
    let all = (0..CLIENTS).step_by(30);
    all.map(accounts::jid).try_for_each(|jid| cluster.ask("b", &["user", "show", &jid]).map(drop))
}

#[test]
fn a_member_with_other_settings_is_refused() -> Result {
    let Some(mut cluster) = cluster(&["a", "b"])? else { return Ok(()) };
    cluster.start(&["a"])?;
    cluster.launch("b", "keep = false")?;
    assert_eq!(cluster.ended("b")?.code(), Some(1));
    let log = cluster.log_of("b");
    let last: Option<Value> = log.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let told = last.as_ref().and_then(|event| event.get("error")?.as_str()).unwrap_or_default();
    let why = "the settings that all members must share differ between \"b\" and the member \"a\"";
    assert!(told.contains(why), "{log}");
    let named = "`keep` of the host chat.example is false here and true there; `stentor check` on both tells the number";
    assert!(told.contains(named), "{log}");
    cluster.settled(&["a"])
}

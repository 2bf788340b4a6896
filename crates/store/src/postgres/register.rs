//! Leases and the routing table. Whoever changes the table locks its version first, so that changes come one after the
//! other; and then the lanes of those who lose slots, so that their batches either came before, or see the change.

use super::rows::number;
use super::session::{Live, Pause, Session, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;
use stentor_engine::{
    Epoch, Member, MemberId, MemberInfo, Owner, RegisterReply, RegisterRequest, Slot, Table, TableChange,
};
use tokio_postgres::{Client, Error, Row, Transaction};

/// How long a request may take: whoever asks has a lease of a few seconds.
const TIME_MAX: Duration = Duration::from_secs(4);

/// The member whose lane is that of a server alone.
pub(super) const ALONE: i64 = 0;

const RENEW: &str = "WITH renewed AS (UPDATE members SET lease = lease + 1 WHERE id = $1 RETURNING id) \
                     SELECT version, (SELECT count(*) FROM renewed) FROM cluster";
const LEASES: &str =
    "SELECT c.version, m.id, m.lease FROM cluster c LEFT JOIN members m ON true ORDER BY m.id";
/// In one statement, so of one state.
const TABLE: &str = "SELECT c.version, \
    ARRAY(SELECT id FROM members ORDER BY id), ARRAY(SELECT info FROM members ORDER BY id), \
    ARRAY(SELECT is_draining FROM members ORDER BY id), ARRAY(SELECT number FROM slots ORDER BY number), \
    ARRAY(SELECT member FROM slots ORDER BY number), ARRAY(SELECT epoch FROM slots ORDER BY number) FROM cluster c";
const VERSION: &str = "SELECT version, last_member FROM cluster FOR UPDATE";

/// A request may be asked again only if it is certain that nothing was done, or if it may be done twice.
pub(super) fn ask(session: &mut Session, request: &RegisterRequest) -> RegisterReply {
    let mut pause = Pause::until(TIME_MAX);
    loop {
        let (is_repeatable, answer) = match request {
            RegisterRequest::Join(info) => {
                (false, session.run(TIME_MAX, async |live| join(&mut live.client, info).await))
            }
            RegisterRequest::Renew(member) => {
                (true, session.run(TIME_MAX, async |live| renew(live, *member).await))
            }
            RegisterRequest::Leases => (true, session.run(TIME_MAX, leases)),
            RegisterRequest::Table => (true, session.run(TIME_MAX, table)),
            RegisterRequest::Change(made) => {
                (false, session.run(TIME_MAX, async |live| change(&mut live.client, made).await))
            }
        };
        match answer {
            Ok(reply) => return reply,
            Err(Trouble::Unknown(reason)) if !is_repeatable => return RegisterReply::Failed(reason),
            Err(trouble) if !trouble.is_final() && pause.wait(&trouble) => {}
            Err(trouble) => return RegisterReply::Failed(trouble.to_string()),
        }
    }
}

async fn join(client: &mut Client, info: &MemberInfo) -> Result<RegisterReply, Error> {
    let transaction = client.transaction().await?;
    let row = transaction.query_one(VERSION, &[]).await?;
    let (version, member): (i64, i64) = (row.try_get::<_, i64>(0)? + 1, row.try_get::<_, i64>(1)? + 1);
    let named = "SELECT id, lease FROM members WHERE name = $1";
    if let Some(row) = transaction.query_opt(named, &[&&*info.name]).await? {
        let (member, counter) = (MemberId(unsigned(&row, 0)?), unsigned(&row, 1)?);
        return Ok(RegisterReply::NameInUse { member, counter });
    }
    let enter = "INSERT INTO members (id, name, info, is_draining, lease) VALUES ($1, $2, $3, false, 1)";
    // Numbers, strings and addresses: nothing that JSON does not have.
    let json = serde_json::to_string(info).unwrap_or_default();
    transaction.execute(enter, &[&member, &&*info.name, &json]).await?;
    let lane =
        "INSERT INTO lanes (member, lane, number, moves, fenced, conflict) VALUES ($1, 0, 0, 0, '{}', '{}')";
    transaction.execute(lane, &[&member]).await?;
    // A server alone must not write beside members.
    transaction.execute("DELETE FROM lanes WHERE member = $1", &[&ALONE]).await?;
    let count = "UPDATE cluster SET version = $1, last_member = $2";
    transaction.execute(count, &[&version, &member]).await?;
    transaction.commit().await?;
    Ok(RegisterReply::Joined { member: MemberId(member.unsigned_abs()), version: version.unsigned_abs() })
}

async fn renew(live: &mut Live, member: MemberId) -> Result<RegisterReply, Error> {
    let statement = live.prepared(RENEW).await?;
    let row = live.client.query_one(&statement, &[&number(member.0)]).await?;
    let renewed: i64 = row.try_get(1)?;
    Ok(if renewed == 0 {
        RegisterReply::Fenced
    } else {
        RegisterReply::Renewed { version: unsigned(&row, 0)? }
    })
}

async fn leases(live: &mut Live) -> Result<RegisterReply, Error> {
    let statement = live.prepared(LEASES).await?;
    let (mut version, mut counters) = (0, Vec::new());
    for row in live.client.query(&statement, &[]).await? {
        version = unsigned(&row, 0)?;
        if let (Some(member), Some(lease)) =
            (row.try_get::<_, Option<i64>>(1)?, row.try_get::<_, Option<i64>>(2)?)
        {
            counters.push((MemberId(member.unsigned_abs()), lease.unsigned_abs()));
        }
    }
    Ok(RegisterReply::Leases { version, counters })
}

async fn table(live: &mut Live) -> Result<RegisterReply, Error> {
    let statement = live.prepared(TABLE).await?;
    let row = live.client.query_one(&statement, &[]).await?;
    let (ids, infos, draining): (Vec<i64>, Vec<String>, Vec<bool>) =
        (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let mut members = BTreeMap::new();
    for ((id, info), is_draining) in ids.into_iter().zip(infos).zip(draining) {
        match serde_json::from_str(&info) {
            Ok(info) => members.insert(MemberId(id.unsigned_abs()), Member { info, is_draining }),
            Err(error) => {
                let reason = format!("what member {id} says of itself cannot be read: {error}");
                return Ok(RegisterReply::Failed(reason));
            }
        };
    }
    let (numbers, owners, epochs): (Vec<i32>, Vec<i64>, Vec<i64>) =
        (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    let slots = numbers.into_iter().zip(owners).zip(epochs).filter_map(|((number, member), epoch)| {
        let slot = u16::try_from(number).ok().and_then(Slot::new)?;
        let (member, epoch) = (Some(MemberId(member.unsigned_abs())), Epoch(epoch.unsigned_abs()));
        Some((slot, Owner { member, epoch }))
    });
    Ok(RegisterReply::Table(Table::from_parts(unsigned(&row, 0)?, members, slots)))
}

async fn change(client: &mut Client, change: &TableChange) -> Result<RegisterReply, Error> {
    let transaction = client.transaction().await?;
    let row = transaction.query_one(VERSION, &[]).await?;
    let version = unsigned(&row, 0)?;
    if version != change.base || !are_unchanged(&transaction, &change.unchanged).await? {
        return Ok(RegisterReply::Stale { version });
    }
    let removed: Vec<i64> = change.removed.iter().map(|member| number(member.0)).collect();
    move_slots(&transaction, &change.moves, &removed).await?;
    if !removed.is_empty() {
        transaction.execute("DELETE FROM members WHERE id = ANY ($1)", &[&removed]).await?;
    }
    if let Some(member) = change.draining {
        let drain = "UPDATE members SET is_draining = true WHERE id = $1";
        transaction.execute(drain, &[&number(member.0)]).await?;
    }
    transaction.execute("UPDATE cluster SET version = version + 1", &[]).await?;
    transaction.commit().await?;
    Ok(RegisterReply::Changed { version: version + 1 })
}

/// Also locks them: a renewal waits, and then finds no lease, or goes on.
async fn are_unchanged(transaction: &Transaction<'_>, counters: &[(MemberId, u64)]) -> Result<bool, Error> {
    let ids: Vec<i64> = counters.iter().map(|(member, _)| number(member.0)).collect();
    let locked = "SELECT id, lease FROM members WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    let mut leases = BTreeMap::new();
    if !ids.is_empty() {
        for row in transaction.query(locked, &[&ids]).await? {
            leases.insert(MemberId(unsigned(&row, 0)?), unsigned(&row, 1)?);
        }
    }
    Ok(counters.iter().all(|(member, counter)| leases.get(member) == Some(counter)))
}

/// Lanes first: no batch that saw the slots as they were is under way once they move.
async fn move_slots(
    transaction: &Transaction<'_>,
    moves: &[(Slot, MemberId)],
    removed: &[i64],
) -> Result<(), Error> {
    // A slot that is named twice moves twice.
    let mut targets: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for (slot, member) in moves {
        let (to, epochs) = targets.entry(slot.number().into()).or_default();
        (*to, *epochs) = (number(member.0), *epochs + 1);
    }
    let slots: Vec<i32> = targets.keys().copied().collect();
    let (to, epochs): (Vec<i64>, Vec<i64>) = targets.into_values().unzip();
    let lock = "SELECT member FROM lanes WHERE member = ANY ($1) \
                OR member IN (SELECT member FROM slots WHERE number = ANY ($2)) ORDER BY member, lane FOR UPDATE";
    transaction.query(lock, &[&removed, &slots]).await?;
    if !removed.is_empty() {
        transaction.execute("DELETE FROM lanes WHERE member = ANY ($1)", &[&removed]).await?;
    }
    if slots.is_empty() {
        return Ok(());
    }
    let lost = "UPDATE lanes SET moves = moves + 1 \
                WHERE member IN (SELECT member FROM slots WHERE number = ANY ($1))";
    transaction.execute(lost, &[&slots]).await?;
    let give = "INSERT INTO slots AS s (number, member, epoch) \
                SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) \
                ON CONFLICT (number) DO UPDATE SET member = excluded.member, epoch = s.epoch + excluded.epoch";
    transaction.execute(give, &[&slots, &to, &epochs]).await?;
    Ok(())
}

fn unsigned(row: &Row, at: usize) -> Result<u64, Error> {
    row.try_get::<_, i64>(at).map(i64::unsigned_abs)
}

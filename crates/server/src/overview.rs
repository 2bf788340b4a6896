//! What a member tells its operator of the cluster.

use stentor_engine::Key;
use stentor_runtime::cluster::ClusterHandle;
use stentor_xmpp::BareJid;

use crate::control::{
    ClusterReport, ControlError, ControlErrorKind, ControlResponse, Liveness, Location, MemberEntry,
    SlotEntry,
};

/// How this member sees the cluster.
pub(crate) async fn report(handle: &ClusterHandle) -> Result<ControlResponse, ControlError> {
    let status = handle.status().await.ok_or_else(|| {
        ControlError::new(ControlErrorKind::Unavailable, "this server is no member any more; it ends")
    })?;
    let members = status.members.into_iter().map(|member| MemberEntry {
        member: member.member,
        name: member.name.into(),
        link: member.link,
        gossip: member.gossip,
        weight: member.weight,
        is_draining: member.is_draining,
        slots: member.slots as u64,
        is_linked: member.is_linked,
        liveness: match member.liveness {
            stentor_runtime::cluster::Liveness::Alive => Liveness::Alive,
            stentor_runtime::cluster::Liveness::Suspected => Liveness::Suspected,
            stentor_runtime::cluster::Liveness::Unknown => Liveness::Unknown,
        },
        waiting_frames: member.waiting_frames as u64,
        waiting_bytes: member.waiting_bytes as u64,
    });
    let refusals = status.refused_connections.into_iter().chain(status.refused_gossip);
    Ok(ControlResponse::Cluster(ClusterReport {
        member: status.member,
        name: status.name.into(),
        version: status.version,
        lease_ms: status.lease_ms,
        gathering: status.gathering as u64,
        quiescing: status.quiescing as u64,
        members: members.collect(),
        refused: refusals.map(|(why, count)| (why.to_owned(), count)).collect(),
    }))
}

/// Who serves an account.
pub(crate) fn locate(handle: &ClusterHandle, jid: BareJid) -> ControlResponse {
    let slot = Key::User(jid.clone()).slot();
    let table = handle.table();
    let owner = table.owner(slot);
    let member = owner.member.and_then(|id| table.member(id)).map(|member| member.info.name.to_string());
    ControlResponse::Location(Location { jid, slot: slot.number(), member, epoch: owner.epoch.0 })
}

/// Who has each slot.
pub(crate) fn slots(handle: &ClusterHandle) -> ControlResponse {
    let table = handle.table();
    let entry = |slot: stentor_engine::Slot| {
        let owner = table.owner(slot);
        let member = owner.member.and_then(|id| table.member(id)).map(|member| member.info.name.to_string());
        SlotEntry { slot: slot.number(), member, epoch: owner.epoch.0 }
    };
    ControlResponse::Slots(stentor_engine::Slot::all().map(entry).collect())
}

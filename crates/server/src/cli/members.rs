//! `stentor cluster status`, `members`, `locate` and `slots`: how a running cluster is.

use std::collections::BTreeMap;

use stentor_xmpp::BareJid;

use super::accounts::unexpected;
use super::output::{Failure, Output, table};
use crate::control::{
    ClusterReport, ControlClient, ControlRequest, ControlResponse, Liveness, Location, MemberEntry, SlotEntry,
};

fn report(client: &mut ControlClient) -> Result<ClusterReport, Failure> {
    match client.ask(&ControlRequest::ClusterStatus)? {
        ControlResponse::Cluster(report) => Ok(report),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn status(client: &mut ControlClient, output: &Output) -> Result<(), Failure> {
    output.print(&report(client)?, |report| {
        let own = report.members.iter().find(|member| Some(member.member) == report.member);
        let others = report.members.iter().filter(|member| Some(member.member) != report.member);
        let linked = others.filter(|member| member.is_linked).count();
        let mut lines = vec![
            format!("member:   {}, of {} members, linked with {linked}", report.name, report.members.len()),
            format!("lease:    {} ms", report.lease_ms),
            format!("table:    version {}", report.version),
            format!("slots:    {}", own.map_or(0, |own| own.slots)),
        ];
        if report.gathering > 0 {
            lines.push(format!("arriving: {} slots", report.gathering));
        }
        if report.quiescing > 0 {
            lines.push(format!("leaving:  {} slots", report.quiescing));
        }
        lines.extend(report.refused.iter().map(|(why, count)| format!("refused:  {count}, {why}")));
        lines
    })
}

pub(super) fn members(client: &mut ControlClient, output: &Output) -> Result<(), Failure> {
    let report = report(client)?;
    output.print(&report.members, |members| {
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by(|one, other| one.name.cmp(&other.name));
        let rows: Vec<_> = members.into_iter().map(|member| row(&report, member)).collect();
        table(&["MEMBER", "STATE", "SLOTS", "WEIGHT", "LINK", "WAITING"], &rows)
    })
}

fn row(report: &ClusterReport, member: &MemberEntry) -> Vec<String> {
    let state = match (member.liveness, member.is_linked) {
        _ if Some(member.member) == report.member => "this one",
        (Liveness::Alive, true) => "linked",
        (Liveness::Alive, false) => "not linked",
        (Liveness::Suspected, _) => "suspected",
        (Liveness::Unknown, true) => "linked, not heard of",
        (Liveness::Unknown, false) => "not heard of",
    };
    let leaving = if member.is_draining { ", leaving" } else { "" };
    vec![
        member.name.clone(),
        format!("{state}{leaving}"),
        member.slots.to_string(),
        member.weight.to_string(),
        member.link.to_string(),
        format!("{} bytes", member.waiting_bytes),
    ]
}

pub(super) fn locate(client: &mut ControlClient, jid: BareJid, output: &Output) -> Result<(), Failure> {
    match client.ask(&ControlRequest::ClusterLocate { jid })? {
        ControlResponse::Location(location) => output.print(&location, |location| {
            let Location { jid, slot, member, epoch } = location;
            let member = member.as_deref().unwrap_or("nobody");
            vec![format!("{jid} is served by {member} (slot {slot}, epoch {epoch})")]
        }),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn slots(client: &mut ControlClient, output: &Output) -> Result<(), Failure> {
    match client.ask(&ControlRequest::ClusterSlots)? {
        ControlResponse::Slots(slots) => output.print(&slots, |slots| counts(slots)),
        other => Err(unexpected(&other)),
    }
}

fn counts(slots: &[SlotEntry]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for slot in slots {
        *counts.entry(slot.member.as_deref().unwrap_or("nobody")).or_default() += 1;
    }
    let total = slots.len().max(1) as u64;
    let rows: Vec<_> = counts
        .iter()
        .map(|(member, count)| {
            vec![(*member).to_owned(), count.to_string(), format!("{} %", (count * 100 + total / 2) / total)]
        })
        .collect();
    table(&["MEMBER", "SLOTS", "SHARE"], &rows)
}

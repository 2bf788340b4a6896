//! Before a process is a member: who is in the way, whether he is alive, and the question to be let in.

use super::desk::{Desk, Wish};
use super::{Ending, Question};
use stentor_engine::RegisterRequest;

/// After so many renewals that were seen, a member is alive; one may have been under way when its process was killed.
const RENEWALS_OF_THE_LIVING: u32 = 2;

/// What can be done now; why it is over, if it is.
pub(super) fn step(now: u64, desk: &mut Desk) -> Option<Ending> {
    if desk.questions.is_under_way(Question::Join) {
        return None;
    }
    if desk.wish != Wish::Stay {
        return Some(Ending::Left);
    }
    desk.keep_table(now);
    if !desk.may_decide() {
        return None;
    }
    let opposed = desk.opposed(None);
    if opposed.is_empty() {
        desk.ask(now, RegisterRequest::Join(desk.info.clone()));
        return None;
    }
    let is_alive = |member| desk.watch.renewals(member) >= RENEWALS_OF_THE_LIVING;
    if let Some((_, ending)) = opposed.into_iter().find(|(member, _)| is_alive(*member)) {
        return Some(ending);
    }
    desk.ask(now, RegisterRequest::Leases);
    let silent = desk.silent(None);
    if !silent.is_empty() {
        desk.change(now, desk.fence(&silent, |member| desk.watch.is_fresh(member)));
    }
    None
}

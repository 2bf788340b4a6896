//! No member's memory grows with users that live elsewhere. A hundred thousand are online, and a thousand for comparison:
//! what a member holds beside its own users and sessions is the same. An allocator counts it, by what dropping it frees.

#[path = "../../cluster/tests/support/counting.rs"]
#[allow(dead_code, reason = "for tests of other kinds")]
mod counting;

use counting::freed;
use stentor_sim::{Holds, crowd};

const FEW: usize = 1_000;
const MANY: usize = 100_000;
/// What a member holds beside its users and sessions. The first member of a cluster has had all slots at once to gather,
/// and keeps no room for as many, which would be more than this.
const ROUTING_BYTES_MAX: usize = 512 * 1024;
/// And how much more of it with many users than with few: less than a byte for each, for buffers of links are now of one
/// size and now of another.
const GROWTH_BYTES_MAX: usize = 64 * 1024;

/// What one member holds, in bytes.
struct Member {
    users: usize,
    sessions: usize,
    sessions_of_others: usize,
    user_bytes: usize,
    session_bytes: usize,
    routing_bytes: usize,
}

impl Member {
    fn weigh(holds: Holds) -> Self {
        let Holds { users, sessions, sessions_of_others, for_users, for_sessions, beside } = holds;
        let (user_bytes, session_bytes) = (freed(|| drop(for_users)), freed(|| drop(for_sessions)));
        let routing_bytes = freed(|| drop(beside));
        Self { users, sessions, sessions_of_others, user_bytes, session_bytes, routing_bytes }
    }
}

/// With all of them online.
fn weigh(members: usize, users: usize) -> Vec<Member> {
    let holds =
        crowd(members, users).unwrap_or_else(|what| panic!("{members} members, {users} users: {what}"));
    let weighed: Vec<_> = holds.into_iter().map(Member::weigh).collect();
    let all = |count: fn(&Member) -> usize| weighed.iter().map(count).sum::<usize>();
    assert_eq!(weighed.len(), members);
    assert_eq!((all(|m| m.users), all(|m| m.sessions)), (users, users), "{members} members");
    assert!(weighed.iter().all(|member| (member.sessions_of_others > 0) == (members > 1)));
    weighed
}

#[test]
fn what_a_member_knows_does_not_grow_with_users_elsewhere() {
    for members in [1, 3, 10] {
        let (few, many) = (weigh(members, FEW), weigh(members, MANY));
        let all = |count: fn(&Member) -> usize| many.iter().map(count).sum::<usize>();
        let routing = || many.iter().map(|member| member.routing_bytes);
        let (least, most) = (routing().min().unwrap_or_default(), routing().max().unwrap_or_default());
        let growth =
            many.iter().zip(&few).map(|(m, f)| m.routing_bytes.saturating_sub(f.routing_bytes)).max();
        let growth = growth.unwrap_or_default();
        println!(
            "members: {members}, users online: {MANY}, with their sessions at another member: {}; routing state: {least} to \
             {most} bytes a member, at most {growth} more than with {FEW} users; beside it: {} bytes a user where he lives, {} \
             a session where it ends",
            all(|m| m.sessions_of_others),
            all(|m| m.user_bytes) / MANY,
            all(|m| m.session_bytes) / MANY,
        );
        assert!(most < ROUTING_BYTES_MAX, "{members} members: {most} bytes");
        assert!(growth < GROWTH_BYTES_MAX, "{members} members: {growth} bytes more with {MANY} users");
    }
}

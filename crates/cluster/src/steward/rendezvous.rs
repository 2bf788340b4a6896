//! Which member a slot belongs to: weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and Schomaker
//! 2005). Each member has a distance to each slot, and the nearest has it: who joins takes from all in proportion, and
//! who leaves leaves to all in proportion. By name rather than by id, so that a member that comes back gets its slots
//! back. In whole numbers, since all members must compute the same.

use stentor_engine::{MemberId, MemberInfo, Slot};

/// Bits of the logarithm behind its point.
const FRACTION_BITS: u32 = 24;

/// The nearest of these members, none if no weight is among them.
pub(super) fn nearest(members: &[(MemberId, &MemberInfo)], slot: Slot) -> Option<MemberId> {
    let distances =
        members.iter().filter_map(|(id, info)| distance(info, slot).map(|distance| (distance, *id)));
    distances.min().map(|(_, id)| id)
}

/// How far a member is from a slot; the less, the nearer. None for one of weight zero, which has no slots.
fn distance(info: &MemberInfo, slot: Slot) -> Option<u64> {
    let weight = u64::from(info.weight);
    // Exponentially distributed with the weight as its rate: -ln(u) / weight, but for a factor.
    // 16 bits more, which the weight takes away.
    (minus_log2(number(&info.name, u64::from(slot.number()))) << 16).checked_div(weight)
}

/// FNV-1a over a name and a number, and the finalizer of MurmurHash3, since the last bytes of FNV are mixed little.
pub(super) fn number(name: &str, number: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes().chain(number.to_be_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// `-log2(hash / 2^64)`, with [`FRACTION_BITS`] behind the point: digit by digit, by squaring.
fn minus_log2(hash: u64) -> u64 {
    let hash = hash.max(1);
    let zeros = hash.leading_zeros();
    // In [1, 2), with 63 bits behind the point.
    let mut mantissa = hash << zeros;
    let mut fraction = 0_u64;
    for _ in 0..FRACTION_BITS {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let is_two_or_more = square >> 127 == 1;
        fraction = fraction << 1 | u64::from(is_two_or_more);
        mantissa = (square >> if is_two_or_more { 64 } else { 63 }) as u64;
    }
    let log2 = u64::from(63 - zeros) << FRACTION_BITS | fraction;
    (64 << FRACTION_BITS) - log2
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr, SocketAddr};

    fn info(name: &str, weight: u16) -> MemberInfo {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        MemberInfo { name: name.into(), link: address, gossip: address, weight, wire: (1, 1), settings: 0 }
    }

    /// Whose each slot is, by the members' place in the list.
    fn owners(infos: &[MemberInfo]) -> Vec<usize> {
        let members: Vec<_> =
            infos.iter().enumerate().map(|(at, info)| (MemberId(at as u64), info)).collect();
        Slot::all().map(|slot| nearest(&members, slot).expect("somebody").0 as usize).collect()
    }

    #[test]
    fn members_have_slots_in_proportion_to_their_weights() {
        for weights in
            [&[1, 1, 1][..], &[7, 7, 7, 7, 7, 7, 7, 7], &[1, 2, 1], &[100, 300], &[60_000, 60_000], &[0, 1]]
        {
            let infos: Vec<_> =
                weights.iter().enumerate().map(|(at, weight)| info(&format!("m{at}"), *weight)).collect();
            let owners = owners(&infos);
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            for (at, weight) in weights.iter().enumerate() {
                let has = owners.iter().filter(|owner| **owner == at).count() as u64;
                let due = u64::from(Slot::COUNT) * u64::from(*weight) / total;
                assert!(
                    has.abs_diff(due) * 5 <= due,
                    "{at} of {weights:?} has {has}, and {due} is its share"
                );
            }
        }
    }

    #[test]
    fn who_joins_only_takes_and_who_comes_back_has_what_it_had() {
        let three = [info("a", 2), info("b", 1), info("c", 3)];
        let four = [info("a", 2), info("b", 1), info("c", 3), info("d", 1)];
        for (before, after) in owners(&three).into_iter().zip(owners(&four)) {
            assert!(after == before || after == 3, "{before} to {after}");
        }
        // Ids do not matter.
        let turned = [info("c", 3), info("a", 2), info("b", 1)];
        for (before, after) in owners(&three).into_iter().zip(owners(&turned)) {
            assert_eq!(three[before].name, turned[after].name);
        }
    }

    #[test]
    fn all_members_must_compute_this_for_ever() {
        assert_eq!(minus_log2(1 << 63), 1 << FRACTION_BITS);
        assert_eq!(minus_log2(3 << 62), (64 << 24) - ((63 << 24) + 9_814_042), "log2 1.5 = 0.5849625");
        let found = owners(&[info("juliet", 1), info("romeo", 1), info("nurse", 2)]);
        let sum = found
            .iter()
            .enumerate()
            .fold(0_u64, |sum, (at, owner)| sum.wrapping_mul(31) ^ (at ^ owner) as u64);
        assert_eq!(sum, 3_862_751_581_270_449_323, "slots belong to others than they did");
    }
}

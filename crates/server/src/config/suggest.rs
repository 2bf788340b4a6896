//! "Did you mean": the known name nearest to one that is not known.

/// The candidate within a few single-letter edits, by the length of `name`, the nearest first.
pub(super) fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = name.chars().count().div_ceil(3).clamp(1, 4);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance. Names longer than 64 characters are no slip of anyone's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().take(65).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (above, other) in row.windows(2).zip(&b) {
            let (&[diagonal, up], Some(&left)) = (above, next.last()) else { break };
            next.push((diagonal + usize::from(letter != *other)).min(up + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_near_a_known_one_are_suggested() {
        let known = ["domain", "certificate", "key", "keep"];
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(suggestion(name, known.into_iter()), expected, "{name}");
        };
        check("domian", Some("domain"));
        check("certificat", Some("certificate"));
        check("kep", Some("key"));
        check("kee", Some("key"));
        check("keeep", Some("keep"));
        check("x", None);
        check("", None);
        check("something_else", None);
        check(&"d".repeat(10_000), None);
    }
}

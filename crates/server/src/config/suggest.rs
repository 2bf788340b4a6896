//! "Did you mean": the known name nearest to one that is not known.

/// The question whether one of the candidates is meant, `; did you mean x?`: those within a few single-letter edits, by
/// the length of `name`, that are nearest, each between `quotes`. Nothing, where none is near.
pub(super) fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>, quotes: &str) -> String {
    let nearest = nearest(name, candidates);
    if nearest.is_empty() {
        return String::new();
    }
    let nearest: Vec<_> = nearest.iter().map(|candidate| format!("{quotes}{candidate}{quotes}")).collect();
    format!("; did you mean {}?", nearest.join(" or "))
}

fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let tolerated = name.chars().count().div_ceil(3).clamp(1, 4);
    let near: Vec<_> = candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    near.into_iter()
        .filter(|(distance, _)| Some(*distance) == least)
        .map(|(_, candidate)| candidate)
        .collect()
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
        let check = |name: &str, expected: &[&str]| {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        };
        check("domian", &["domain"]);
        check("certificat", &["certificate"]);
        check("kep", &["key", "keep"]);
        check("kee", &["key", "keep"]);
        check("keeep", &["keep"]);
        check("x", &[]);
        check("", &[]);
        check("something_else", &[]);
        check(&"d".repeat(10_000), &[]);
        assert_eq!(suggestion("kep", known.into_iter(), "\""), "; did you mean \"key\" or \"keep\"?");
        assert_eq!(suggestion("x", known.into_iter(), ""), "");
    }
}

//! The word that somebody may have meant.

/// The known word that `word` is nearest to, when it is near enough to be a slip.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let folded = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let word = folded(word);
    let distances = known.iter().map(|&candidate| (distance(&word, &folded(candidate)), candidate));
    let (near, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (near <= word.chars().count().max(3) / 3).then_some(candidate)
}

/// How many characters must be put in, left out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for row in 1..=a.len() {
        let mut next = vec![row];
        for column in 1..=b.len() {
            let changed = usize::from(a[row - 1] != b[column - 1]);
            let mut best = (last[column] + 1).min(next[column - 1] + 1).min(last[column - 1] + changed);
            if row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1] {
                best = best.min(before[column - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["description", "globs", "alwaysApply", "tags"];
        assert_eq!(nearest("descripton", &known), Some("description"));
        assert_eq!(nearest("glbos", &known), Some("globs"));
        assert_eq!(nearest("always_apply", &known), Some("alwaysApply"));
        assert_eq!(nearest("author", &known), None);
    }
}

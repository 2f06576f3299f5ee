//! Which name was meant, when one was mistyped.

/// The name that a typing error was meant to be: one that begins with it, or at most two edits off.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if word.len() > 2
        && let Some(name) = names.clone().find(|n| n.starts_with(word))
    {
        return Some(name);
    }
    let near = names.map(|n| (edits(word, n), n)).min_by_key(|(distance, _)| *distance)?;
    let most = if word.len() < 4 { 1 } else { 2 };
    (near.0 <= most).then_some(near.1)
}

/// Levenshtein distance: single-character inserts, deletes and replacements.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["attach", "sessions", "stop", "ls", "rm"];
        let check = |word| nearest(word, names.into_iter());
        assert_eq!(check("atach"), Some("attach"));
        assert_eq!(check("sess"), Some("sessions"));
        assert_eq!(check("sotp"), Some("stop"));
        assert_eq!(check("lss"), Some("ls"));
        assert_eq!((check("x"), check("frob"), check("")), (None, None, None));
    }
}

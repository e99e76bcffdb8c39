//! Brace ellipses: `/mnt/d{1...4}` is `/mnt/d1` to `/mnt/d4`, `{01...10}` keeps the zeros.

/// The most paths one pattern may make.
const PATHS_MAX: usize = 1024;

/// Why a pattern cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is not a drive pattern: {reason}")]
pub struct InvalidPattern {
    pattern: String,
    reason: &'static str,
}

/// All paths of `pattern`, the rightmost braces counting fastest. Text without braces is itself.
pub fn expand(pattern: &str) -> Result<Vec<String>, InvalidPattern> {
    let invalid = |reason| InvalidPattern { pattern: pattern.into(), reason };
    let mut paths = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, tail)) = rest.split_once('{') {
        let (range, after) = tail.split_once('}').ok_or_else(|| invalid("a brace is not closed"))?;
        let numbers = numbers(range).map_err(invalid)?;
        if paths.len() * numbers.len() > PATHS_MAX {
            return Err(invalid("it makes more than 1024 paths"));
        }
        paths = paths
            .iter()
            .flat_map(|path| numbers.iter().map(move |number| format!("{path}{before}{number}")))
            .collect();
        rest = after;
    }
    if rest.contains('}') {
        return Err(invalid("a brace is not opened"));
    }
    Ok(paths.into_iter().map(|path| path + rest).collect())
}

fn numbers(range: &str) -> Result<Vec<String>, &'static str> {
    let (first, last) = range.split_once("...").ok_or("braces hold two numbers with '...' between")?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<usize>().ok()).flatten().ok_or("a bound is not a number")
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to || to - from >= PATHS_MAX {
        return Err("the bounds are out of order or too far apart");
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_expand_to_every_number_between() {
        assert_eq!(expand("/mnt/d{1...4}").unwrap(), ["/mnt/d1", "/mnt/d2", "/mnt/d3", "/mnt/d4"]);
        assert_eq!(expand("/r{1...2}/d{08...10}").unwrap()[1..4], ["/r1/d09", "/r1/d10", "/r2/d08"]);
        assert_eq!(expand("/plain").unwrap(), ["/plain"]);
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_refused() {
        for bad in
            ["d{1...", "d{1..4}", "d}1", "d{4...1}", "d{a...b}", "d{1...9999999}", "d{1...999}{1...999}"]
        {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }
}

//! Texts of a picture: cleaned, measured, cut (G1, G2).

/// Without what XML does not hold, what moves the text around it and what is seen as nothing (G1).
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|found| if is_plain(found) { found } else { '\u{fffd}' }).collect()
}

fn is_plain(found: char) -> bool {
    let turns = matches!(found, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    !found.is_control() && !turns && !matches!(found, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// About how wide a text is in pixels, at least as wide as most fonts have it.
pub(super) fn width(text: &str, size: i32) -> i32 {
    (text.chars().map(of_char).sum::<f64>() * f64::from(size)).ceil() as i32
}

/// In parts of the size.
fn of_char(found: char) -> f64 {
    match found {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '/'
        | '(' | ')' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' => 0.72,
        '\u{0}'..='\u{24f}' => 0.6,
        // Letters of other scripts may be as wide as they are high.
        _ => 1.05,
    }
}

/// A text that is not wider than this: what is too much is taken out of its middle.
pub(super) fn fit(text: &str, width_max: i32, size: i32) -> String {
    if width(text, size) <= width_max {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |kept: usize| {
        let head = kept.div_ceil(2);
        let tail = &letters[letters.len() - (kept - head)..];
        letters[..head].iter().chain(&['\u{2026}']).chain(tail).collect::<String>()
    };
    let (mut fits, mut too_long) = (0, letters.len());
    while fits + 1 < too_long {
        let middle = fits.midpoint(too_long);
        if width(&cut(middle), size) <= width_max { fits = middle } else { too_long = middle }
    }
    cut(fits)
}

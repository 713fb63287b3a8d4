//! Typed filters: every word must be found, letters in order, as nucleo finds them.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// A filter made ready.
pub struct Fuzzy {
    pattern: Pattern,
    matcher: Matcher,
    empty: bool,
    buffer: Vec<char>,
}

impl Fuzzy {
    /// Of what was typed. Upper case letters ask for upper case ones.
    pub fn new(typed: &str) -> Self {
        Fuzzy {
            pattern: Pattern::parse(typed, CaseMatching::Smart, Normalization::Smart),
            matcher: Matcher::new(Config::DEFAULT),
            empty: typed.trim().is_empty(),
            buffer: Vec::new(),
        }
    }

    /// Does this text match? Everything matches an empty filter.
    pub fn matches(&mut self, text: &str) -> bool {
        self.empty || self.score(text).is_some()
    }

    /// How well it matches.
    pub fn score(&mut self, text: &str) -> Option<u32> {
        self.pattern.score(Utf32Str::new(text, &mut self.buffer), &mut self.matcher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_order_letters_in_order() {
        assert!(Fuzzy::new("ord pg").matches("lab orders/pg-orders"));
        assert!(Fuzzy::new("").matches("anything"));
        assert!(!Fuzzy::new("hippo").matches("lab orders/pg-orders"));
        assert!(Fuzzy::new("データ").matches("データ/db"));
    }
}

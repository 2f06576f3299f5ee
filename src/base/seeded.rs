//! Random numbers for tests that feed parsers: seeded, so that a failure can be repeated. Nothing
//! secret may come from here; see `base::id` for that.

/// How often a test of random input goes around: `usual` times, or `CODEPIPER_FUZZ` times as often,
/// with further input each time (`make fuzz`).
pub fn rounds(usual: usize) -> usize {
    let factor = std::env::var("CODEPIPER_FUZZ").ok().and_then(|text| text.parse().ok());
    usual * factor.unwrap_or(1).max(1)
}

/// A small generator with a seed, so that a failure can be repeated.
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed, on every machine.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`; 0 where there is none. Xorshift64.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// `bytes` cut into pieces at random places.
    pub fn pieces<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let most = if self.below(4) == 0 { 200 } else { 5 };
            let (piece, rest) = bytes.split_at((1 + self.below(most)).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

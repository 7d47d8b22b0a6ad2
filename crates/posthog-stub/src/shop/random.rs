//! SplitMix64: small, quick, and the same for ever, so that a seed names one shop.

/// A deterministic source of randomness.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number of `from..to`.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to.saturating_sub(from)).unwrap_or_default();
        from + i64::try_from(self.below(width)).unwrap_or_default()
    }

    /// True in so many of a thousand cases.
    pub(super) fn permille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// One of the items; low places are likelier, as with bestsellers.
    pub(super) fn favourite<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        let length = items.len() as u64;
        let at = self.below(length).min(self.below(length));
        items.get(usize::try_from(at).unwrap_or_default())
    }

    /// One of the items.
    pub(super) fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        let at = self.below(items.len() as u64);
        items.get(usize::try_from(at).unwrap_or_default())
    }

    /// One of some fixed texts.
    pub(super) fn text(&mut self, items: &[&'static str]) -> &'static str {
        self.pick(items).copied().unwrap_or_default()
    }

    /// A version 7 uuid of a moment in milliseconds, as the SDK makes them.
    pub(super) fn uuid(&mut self, millis: i64) -> uuid::Uuid {
        let mut noise = [0; 10];
        let (one, two) = (self.next().to_be_bytes(), self.next().to_be_bytes());
        for (slot, byte) in noise.iter_mut().zip(one.into_iter().chain(two)) {
            *slot = byte;
        }
        let millis = u64::try_from(millis).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &noise).into_uuid()
    }
}

//! Owns numbers that look random and are not: every id of the emulated world is a pure function of the seed, so that
//! a run can be repeated.

/// A well-mixed number of three (SplitMix64's finaliser).
pub(crate) fn mix(seed: u64, label: u64, number: u64) -> u64 {
    let mut value = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(label.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .wrapping_add(number.wrapping_mul(0x8CB9_2BA7_2F3D_8DD7))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A GUID whose last twelve digits are `tail`, so that it can be traced back to an index.
pub(crate) fn guid_with_tail(head: u64, tail: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        head >> 32,
        head >> 16 & 0xffff,
        head & 0xfff,
        0x8000 | (head >> 12 & 0x3fff),
        tail & 0xffff_ffff_ffff
    )
}

/// The number in the last twelve digits of a GUID.
pub(crate) fn tail(guid: &str) -> Option<u64> {
    let digits = guid.get(guid.len().checked_sub(12)?..)?;
    u64::from_str_radix(digits, 16).ok()
}

/// GUIDs one after another.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    next: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Ids {
        Ids { seed, next: 0 }
    }

    pub(crate) fn guid(&mut self) -> String {
        self.next += 1;
        guid_with_tail(
            mix(self.seed, 101, self.next),
            mix(self.seed, 102, self.next),
        )
    }

    /// 32 hexadecimal digits, as recovery points are named.
    pub(crate) fn digits(&mut self) -> String {
        self.guid().replace('-', "")
    }
}

/// Whether a text has the form of a GUID.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// A number that stands for a secret text in a set; the text itself is not kept.
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

//! A cursor over the text of one page: it finds where JSON values end, many bytes at a time, and builds nothing. Of what is handed on it
//! takes JSON and nothing else; an object or array that nobody asked for is only gone over, from its first bracket to its last. At what it
//! does not take it says [`Unusual`], and the careful reader has the last word on it.

use wide::u8x16;

/// The text is no JSON, or JSON of a form that the cursor leaves to the careful reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusual;

pub(super) type Scanned<T> = Result<T, Unusual>;

/// Objects and arrays within each other, beyond which a text is unusual.
const DEEPEST: u32 = 100;

/// Whether a text is JSON of a usual form, with nothing but space around it. What is not may still be JSON.
pub(crate) fn is_usual(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.value().is_ok() && cursor.end().is_ok()
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'j> {
    text: &'j str,
    bytes: &'j [u8],
    at: usize,
}

impl<'j> Cursor<'j> {
    pub fn new(text: &'j str) -> Cursor<'j> {
        Cursor {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    /// The next byte that is no space, which stays to be read.
    pub fn peek(&mut self) -> Scanned<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Unusual),
            }
        }
    }

    /// Takes the byte that must come next.
    pub fn take(&mut self, wanted: u8) -> Scanned<()> {
        if self.peek()? != wanted {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    /// After an element or member: whether another one follows. Takes the comma or the closing byte.
    pub fn another(&mut self, close: u8) -> Scanned<bool> {
        let byte = self.peek()?;
        if byte != b',' && byte != close {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Begins an object or array: whether it has something in it. Takes the closing byte where it has not.
    pub fn begin(&mut self, open: u8, close: u8) -> Scanned<bool> {
        self.take(open)?;
        if self.peek()? == close {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Nothing but space may follow.
    pub fn end(mut self) -> Scanned<()> {
        match self.peek() {
            Ok(_) => Err(Unusual),
            Err(Unusual) => Ok(()),
        }
    }

    /// The key of a member, with its colon. One with escapes is unusual.
    pub fn key(&mut self) -> Scanned<&'j str> {
        if self.peek()? != b'"' {
            return Err(Unusual);
        }
        let from = self.at + 1;
        let escaped = self.string()?;
        let key = &self.text[from..self.at - 1];
        self.take(b':')?;
        if escaped { Err(Unusual) } else { Ok(key) }
    }

    /// The text of the next value, whatever it is, without the space around it.
    pub fn value(&mut self) -> Scanned<&'j str> {
        self.peek()?;
        let from = self.at;
        self.pass()?;
        Ok(&self.text[from..self.at])
    }

    /// Goes behind the next value, which nobody asked for.
    pub fn skip(&mut self) -> Scanned<()> {
        match self.peek()? {
            b'{' | b'[' => self.go_over(),
            _ => self.pass(),
        }
    }

    /// Goes behind an object or array by its brackets and quotes alone.
    fn go_over(&mut self) -> Scanned<()> {
        let open = self.bytes[self.at];
        let mut state = Brackets::default();
        let end = loop {
            let Some((block, _)) = self.bytes[self.at..].split_first_chunk::<BLOCK>() else {
                let mut last = [b' '; BLOCK];
                let rest = &self.bytes[self.at..];
                last[..rest.len()].copy_from_slice(rest);
                match state.end_in(&last) {
                    Some(end) => break end,
                    None => return Err(Unusual),
                }
            };
            if let Some(end) = state.end_in(block) {
                break end;
            }
            self.at += BLOCK;
        };
        self.at += end;
        // Both kinds of closing brackets are two behind their opening ones.
        match self.bytes[self.at] == open + 2 {
            true => {
                self.at += 1;
                Ok(())
            }
            false => Err(Unusual),
        }
    }

    /// Goes behind the next value, which has to be JSON.
    fn pass(&mut self) -> Scanned<()> {
        // One bit for each object or array that is open: 1 for an object.
        let (mut depth, mut objects) = (0_u32, 0_u128);
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.at += 1;
                    if self.peek()? == b'}' {
                        self.at += 1;
                    } else {
                        self.member()?;
                        (depth, objects) = (depth + 1, objects << 1 | 1);
                        if depth > DEEPEST {
                            return Err(Unusual);
                        }
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if self.peek()? == b']' {
                        self.at += 1;
                    } else {
                        (depth, objects) = (depth + 1, objects << 1);
                        if depth > DEEPEST {
                            return Err(Unusual);
                        }
                        continue;
                    }
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            // Behind a value: what it stands in goes on or ends.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if in_object {
                            self.member()?;
                        }
                        break;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return Err(Unusual),
                }
                self.at += 1;
                (depth, objects) = (depth - 1, objects >> 1);
            }
        }
    }

    /// Goes behind a key and its colon.
    fn member(&mut self) -> Scanned<()> {
        if self.peek()? != b'"' {
            return Err(Unusual);
        }
        self.string()?;
        self.take(b':')
    }

    /// Goes behind a string, which begins here; whether it has escapes.
    fn string(&mut self) -> Scanned<bool> {
        self.at += 1;
        let mut escaped = false;
        loop {
            while let Some((part, _)) = self.bytes[self.at..].split_first_chunk::<16>() {
                let part = u8x16::new(*part);
                let quotes = part.simd_eq(u8x16::splat(b'"'));
                let escapes = part.simd_eq(u8x16::splat(b'\\'));
                let controls = part.min(u8x16::splat(0x1f)).simd_eq(part);
                // The lowest bit that is set marks the first quote, escape or control character.
                let ends = (quotes | escapes | controls).to_bitmask();
                if ends != 0 {
                    self.at += ends.trailing_zeros() as usize;
                    break;
                }
                self.at += 16;
            }
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..0x20) | None => return Err(Unusual),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(Unusual)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Unusual);
                }
                self.at += 6;
            }
            _ => return Err(Unusual),
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Scanned<()> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word.as_bytes()) {
            return Err(Unusual);
        }
        self.at = end;
        Ok(())
    }

    fn number(&mut self) -> Scanned<()> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Scanned<()> {
        let from = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == from {
            Err(Unusual)
        } else {
            Ok(())
        }
    }
}

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// How far into brackets and strings a text is, block by block.
#[derive(Debug, Default)]
struct Brackets {
    depth: u32,
    /// All ones within a string.
    inside: u64,
    /// Whether the first byte of the next block is escaped.
    escaped: u64,
}

impl Brackets {
    /// Goes through a block; where the last bracket closes, if it does in this one.
    #[inline]
    fn end_in(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let (mut quotes, mut escapes, mut opens, mut closes) = (0_u64, 0_u64, 0_u64, 0_u64);
        for (at, part) in block.as_chunks::<16>().0.iter().enumerate() {
            let part = u8x16::new(*part);
            // `[` and `{`, as well as `]` and `}`, differ in this bit.
            let folded = part | u8x16::splat(0x20);
            let places = |of: u8x16, byte: u8| {
                u64::from(of.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * at)
            };
            quotes |= places(part, b'"');
            escapes |= places(part, b'\\');
            opens |= places(folded, b'{');
            closes |= places(folded, b'}');
        }
        if escapes | self.escaped != 0 {
            quotes &= !self.escaped_by(escapes);
        }
        // Every byte from an opening quote to the one before the closing quote: the parity of the quotes so far.
        let mut strings = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            strings ^= strings << shift;
        }
        strings ^= self.inside;
        self.inside = 0_u64.wrapping_sub(strings >> 63);
        opens &= !strings;
        closes &= !strings;
        if closes.count_ones() >= self.depth {
            let mut brackets = opens | closes;
            while brackets != 0 {
                let at = brackets.trailing_zeros();
                if opens >> at & 1 == 1 {
                    self.depth += 1;
                } else {
                    self.depth = self.depth.checked_sub(1)?;
                    if self.depth == 0 {
                        return Some(at as usize);
                    }
                }
                brackets &= brackets - 1;
            }
            return None;
        }
        self.depth = self.depth + opens.count_ones() - closes.count_ones();
        None
    }

    /// The bytes behind the backslashes that are not escaped themselves.
    fn escaped_by(&mut self, escapes: u64) -> u64 {
        let mut escaped = self.escaped;
        self.escaped = 0;
        let mut left = escapes & !escaped;
        while left != 0 {
            let at = left.trailing_zeros();
            match 2_u64.checked_shl(at).filter(|_| at < 63) {
                Some(next) => {
                    escaped |= next;
                    left &= !next;
                }
                None => self.escaped = 1,
            }
            left &= left - 1;
        }
        escaped
    }
}

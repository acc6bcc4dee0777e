//! Bytes of a script file to text. Owns the encodings that are accepted: UTF-8, and UTF-16 with a byte order mark, which
//! editors on Windows write.

use crate::error::{Diagnostic, code};

/// The text of a script file. A byte order mark of UTF-8 stays in the text; [`crate::split`] passes over it.
///
/// # Errors
/// The bytes are neither UTF-8 nor UTF-16 with a byte order mark; the message names the first bad byte.
pub fn decode(bytes: Vec<u8>) -> Result<String, Diagnostic> {
    let wide: Option<fn([u8; 2]) -> u16> = match bytes.get(..2) {
        Some([0xff, 0xfe]) => Some(u16::from_le_bytes),
        Some([0xfe, 0xff]) => Some(u16::from_be_bytes),
        _ => None,
    };
    if let Some(unit) = wide {
        let units = bytes[2..].chunks(2).map(|pair| match pair {
            [first, second] => unit([*first, *second]),
            // A lone byte at the end is no character; a lone surrogate stands for it.
            _ => 0xd800,
        });
        return char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| Diagnostic::new(code::CHARACTER, "the text begins as UTF-16 and is not"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1;
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        Diagnostic::new(
            code::CHARACTER,
            format!("byte {} (0x{byte:02x}, line {line}) is no UTF-8", at + 1),
        )
        .help("save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn reads_what_editors_write_and_names_the_bad_byte() {
        assert_eq!(decode("SELECT 'ä'".into()).as_deref(), Ok("SELECT 'ä'"));
        let little = [0xff, 0xfe]
            .into_iter()
            .chain("SELECT 'ä😀'".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(decode(little.collect()).as_deref(), Ok("SELECT 'ä😀'"));
        let big = [0xfe, 0xff]
            .into_iter()
            .chain("SELECT 1".encode_utf16().flat_map(u16::to_be_bytes));
        assert_eq!(decode(big.collect()).as_deref(), Ok("SELECT 1"));
        let messages = [
            (
                vec![0xff, 0xfe, b'S'],
                "the text begins as UTF-16 and is not",
            ),
            (
                b"SELECT 1;\nSELECT '\xe4'".to_vec(),
                "byte 19 (0xe4, line 2) is no UTF-8",
            ),
        ];
        for (bytes, expected) in messages {
            assert_eq!(
                decode(bytes).map_err(|fault| fault.message),
                Err(expected.to_owned())
            );
        }
    }
}

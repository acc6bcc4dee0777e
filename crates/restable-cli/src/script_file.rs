//! Scripts in files and on standard input. Owns what counts as text; what the text says is restable-sql's.

use std::io::{self, Read as _};
use std::path::Path;

use crate::error::{Error, Result};

/// A script and what to call it.
#[derive(Debug)]
pub struct Script {
    /// What it says.
    pub text: String,
    /// The file in backticks, or `standard input`.
    pub name: String,
}

/// The script in a file; `-` is standard input.
pub fn read(path: &Path) -> Result<Script> {
    let (name, bytes) = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        ("standard input".to_owned(), read.map(|_| bytes))
    } else {
        (format!("`{}`", path.display()), std::fs::read(path))
    };
    let bytes = bytes.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = decode(bytes).map_err(|problem| Error::NotText {
        name: name.clone(),
        problem,
    })?;
    Ok(Script { text, name })
}

/// UTF-8 text; a byte order mark before it is left out.
fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("it begins like UTF-16".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|problem| {
        let at = problem.utf8_error().valid_up_to();
        let line = problem.as_bytes()[..at]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        format!("byte 0x{:02x} in line {line}", problem.as_bytes()[at])
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn text_and_what_is_none() {
        let cases: [(&[u8], Result<&str, &str>); 5] = [
            (b"\xef\xbb\xbfSELECT 1;\r\n", Ok("SELECT 1;\r\n")),
            (b"", Ok("")),
            (b"a\nb\xff", Err("byte 0xff in line 2")),
            (b"\xff\xfeS\0", Err("it begins like UTF-16")),
            ("'ü'".as_bytes(), Ok("'ü'")),
        ];
        for (bytes, expected) in cases {
            assert_eq!(
                decode(bytes.to_vec()),
                expected.map(str::to_owned).map_err(str::to_owned)
            );
        }
    }
}

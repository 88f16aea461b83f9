//! Reads files that users name: never more than a bound, since a name may lead to anything.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a file. An apiserver takes objects of up to 3 MiB, and a file may hold many.
const MOST: usize = 64 << 20;

/// Reads the text of a file.
pub fn text(path: impl AsRef<Path>) -> io::Result<String> {
    text_of(File::open(path)?)
}

/// Reads a text to its end.
pub fn text_of(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MOST as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {} MiB", MOST >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_the_bound() {
        assert_eq!(text_of(&b"a: b"[..]).unwrap(), "a: b");
        assert_eq!(text("/dev/zero").unwrap_err().to_string(), "it is longer than 64 MiB");
        assert!(text("/nonexistent").is_err());
    }
}

//! A frame: the data that one fsync makes durable. The next frame is written only once the previous one is on disk. So
//! an incomplete or garbled frame is the torn end of a log if nothing follows it, and damage if a complete frame does.

use std::ops::Range;

/// Start of each frame.
const MAGIC: [u8; 4] = *b"SQFR";
/// Length of what stands before the body: magic, body length, checksum of number and body, number.
pub const HEADER: usize = 4 + 4 + 4 + 8;

/// Appends a frame.
pub fn write(number: u64, body: &[u8], out: &mut Vec<u8>) {
    out.extend(MAGIC);
    out.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(checksum(number, body).to_le_bytes());
    out.extend(number.to_le_bytes());
    out.extend(body);
}

fn checksum(number: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A complete frame found in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Counts up from frame to frame, across all segments.
    pub number: u64,
    /// Byte range of the body in the file.
    pub body: Range<usize>,
}

/// The result of a read at an offset in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameAt {
    /// A complete frame.
    Whole(Frame),
    /// The end of the file.
    End,
    /// Anything other than a complete frame.
    Broken,
}

/// Reads the frame at an offset.
pub fn read(bytes: &[u8], at: usize) -> FrameAt {
    let rest = &bytes[at..];
    if rest.is_empty() {
        return FrameAt::End;
    }
    let word = |place: Range<usize>| rest.get(place).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let number = rest.get(12..HEADER).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let (Some(len), Some(expected), Some(number)) = (word(4..8), word(8..12), number) else { return FrameAt::Broken };
    let body = HEADER..HEADER.saturating_add(len as usize);
    match rest.get(body.clone()) {
        Some(content) if rest.starts_with(&MAGIC) && checksum(number, content) == expected => {
            FrameAt::Whole(Frame { number, body: at.saturating_add(body.start)..at.saturating_add(body.end) })
        }
        _ => FrameAt::Broken,
    }
}

/// Returns the offset of the first complete frame after an offset, if there is one.
pub fn find_whole_after(bytes: &[u8], at: usize) -> Option<usize> {
    (at.saturating_add(1)..bytes.len())
        .filter(|start| bytes[*start..].starts_with(&MAGIC))
        .find(|start| matches!(read(bytes, *start), FrameAt::Whole(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_and_every_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        write(7, b"hello", &mut bytes);
        assert_eq!(read(&bytes, 0), FrameAt::Whole(Frame { number: 7, body: 20..25 }));
        assert_eq!(read(&bytes, bytes.len()), FrameAt::End);
        for len in 1..bytes.len() {
            assert_eq!(read(&bytes[..len], 0), FrameAt::Broken);
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&damaged, 0), FrameAt::Broken, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_behind_damage_is_found() {
        let mut bytes = vec![0; 9];
        write(1, b"x", &mut bytes);
        assert_eq!(find_whole_after(&bytes, 0), Some(9));
        assert_eq!(find_whole_after(&bytes, 9), None);
    }
}

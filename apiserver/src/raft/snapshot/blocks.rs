//! A file of checksummed blocks, with a trailer that holds the number of blocks.

use std::io::{self, Read, Write};

/// The first bytes of each snapshot, before the format version.
const NAME: [u8; 7] = *b"SQSNAP\0";
/// The format version that is written and read.
const VERSION: u8 = 1;
/// The header of a file.
const MAGIC: [u8; 8] = {
    let [a, b, c, d, e, f, g] = NAME;
    [a, b, c, d, e, f, g, VERSION]
};
/// A block is written when it reaches this size.
const BLOCK_BYTES: usize = 256 << 10;
/// Maximum size of a block. A larger length is damage, not a reason to allocate.
const MAX_BLOCK_BYTES: usize = 64 << 20;

/// Writes blocks of length-prefixed items.
pub struct BlockWriter<W: Write> {
    out: W,
    block: Vec<u8>,
    blocks: u32,
}

impl<W: Write> BlockWriter<W> {
    /// Writes the file header.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        Ok(Self { out, block: Vec::with_capacity(2 * BLOCK_BYTES), blocks: 0 })
    }

    /// Appends an item to the current block.
    pub fn item(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.block.extend(len.to_le_bytes());
        self.block.extend(bytes);
        if self.block.len() >= BLOCK_BYTES { self.flush_block() } else { Ok(()) }
    }

    fn flush_block(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&crc32fast::hash(&self.block).to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.block.clear();
        self.blocks = self.blocks.saturating_add(1);
        Ok(())
    }

    /// Writes the last block and the trailer.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.flush_block()?;
        }
        self.out.write_all(&0u32.to_le_bytes())?;
        self.out.write_all(&self.blocks.to_le_bytes())?;
        Ok(self.out)
    }
}

/// Reads the items of a file and calls `take` with each.
pub fn read_items(mut input: impl Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut offset = MAGIC.len();
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    match magic {
        MAGIC => {}
        [name @ .., newer] if name == NAME && newer > VERSION => {
            let what = format!("it has format version {newer}, but this apiserver reads up to version {VERSION}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        _ => return Err(damaged(0, "it does not begin like a snapshot")),
    }
    let mut blocks = 0;
    loop {
        let (len, check) = (read_u32(&mut input)?, read_u32(&mut input)?);
        if len == 0 {
            let whole = check == blocks && input.read(&mut [0])? == 0;
            return if whole { Ok(()) } else { Err(damaged(offset, "the trailer does not match the blocks")) };
        }
        if len as usize > MAX_BLOCK_BYTES {
            return Err(damaged(offset, "a block is too large"));
        }
        let mut block = vec![0; len as usize];
        input.read_exact(&mut block)?;
        if crc32fast::hash(&block) != check {
            return Err(damaged(offset, "the checksum of a block is wrong"));
        }
        let mut rest = block.as_slice();
        while let Some((len, tail)) = rest.split_first_chunk() {
            let item =
                tail.get(..u32::from_le_bytes(*len) as usize).ok_or_else(|| damaged(offset, "an item is cut off"))?;
            take(item)?;
            rest = &tail[item.len()..];
        }
        offset = offset.saturating_add(8).saturating_add(block.len());
        blocks = blocks.saturating_add(1);
    }
}

fn read_u32(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn damaged(offset: usize, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged at offset {offset}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_snapshot_says_so() {
        let mut bytes = BlockWriter::new(Vec::new()).unwrap().finish().unwrap();
        assert!(read_items(bytes.as_slice(), |_| Ok(())).is_ok());
        bytes[7] = 2;
        let error = read_items(bytes.as_slice(), |_| Ok(())).unwrap_err().to_string();
        assert_eq!(error, "it has format version 2, but this apiserver reads up to version 1");
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused() {
        let mut writer = BlockWriter::new(Vec::new()).unwrap();
        let items: [&[u8]; 3] = [b"one", b"", b"three"];
        items.iter().for_each(|item| writer.item(item).unwrap());
        let bytes = writer.finish().unwrap();
        let mut read = Vec::new();
        read_items(bytes.as_slice(), |item| {
            read.push(item.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(read, items);
        for len in 0..bytes.len() {
            assert!(read_items(&bytes[..len], |_| Ok(())).is_err(), "cut to {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_items(damaged.as_slice(), |_| Ok(())).is_err(), "bit {bit}");
        }
    }
}

//! The inputs that a run starts from, and their mutations.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use fastrand::Rng;

/// Largest input.
const MAX_BYTES: usize = 16 << 10;
/// Largest number of mutations of one input.
const MAX_MUTATIONS: usize = 8;
/// Values at the edges of what numbers hold.
const NUMBERS: [&str; 8] = [
    "0",
    "-1",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e999",
];

/// Reads the files of a corpus, in the order of their names.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let files = fs::read_dir(folder).with_context(|| format!("reading the corpus {}", folder.display()))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    ensure!(!paths.is_empty(), "the corpus {} is empty", folder.display());
    paths.iter().map(|path| fs::read(path).with_context(|| path.display().to_string())).collect()
}

/// Returns a mutation of one of the inputs.
pub fn mutated(inputs: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let any = |random: &mut Rng| inputs.get(random.usize(..inputs.len().max(1))).map_or(&[][..], Vec::as_slice);
    let mut bytes = any(random).to_vec();
    for _ in 0..random.usize(1..=MAX_MUTATIONS) {
        let other = any(random);
        mutate(&mut bytes, other, random);
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    let at = random.usize(..=bytes.len());
    let end = at.saturating_add(random.usize(..=16)).min(bytes.len());
    match random.u8(..9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.u8(..8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.u8(..);
            }
        }
        2 => bytes.insert(at, random.u8(..)),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        // A part of itself, or of another input, such as a field with its value.
        5 => {
            let part = bytes.get(at..end).unwrap_or_default().repeat(random.usize(1..=32));
            drop(bytes.splice(at..at, part));
        }
        6 => drop(bytes.splice(at..at, part_of(other, random))),
        7 => drop(bytes.splice(at..end, part_of(other, random))),
        _ => {
            let number = NUMBERS.get(random.usize(..NUMBERS.len())).copied().unwrap_or_default();
            drop(bytes.splice(digits(bytes, at), number.bytes()));
        }
    }
}

fn part_of(other: &[u8], random: &mut Rng) -> Vec<u8> {
    let start = random.usize(..=other.len());
    let end = start.saturating_add(random.usize(..=64)).min(other.len());
    other.get(start..end).unwrap_or_default().to_vec()
}

/// Returns the range of the first digits at or after a place; empty if there are none.
fn digits(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(start) = rest.iter().position(u8::is_ascii_digit) else { return at..at };
    let count = rest.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
    let start = at.saturating_add(start);
    start..start.saturating_add(count)
}

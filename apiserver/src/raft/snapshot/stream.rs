//! Streams a snapshot in chunks.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::host::{Disk, Work, waited};

/// Size of a chunk. One message holds one chunk.
const CHUNK_BYTES: u64 = 1 << 20;

/// Streams the file in chunks. The stream stays complete even if the file is removed meanwhile.
pub fn chunks(disk: Arc<dyn Disk>, path: &Path) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
    let reader = disk.read(path)?;
    Ok(stream::try_unfold((disk, reader), async |(disk, reader)| {
        let (chunk, reader) = waited(disk.as_ref(), Work::Waited, move || read(reader)).await?;
        Ok((!chunk.is_empty()).then_some((chunk, (disk, reader))))
    })
    .boxed())
}

fn read(mut reader: Box<dyn Read + Send>) -> io::Result<(Bytes, Box<dyn Read + Send>)> {
    let mut chunk = Vec::new();
    reader.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk)?;
    Ok((chunk.into(), reader))
}

//! The log writer: collects all waiting jobs, writes them as one frame, calls fsync once, and notifies every waiter.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use openraft::storage::IOFlushed;
use tokio::sync::{mpsc, oneshot};

use super::folder::LogFolder;
use super::frame;
use super::mark::Mark;
use super::record::Record;
use super::recover::Recovered;
use super::segment::{Segment, header, segment_path};
use super::window::{Place, Window};
use crate::host::{Output, Work};
use crate::metrics::Timer;
use crate::raft::types::{LogId, TypeConfig, Vote};

/// Maximum size of a frame; further jobs wait for the next one.
const FRAME_BYTES: usize = 4 << 20;
/// Maximum number of waiting jobs. Their bytes are bounded where they come from: a leader has few bytes of writes under way
/// (`in_flight.rs`), and sends few bytes that are unanswered (`pipe.rs`).
const QUEUE: usize = 4_096;

/// Records to write, and the waiter to notify once they are on disk.
pub struct Job {
    /// Written together, in one frame.
    pub records: Vec<Record>,
    /// Notified of the result.
    pub done: Done,
}

/// Receives the result of a job.
pub enum Done {
    /// openraft's own callback.
    Raft(IOFlushed<TypeConfig>),
    /// A waiting call.
    Waiter(oneshot::Sender<io::Result<()>>),
    /// No one waits for the result.
    Nobody,
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Raft(callback) => callback.io_completed(result),
            // The waiting call may have been dropped.
            Self::Waiter(sender) => drop(sender.send(result)),
            Self::Nobody => {}
        }
    }
}

/// Starts the writer. It ends when the sender is dropped, or after an error. It tells the window where each entry is.
pub fn start(
    folder: LogFolder,
    recovered: Recovered,
    segment_bytes: u64,
    fsync: Timer,
) -> io::Result<(mpsc::Sender<Job>, Arc<Mutex<Window>>)> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let Recovered { window, segments, next_frame } = recovered;
    let (vote, purged) = (window.vote, window.purged);
    let window = Arc::new(Mutex::new(window));
    let disk = folder.disk.clone();
    let mut writer = Writer {
        mark: Mark::open(&folder)?,
        folder,
        file: None,
        bytes: 0,
        segment_bytes,
        segments,
        next_frame,
        vote,
        purged,
        window: window.clone(),
        fsync,
    };
    writer.open_last()?;
    disk.run(Work::Log(Box::pin(writer.run(receiver))))?;
    Ok((sender, window))
}

struct Writer {
    folder: LogFolder,
    mark: Mark,
    file: Option<Box<dyn Output>>,
    bytes: u64,
    /// A segment is closed when it reaches this size.
    segment_bytes: u64,
    segments: Vec<Segment>,
    next_frame: u64,
    /// Repeated at the start of each segment, so that older segments can be deleted.
    vote: Option<Vote>,
    purged: Option<LogId>,
    window: Arc<Mutex<Window>>,
    fsync: Timer,
}

/// A frame that is being collected.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    /// The entries in it, and where.
    entries: Vec<(LogId, Range<usize>)>,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while receiver.recv_many(&mut jobs, QUEUE).await > 0 {
            let mut waiting = jobs.drain(..).peekable();
            while waiting.peek().is_some() {
                let mut body = Body::default();
                let mut told = Vec::new();
                let mut result = Ok(());
                while body.bytes.len() < FRAME_BYTES
                    && let Some(job) = waiting.next()
                {
                    result = result.and_then(|()| self.take(job.records, &mut body));
                    told.push(job.done);
                }
                let result = result.and_then(|()| self.write_frame(&body));
                let failed = result.is_err();
                for done in told {
                    done.tell(
                        result.as_ref().copied().map_err(|error| io::Error::new(error.kind(), error.to_string())),
                    );
                }
                if failed {
                    // The disk is now in an unknown state: nothing may be written after this (fsync is never retried).
                    return;
                }
            }
        }
    }

    fn take(&mut self, records: Vec<Record>, body: &mut Body) -> io::Result<()> {
        for record in records {
            let start = body.bytes.len();
            record.write(&mut body.bytes)?;
            match record {
                Record::Append(entry) => {
                    body.entries.push((entry.log_id, start..body.bytes.len()));
                    if let Some(segment) = self.segments.last_mut() {
                        segment.max_index = segment.max_index.max(Some(entry.log_id.index));
                    }
                }
                Record::Vote(vote) => self.vote = Some(vote),
                Record::Purge(upto) => self.purged = self.purged.max(Some(upto)),
                Record::Truncate(_) => {}
            }
        }
        Ok(())
    }

    fn write_frame(&mut self, body: &Body) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(body.bytes.len().saturating_add(frame::HEADER));
        frame::write(self.next_frame, &body.bytes, &mut bytes);
        self.next_frame = self.next_frame.saturating_add(1);
        let file = self.file.as_mut().ok_or_else(|| io::Error::other("no segment is open"))?;
        file.write_all(&bytes)?;
        let start = Instant::now();
        file.sync()?;
        self.fsync.observe(start.elapsed());
        self.mark.put(self.next_frame)?;
        self.note_places(body);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.drop_purged()?;
        if self.bytes >= self.segment_bytes { self.start_segment() } else { Ok(()) }
    }

    fn note_places(&self, body: &Body) {
        let Some(segment) = self.segments.last() else { return };
        let start = self.bytes.saturating_add(frame::HEADER as u64);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, range) in &body.entries {
            window.written(*id, Place::new(segment.path.clone(), start, &body.bytes[range.clone()], range.start));
        }
    }

    fn open_last(&mut self) -> io::Result<()> {
        match self.segments.last() {
            None => self.start_segment(),
            Some(segment) => {
                // A killed process may have written data without syncing it. This process has read it and relies on it.
                let mut file = self.folder.disk.append(&segment.path)?;
                file.sync()?;
                self.folder.disk.sync_folder(&self.folder.path)?;
                self.file = Some(file);
                self.bytes = self.folder.disk.size(&segment.path)?;
                self.mark.put(self.next_frame)
            }
        }
    }

    fn start_segment(&mut self) -> io::Result<()> {
        let path = segment_path(&self.folder.path, self.next_frame);
        let mut file = self.folder.disk.create(&path)?;
        let mut bytes = header(self.folder.member).to_vec();
        let head: Vec<Record> = self.vote.map(Record::Vote).into_iter().chain(self.purged.map(Record::Purge)).collect();
        if !head.is_empty() {
            let mut body = Vec::new();
            head.iter().try_for_each(|record| record.write(&mut body))?;
            frame::write(self.next_frame, &body, &mut bytes);
            self.next_frame = self.next_frame.saturating_add(1);
        }
        file.write_all(&bytes)?;
        file.sync()?;
        self.folder.disk.sync_folder(&self.folder.path)?;
        self.bytes = bytes.len() as u64;
        self.file = Some(file);
        self.segments.push(Segment { path: path.into(), max_index: None });
        self.mark.put(self.next_frame)
    }

    /// Deletes the oldest segments whose entries are all purged.
    fn drop_purged(&mut self) -> io::Result<()> {
        let Some(purged) = self.purged else { return Ok(()) };
        let keep_from = self.segments[..self.segments.len().saturating_sub(1)]
            .iter()
            .position(|segment| segment.max_index.is_some_and(|index| index > purged.index))
            .unwrap_or(self.segments.len().saturating_sub(1));
        for segment in self.segments.drain(..keep_from) {
            self.folder.disk.remove(&segment.path)?;
        }
        Ok(())
    }
}

//! The write log: a line of JSON for each completed write, with the revisions that it made and its user.
//!
//! It is for investigations. No answer waits for a line. A line is missing if the apiserver is killed between the write
//! and the line, or does not learn the outcome of the write within ten seconds.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use squall_api::write_log::{Election, WriteLine};

use crate::store::Revision;

/// An open write log.
pub struct WriteLog {
    out: Mutex<Box<dyn Write + Send>>,
}

/// The facts about a write before it completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    keys: Vec<String>,
    user: String,
    /// The election that the writer had won, if only elected leaders may write.
    elected: Option<Election>,
}

impl Intent {
    /// A write of these keys by a user, who may have won an election.
    #[must_use]
    pub fn new(keys: Vec<String>, user: &str, elected: Option<Election>) -> Self {
        Self { keys, user: user.to_owned(), elected }
    }
}

impl WriteLog {
    /// Opens a file for appending.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file: File = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        if !ends_whole(&mut file)? {
            // The previous writer was killed in the middle of a line.
            file.write_all(b"\n")?;
        }
        Ok(Self::new(Box::new(file)))
    }

    /// Creates a log that writes to any output, one whole line at a time.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: Mutex::new(out) }
    }

    /// Records a completed write. `last` is the revision of its last key.
    pub fn note(&self, intent: &Intent, last: Revision, time: Timestamp) {
        let count = intent.keys.len() as u64;
        let line = WriteLine {
            time: time.to_string(),
            first: last.saturating_add(1).saturating_sub(count),
            last,
            keys: intent.keys.clone(),
            user: intent.user.clone(),
            elected: intent.elected.clone(),
        };
        let written = serde_json::to_vec(&line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)
        });
        if let Err(error) = written {
            tracing::error!(%error, last, "could not add a write to the write log");
        }
    }
}

fn ends_whole(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_revisions_a_write_made_and_for_whom() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("writes");
        let elected = Election {
            namespace: "kube-system".to_owned(),
            lease: "managers".to_owned(),
            holder: "a".to_owned(),
            transitions: 3,
        };
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let intents = [Intent::new(keys(&["x", "y"]), "alice", Some(elected)), Intent::new(keys(&["z"]), "bob", None)];
        for (intent, last) in intents.iter().zip([7, 8]) {
            WriteLog::open(&path).unwrap().note(intent, last, Timestamp::UNIX_EPOCH);
        }
        let expected = concat!(
            r#"{"time":"1970-01-01T00:00:00Z","first":6,"last":7,"keys":["x","y"],"user":"alice","#,
            r#""elected":{"namespace":"kube-system","lease":"managers","holder":"a","transitions":3}}"#,
            "\n",
            r#"{"time":"1970-01-01T00:00:00Z","first":8,"last":8,"keys":["z"],"user":"bob"}"#,
            "\n"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        std::fs::write(&path, r#"{"time":"19"#).unwrap();
        WriteLog::open(&path).unwrap().note(&intents[1], 8, Timestamp::UNIX_EPOCH);
        let after_a_half_one = std::fs::read_to_string(&path).unwrap();
        assert_eq!(after_a_half_one.lines().nth(1), expected.lines().nth(1));
    }
}

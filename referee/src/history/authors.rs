//! The author of each write, from the apiservers' write logs.
//!
//! A write has no author if its apiserver died before it wrote the line, or did not learn the outcome.

use std::collections::BTreeMap;

use squall_api::write_log::{Election, WriteLine};

/// The author of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The authenticated user.
    pub user: String,
    /// The election that the writer had won, if only an elected leader may write.
    pub elected: Option<Election>,
}

/// The write log of one apiserver.
pub struct WriteLog {
    /// The name that errors mention.
    pub name: String,
    /// The lines of JSON.
    pub text: String,
}

/// Reads the write logs of all apiservers. The error names the log and the line.
pub fn read(logs: &[WriteLog]) -> Result<BTreeMap<u64, Author>, String> {
    let mut lines = Vec::new();
    for WriteLog { name, text } in logs {
        for (number, line) in (1..).zip(text.lines()) {
            match serde_json::from_str::<WriteLine>(line) {
                Ok(line) => lines.push(line),
                // The apiserver was killed in the middle of the line, or is still writing it.
                Err(error) if error.is_eof() => {}
                Err(error) => return Err(format!("{name}, line {number}: {error}")),
            }
        }
    }
    // A retried write is logged twice, and may have fewer revisions than keys: only the last revision is certain.
    let mut authors: BTreeMap<u64, Author> = lines.iter().map(|line| (line.last, author(line))).collect();
    for line in &lines {
        for revision in line.first..line.last {
            authors.entry(revision).or_insert_with(|| author(line));
        }
    }
    Ok(authors)
}

fn author(line: &WriteLine) -> Author {
    Author { user: line.user.clone(), elected: line.elected.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<BTreeMap<u64, Author>, String> {
        read(&[WriteLog { name: "apiserver-0.writes".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn every_revision_of_a_write_has_its_author() {
        let line = r#"{"time":"t","first":6,"last":7,"keys":["x","y"],"user":"a","elected":
            {"namespace":"n","lease":"l","holder":"h","transitions":3}}"#;
        let authors = read_text(&(line.replace('\n', "") + "\n" + r#"{"first":9,"last":9,"user":"b"}"#)).unwrap();
        assert_eq!(authors.keys().copied().collect::<Vec<_>>(), [6, 7, 9]);
        assert_eq!(authors[&7].elected.as_ref().map(|election| election.transitions), Some(3));
        assert_eq!(authors[&9], Author { user: "b".to_owned(), elected: None });
        let unfinished = r#"{"first":9,"last":9,"user":"b"}"#.to_owned() + "\n{\"first\":1";
        assert_eq!(read_text(&unfinished).unwrap().len(), 1, "a line that was never finished");
        assert!(read_text("{}\n").unwrap_err().starts_with("apiserver-0.writes, line 1: missing field"));
    }
}

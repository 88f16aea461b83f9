//! A counter that several clients increment side by side, each with a conditional write: no step may be lost or
//! executed twice, and no read may return a value that was never current during the read.
//!
//! This is a complete linearizability check. Each value is written once, so it was current from some moment after its
//! step began until some moment before the next step was acknowledged. A read must overlap that time, and successive
//! reads may not go back.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use squall_api::core::v1::ConfigMap;
use squall_client::{Api, Client, Error, Reason};
use tokio::sync::watch;

const NAME: &str = "counter";
const VALUE: &str = "value";
/// The pause between two steps of one client.
const PAUSE: Duration = Duration::from_millis(5);
/// The maximum number of reported contradictions.
const TOLD: usize = 10;

/// The counter and the answers to its clients.
pub struct Counter {
    clients: usize,
    book: RefCell<Book>,
    /// The number of steps with an unknown outcome.
    unknown: Cell<u64>,
}

/// The recorded steps and reads.
#[derive(Default)]
struct Book {
    /// The steps by the value that they write.
    steps: BTreeMap<u64, Increment>,
    reads: Vec<Read>,
}

/// One increment of the counter.
#[derive(Debug, Clone, Copy)]
struct Increment {
    /// When the first client began to try it.
    began: Instant,
    /// When it was acknowledged.
    acknowledged: Option<Instant>,
    /// The number of clients that got an acknowledgement.
    times: u32,
}

/// A read of the counter.
#[derive(Debug, Clone, Copy)]
struct Read {
    value: u64,
    began: Instant,
    ended: Instant,
}

impl Counter {
    pub fn new(clients: usize) -> Self {
        Self { clients, book: RefCell::default(), unknown: Cell::new(0) }
    }

    /// Increments the counter until `enough`.
    pub async fn count(&self, client: &Client, enough: &watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut map = ConfigMap::default();
        map.metadata.name = NAME.to_owned();
        map.data.insert(VALUE.to_owned(), "0".to_owned());
        maps(client).create(map).await?;
        join_all((0..self.clients).map(|place| self.step_on(client, place, enough.clone()))).await;
        Ok(())
    }

    async fn step_on(&self, client: &Client, place: usize, enough: watch::Receiver<bool>) {
        let maps = maps(&client.beginning_with(place));
        while !*enough.borrow() {
            let began = Instant::now();
            if let Ok(mut map) = maps.get(NAME).await {
                let read = Read { value: value(&map), began, ended: Instant::now() };
                self.book.borrow_mut().reads.push(read);
                let next = read.value + 1;
                map.data.insert(VALUE.to_owned(), next.to_string());
                self.book.borrow_mut().tried(next, Instant::now());
                match maps.update(map).await {
                    Ok(_) => self.book.borrow_mut().done(next, Instant::now()),
                    Err(Error::Api(error)) if error.is(Reason::Conflict) => {}
                    Err(_) => self.unknown.set(self.unknown.get() + 1),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns the number of acknowledged steps, and all contradictions.
    pub async fn judge(&self, client: &Client) -> anyhow::Result<(u64, Vec<String>)> {
        let began = Instant::now();
        let number = value(&maps(client).get(NAME).await?);
        let mut book = self.book.borrow_mut();
        book.reads.push(Read { value: number, began, ended: Instant::now() });
        Ok((book.acknowledged(), book.check(number, self.unknown.get())))
    }
}

impl Book {
    fn tried(&mut self, to: u64, at: Instant) {
        let step = self.steps.entry(to).or_insert(Increment { began: at, acknowledged: None, times: 0 });
        step.began = step.began.min(at);
    }

    fn done(&mut self, to: u64, at: Instant) {
        if let Some(step) = self.steps.get_mut(&to) {
            step.acknowledged.get_or_insert(at);
            step.times += 1;
        }
    }

    fn acknowledged(&self) -> u64 {
        self.steps.values().map(|step| u64::from(step.times)).sum()
    }

    fn check(&self, number: u64, unknown: u64) -> Vec<String> {
        let mut found = Vec::new();
        let done = self.acknowledged();
        if number < done {
            found.push(format!("only {number} of {done} acknowledged counter steps are left: updates were lost"));
        }
        if number > done + unknown {
            let text =
                format!("a counter is at {number} after {done} acknowledged steps and {unknown} without an answer");
            found.push(text);
        }
        for (to, step) in self.steps.iter().filter(|(_, step)| step.times > 1) {
            found.push(format!("the counter step to {to} was acknowledged to {} clients", step.times));
        }
        found.extend(self.reads.iter().filter_map(|read| self.impossible(read)));
        found.extend(self.going_back());
        found.truncate(TOLD);
        found
    }

    /// Returns an error if the value was not current at any time during the read.
    fn impossible(&self, read: &Read) -> Option<String> {
        let value = read.value;
        if value > 0 && self.steps.get(&value).is_none_or(|step| step.began > read.ended) {
            return Some(format!("a read of a counter showed {value} before any client had tried that step"));
        }
        let gone = self.steps.get(&(value + 1)).and_then(|next| next.acknowledged)?;
        (gone < read.began)
            .then(|| format!("a read of a counter showed {value} after the step to the next was acknowledged"))
    }

    /// Returns an error if a read returned less than another that had ended before it began.
    fn going_back(&self) -> Option<String> {
        let mut by_end: Vec<&Read> = self.reads.iter().collect();
        by_end.sort_by_key(|read| read.ended);
        let mut by_begin: Vec<&Read> = self.reads.iter().collect();
        by_begin.sort_by_key(|read| read.began);
        let (mut ended, mut highest) = (by_end.into_iter().peekable(), 0);
        for read in by_begin {
            while let Some(before) = ended.next_if(|before| before.ended < read.began) {
                highest = highest.max(before.value);
            }
            if read.value < highest {
                return Some(format!("a read of a counter showed {} after another had shown {highest}", read.value));
            }
        }
        None
    }
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::new(client.clone(), "default")
}

fn value(map: &ConfigMap) -> u64 {
    map.data.get(VALUE).and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of (value, began, acknowledged) and reads of (value, began, ended), in milliseconds.
    fn check(steps: &[(u64, u64, u64)], reads: &[(u64, u64, u64)], number: u64) -> usize {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut book = Book::default();
        for (to, began, acknowledged) in steps {
            book.tried(*to, at(*began));
            book.done(*to, at(*acknowledged));
        }
        book.reads = reads.iter().map(|(value, b, e)| Read { value: *value, began: at(*b), ended: at(*e) }).collect();
        book.check(number, 0).len()
    }

    #[test]
    fn what_can_have_been_so_is_no_contradiction() {
        let steps = [(1, 10, 20), (2, 30, 40)];
        // During a step, both values are possible.
        for read in
            [(0, 0, 5), (0, 12, 15), (1, 12, 15), (1, 25, 28), (1, 32, 35), (2, 32, 35), (2, 50, 60), (0, 5, 50)]
        {
            assert_eq!(check(&steps, &[read], 2), 0, "{read:?}");
        }
    }

    #[test]
    fn what_cannot_have_been_so_is_found() {
        let steps = [(1, 10, 20), (2, 30, 40)];
        for read in [(0, 25, 28), (1, 0, 5), (2, 12, 25), (1, 45, 50), (3, 50, 60)] {
            assert_eq!(check(&steps, &[read], 2), 1, "{read:?}");
        }
        assert_eq!(check(&steps, &[(1, 11, 13), (0, 15, 18)], 2), 1, "it went back");
        assert_eq!(check(&steps, &[], 1), 1, "an update was lost");
        assert_eq!(check(&steps, &[], 3), 1, "one was executed without a request");
        assert_eq!(check(&[(1, 10, 20), (1, 15, 25)], &[], 2), 1, "the same step was acknowledged twice");
    }
}

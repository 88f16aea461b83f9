//! Clients that write, read and watch config maps while a scenario runs, and check every answer.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::bail;
use futures_util::future::join_all;
use squall_client::{Client, PATIENCE};
use squall_referee::evidence::Checked;
use tokio::sync::watch;

use crate::clients::{self, KEYS_OF_A_WRITER, Others, Writer};
use crate::counter::Counter;
use crate::ledger::Ledger;

/// The number of clients that increment the counter.
const COUNTING: usize = 3;

/// The clients of a scenario and what they record.
pub struct Checkers {
    writers: usize,
    others: Others,
    ledger: RefCell<Ledger>,
    counter: Counter,
}

impl Checkers {
    /// Creates checkers with this many writers; without writers, nothing is checked.
    pub fn new(writers: usize, others: Others) -> Self {
        let ledger = RefCell::new(Ledger::new(writers * KEYS_OF_A_WRITER));
        Self { writers, others, counter: Counter::new(COUNTING), ledger }
    }

    /// The number of acknowledged writes, which grows while the clients run.
    pub fn acknowledged(&self) -> Arc<AtomicU64> {
        self.ledger.borrow().acknowledged.clone()
    }

    /// Runs the clients until `enough`, and waits for their last answers.
    pub async fn ask_at_most(&self, client: &Client, enough: watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut over = enough.clone();
        let too_late = async {
            // If the sender of `enough` is gone, it is enough too.
            drop(over.wait_for(|enough| *enough).await);
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            asked = self.ask(client, enough) => asked,
            () = too_late => bail!("clients still wait for answers {PATIENCE:?} after the end"),
        }
    }

    async fn ask(&self, client: &Client, enough: watch::Receiver<bool>) -> anyhow::Result<()> {
        if self.writers == 0 {
            return Ok(());
        }
        let writers: Vec<Writer> = clients::writers(client, self.writers).collect();
        let prepared = join_all(writers.iter().map(|writer| writer.prepare(&self.ledger))).await;
        prepared.into_iter().collect::<anyhow::Result<()>>()?;
        let counting = self.counter.count(client, &enough);
        let asking = clients::ask(client, writers, self.others, &self.ledger, enough.clone());
        let (counted, ()) = tokio::join!(counting, asking);
        counted
    }

    /// Reads everything back and compares it with all answers.
    pub async fn judge(self, client: &Client) -> anyhow::Result<Checked> {
        if self.writers == 0 {
            return Ok(Checked::default());
        }
        clients::read_back(client, &self.ledger).await?;
        let mut ledger = self.ledger.into_inner();
        ledger.check_watches();
        let (steps, problems) = self.counter.judge(client).await?;
        problems.into_iter().for_each(|problem| ledger.violation(problem));
        Ok(Checked {
            steps,
            acknowledged: ledger.acknowledged(),
            unknown: ledger.unknown,
            reads: ledger.reads,
            watched: ledger.watched(),
            longest_silence_seconds: ledger.longest_silence.as_secs_f64(),
            violations: ledger.violations,
        })
    }
}

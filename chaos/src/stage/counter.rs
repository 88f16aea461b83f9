//! A number that several clients count up side by side, each on condition that it is still what it read: no step may be
//! lost, and none be done twice.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use squall_api::core::v1::ConfigMap;
use squall_client::{Api, Client, Error, Reason};
use tokio::sync::watch;

const NAME: &str = "counter";
const VALUE: &str = "value";
/// A pause between two steps of one client.
const PAUSE: Duration = Duration::from_millis(5);

/// The counter, and what its clients were told.
pub struct Counter {
    clients: usize,
    /// Steps that were acknowledged.
    done: Cell<u64>,
    /// Steps of which nothing is known.
    unknown: Cell<u64>,
}

impl Counter {
    pub fn new(clients: usize) -> Self {
        Self { clients, done: Cell::new(0), unknown: Cell::new(0) }
    }

    /// Counts until it is enough.
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
            if let Ok(mut map) = maps.get(NAME).await {
                let next = value(&map) + 1;
                map.data.insert(VALUE.to_owned(), next.to_string());
                match maps.update(map).await {
                    Ok(_) => self.done.set(self.done.get() + 1),
                    Err(Error::Api(error)) if error.is(Reason::Conflict) => {}
                    Err(_) => self.unknown.set(self.unknown.get() + 1),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How many steps were acknowledged. The error says what is wrong with the number.
    pub async fn judge(&self, client: &Client) -> anyhow::Result<Result<u64, String>> {
        let number = value(&maps(client).get(NAME).await?);
        Ok(check(number, self.done.get(), self.unknown.get()))
    }
}

fn check(number: u64, done: u64, unknown: u64) -> Result<u64, String> {
    if number < done {
        return Err(format!("of {done} acknowledged steps of a counter only {number} are left: updates were lost"));
    }
    if number > done + unknown {
        return Err(format!(
            "a counter is at {number} after {done} acknowledged steps and {unknown} without an answer"
        ));
    }
    Ok(done)
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

    #[test]
    fn a_step_is_done_once_or_nobody_knows() {
        assert_eq!(check(5, 5, 0), Ok(5));
        assert_eq!(check(6, 5, 2), Ok(5));
        assert!(check(4, 5, 2).is_err() && check(8, 5, 2).is_err());
    }
}

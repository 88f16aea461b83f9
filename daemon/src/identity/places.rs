//! Places for connections, bounded by the class of the caller: a crowd of one class takes nothing from the others, and
//! never the last file of the process, which its log needs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, getrlimit};
use tokio::sync::oneshot;

use super::Caller;

/// Maximum numbers of open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Those whose caller is not known yet. Beyond it, the oldest one is closed.
    pub greeting: usize,
    /// Those of anonymous callers. Beyond it, the oldest one is closed.
    pub anonymous: usize,
    /// Those of each user. Beyond it, new ones are refused.
    pub each: usize,
    /// Those of all users.
    pub known: usize,
    /// Those of all users that only members and administrators may take.
    pub reserved: usize,
}

impl Limits {
    /// Divides the files that this process may open. It keeps some for itself.
    #[must_use]
    pub fn of_process() -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::of_files(usize::try_from(files).unwrap_or(usize::MAX))
    }

    fn of_files(files: usize) -> Self {
        let own = (files / 4).min(512);
        let rest = files.saturating_sub(own);
        let known = (rest / 2).min(16_384);
        Self {
            greeting: (rest / 4).clamp(1, 512),
            anonymous: (rest / 4).clamp(1, 256),
            each: (known / 4).max(1),
            known,
            reserved: (known / 8).min(256),
        }
    }
}

/// The places of a process. Clones share them.
#[derive(Clone)]
pub struct Places {
    limits: Limits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    /// By age. Dropping one of these closes its connection.
    greeting: BTreeMap<u64, oneshot::Sender<()>>,
    anonymous: BTreeMap<u64, oneshot::Sender<()>>,
    users: HashMap<String, usize>,
    known: usize,
}

/// The connection that holds a place.
enum Holder {
    Greeting(u64),
    Anonymous(u64),
    User(String),
}

/// A place. It is free again when this is dropped.
pub struct Place {
    taken: Arc<Mutex<Taken>>,
    holder: Holder,
}

/// Resolves when the connection has to give up its place. Never for users.
pub type Closed = Option<oneshot::Receiver<()>>;

fn locked(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds an entry, and removes the oldest one beyond a limit, which closes it.
fn push(crowd: &mut BTreeMap<u64, oneshot::Sender<()>>, number: u64, limit: usize) -> Closed {
    let (close, closed) = oneshot::channel();
    crowd.insert(number, close);
    if crowd.len() > limit {
        crowd.pop_first();
    }
    Some(closed)
}

impl Places {
    /// Creates free places.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Returns how many callers may be unknown at the same time.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes a place for a connection whose caller is not known yet.
    pub fn greet(&self) -> (Place, Closed) {
        let mut taken = locked(&self.taken);
        let number = taken.next;
        taken.next = taken.next.saturating_add(1);
        let closed = push(&mut taken.greeting, number, self.limits.greeting);
        (Place { taken: self.taken.clone(), holder: Holder::Greeting(number) }, closed)
    }

    /// Takes a place for a connection of this caller; `None` if there is none left.
    pub fn of(&self, caller: &Caller) -> Option<(Place, Closed)> {
        let mut taken = locked(&self.taken);
        if !caller.is_known() {
            let number = taken.next;
            taken.next = taken.next.saturating_add(1);
            let closed = push(&mut taken.anonymous, number, self.limits.anonymous);
            return Some((Place { taken: self.taken.clone(), holder: Holder::Anonymous(number) }, closed));
        }
        let most =
            if caller.is_master() { self.limits.known } else { self.limits.known.saturating_sub(self.limits.reserved) };
        let own = taken.users.get(caller.user()).copied().unwrap_or(0);
        if taken.known >= most || own >= self.limits.each {
            return None;
        }
        taken.known = taken.known.saturating_add(1);
        taken.users.insert(caller.user().to_owned(), own.saturating_add(1));
        let holder = Holder::User(caller.user().to_owned());
        Some((Place { taken: self.taken.clone(), holder }, None))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = locked(&self.taken);
        match &self.holder {
            Holder::Greeting(number) => drop(taken.greeting.remove(number)),
            Holder::Anonymous(number) => drop(taken.anonymous.remove(number)),
            Holder::User(user) => {
                taken.known = taken.known.saturating_sub(1);
                let left = taken.users.get_mut(user).map_or(0, |own| {
                    *own = own.saturating_sub(1);
                    *own
                });
                if left == 0 {
                    taken.users.remove(user);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { greeting: 2, anonymous: 2, each: 2, known: 6, reserved: 2 };

    fn is_closed(closed: &mut Closed) -> bool {
        closed.as_mut().is_some_and(|closed| closed.try_recv() == Err(oneshot::error::TryRecvError::Closed))
    }

    #[test]
    fn the_oldest_of_a_crowd_goes_first() {
        let places = Places::new(LIMITS);
        for take in [|places: &Places| places.greet(), |places: &Places| places.of(&Caller::anonymous()).unwrap()] {
            let (first, mut first_closed) = take(&places);
            let (_second, mut second_closed) = take(&places);
            assert!(!is_closed(&mut first_closed));
            let (_third, mut third_closed) = take(&places);
            assert!(is_closed(&mut first_closed) && !is_closed(&mut second_closed) && !is_closed(&mut third_closed));
            drop(first);
            assert!(!is_closed(&mut second_closed), "its place was given away already");
        }
    }

    #[test]
    fn no_user_takes_all_places_and_the_last_ones_are_for_administrators() {
        let places = Places::new(LIMITS);
        let take = |user: &str, groups: &[&str]| places.of(&Caller::new(user, groups));
        let ann = [take("ann", &[]).unwrap(), take("ann", &[]).unwrap()];
        assert!(take("ann", &[]).is_none());
        let _bob = [take("bob", &[]).unwrap(), take("bob", &[]).unwrap()];
        assert!(take("carl", &[]).is_none(), "the rest is reserved");
        let _admin = [take("admin", &["system:masters"]).unwrap(), take("admin", &["system:masters"]).unwrap()];
        assert!(places.of(&Caller::member()).is_none(), "all are taken");
        drop(ann);
        assert!(places.of(&Caller::member()).is_some() && take("ann", &[]).is_none());
    }

    #[test]
    fn some_files_are_left_whatever_the_limit() {
        for files in [64, 256, 1_024, 4_096, 1_048_576, usize::MAX] {
            let Limits { greeting, anonymous, known, reserved, .. } = Limits::of_files(files);
            assert!(greeting + anonymous + known <= files - (files / 4).min(512), "{files}");
            assert!(reserved < known, "{files}");
        }
    }
}

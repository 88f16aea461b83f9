//! The end of a process whose code panics, and the exception: a request whose handler panics does not take down the
//! process, because its sender may repeat it elsewhere. That holds for its answer too, which may take long.
//!
//! Everything else that panics leaves its state unknown: a store that has applied half of an entry, a controller that no
//! longer listens. Such a process ends at once, and its launcher or its user sees why.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    /// Whether this thread polls a guarded future.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Ends the process after the message of a panic, except in a [`Guarded`] future.
pub(crate) fn end_the_process() {
    let message = take_hook();
    set_hook(Box::new(move |panic| {
        message(panic);
        if !IS_GUARDED.get() {
            std::process::abort();
        }
    }));
}

/// Runs something that may panic without ending the process. Returns the message of the panic.
///
/// # Errors
/// If it panics.
pub fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    let before = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(run));
    IS_GUARDED.set(before);
    done.map_err(|panic| text(panic.as_ref()))
}

/// A future that may panic without ending the process.
pub struct Guarded<F>(Pin<Box<F>>);

impl<F: Future> Guarded<F> {
    /// Guards a future.
    pub fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Guarded<F> {
    /// The output, or the message of the panic.
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match guarded(|| self.0.as_mut().poll(context)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "an unknown panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guarded_future_reports_its_panic_and_the_next_one_runs() {
        let place = 3;
        let broken = Guarded::new(async { if place == 3 { panic!("no place {place}") } else { place } });
        assert_eq!(broken.await, Err("no place 3".to_owned()));
        assert!(!IS_GUARDED.get());
        assert_eq!(Guarded::new(async { 7 }).await, Ok(7));
    }
}

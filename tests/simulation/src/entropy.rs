//! The source of all randomness in this process: one seed.
//!
//! Seeds for our own code are not enough: the order of a hash map, the first branch of a `select!`, and openraft's
//! election timeouts depend on random numbers that libraries request from the system. So the system function is
//! replaced. (The crate mad-turmoil does the same, and also replaces the clock, with more unsafe code than is needed
//! here.)

use std::sync::Mutex;
use std::sync::PoisonError;

static STATE: Mutex<Option<fastrand::Rng>> = Mutex::new(None);

/// Sets the seed of all randomness. Call this before anything else.
pub fn seed(seed: u64) {
    *STATE.lock().unwrap_or_else(PoisonError::into_inner) = Some(fastrand::Rng::with_seed(seed));
    fastrand::seed(seed);
}

/// Fills a buffer with the next bytes of the sequence.
fn fill(bytes: &mut [u8]) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    // Requests before the seed is set (from the test runner or the language runtime) get a fixed sequence.
    state.get_or_insert_with(|| fastrand::Rng::with_seed(0)).fill(bytes);
}

/// Replaces the C library's function, so that every library gets its randomness here.
///
/// # Safety
/// As for the replaced function: `buffer` points to `len` writable bytes.
#[expect(unsafe_code, reason = "a symbol of C is replaced, and its argument is a pointer")]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, _flags: u32) -> isize {
    if buffer.is_null() {
        return -1;
    }
    // SAFETY: the caller says so.
    fill(unsafe { std::slice::from_raw_parts_mut(buffer, len) });
    isize::try_from(len).unwrap_or(-1)
}

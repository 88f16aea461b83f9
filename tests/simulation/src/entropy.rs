//! Where all randomness of this process comes from: one seed.
//!
//! Seeds given to our own code would not be enough: the order of a hash map, the branch a `select!` looks at first, the
//! election timeouts of openraft hang on random numbers that their libraries ask the system for. So the system's answer is
//! replaced. (The crate mad-turmoil does the same, and replaces the clock too, with more unsafe code than is needed here.)

use std::sync::Mutex;
use std::sync::PoisonError;

static STATE: Mutex<Option<fastrand::Rng>> = Mutex::new(None);

/// From here on everything hangs on this seed. To be called before anything else.
pub fn seed(seed: u64) {
    *STATE.lock().unwrap_or_else(PoisonError::into_inner) = Some(fastrand::Rng::with_seed(seed));
    fastrand::seed(seed);
}

/// Fills a buffer with the next bytes of the sequence.
fn fill(bytes: &mut [u8]) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    // What asks before the seed is known (the test runner of a test, the runtime of the language) gets a fixed sequence.
    state.get_or_insert_with(|| fastrand::Rng::with_seed(0)).fill(bytes);
}

/// Takes the place of the C library's function: every library that wants randomness comes here.
///
/// # Safety
/// As for the function it replaces: `buffer` points to `len` bytes that may be written.
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

//! Black-box tests of real processes. They are in `tests/tests/`.

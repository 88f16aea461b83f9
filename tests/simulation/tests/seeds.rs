//! Tests the seeds that always run. For thousands more: `cargo run -p squall-simulation -- --seed 1000 --count 5000`.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::process::{Command, Output};

fn simulate(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulation")).args(arguments.split_whitespace()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn nothing_acknowledged_is_lost_whatever_the_seed() {
    let output = simulate("--seed 0 --count 200");
    assert!(output.status.success(), "{}{}", text(&output.stderr), text(&output.stdout));
    assert_eq!(text(&output.stdout), "200 seeds, 0 failed\n");
}

#[test]
fn the_seed_decides_everything() {
    let (first, second) = (simulate("--seed 7"), simulate("--seed 7"));
    assert!(first.status.success(), "{}", text(&first.stdout));
    assert_eq!(text(&first.stdout), text(&second.stdout));
    assert_ne!(text(&first.stdout), text(&simulate("--seed 8").stdout));
}

/// A simulation that cannot fail proves nothing.
#[test]
fn disks_that_lie_are_found_out() {
    let output = simulate("--seed 0 --count 20 --lying-disks");
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stderr), text(&output.stdout));
    assert!(
        text(&output.stderr).contains("repeat it with: cargo run -p squall-simulation -- --seed "),
        "{}",
        text(&output.stderr)
    );
}

//! `--record`: the command itself, as the cause of a change.

/// Where the cause stands.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// The command as it was typed, flags in their long form: `ctl create --filename=x.yaml --record=true`.
pub fn command_line() -> String {
    let mut words = vec!["ctl".to_owned()];
    let mut arguments = std::env::args().skip(1).peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--record" => words.push("--record=true".to_owned()),
            "-f" | "--filename" => words.push(format!("--filename={}", arguments.next().unwrap_or_default())),
            "-n" | "--namespace" => words.push(format!("--namespace={}", arguments.next().unwrap_or_default())),
            _ => words.push(argument),
        }
    }
    words.join(" ")
}

//! Records the cause of a revision: with `--record`, and automatically without it.

use clap::{ArgAction, CommandFactory};
use jiff::Timestamp;
use serde_json::Value;
use squall_api::{Kind, Object, manifest};

use crate::cli::Cli;
use crate::modify::has_revisions;
use crate::output::line_error;

/// Kubernetes' annotation for a cause that the user gives.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// Squall's annotation for the change that made a revision: time, author and command. It is always set automatically.
pub const CHANGE: &str = "squall.dev/change";

/// Whether the user wants the command to be the cause of the change: the flag `--record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The command is recorded.
    Command,
    /// The cause stays as it is.
    Kept,
}

impl Cause {
    /// Reads the flag.
    pub const fn of(record: bool) -> Self {
        if record { Self::Command } else { Self::Kept }
    }
}

/// Longer commands are cut after this many characters: a patch on the command line may be long.
const LONGEST: usize = 1_000;

/// The command as it was typed, flags in their long form and after the words: `ctl create --filename=x.yaml --record=true`.
pub fn command_line() -> String {
    let whole = canonical(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
    match whole.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &whole[..end]),
        None => whole,
    }
}

/// The record of a change: time, author and command.
pub fn change() -> String {
    let who = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    format!("{now} {who}: {}", command_line())
}

/// Prints kubectl's warning that the flag is deprecated.
pub fn warn_of_record(cause: Cause) {
    if cause == Cause::Command {
        line_error("Flag --record has been deprecated, --record will be removed in the future");
    }
}

/// Records the change on an object whose template has changed, and its cause.
pub fn note(object: &mut Object, cause: Cause) {
    if has_revisions(object.kind()) {
        object.meta_mut().annotations.insert(CHANGE.to_owned(), change());
    }
    record_cause(object, cause);
}

/// Sets the command as the cause of a change, if the user wants it.
pub fn record_cause(object: &mut Object, cause: Cause) {
    if cause == Cause::Command {
        object.meta_mut().annotations.insert(CHANGE_CAUSE.to_owned(), command_line());
    }
}

/// Like `note`, for a manifest.
pub fn note_in_manifest(kind: Kind, json: &mut Value, cause: Cause) {
    if cause == Cause::Kept && !has_revisions(kind) {
        return;
    }
    let Some(annotations) = manifest::annotations_mut(json) else { return };
    if has_revisions(kind) {
        annotations.insert(CHANGE.to_owned(), Value::String(change()));
    }
    if cause == Cause::Command {
        annotations.insert(CHANGE_CAUSE.to_owned(), Value::String(command_line()));
    }
}

fn canonical(arguments: impl Iterator<Item = String>) -> String {
    let root = Cli::command();
    let mut command = &root;
    let (mut words, mut flags) = (vec![env!("CARGO_BIN_NAME").to_owned()], Vec::new());
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            words.extend(arguments);
            break;
        }
        let Some((flag, value)) = read_flag(command, &root, &argument) else {
            if let Some(next) = command.find_subcommand(&argument) {
                command = next;
            }
            words.push(argument);
            continue;
        };
        let value = match (value, takes_value(flag)) {
            (Some(value), _) => value,
            (None, true) => arguments.next().unwrap_or_default(),
            (None, false) => "true".to_owned(),
        };
        flags.push(format!("--{}={value}", flag.get_long().unwrap_or_default()));
    }
    words.extend(flags);
    words.join(" ")
}

/// Whether the next word is the flag's value.
fn takes_value(flag: &clap::Arg) -> bool {
    let optional = flag.get_num_args().is_some_and(|range| range.min_values() == 0);
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append) && !optional
}

/// Finds the flag that a word stands for, and the value in the word.
fn read_flag<'a>(
    command: &'a clap::Command,
    root: &'a clap::Command,
    word: &str,
) -> Option<(&'a clap::Arg, Option<String>)> {
    let known = || command.get_arguments().chain(root.get_arguments());
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
        return known().find(|flag| flag.get_long() == Some(name)).map(|flag| (flag, value));
    }
    let mut short = word.strip_prefix('-')?.chars();
    let letter = short.next()?;
    let flag = known().find(|flag| flag.get_short() == Some(letter))?;
    let rest = short.as_str().trim_start_matches('=');
    Some((flag, (!rest.is_empty()).then(|| rest.to_owned())))
}

#[cfg(test)]
mod tests {
    fn canonical(text: &str) -> String {
        super::canonical(text.split(' ').map(str::to_owned))
    }

    #[test]
    fn commands_are_noted_with_long_flags_after_the_words() {
        for (typed, noted) in [
            ("create -f x.yaml --record", "ctl create --filename=x.yaml --record=true"),
            (
                "set image deployment kubia nodejs=luksa/kubia:v2 --record",
                "ctl set image deployment kubia nodejs=luksa/kubia:v2 --record=true",
            ),
            ("-n lab apply -fx.yaml", "ctl apply --namespace=lab --filename=x.yaml"),
            ("rollout undo deploy/kubia --to-revision 3", "ctl rollout undo deploy/kubia --to-revision=3"),
            ("patch deploy kubia -p {}", "ctl patch deploy kubia --patch={}"),
        ] {
            assert_eq!(canonical(typed), noted);
        }
    }
}

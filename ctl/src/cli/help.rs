//! The help of `ctl` itself: the first commands of a newcomer, then all commands by what they are for.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use super::Cli;

/// The first commands to try.
const FIRST: [(&str, &str); 3] = [
    ("ctl demo", "roll out under load, crash both leaders, and judge the result"),
    ("ctl cluster up --detach", "start a cluster that stays, in .squall"),
    ("ctl create -f examples/chapter/kubia-deployment-and-service-v1.yaml", "deploy an app"),
];

/// Every command, by what it is for.
const GROUPS: [(&str, &[&str]); 7] = [
    ("The lab", &["demo", "chaos", "fault", "soak", "bench"]),
    ("The cluster", &["cluster", "snapshot"]),
    ("Read objects", &["get", "describe", "why", "events", "logs", "wait", "diff", "explain", "api-resources"]),
    ("Change objects", &["create", "apply", "replace", "edit", "patch", "delete", "scale", "set", "label", "annotate"]),
    ("Rollouts", &["rollout", "rolling-update"]),
    ("Nodes", &["cordon", "uncordon", "drain", "taint"]),
    ("Others", &["auth", "config", "version", "completion", "help"]),
];

/// Returns the command line with its help in groups.
pub fn command() -> Command {
    let mut command = Cli::command();
    // With the command `help`, which clap adds.
    command.build();
    let template = template(&command);
    Cli::command().help_template(template)
}

fn template(command: &Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max().unwrap_or(0);
    let mut text = format!("{{about-with-newline}}\n{header}First commands:{header:#}\n");
    for (line, about) in FIRST {
        writeln!(text, "  {literal}{line}{literal:#}\n      {about}").unwrap_or_default();
    }
    text.push_str("\n{usage-heading} {usage}\n\n");
    for (heading, names) in GROUPS {
        writeln!(text, "{header}{heading}:{header:#}").unwrap_or_default();
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            writeln!(text, "  {literal}{name:width$}{literal:#}  {about}").unwrap_or_default();
        }
        text.push('\n');
    }
    text + &format!("{header}Options:{header:#}\n{{options}}{{after-help}}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_is_in_one_group_and_fits_its_line() {
        let mut own = Cli::command();
        own.build();
        let known: BTreeSet<&str> = own.get_subcommands().map(Command::get_name).collect();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<_>>(), known);
        assert_eq!(grouped.len(), known.len(), "none is there twice");
        let help = command().render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{line:?} is longer than 100 columns");
        }
    }

    #[test]
    fn the_first_commands_are_commands() {
        for (line, _) in FIRST {
            command().try_get_matches_from(line.split(' ')).unwrap();
        }
    }
}

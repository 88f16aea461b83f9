//! Output of commands that change objects.

use squall_api::Object;

use super::{Format, Shown, line, named, print_objects};
use crate::cli::{ChangeArgs, DryRun};
use crate::failure::Failure;

/// Reports changes in the requested format.
#[derive(Debug, Clone)]
pub struct Changes {
    format: Format,
    /// Whether changes are only tried; noted at the end of each line.
    pub dry_run: DryRun,
}

impl Changes {
    /// Reads the format and the dry run mode from the flags.
    pub fn of(args: &ChangeArgs) -> Result<Self, Failure> {
        Self::new(args.output.as_deref(), args.dry_run)
    }

    /// Fails if the format is unknown.
    pub fn new(output: Option<&str>, dry_run: DryRun) -> Result<Self, Failure> {
        Ok(Self { format: Format::parse(output)?, dry_run })
    }

    /// Prints `deployment.apps/kubia image updated`, or the object itself.
    pub fn tell(&self, object: &Object, done: &str) -> Result<(), Failure> {
        if self.format.is_table() {
            self.say(&format!("{} {done}", named(object)));
            return Ok(());
        }
        print_objects(std::slice::from_ref(object), Shown { single: true, ..Shown::default() }, &self.format)
    }

    /// Prints a line, with the dry run suffix.
    pub fn say(&self, text: &str) {
        line(&format!("{text}{}", self.suffix()));
    }

    /// The suffix of a line in a dry run; otherwise empty.
    pub const fn suffix(&self) -> &'static str {
        match self.dry_run {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }

    /// Whether the format is `-o name`.
    pub const fn names_only(&self) -> bool {
        matches!(self.format, Format::Name)
    }
}

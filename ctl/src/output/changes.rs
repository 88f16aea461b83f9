//! What is said of an object that has been changed.

use squall_api::Object;

use super::{Format, Shown, line, named, print_objects};
use crate::cli::{ChangeArgs, DryRun};
use crate::failure::Failure;

/// Says what has been done, in the way that was asked for.
#[derive(Debug, Clone)]
pub struct Changes {
    format: Format,
    /// How far changes go.
    pub dry_run: DryRun,
}

impl Changes {
    /// As the flags say.
    pub fn of(args: &ChangeArgs) -> Result<Self, Failure> {
        Self::new(args.output.as_deref(), args.dry_run)
    }

    /// In this format.
    pub fn new(output: Option<&str>, dry_run: DryRun) -> Result<Self, Failure> {
        Ok(Self { format: Format::parse(output)?, dry_run })
    }

    /// `deployment.apps/kubia image updated`, or the object itself.
    pub fn tell(&self, object: &Object, done: &str) -> Result<(), Failure> {
        if self.format.is_table() {
            self.say(&format!("{} {done}", named(object)));
            return Ok(());
        }
        print_objects(std::slice::from_ref(object), Shown { single: true, ..Shown::default() }, &self.format)
    }

    /// A line that says also when nothing was really done.
    pub fn say(&self, text: &str) {
        line(&format!("{text}{}", self.suffix()));
    }

    /// What follows a line when nothing was really done.
    pub const fn suffix(&self) -> &'static str {
        match self.dry_run {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }

    /// Whether only the name is asked for.
    pub const fn names_only(&self) -> bool {
        matches!(self.format, Format::Name)
    }
}

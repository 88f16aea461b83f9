//! The flags of `ctl rolling-update`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
pub struct RollingUpdateArgs {
    /// The controller to update, and the name of the new one
    #[arg(value_name = "OLD_CONTROLLER_NAME [NEW_CONTROLLER_NAME]")]
    pub names: Vec<String>,
    /// The image of the new controller's pods
    #[arg(long, default_value = "", hide_default_value = true)]
    pub image: String,
    /// Which container gets the image; required if a pod has several
    #[arg(long, default_value = "", hide_default_value = true)]
    pub container: String,
    /// When to pull the image; required if it is the one that the pods have
    #[arg(long, default_value = "", hide_default_value = true)]
    pub image_pull_policy: String,
    /// Label that distinguishes the old pods from the new ones
    #[arg(long, default_value = "deployment")]
    pub deployment_label_key: String,
    /// A file with the new controller, - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Roll back an unfinished update
    #[arg(long)]
    pub rollback: bool,
    /// Only print the old and the new controller
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, action = clap::ArgAction::Set)]
    pub dry_run: bool,
    /// Time between two steps
    #[arg(long, default_value = "1m0s", value_parser = signed, allow_hyphen_values = true)]
    pub update_period: Duration,
    /// Time between two checks of a controller
    #[arg(long, default_value = "3s", value_parser = signed, allow_hyphen_values = true)]
    pub poll_interval: Duration,
    /// Ignored, as in kubectl: an update without progress always times out after 5m
    #[arg(long, default_value = "5m0s", value_parser = signed, allow_hyphen_values = true)]
    pub timeout: Duration,
    /// How to treat unknown fields in the file
    #[arg(long, value_name = "strict|warn|ignore", default_value = "strict", num_args = 0..=1, default_missing_value = "strict", require_equals = true)]
    pub validate: String,
    /// Output format: name, json or yaml
    #[arg(short, long)]
    pub output: Option<String>,
    /// Stop this process (SIGSTOP) after a step, for tests and the crash lab
    #[arg(long, value_name = "STEP", hide = true)]
    pub stop_after: Option<String>,
}

/// Parses a duration. As in kubectl, a negative one is accepted and means no wait.
fn signed(text: &str) -> Result<Duration, String> {
    match text.strip_prefix('-') {
        Some(rest) => squall_api::duration::parse(rest).map(|_| Duration::ZERO),
        None => squall_api::duration::parse(text),
    }
}

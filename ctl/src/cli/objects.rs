//! The flags of what reads and changes objects.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub struct FileArgs {
    /// Files or folders of manifests, - for standard input
    #[arg(short, long, required = true, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Note the command in the annotation kubernetes.io/change-cause
    #[arg(long)]
    pub record: bool,
    /// What to do with unknown fields
    #[arg(long, value_name = "strict|warn|ignore", default_value = "strict", num_args = 0..=1, default_missing_value = "strict")]
    pub validate: String,
    /// json, yaml or name
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct SelectArgs {
    /// TYPE, TYPE NAME..., or TYPE/NAME...
    pub what: Vec<String>,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Only objects with these fields
    #[arg(long)]
    pub field_selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// json, yaml, wide or name
    #[arg(short, long)]
    pub output: Option<String>,
    /// Show changes as they happen
    #[arg(short, long)]
    pub watch: bool,
    /// Without the headings
    #[arg(long)]
    pub no_headers: bool,
    /// With the labels
    #[arg(long)]
    pub show_labels: bool,
    /// Do not mind when an object is not there
    #[arg(long)]
    pub ignore_not_found: bool,
}

#[derive(Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// With the events of each object
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub show_events: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Delete what these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// What becomes of dependents: background, foreground or orphan
    #[arg(long, default_value = "background")]
    pub cascade: String,
    /// Seconds a pod has to end
    #[arg(long, allow_negative_numbers = true)]
    pub grace_period: Option<i64>,
    /// Delete at once, without waiting for the kubelet (with --grace-period=0)
    #[arg(long)]
    pub force: bool,
    /// Do not mind when an object is not there
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Return when the objects are gone
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub wait: bool,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// How many
    #[arg(long, allow_negative_numbers = true)]
    pub replicas: i32,
}

#[derive(Debug, Subcommand)]
pub enum SetCommand {
    /// Set the images of containers
    #[command(after_help = "Example:\n  ctl set image deployment kubia nodejs=luksa/kubia:v2")]
    Image(SetImageArgs),
}

#[derive(Debug, Args)]
pub struct SetImageArgs {
    /// TYPE NAME CONTAINER=IMAGE..., or TYPE/NAME CONTAINER=IMAGE...
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Note the command in the annotation kubernetes.io/change-cause
    #[arg(long)]
    pub record: bool,
}

#[derive(Debug, Args)]
pub struct PatchArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(required = true)]
    pub what: Vec<String>,
    /// The patch, as JSON or YAML
    #[arg(short, long)]
    pub patch: String,
    /// The kind of patch
    #[arg(long = "type", value_enum, default_value_t = PatchForm::Strategic)]
    pub form: PatchForm,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PatchForm {
    /// Objects merge, and lists of objects by their keys
    Strategic,
    /// Objects merge, everything else is replaced (RFC 7386)
    Merge,
    /// A list of operations (RFC 6902)
    Json,
}

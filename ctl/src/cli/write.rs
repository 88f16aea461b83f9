//! The flags of what changes objects.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::SelectArgs;

/// How far a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// It is made
    None,
    /// It is not sent
    Client,
    /// The server checks it and does not store it
    Server,
}

/// What every command has that changes objects.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// How far to go
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
    /// json, yaml, name or jsonpath=TEMPLATE
    #[arg(short, long)]
    pub output: Option<String>,
    /// Note the command in the annotation kubernetes.io/change-cause
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, action = clap::ArgAction::Set)]
    pub record: bool,
    /// As whom to own the fields that are written
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
}

/// What manifests a command is about.
#[derive(Debug, Args)]
pub struct ManifestArgs {
    /// Files or folders of manifests, URLs on this machine, - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Folders with all folders in them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// What to do with unknown fields
    #[arg(long, value_name = "strict|warn|ignore", default_value = "strict", num_args = 0..=1, default_missing_value = "strict", require_equals = true)]
    pub validate: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CreateArgs {
    #[command(subcommand)]
    pub what: Option<CreateCommand>,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Keep the manifest in its annotation, as apply does
    #[arg(long)]
    pub save_config: bool,
}

#[derive(Debug, Subcommand)]
pub enum CreateCommand {
    /// A namespace
    #[command(visible_alias = "ns")]
    Namespace {
        /// Its name
        name: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// A deployment of one image
    #[command(visible_alias = "deploy")]
    Deployment {
        /// Its name
        name: String,
        /// The image
        #[arg(long, required = true)]
        image: Vec<String>,
        /// How many pods
        #[arg(short, long, default_value_t = 1)]
        replicas: i32,
        /// The port that it serves on
        #[arg(long)]
        port: Option<i32>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// A config map
    #[command(visible_alias = "cm")]
    Configmap {
        /// Its name
        name: String,
        /// KEY=VALUE
        #[arg(long)]
        from_literal: Vec<String>,
        /// FILE or KEY=FILE
        #[arg(long)]
        from_file: Vec<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// A service account
    #[command(visible_alias = "sa")]
    Serviceaccount {
        /// Its name
        name: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// A service
    #[command(subcommand, visible_alias = "svc")]
    Service(CreateServiceCommand),
}

#[derive(Debug, Subcommand)]
pub enum CreateServiceCommand {
    /// Reached inside the cluster
    Clusterip(CreateServiceArgs),
    /// Reached at a port of each node
    Nodeport(CreateServiceArgs),
    /// Reached at an address of its own
    Loadbalancer(CreateServiceArgs),
}

#[derive(Debug, Args)]
pub struct CreateServiceArgs {
    /// Its name; it selects pods with the label app=NAME
    pub name: String,
    /// PORT or PORT:TARGETPORT
    #[arg(long, required = true, value_delimiter = ',')]
    pub tcp: Vec<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ApplyArgs {
    #[command(subcommand)]
    pub what: Option<ApplyCommand>,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub change: ChangeArgs,
    /// The server merges, by who owns which field
    #[arg(long)]
    pub server_side: bool,
    /// With --server-side: take over what others own
    #[arg(long)]
    pub force_conflicts: bool,
}

#[derive(Debug, Subcommand)]
pub enum ApplyCommand {
    /// Show what was applied last
    ViewLastApplied {
        /// TYPE NAME or TYPE/NAME
        #[arg(required = true)]
        what: Vec<String>,
        /// json or yaml
        #[arg(short, long, default_value = "yaml")]
        output: String,
    },
}

#[derive(Debug, Args)]
pub struct ReplaceArgs {
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Delete what is there, and create anew
    #[arg(long)]
    pub force: bool,
    /// With --force: seconds a pod has to end
    #[arg(long, allow_negative_numbers = true)]
    pub grace_period: Option<i64>,
}

#[derive(Debug, Args)]
pub struct EditArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Delete what these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// What becomes of dependents
    #[arg(long, value_name = "background|foreground|orphan", default_value = "background", num_args = 0..=1, default_missing_value = "background", require_equals = true)]
    pub cascade: String,
    /// Seconds a pod has to end
    #[arg(long, allow_negative_numbers = true)]
    pub grace_period: Option<i64>,
    /// Delete at once, without waiting for the kubelet (with --grace-period=0)
    #[arg(long)]
    pub force: bool,
    /// The same as --grace-period=1
    #[arg(long)]
    pub now: bool,
    /// Do not mind when an object is not there
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Return when the objects are gone
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub wait: bool,
    /// How long to wait; 0: as long as it takes
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub timeout: Option<Duration>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// How far to go
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
    /// name
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct ScaleArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// How many
    #[arg(long, allow_negative_numbers = true)]
    pub replicas: i32,
    /// Only if there are so many now
    #[arg(long)]
    pub current_replicas: Option<i32>,
    /// Only if the object has this version
    #[arg(long)]
    pub resource_version: Option<String>,
    /// How long to wait until there are as many; 0: not at all
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct MarkArgs {
    /// TYPE NAME KEY=VALUE... KEY-..., or TYPE/NAME KEY=VALUE...
    pub words: Vec<String>,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Only objects with these fields
    #[arg(long)]
    pub field_selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// Replace what has another value
    #[arg(long)]
    pub overwrite: bool,
    /// Show what there is
    #[arg(long)]
    pub list: bool,
    /// Only if the object has this version
    #[arg(long)]
    pub resource_version: Option<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Subcommand)]
pub enum SetCommand {
    /// Set the images of containers
    #[command(
        after_help = "Examples:\n  ctl set image deployment kubia nodejs=luksa/kubia:v2\n  ctl set image deployments --all '*=luksa/kubia:v2'"
    )]
    Image(SetArgs),
    /// Set what pods a service selects
    #[command(after_help = "Example:\n  ctl set selector svc kubia app=kubia-v2")]
    Selector(SetArgs),
}

#[derive(Debug, Args)]
pub struct SetArgs {
    /// TYPE NAME KEY=VALUE..., or TYPE/NAME KEY=VALUE...
    pub words: Vec<String>,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct PatchArgs {
    /// TYPE NAME or TYPE/NAME
    pub what: Vec<String>,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// The patch, as JSON or YAML
    #[arg(short, long, required_unless_present = "patch_file")]
    pub patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "FILE", conflicts_with = "patch")]
    pub patch_file: Option<PathBuf>,
    /// The kind of patch
    #[arg(long = "type", value_enum, default_value_t = PatchForm::Strategic)]
    pub form: PatchForm,
    /// A part of the object
    #[arg(long, value_enum)]
    pub subresource: Option<Part>,
    #[command(flatten)]
    pub change: ChangeArgs,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Part {
    /// What controllers and kubelets say of it
    Status,
    /// Its number of replicas
    Scale,
}

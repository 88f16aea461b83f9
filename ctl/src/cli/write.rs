//! The flags of commands that change objects.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{CreateBindingArgs, CreateClusterRoleArgs, CreateRoleArgs, CreateTokenArgs, SelectArgs};

/// Whether a change is made or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Make the change
    None,
    /// Do not send the change
    Client,
    /// Let the server check the change, but not store it
    Server,
}

/// Flags of every command that changes objects.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Dry run: check the change without making it
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
    /// Output format: json, yaml, name or jsonpath=TEMPLATE
    #[arg(short, long)]
    pub output: Option<String>,
    /// Record the command in the annotation kubernetes.io/change-cause
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, action = clap::ArgAction::Set)]
    pub record: bool,
    /// Name of the field manager that owns the written fields
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
}

/// Flags that select manifests.
#[derive(Debug, Args)]
pub struct ManifestArgs {
    /// Files or folders of manifests, URLs on this machine, - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Search folders recursively
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// How to treat unknown fields
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
    /// Save the manifest in the object's annotation, as apply does
    #[arg(long)]
    pub save_config: bool,
}

#[derive(Debug, Subcommand)]
pub enum CreateCommand {
    /// Create a namespace
    #[command(visible_alias = "ns")]
    Namespace {
        /// Name of the namespace
        name: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Create a deployment
    #[command(visible_alias = "deploy")]
    Deployment {
        /// Name of the deployment
        name: String,
        /// Image of a container; may be repeated
        #[arg(long, required = true)]
        image: Vec<String>,
        /// Number of replicas
        #[arg(short, long, default_value_t = 1)]
        replicas: i32,
        /// Port that the containers listen on
        #[arg(long)]
        port: Option<i32>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Create a config map
    #[command(visible_alias = "cm")]
    Configmap {
        /// Name of the config map
        name: String,
        /// Entry as KEY=VALUE
        #[arg(long)]
        from_literal: Vec<String>,
        /// Entry from a file, as FILE or KEY=FILE
        #[arg(long)]
        from_file: Vec<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Create a service account
    #[command(visible_alias = "sa")]
    Serviceaccount {
        /// Name of the service account
        name: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Request a token of a service account, or a kubeconfig that acts as it
    #[command(
        after_help = "Examples:\n  ctl create token robot --duration 24h\n  ctl create token robot -o kubeconfig > robot.kubeconfig"
    )]
    Token(CreateTokenArgs),
    /// Create a role
    #[command(after_help = "Example:\n  ctl create role reader --verb=get,list,watch --resource=pods,pods/log")]
    Role(CreateRoleArgs),
    /// Create a role of the cluster
    #[command(
        after_help = "Example:\n  ctl create clusterrole scaler --verb=get,update --resource=deployments.apps/scale"
    )]
    Clusterrole(CreateClusterRoleArgs),
    /// Give a role to users, groups or service accounts, within a namespace
    #[command(after_help = "Example:\n  ctl create rolebinding readers --role=reader --serviceaccount=default:robot")]
    Rolebinding(CreateBindingArgs),
    /// Give a ClusterRole to users, groups or service accounts, in the whole cluster
    #[command(after_help = "Example:\n  ctl create clusterrolebinding eve --clusterrole=view --user=eve")]
    Clusterrolebinding(CreateBindingArgs),
    /// Create a service
    #[command(subcommand, visible_alias = "svc")]
    Service(CreateServiceCommand),
}

#[derive(Debug, Subcommand)]
pub enum CreateServiceCommand {
    /// Create a service that is reachable inside the cluster
    Clusterip(CreateServiceArgs),
    /// Create a service that is reachable at a port of each node
    Nodeport(CreateServiceArgs),
    /// Create a service that is reachable at its own address
    Loadbalancer(CreateServiceArgs),
}

#[derive(Debug, Args)]
pub struct CreateServiceArgs {
    /// Name of the service; it selects pods with the label app=NAME
    pub name: String,
    /// Ports, as PORT or PORT:TARGETPORT
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
    /// Merge on the server, by field ownership
    #[arg(long)]
    pub server_side: bool,
    /// With --server-side: take over fields that others own
    #[arg(long)]
    pub force_conflicts: bool,
}

#[derive(Debug, Subcommand)]
pub enum ApplyCommand {
    /// Show the last applied manifest
    ViewLastApplied {
        /// TYPE NAME or TYPE/NAME
        #[arg(required = true)]
        what: Vec<String>,
        /// Output format: json or yaml
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
    /// Delete existing objects and create them again
    #[arg(long)]
    pub force: bool,
    /// With --force: seconds that a pod has to terminate
    #[arg(long, allow_negative_numbers = true)]
    pub grace_period: Option<i64>,
}

#[derive(Debug, Args)]
pub struct EditArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Delete the objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// How to delete dependents
    #[arg(long, value_name = "background|foreground|orphan", default_value = "background", num_args = 0..=1, default_missing_value = "background", require_equals = true)]
    pub cascade: String,
    /// Seconds that a pod has to terminate
    #[arg(long, allow_negative_numbers = true)]
    pub grace_period: Option<i64>,
    /// Delete at once, without waiting for the kubelet (implies --grace-period=0)
    #[arg(long)]
    pub force: bool,
    /// The same as --grace-period=1
    #[arg(long)]
    pub now: bool,
    /// Ignore objects that do not exist
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Wait until the objects are gone
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub wait: bool,
    /// Give up waiting after this time; 0: never
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub timeout: Option<Duration>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// Dry run: check the change without making it
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub dry_run: DryRun,
    /// Output format: name
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct ScaleArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// Number of replicas
    #[arg(long, allow_negative_numbers = true)]
    pub replicas: i32,
    /// Scale only if this is the current number of replicas
    #[arg(long)]
    pub current_replicas: Option<i32>,
    /// Scale only if the object has this resource version
    #[arg(long)]
    pub resource_version: Option<String>,
    /// Wait up to this long for the new number of replicas; 0: do not wait
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
    /// Search all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// Overwrite existing values
    #[arg(long)]
    pub overwrite: bool,
    /// Show the existing labels or annotations
    #[arg(long)]
    pub list: bool,
    /// Change the object only if it has this resource version
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
    /// Set the pod selector of services
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
    /// Objects defined in these files
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
    /// Objects defined in these files
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
    /// Subresource to patch
    #[arg(long, value_enum)]
    pub subresource: Option<Part>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PatchForm {
    /// Merge objects, and lists of objects by their keys
    Strategic,
    /// Merge objects, and replace everything else (RFC 7386)
    Merge,
    /// A list of operations (RFC 6902)
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Part {
    /// Status that controllers and kubelets report
    Status,
    /// Number of replicas
    Scale,
}

//! The flags of what reads objects.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

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
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// json, yaml, wide, name, jsonpath=TEMPLATE or custom-columns=HEADING:PATH,...
    #[arg(short, long)]
    pub output: Option<String>,
    /// Show changes as they happen
    #[arg(short, long)]
    pub watch: bool,
    /// Show only changes, not what there is
    #[arg(long)]
    pub watch_only: bool,
    /// With -w: whether an object was added, changed or deleted
    #[arg(long)]
    pub output_watch_events: bool,
    /// Without the headings
    #[arg(long)]
    pub no_headers: bool,
    /// With the labels
    #[arg(long)]
    pub show_labels: bool,
    /// With these labels as columns
    #[arg(short = 'L', long, value_delimiter = ',', value_name = "LABEL")]
    pub label_columns: Vec<String>,
    /// With the owners of fields, in JSON and YAML
    #[arg(long)]
    pub show_managed_fields: bool,
    /// In the order of this field, like .metadata.creationTimestamp
    #[arg(long, value_name = "PATH")]
    pub sort_by: Option<String>,
    /// Do not mind when an object is not there
    #[arg(long)]
    pub ignore_not_found: bool,
}

#[derive(Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// With the events of each object
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub show_events: bool,
}

#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Only events of this object (TYPE/NAME)
    #[arg(long = "for", value_name = "TYPE/NAME")]
    pub object: Option<String>,
    /// Only these types: Normal, Warning
    #[arg(long, value_delimiter = ',')]
    pub types: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Go on with those to come
    #[arg(short, long)]
    pub watch: bool,
    /// Without the headings
    #[arg(long)]
    pub no_headers: bool,
    /// json or yaml
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct PodLogsArgs {
    /// POD, or TYPE/NAME of what has pods
    pub what: Option<String>,
    /// Which container; else the first
    #[arg(index = 2, value_name = "CONTAINER")]
    pub second: Option<String>,
    /// Which container; else the first
    #[arg(short, long)]
    pub container: Option<String>,
    /// Of all pods with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Of all containers
    #[arg(long)]
    pub all_containers: bool,
    /// Go on as long as the container runs
    #[arg(short, long)]
    pub follow: bool,
    /// Of the attempt before the last
    #[arg(short, long)]
    pub previous: bool,
    /// Each line begins with its time
    #[arg(long)]
    pub timestamps: bool,
    /// Each line begins with its pod and container
    #[arg(long)]
    pub prefix: bool,
    /// Only the last lines
    #[arg(long, allow_negative_numbers = true)]
    pub tail: Option<i64>,
    /// Only what is not older (like 5m)
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub since: Option<Duration>,
    /// Only what is not older (RFC 3339)
    #[arg(long)]
    pub since_time: Option<String>,
    /// At most so many bytes
    #[arg(long)]
    pub limit_bytes: Option<i64>,
}

#[derive(Debug, Args)]
pub struct WaitArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// What these files define
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// condition=NAME[=VALUE], jsonpath=PATH[=VALUE], create or delete
    #[arg(long = "for", value_name = "WHAT")]
    pub condition: String,
    /// Give up after this time; 0: look once; negative: a week
    #[arg(long, default_value = "30s", allow_hyphen_values = true)]
    pub timeout: String,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Files or folders of manifests, - for standard input
    #[arg(short, long, required = true, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// TYPE NAME, or TYPE/NAME...
    #[arg(required = true)]
    pub what: Vec<String>,
    /// json
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// TYPE or TYPE.FIELD.FIELD
    pub what: String,
    /// With the fields of fields
    #[arg(long)]
    pub recursive: bool,
}

#[derive(Debug, Args)]
pub struct ApiResourcesArgs {
    /// Only of this group
    #[arg(long)]
    pub api_group: Option<String>,
    /// Only those that are in a namespace, or (=false) those that are not
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub namespaced: Option<bool>,
    /// wide or name
    #[arg(short, long)]
    pub output: Option<String>,
    /// Without the headings
    #[arg(long)]
    pub no_headers: bool,
}

#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Only of ctl
    #[arg(long)]
    pub client: bool,
    /// json or yaml
    #[arg(short, long)]
    pub output: Option<String>,
}

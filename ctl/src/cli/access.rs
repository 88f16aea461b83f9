//! The flags of commands that create roles, bindings and tokens.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::write::ChangeArgs;

/// The rule of a role.
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// Verbs, separated by commas: get,list,watch
    #[arg(long, value_delimiter = ',')]
    pub verb: Vec<String>,
    /// Resources, separated by commas: pods,deployments.apps/scale
    #[arg(long, value_delimiter = ',')]
    pub resource: Vec<String>,
    /// Name of an object that the role is limited to; may be repeated
    #[arg(long)]
    pub resource_name: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CreateRoleArgs {
    /// Name of the role
    pub name: String,
    #[command(flatten)]
    pub rule: RuleArgs,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct CreateClusterRoleArgs {
    /// Name of the role
    pub name: String,
    #[command(flatten)]
    pub rule: RuleArgs,
    /// Paths that are no resources, separated by commas: /healthz
    #[arg(long, value_delimiter = ',')]
    pub non_resource_url: Vec<String>,
    /// Labels of the roles whose rules this one has, as KEY=VALUE
    #[arg(long, conflicts_with_all = ["verb", "resource", "resource_name", "non_resource_url"])]
    pub aggregation_rule: Option<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct CreateBindingArgs {
    /// Name of the binding
    pub name: String,
    /// ClusterRole that the binding gives
    #[arg(long)]
    pub clusterrole: Option<String>,
    /// Role of the namespace that the binding gives
    #[arg(long)]
    pub role: Option<String>,
    /// User who gets the role; may be repeated
    #[arg(long)]
    pub user: Vec<String>,
    /// Group that gets the role; may be repeated
    #[arg(long)]
    pub group: Vec<String>,
    /// Service account that gets the role, as NAMESPACE:NAME; may be repeated
    #[arg(long)]
    pub serviceaccount: Vec<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct CreateTokenArgs {
    /// Name of the service account
    pub name: String,
    /// Time for which the token is valid, at least 10m [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = squall_api::duration::parse)]
    pub duration: Option<Duration>,
    /// Service that the token is for; may be repeated [default: the apiserver]
    #[arg(long)]
    pub audience: Vec<String>,
    /// Kind of the object with which the token ends: Pod, Secret or Node
    #[arg(long, requires = "bound_object_name")]
    pub bound_object_kind: Option<String>,
    /// Name of the object with which the token ends
    #[arg(long, requires = "bound_object_kind")]
    pub bound_object_name: Option<String>,
    /// Output format: the whole answer, or a kubeconfig
    #[arg(short, long, value_enum)]
    pub output: Option<TokenOutput>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TokenOutput {
    /// The answer of the apiserver
    Json,
    /// A kubeconfig that acts as the service account
    Kubeconfig,
}

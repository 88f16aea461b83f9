//! The flags of `ctl auth`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Check whether you may do something: prints "yes" with exit code 0, or "no" with 1
    #[command(
        name = "can-i",
        after_help = "Examples:\n  ctl auth can-i create pods\n  ctl auth can-i get deployments/scale -n kube-system\n  ctl auth can-i delete node node-0\n  ctl auth can-i --list"
    )]
    CanI(CanIArgs),
    /// Show your user name and groups, as the apiserver sees them
    Whoami(WhoamiArgs),
}

#[derive(Debug, Clone, Args)]
pub struct CanIArgs {
    /// Verb: get, list, watch, create, update, patch, delete, deletecollection, or another that a role may name
    #[arg(required_unless_present = "list")]
    pub verb: Option<String>,
    /// Resource, optionally with a subresource (pods, deployments/scale), or a path (/metrics)
    #[arg(required_unless_present = "list")]
    pub resource: Option<String>,
    /// Name of an object
    pub name: Option<String>,
    /// Check all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// List everything that you may do in the namespace
    #[arg(long, conflicts_with_all = ["verb", "resource", "name", "quiet", "all_namespaces"])]
    pub list: bool,
    /// Print nothing, only set the exit code
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Args)]
pub struct WhoamiArgs {
    /// Output format: json
    #[arg(short, long)]
    pub output: Option<String>,
}

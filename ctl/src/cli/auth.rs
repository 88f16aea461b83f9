//! The flags of `ctl auth`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Check whether you may do something: prints "yes" with exit code 0, or "no" with 1
    #[command(
        name = "can-i",
        after_help = "Examples:\n  ctl auth can-i create pods\n  ctl auth can-i get deployments/scale -n kube-system\n  ctl auth can-i delete node node-0"
    )]
    CanI(CanIArgs),
    /// Show your user name and groups, as the apiserver sees them
    Whoami(WhoamiArgs),
}

#[derive(Debug, Clone, Args)]
pub struct CanIArgs {
    /// Verb: get, list, watch, create, update, patch, delete or deletecollection
    pub verb: String,
    /// Resource, optionally with a subresource: pods, deployments/scale
    pub resource: String,
    /// Name of an object
    pub name: Option<String>,
    /// Check all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
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

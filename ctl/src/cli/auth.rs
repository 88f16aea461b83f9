//! The flags of `ctl auth`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Say whether you may do something: "yes" and exit code 0, or "no" and 1
    #[command(
        name = "can-i",
        after_help = "Examples:\n  ctl auth can-i create pods\n  ctl auth can-i get deployments/scale -n kube-system\n  ctl auth can-i delete node node-0"
    )]
    CanI(CanIArgs),
    /// Say who you are, as the apiserver sees it
    Whoami(WhoamiArgs),
}

#[derive(Debug, Clone, Args)]
pub struct CanIArgs {
    /// get, list, watch, create, update, patch, delete or deletecollection
    pub verb: String,
    /// The resource, perhaps with a part of it: pods, deployments/scale
    pub resource: String,
    /// The name of an object
    pub name: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Say nothing, only exit
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Args)]
pub struct WhoamiArgs {
    /// "json"
    #[arg(short, long)]
    pub output: Option<String>,
}

//! `ctl version`.

use serde_json::json;
use squall_api::core::v1::Node;
use squall_api::manifest;
use squall_client::Api;

use crate::cli::{Global, VersionArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{indented, line, text};

/// The version of all programs of this build.
const OWN: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// Shows the versions. The version of the servers is that of the nodes, which belong to the same build.
pub async fn run(global: &Global, args: VersionArgs) -> Result<(), Failure> {
    let servers = if args.client { Ok(Vec::new()) } else { servers(global).await };
    let found = servers.as_ref().map_or(&[] as &[String], Vec::as_slice);
    match args.output.as_deref() {
        None => {
            line(&format!("Client Version: {OWN}"));
            found.iter().for_each(|version| line(&format!("Server Version: {version}")));
        }
        Some(format @ ("json" | "yaml")) => {
            let value = json!({"clientVersion": {"gitVersion": OWN}, "serverVersion": found.first().map(|version| json!({"gitVersion": version}))});
            match format {
                "json" => line(&indented(&value)?),
                _ => text(&manifest::to_yaml(&value).map_err(Failure::error)?),
            }
        }
        Some(other) => return Err(Failure::error(format!("--output {other:?} must be 'yaml' or 'json'"))),
    }
    servers.map(drop)
}

async fn servers(global: &Global) -> Result<Vec<String>, Failure> {
    let context = Context::find(global)?;
    let nodes: Vec<Node> = Api::new(context.client.clone(), "").list("", "").await?;
    let mut versions: Vec<String> = nodes.into_iter().map(|node| node.status.node_info.kubelet_version).collect();
    versions.retain(|version| !version.is_empty());
    versions.sort();
    versions.dedup();
    Ok(versions)
}

//! `ctl create token`: a token of a service account, or a kubeconfig that acts as it.

use prost::Message;
use serde_json::json;
use squall_api::Kind;
use squall_api::authentication::v1::TokenRequest;
use squall_client::{ClusterEntry, Encoding, Kubeconfig, Manifest, ResourceRef, WriteOptions};

use crate::cli::{CreateTokenArgs, TokenOutput};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, text};

/// Asks for a token, and prints it.
pub async fn run(context: &Context, args: CreateTokenArgs) -> Result<(), Failure> {
    let issued = request(context, &args).await?;
    match args.output {
        None => line(&issued.status.token),
        Some(TokenOutput::Json) => {
            let value = serde_json::to_value(&issued).map_err(Failure::error)?;
            line(&serde_json::to_string_pretty(&value).map_err(Failure::error)?);
        }
        Some(TokenOutput::Kubeconfig) => text(&Kubeconfig::of(&acting(context, &args.name, issued)).to_text()),
    }
    Ok(())
}

async fn request(context: &Context, args: &CreateTokenArgs) -> Result<TokenRequest, Failure> {
    let mut spec = json!({"audiences": args.audience});
    if let Some(duration) = args.duration {
        spec["expirationSeconds"] = json!(duration.as_secs());
    }
    if let (Some(kind), Some(name)) = (&args.bound_object_kind, &args.bound_object_name) {
        spec["boundObjectRef"] = json!({"kind": kind, "apiVersion": "v1", "name": name});
    }
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    let manifest = Manifest { encoding: Some(Encoding::Json(request.to_string().into())) };
    let account = ResourceRef::object(Kind::ServiceAccount, &context.namespace, &args.name).part("token");
    let reply = context.client.create(&account, manifest, WriteOptions::default()).await;
    let reply = reply.map_err(|error| Failure::error(format!("failed to create token: {error}")))?;
    TokenRequest::decode(reply.object.value.as_slice()).map_err(Failure::error)
}

/// The same cluster, as the service account.
fn acting(context: &Context, name: &str, issued: TokenRequest) -> ClusterEntry {
    ClusterEntry {
        certificate: Vec::new(),
        key: Vec::new(),
        token: issued.status.token,
        user: format!("system:serviceaccount:{}:{name}", context.namespace),
        namespace: context.namespace.clone(),
        ..context.entry.clone()
    }
}

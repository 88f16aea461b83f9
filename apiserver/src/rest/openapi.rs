//! The OpenAPI documents: `/openapi/v2` and `/openapi/v3`.

use std::sync::LazyLock;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use prost::Message;
use serde_json::{Map, Value, json};
use squall_api::{Error, openapi};

use super::Rest;
use super::failure::Failure;

/// The only supported encoding of the v2 document, which is the one that clients read.
const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

static V2_DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::v2().encode_to_vec().into());

static V3_DOCUMENTS: LazyLock<Vec<(String, Bytes)>> = LazyLock::new(|| {
    let documents = openapi::v3_groups().into_iter();
    documents.map(|(group, path)| (path, Bytes::from(openapi::v3(group).to_string()))).collect()
});

/// `/openapi/v2`.
pub(super) async fn v2(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    rest.permit(&request)?;
    Ok(([(CONTENT_TYPE, V2)], V2_DOCUMENT.clone()).into_response())
}

/// `/openapi/v3`: the list of documents.
pub(super) async fn v3(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    rest.permit(&request)?;
    let paths: Map<String, Value> = V3_DOCUMENTS
        .iter()
        .map(|(path, text)| {
            // A client's cached document stays valid as long as the hash is the same.
            let url = format!("/openapi/v3/{path}?hash={:08X}", crc32fast::hash(text));
            (path.clone(), json!({"serverRelativeURL": url}))
        })
        .collect();
    Ok(([(CONTENT_TYPE, "application/json")], json!({"paths": paths}).to_string()).into_response())
}

/// `/openapi/v3/apis/apps/v1`: one of the documents.
pub(super) async fn v3_document(
    State(rest): State<Rest>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    rest.permit(&request)?;
    let found = V3_DOCUMENTS.iter().find(|(known, _)| *known == path);
    let (_, text) = found.ok_or_else(|| Failure::from(Error::no_such_path()))?;
    Ok(([(CONTENT_TYPE, "application/json")], text.clone()).into_response())
}

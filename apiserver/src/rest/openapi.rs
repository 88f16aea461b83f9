//! The OpenAPI documents: `/openapi/v2` and `/openapi/v3`, with the kinds that users have defined.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use prost::Message;
use serde_json::{Map, Value, json};
use squall_api::apiextensions::v1::CustomResourceDefinition;
use squall_api::kinds::{Definition, Version};
use squall_api::openapi::{self, Custom};
use squall_api::{Error, Kind, Object};

use super::Rest;
use super::accept::ranges;
use super::failure::Failure;
use crate::keys;
use crate::registry::decode_stored;

/// The encoding of the v2 document that clients read for its speed. It has the built-in kinds alone.
const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

static V2_DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi::v2().encode_to_vec().into());

static V3_DOCUMENTS: LazyLock<Vec<(String, Value, Bytes)>> = LazyLock::new(|| {
    let documents = openapi::v3_groups().into_iter();
    documents
        .map(|(group, path)| {
            let document = openapi::v3(group);
            let text = Bytes::from(document.to_string());
            (path, document, text)
        })
        .collect()
});

/// The versions of custom kinds that are in one document, by its path: `apis/stable.example.com/v1`.
type Documents = BTreeMap<String, Vec<(Arc<Definition>, Arc<Version>)>>;

impl Rest {
    fn custom_documents(&self) -> Documents {
        let mut documents = Documents::new();
        for definition in self.registry.definitions() {
            for version in definition.served() {
                let path = format!("apis/{}/{}", definition.group(), version.kind().info().version);
                documents.entry(path).or_default().push((definition.clone(), version.clone()));
            }
        }
        documents
    }

    /// Builds a document. A kind whose definition has changed since is in the next one.
    fn custom_document(&self, kinds: &[(Arc<Definition>, Arc<Version>)]) -> Value {
        let state = self.registry.member().view().state();
        let of = |(definition, version): &(Arc<Definition>, Arc<Version>)| {
            let name = format!("{}.{}", definition.names().plural, definition.group());
            let entry = state.get(&keys::object(Kind::CustomResourceDefinition, "", &name))?;
            match decode_stored(Kind::CustomResourceDefinition, entry) {
                Ok(Object::CustomResourceDefinition(stored)) => Some((stored, version.clone())),
                Ok(_) | Err(_) => None,
            }
        };
        let found: Vec<(Box<CustomResourceDefinition>, Arc<Version>)> = kinds.iter().filter_map(of).collect();
        let kinds: Vec<Custom<'_>> = found.iter().map(|(definition, version)| Custom { definition, version }).collect();
        openapi::custom(&kinds)
    }
}

/// The hash of a document that changes when one of its definitions does.
fn hash_of(kinds: &[(Arc<Definition>, Arc<Version>)]) -> u32 {
    let text: String = kinds.iter().map(|(d, _)| format!("{}@{};", d.names().plural, d.revision())).collect();
    crc32fast::hash(text.as_bytes())
}

/// `/openapi/v2`.
pub(super) async fn v2(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    rest.permit(&request)?;
    // Older clients write "@" for the dot before the version.
    let is_binary = ranges(request.headers()).iter().any(|range| range.media_type.replace('@', ".") == V2);
    if is_binary {
        return Ok(([(CONTENT_TYPE, V2)], V2_DOCUMENT.clone()).into_response());
    }
    let custom = rest.custom_documents();
    let tag = custom
        .iter()
        .fold(0u32, |tag, (path, kinds)| tag.rotate_left(1) ^ hash_of(kinds) ^ crc32fast::hash(path.as_bytes()));
    let tag = format!("\"{tag:08X}\"");
    if is_known(request.headers(), &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let documents: Vec<Value> = custom.values().map(|kinds| rest.custom_document(kinds)).collect();
    let built_in = V3_DOCUMENTS.iter().map(|(_, document, _)| document);
    let text = openapi::swagger(built_in.chain(&documents)).to_string();
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (ETAG, tag)], text).into_response())
}

/// Whether the client has this version of a document.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// `/openapi/v3`: the list of documents.
pub(super) async fn v3(State(rest): State<Rest>, request: Request) -> Result<Response, Failure> {
    rest.permit(&request)?;
    // A client's cached document stays valid as long as the hash is the same.
    let url = |path: &str, hash: u32| json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash:08X}")});
    let mut paths: Map<String, Value> =
        V3_DOCUMENTS.iter().map(|(path, _, text)| (path.clone(), url(path, crc32fast::hash(text)))).collect();
    for (path, kinds) in rest.custom_documents() {
        let entry = url(&path, hash_of(&kinds));
        paths.insert(path, entry);
    }
    Ok(([(CONTENT_TYPE, "application/json")], json!({"paths": paths}).to_string()).into_response())
}

/// `/openapi/v3/apis/apps/v1`: one of the documents.
pub(super) async fn v3_document(
    State(rest): State<Rest>,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    rest.permit(&request)?;
    let built_in = V3_DOCUMENTS.iter().find(|(known, ..)| *known == path);
    let text = match built_in {
        Some((_, _, text)) => text.clone(),
        None => {
            let documents = rest.custom_documents();
            let kinds = documents.get(&path).ok_or_else(|| Failure::from(Error::no_such_path()))?;
            Bytes::from(rest.custom_document(kinds).to_string())
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

//! The manifests of a command: from files, folders, URLs on this machine and standard input.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use squall_api::{Kind, Object, manifest};
use squall_client::{Encoding, Manifest, ResourceRef};

use crate::cli::ManifestArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::{download, files};

/// One document and the file that contains it.
#[derive(Debug, Clone)]
pub struct Document {
    pub json: Value,
    pub file: String,
    pub kind: Kind,
    pub namespace: String,
}

impl Document {
    /// The name of the object; empty if the server generates one.
    pub fn name(&self) -> &str {
        manifest::meta(&self.json, "name")
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.json.pointer("/metadata/labels").and_then(Value::as_object);
        let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        labels.into_iter().flatten().filter_map(text).collect()
    }

    pub fn collection(&self) -> ResourceRef {
        ResourceRef::collection(self.kind, &self.namespace)
    }

    pub fn object(&self) -> ResourceRef {
        ResourceRef::object(self.kind, &self.namespace, self.name())
    }

    /// The document as a request carries it: undecoded, so that the server sees what the user wrote.
    pub fn manifest(&self) -> Manifest {
        Manifest { encoding: Some(Encoding::Json(self.json.to_string().into())) }
    }
}

/// How much of a folder counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only its own files.
    Folder,
    /// The files of its subfolders too.
    Tree,
}

impl Depth {
    /// Reads the flag `--recursive`.
    pub const fn of(recursive: bool) -> Self {
        if recursive { Self::Tree } else { Self::Folder }
    }
}

/// Reads all documents. Invalid ones are added to `failures`.
pub async fn read(
    context: &Context,
    paths: &[PathBuf],
    depth: Depth,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for path in paths {
        for (file, text) in texts(path, depth).await? {
            let values = manifest::documents(&text)
                .map_err(|problem| Failure::error(format!("error parsing {file}: {problem}")))?;
            for json in values {
                match document(context, json, &file).await {
                    Ok(document) => documents.push(document),
                    Err(failure) => failures.push(failure),
                }
            }
        }
    }
    Ok(documents)
}

/// Like `read`, for a command that needs at least one document. `verb` is the name of the command.
pub async fn read_some(
    context: &Context,
    args: &ManifestArgs,
    verb: &str,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Document>, Failure> {
    if args.filename.is_empty() {
        return Err(Failure::error("must specify -f: a file, a folder, a URL or - for standard input"));
    }
    let documents = read(context, &args.filename, Depth::of(args.recursive), failures).await?;
    if documents.is_empty() && failures.is_empty() {
        return Err(Failure::error(format!("no objects passed to {verb}")));
    }
    Ok(documents)
}

/// Decodes a manifest without the server, and so without defaults.
pub fn local(kind: Kind, json: Value) -> Result<Object, squall_client::Error> {
    Object::from_json(kind, json).map_err(|problem| squall_api::Error::bad_request(problem.to_string()).into())
}

/// Translates `--validate` to the value that the API uses.
pub fn validation(text: &str) -> Result<&'static str, Failure> {
    match text {
        "strict" | "true" => Ok("Strict"),
        "warn" => Ok("Warn"),
        "ignore" | "false" => Ok("Ignore"),
        other => Err(Failure::error(format!("invalid - validate option {other:?}"))),
    }
}

/// Reads the file at a path, or each file in a folder. Returns names and texts.
pub async fn texts(path: &Path, depth: Depth) -> Result<Vec<(String, String)>, Failure> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| Failure::error(format!("reading {name}: {error}"));
    if name == "-" {
        return Ok(vec![("STDIN".to_owned(), files::text_of(std::io::stdin()).map_err(unreadable)?)]);
    }
    if name.starts_with("http://") || name.starts_with("https://") {
        return Ok(vec![(name.clone(), download::text(&name).await?)]);
    }
    if !path.exists() {
        return Err(Failure::error(format!("the path {name:?} does not exist")));
    }
    if !path.is_dir() {
        return Ok(vec![(name.clone(), files::text(path).map_err(unreadable)?)]);
    }
    let mut paths = Vec::new();
    collect(path, depth, &mut paths).map_err(unreadable)?;
    paths.sort();
    paths.into_iter().map(|file| Ok((file.display().to_string(), files::text(&file).map_err(unreadable)?))).collect()
}

/// Collects the manifests in a folder.
fn collect(folder: &Path, depth: Depth, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() && depth == Depth::Tree {
            collect(&path, depth, files)?;
        } else if matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    Ok(())
}

async fn document(context: &Context, json: Value, file: &str) -> Result<Document, Failure> {
    let text = |field: &str| json.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind_name) = (text("apiVersion"), text("kind"));
    for (field, value) in [("kind", &kind_name), ("apiVersion", &api_version)] {
        if value.is_empty() {
            return Err(Failure::error(format!(
                "error validating {file:?}: error validating data: {field} not set; if you choose to ignore these errors, turn \
                 validation off with --validate=false"
            )));
        }
    }
    let found = match Kind::of_manifest(&api_version, &kind_name) {
        Some(kind) => Some(kind),
        None => context.kinds().await?.of_manifest(&api_version, &kind_name),
    };
    let Some(kind) = found else {
        return Err(Failure::error(format!(
            "resource mapping not found for name: {:?} namespace: {:?} from {file:?}: no matches for kind {kind_name:?} in version \
             {api_version:?}\nensure CRDs are installed first",
            manifest::meta(&json, "name"),
            manifest::meta(&json, "namespace"),
        )));
    };
    let own = manifest::meta(&json, "namespace").to_owned();
    if let Some(wanted) = context
        .asked_namespace
        .as_ref()
        .filter(|wanted| !own.is_empty() && own != **wanted && kind.info().is_namespaced())
    {
        return Err(Failure::error(format!(
            "the namespace from the provided object {own:?} does not match the namespace {wanted:?}. You must pass '--namespace={own}' \
             to perform this operation."
        )));
    }
    let namespace = match (kind.info().is_namespaced(), own.is_empty()) {
        (false, _) => String::new(),
        (true, false) => own,
        (true, true) => context.namespace.clone(),
    };
    Ok(Document { json, file: file.to_owned(), kind, namespace })
}

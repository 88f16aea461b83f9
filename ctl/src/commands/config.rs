//! `ctl config`: shows and changes the kubeconfig.

use std::io::Write;
use std::path::Path;

use serde_json::Value;
use squall_api::manifest;

use crate::cli::{ConfigCommand, Global};
use crate::context::kubeconfig;
use crate::failure::Failure;
use crate::files;
use crate::output::{line, print_cells, text};

const GAP: usize = 3;

/// Runs a command.
pub fn run(global: &Global, command: ConfigCommand) -> Result<(), Failure> {
    let (path, _) = kubeconfig(global)?;
    let file = files::text(&path).map_err(|error| Failure::error(format!("reading {}: {error}", path.display())))?;
    let mut config = manifest::parse(&file).map_err(Failure::error)?;
    match command {
        ConfigCommand::View => {
            hide(&mut config);
            text(&manifest::to_yaml(&config).map_err(Failure::error)?);
        }
        ConfigCommand::CurrentContext => line(current(&config)?),
        ConfigCommand::GetContexts => contexts(&config),
        ConfigCommand::SetContext { name, current: is_current } => {
            let name = match (name, is_current) {
                (Some(name), false) => name,
                (None, true) => current(&config)?.to_owned(),
                _ => return Err(Failure::error("name a context, or use --current")),
            };
            let namespace =
                global.namespace.clone().ok_or_else(|| Failure::error("nothing to set: use --namespace=NAME"))?;
            let context = config
                .get_mut("contexts")
                .and_then(Value::as_array_mut)
                .and_then(|contexts| contexts.iter_mut().find(|context| context["name"] == name.as_str()))
                .and_then(|context| context.get_mut("context"))
                .and_then(Value::as_object_mut);
            let context =
                context.ok_or_else(|| Failure::error(format!("no context exists with the name: {name:?}")))?;
            context.insert("namespace".to_owned(), Value::String(namespace));
            let changed = manifest::to_yaml(&config).map_err(Failure::error)?;
            replace(&path, &changed).map_err(|error| Failure::error(format!("writing {}: {error}", path.display())))?;
            line(&format!("Context {name:?} modified."));
        }
    }
    Ok(())
}

/// Replaces a file atomically. The file contains keys, so that only its owner may read it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn current(config: &Value) -> Result<&str, Failure> {
    let current = config.get("current-context").and_then(Value::as_str).filter(|name| !name.is_empty());
    current.ok_or_else(|| Failure::error("current-context is not set"))
}

/// Removes keys and certificates from the output.
fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "certificate-authority-data" | "client-certificate-data" => *value = "DATA+OMITTED".into(),
                    "client-key-data" | "token" | "password" => *value = "REDACTED".into(),
                    _ => hide(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

fn contexts(config: &Value) {
    let mut rows = vec![["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"].map(str::to_owned).to_vec()];
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    for context in config.get("contexts").and_then(Value::as_array).into_iter().flatten() {
        let (name, inner) = (text(context, "name"), context.get("context").cloned().unwrap_or_default());
        let mark = if current(config).is_ok_and(|current| current == name) { "*" } else { "" };
        rows.push(vec![
            mark.to_owned(),
            name,
            text(&inner, "cluster"),
            text(&inner, "user"),
            text(&inner, "namespace"),
        ]);
    }
    print_cells(&rows, GAP);
}

//! `ctl api-resources`: lists the resource types.

use squall_api::Kind;

use crate::cli::{ApiResourcesArgs, Global};
use crate::context::Context;
use crate::failure::Failure;
use crate::kinds::Kinds;
use crate::output::{line, print_cells};

const GAP: usize = 3;

/// Lists the resource types, sorted by group and name.
pub async fn run(global: &Global, args: &ApiResourcesArgs) -> Result<(), Failure> {
    // Without a cluster, there are still the kinds that every cluster has.
    let custom = match Context::find(global) {
        Ok(context) => Kinds::of(&context.client.kinds("").await?),
        Err(_) => Kinds::default(),
    };
    let served = custom.definitions().iter().flat_map(|definition| definition.served());
    let mut kinds: Vec<Kind> =
        Kind::ALL.iter().copied().chain(served.map(|version| Kind::Custom(version.kind()))).collect();
    kinds.retain(|kind| args.api_group.as_ref().is_none_or(|group| kind.info().group == group));
    kinds.retain(|kind| args.namespaced.is_none_or(|namespaced| kind.info().is_namespaced() == namespaced));
    kinds.sort_by_key(|kind| (kind.info().group, kind.info().plural));
    let wide = match args.output.as_deref() {
        None => false,
        Some("wide") => true,
        Some("name") => {
            kinds.iter().for_each(|kind| line(&kind.info().plural_group()));
            return Ok(());
        }
        Some(other) => return Err(Failure::error(format!("--output {other} is not available: use wide or name"))),
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    if !args.no_headers {
        let headings = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"];
        rows.push(headings.iter().copied().chain(wide.then_some("VERBS")).map(str::to_owned).collect());
    }
    rows.extend(kinds.into_iter().map(|kind| {
        let info = kind.info();
        let mut row = vec![
            info.plural.to_owned(),
            custom.short_names(kind),
            info.api_version(),
            info.is_namespaced().to_string(),
            info.kind.to_owned(),
        ];
        row.extend(wide.then(|| "create,delete,deletecollection,get,list,patch,update,watch".to_owned()));
        row
    }));
    print_cells(&rows, GAP);
    Ok(())
}

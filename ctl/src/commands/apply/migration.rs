//! Hands what client-side apply owns over to server-side apply, as kubectl does: otherwise nothing that the manifest drops
//! would ever go.

use serde_json::{Map, Value, json};

use super::LAST_APPLIED;

/// Returns the entries of `managedFields` after the manager `to` has taken over all fields of the managers that wrote the
/// annotation of client-side apply; `None` if there is none.
pub fn taken_over(entries: &[Value], to: &str) -> Option<Vec<Value>> {
    let (given, mut kept): (Vec<&Value>, Vec<&Value>) = entries.iter().partition(|entry| is_client_side(entry));
    let newest = (*given.first()?).clone();
    let own = kept.iter().position(|entry| is(entry, to, "Apply"));
    let mut taker = own.map_or(newest, |own| kept.remove(own).clone());
    let mut fields = Map::new();
    for entry in given.into_iter().chain([&taker]) {
        union(&mut fields, entry.get("fieldsV1"));
    }
    taker["manager"] = to.into();
    taker["operation"] = "Apply".into();
    taker["fieldsV1"] = Value::Object(fields);
    Some(std::iter::once(taker).chain(kept.into_iter().cloned()).collect())
}

/// The patch that stores the entries, if the object is still at this version.
pub fn patch(entries: &[Value], resource_version: &str) -> Value {
    json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
    ])
}

fn is(entry: &Value, manager: &str, operation: &str) -> bool {
    entry["manager"] == manager && entry["operation"] == operation && entry.get("subresource").is_none()
}

fn is_client_side(entry: &Value) -> bool {
    let annotation = entry["fieldsV1"]["f:metadata"]["f:annotations"].get(format!("f:{LAST_APPLIED}"));
    annotation.is_some() && entry["operation"] == "Update" && entry.get("subresource").is_none()
}

/// Adds a set of fields in its JSON form.
fn union(fields: &mut Map<String, Value>, more: Option<&Value>) {
    for (step, inner) in more.and_then(Value::as_object).into_iter().flatten() {
        match fields.entry(step).or_insert_with(|| json!({})) {
            Value::Object(fields) => union(fields, Some(inner)),
            other => *other = inner.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields})
    }

    fn client_side(manager: &str, data: Value) -> Value {
        let annotation = format!("f:{LAST_APPLIED}");
        entry(manager, "Update", json!({"f:metadata": {"f:annotations": {".": {}, annotation: {}}}, "f:data": data}))
    }

    #[test]
    fn the_fields_of_client_side_apply_are_taken_over() {
        let other = entry("controller", "Update", json!({"f:status": {}}));
        let old = client_side("kubectl-client-side-apply", json!({"f:legacy": {}, "f:keep": {}}));
        assert_eq!(taken_over(std::slice::from_ref(&other), "ctl"), None);
        let alone = taken_over(&[old.clone(), other.clone()], "ctl").unwrap();
        assert!(is(&alone[0], "ctl", "Apply") && alone[1] == other);
        assert_eq!(alone[0]["fieldsV1"], old["fieldsV1"]);
        let own = entry("ctl", "Apply", json!({"f:data": {"f:keep": {}, "f:new": {}}}));
        let both = taken_over(&[other, own, old], "ctl").unwrap();
        assert_eq!((both.len(), &both[0]["operation"]), (2, &json!("Apply")));
        assert_eq!(both[0]["fieldsV1"]["f:data"], json!({"f:keep": {}, "f:legacy": {}, "f:new": {}}));
    }
}

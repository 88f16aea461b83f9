//! Applies a patch to an object and checks the result.

use serde_json::Value;
use squall_api::autoscaling::v1::Scale;
use squall_api::decode::{Decoded, Expected, FieldValidation, Refusal, read};
use squall_api::field::{Errors, Path};
use squall_api::patch::{Patch, Problem};
use squall_api::{Error, Object};
use squall_proto::schema::Message;

/// Applies the patch to the stored object. The result has the patch's resource version, if the patch sets one.
pub fn patch(stored: &Object, patch: &Patch, validation: FieldValidation) -> Result<Decoded, Error> {
    if stored.kind().is_custom() && matches!(patch, Patch::Strategic(_)) {
        // Kubernetes: there is no strategy without a type.
        return Err(Error::unsupported_patch_type());
    }
    let before = stored.to_json();
    let mut json = before.clone();
    patch.apply(&mut json, Message::find(stored.kind().info().message)).map_err(refused)?;
    for field in ["apiVersion", "kind"] {
        if json.get(field) != before.get(field) {
            return Err(Error::bad_request(format!("the patch must not change {field}")));
        }
    }
    let text = shown(patch, &json);
    let decoded = read(expected(stored), json, validation).map_err(|refusal| not_an_object(patch, &text, &refusal))?;
    let (new, old) = (decoded.object.meta(), stored.meta());
    if new.name != old.name {
        let message =
            format!("the name of the object ({}) does not match the name on the URL ({})", new.name, old.name);
        return Err(Error::bad_request(message));
    }
    if new.namespace != old.namespace {
        return Err(Error::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(decoded)
}

/// Returns the kind and the rules that a new form of a stored object must have.
pub(super) fn expected(stored: &Object) -> Expected<'_> {
    Expected { kind: stored.kind(), version: stored.version() }
}

/// Applies the patch to a scale.
pub fn patch_scale(scale: &Scale, patch: &Patch) -> Result<Scale, Error> {
    let mut json = serde_json::to_value(scale).map_err(Error::internal)?;
    patch.apply(&mut json, Message::find("autoscaling.v1.Scale")).map_err(refused)?;
    serde_json::from_value(json).map_err(|error| Error::bad_request(error.to_string()))
}

fn refused(problem: Problem) -> Error {
    match problem {
        Problem::Malformed(text) => Error::bad_request(text),
        Problem::Inapplicable(_) => Error::inapplicable_patch(),
    }
}

/// Kubernetes reports the patch, or the patched object, as the invalid value of a field "patch".
fn not_an_object(patch: &Patch, text: &str, refusal: &Refusal) -> Error {
    let detail = match (patch, refusal) {
        (Patch::Strategic(_), Refusal::Mismatch { found_in, .. }) => found_in.clone(),
        (_, refusal) => refusal.to_string(),
    };
    let mut errors = Errors::default();
    errors.invalid(&Path::new("patch"), &text, &detail);
    Error::invalid_request("", "", &errors)
}

fn shown(patch: &Patch, patched: &Value) -> String {
    match patch {
        Patch::Strategic(document) => as_go_map(document),
        Patch::Merge(_) | Patch::Json(_) => patched.to_string(),
    }
}

/// Formats JSON as Go prints a map: `map[a:1 b:[x y]]`.
fn as_go_map(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            let texts: Vec<String> = keys.into_iter().map(|key| format!("{key}:{}", as_go_map(&fields[key]))).collect();
            format!("map[{}]", texts.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(as_go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::apps::v1::Deployment;
    use squall_api::patch::PatchType;

    fn refusal(text: &str, patch_type: PatchType) -> String {
        let stored = Object::from(Deployment::default());
        let parsed = Patch::parse(patch_type, text.as_bytes()).unwrap();
        patch(&stored, &parsed, FieldValidation::Strict).unwrap_err().to_string()
    }

    #[test]
    fn a_patch_that_makes_no_object_of_it_is_shown() {
        assert_eq!(
            refusal(r#"{"spec":{"replicas":"x"}}"#, PatchType::Strategic),
            " \"\" is invalid: patch: Invalid value: \"map[spec:map[replicas:x]]\": unrecognized type: int32"
        );
        assert_eq!(
            refusal(r#"{"spec":{"nosuch":[1,null]}}"#, PatchType::Strategic),
            " \"\" is invalid: patch: Invalid value: \"map[spec:map[nosuch:[1 <nil>]]]\": strict decoding error: unknown field \
             \"spec.nosuch\""
        );
        assert!(refusal(r#"{"spec":{"replicas":"x"}}"#, PatchType::Merge).contains("cannot unmarshal string"));
        assert!(refusal(r#"[{"op":"remove","path":"/spec/x"}]"#, PatchType::Json).contains("rejected our request"));
        assert!(
            refusal(r#"{"metadata":{"name":"z"}}"#, PatchType::Merge).contains("does not match the name on the URL")
        );
    }
}

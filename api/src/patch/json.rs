//! JSON patch (RFC 6902), within Kubernetes' bounds: a short patch that copies a document into itself again and again
//! would otherwise fill the memory, or nest deeper than any stack.

use json_patch::PatchOperation;
use serde_json::Value;

use super::{Problem, malformed};

/// Kubernetes: the maximum number of operations in a patch.
const MAX_OPERATIONS: usize = 10_000;

/// Kubernetes: how many bytes the `copy` operations of a patch may add.
const MAX_COPIED: usize = 3 << 20;
/// The deepest nesting of a document, which is also that of a document that is parsed.
const MAX_DEPTH: usize = 128;

/// The operations of a patch, in order.
#[derive(Debug, Clone)]
pub struct Operations(json_patch::Patch);

impl Operations {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let operations: json_patch::Patch = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
        match operations.0.len() {
            count if count > MAX_OPERATIONS => Err(Problem::Malformed(format!(
                "the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}"
            ))),
            _ => Ok(Self(operations)),
        }
    }

    pub(super) fn apply(&self, target: &mut Value) -> Result<(), Problem> {
        let mut copied = 0;
        for (place, operation) in self.0.0.iter().enumerate() {
            within_bounds(operation, target, &mut copied)?;
            if is_test_of_nothing(operation, target) {
                continue;
            }
            json_patch::patch(target, std::slice::from_ref(operation)).map_err(|mut error| {
                error.operation = place;
                Problem::Inapplicable(error.to_string())
            })?;
        }
        Ok(())
    }
}

/// Whether an operation tests that a field is null, and there is no such field. Kubernetes takes one for the other:
/// controllers add the first finalizer so.
fn is_test_of_nothing(operation: &PatchOperation, target: &Value) -> bool {
    let PatchOperation::Test(test) = operation else { return false };
    let parent = test.path.parent().and_then(|parent| target.pointer(parent.as_str()));
    test.value.is_null() && parent.is_some_and(Value::is_object) && target.pointer(test.path.as_str()).is_none()
}

/// Refuses an operation that copies too much, or nests too deep. `copied` counts the bytes of all operations.
fn within_bounds(operation: &PatchOperation, target: &Value, copied: &mut usize) -> Result<(), Problem> {
    let (path, value) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
        PatchOperation::Move(moved) => (&moved.path, target.pointer(moved.from.as_str())),
        PatchOperation::Copy(copy) => (&copy.path, target.pointer(copy.from.as_str())),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    // An operation that finds nothing is reported when it is applied.
    let Some(value) = value else { return Ok(()) };
    if let PatchOperation::Copy(_) = operation {
        *copied = copied.saturating_add(size(value));
        if *copied > MAX_COPIED {
            return Err(Problem::Malformed(format!(
                "Unable to copy, the accumulated size increase of copy is {copied}, exceeding the limit {MAX_COPIED}"
            )));
        }
    }
    if path.count().saturating_add(depth(value)) > MAX_DEPTH {
        return Err(Problem::Malformed(format!("the document would be nested more than {MAX_DEPTH} levels deep")));
    }
    Ok(())
}

/// How deep a value nests. It is bounded: no operation makes a document deeper.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0).saturating_add(1),
        Value::Object(fields) => fields.values().map(depth).max().unwrap_or(0).saturating_add(1),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The least length of a value as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| size(item).saturating_add(1)).sum::<usize>().saturating_add(2),
        Value::Object(fields) => {
            let of = |(key, value): (&String, &Value)| size(value).saturating_add(key.len()).saturating_add(4);
            fields.iter().map(of).sum::<usize>().saturating_add(2)
        }
        Value::String(text) => text.len().saturating_add(2),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_are_done_in_order_or_refused() {
        let mut target = json!({"spec": {"replicas": 3}});
        let patch =
            br#"[{"op":"test","path":"/spec/replicas","value":3},{"op":"replace","path":"/spec/replicas","value":5}]"#;
        Operations::parse(patch).unwrap().apply(&mut target).unwrap();
        assert_eq!(target, json!({"spec": {"replicas": 5}}));
        assert!(matches!(Operations::parse(patch).unwrap().apply(&mut target), Err(Problem::Inapplicable(_))));
        assert!(matches!(Operations::parse(b"{}"), Err(Problem::Malformed(_))));
        assert_eq!(
            Operations::parse(b"[").map(|_| ()),
            Err(Problem::Malformed("unexpected end of JSON input".to_owned()))
        );
    }

    #[test]
    fn a_field_that_is_not_there_is_null() {
        let patch = br#"[{"op":"test","path":"/metadata/finalizers","value":null},
            {"op":"add","path":"/metadata/finalizers","value":["a"]}]"#;
        let patch = Operations::parse(patch).unwrap();
        let mut target = json!({"metadata": {}});
        patch.apply(&mut target).unwrap();
        assert_eq!(target, json!({"metadata": {"finalizers": ["a"]}}));
        assert!(patch.apply(&mut target).is_err(), "there are finalizers now");
        assert!(patch.apply(&mut json!({})).is_err(), "there is no metadata");
    }

    /// 2.8 kB of such operations made 7.4 GiB.
    #[test]
    fn copies_of_copies_are_bounded() {
        let copies = |from: &str, to: &str, count: usize| {
            let operation = json!({"op": "copy", "from": from, "path": to});
            let patch = serde_json::to_vec(&vec![operation; count]).unwrap();
            Operations::parse(&patch).unwrap()
        };
        let mut target = json!({"a": ["x".repeat(100)]});
        let refused = copies("/a", "/a/-", 60).apply(&mut target).unwrap_err();
        let Problem::Malformed(text) = refused else { panic!("{refused:?}") };
        assert!(
            text.starts_with("Unable to copy, the accumulated size increase of copy is ") || text.contains("nested")
        );
        let mut target = json!({"a": {"text": "x".repeat(200_000)}, "list": []});
        let refused = copies("/a", "/list/-", 60).apply(&mut target).unwrap_err();
        assert!(format!("{refused:?}").contains("exceeding the limit 3145728"), "{refused:?}");
        assert!(target["list"].as_array().unwrap().len() < 17);
    }

    #[test]
    fn nothing_nests_deeper_than_what_can_be_parsed() {
        let mut target = json!({"a": {}});
        let operations: Vec<Value> = (0..1_000).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/a"})).collect();
        let patch = Operations::parse(&serde_json::to_vec(&operations).unwrap()).unwrap();
        assert!(format!("{:?}", patch.apply(&mut target).unwrap_err()).contains("nested more than 128 levels"));
        assert!(depth(&target) <= MAX_DEPTH);
    }

    #[test]
    fn an_operation_that_fails_has_its_own_number() {
        let patch = br#"[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/nowhere"}]"#;
        let refused = Operations::parse(patch).unwrap().apply(&mut json!({})).unwrap_err();
        assert!(format!("{refused:?}").contains("'/1'"), "{refused:?}");
    }
}

//! JSON patch (RFC 6902).

use serde_json::Value;

use super::{Problem, malformed};

/// Kubernetes: the maximum number of operations in a patch.
const MAX_OPERATIONS: usize = 10_000;

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
        json_patch::patch(target, &self.0).map_err(|error| Problem::Inapplicable(error.to_string()))
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
}

//! Explains what keeps a namespace.

use squall_api::core::v1::{Namespace, NamespaceCondition};
use squall_api::kinds::NAMESPACE_CONTENT;

use crate::{Answer, Evidence};

/// Explains whether a namespace takes objects, and if not, what still holds it.
pub fn of(namespace: &Namespace) -> Answer {
    if namespace.metadata.deletion_timestamp.is_none() {
        return Answer::free("is active");
    }
    let spec = namespace.spec.finalizers.iter().filter(|name| *name != NAMESPACE_CONTENT);
    let others: Vec<&str> = namespace.metadata.finalizers.iter().chain(spec).map(String::as_str).collect();
    let open: Vec<&NamespaceCondition> =
        namespace.status.conditions.iter().filter(|condition| condition.status == "True").collect();
    let evidence = open.iter().map(|condition| {
        Evidence::of(namespace.clone(), format!("condition {} is True: {}", condition.r#type, condition.message))
    });
    let has = |of: &str| open.iter().any(|condition| condition.r#type == of);
    let answer = if has("NamespaceFinalizersRemaining") {
        Answer::held(
            "Finalizers",
            "is being deleted, and waits for controllers to take their finalizers off its objects",
        )
    } else if has("NamespaceContentRemaining") {
        Answer::held("Content", "is being deleted, and waits until its objects are gone")
    } else if others.is_empty() {
        Answer::held("Content", "is being deleted: the namespace controller is about to empty it")
    } else {
        let text = format!("is being deleted and empty, and held by finalizers of its own: {}", others.join(", "));
        Answer::held("Finalizers", text)
    };
    answer.with(evidence)
}

#[cfg(test)]
mod tests {
    use squall_api::metav1::v1::Time;

    use super::*;

    fn said(conditions: &[&str], finalizers: &[&str]) -> (Option<&'static str>, usize) {
        let mut namespace = Namespace::default();
        namespace.metadata.deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
        namespace.spec.finalizers = finalizers.iter().map(|name| (*name).to_owned()).collect();
        namespace.status.conditions = conditions
            .iter()
            .map(|of| NamespaceCondition {
                r#type: (*of).to_owned(),
                status: "True".to_owned(),
                ..NamespaceCondition::default()
            })
            .collect();
        let answer = of(&namespace);
        (answer.gate, answer.evidence.len())
    }

    #[test]
    fn what_holds_a_namespace_is_named() {
        assert_eq!(of(&Namespace::default()).gate, None);
        let both = ["NamespaceContentRemaining", "NamespaceFinalizersRemaining"];
        assert_eq!(said(&both, &[NAMESPACE_CONTENT]), (Some("Finalizers"), 2));
        assert_eq!(said(&both[..1], &[NAMESPACE_CONTENT]), (Some("Content"), 1));
        assert_eq!(said(&[], &[NAMESPACE_CONTENT]), (Some("Content"), 0));
        assert_eq!(said(&[], &["example.com/mine"]), (Some("Finalizers"), 0));
    }
}

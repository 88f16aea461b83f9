//! The references of a new pod: its service account, its priority class and its runtime class (Kubernetes: the admission
//! plugins ServiceAccount, Priority and RuntimeClass).

use std::time::Duration;

use squall_api::core::v1::Pod;
use squall_api::{Error, Kind, Object};

use super::{Freshness, Registry};
use crate::keys;

/// How often a missing account is looked for, and the delay in between (Kubernetes: 10 times, 100 ms).
const ATTEMPTS: usize = 10;
const DELAY: Duration = Duration::from_millis(100);
const DEFAULT: &str = "default";

/// The priority classes that every cluster has. Others cannot be made yet.
const CLASSES: [(&str, i32); 2] = [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

impl Registry {
    /// Refuses a pod whose service account or priority class does not exist, and fills in its priority.
    pub(super) async fn admit_pod(&self, object: &mut Object) -> Result<(), Error> {
        let Object::Pod(pod) = object else { return Ok(()) };
        if let Some(class) = &pod.spec.runtime_class_name {
            // Kubernetes: the admission plugin RuntimeClass. There are no such classes here.
            let detail = format!("pod rejected: RuntimeClass {class:?} not found");
            return Err(Error::forbidden(Kind::Pod, &pod.metadata.name, &detail));
        }
        self.check_account(pod).await?;
        set_priority(pod)
    }

    async fn check_account(&self, pod: &Pod) -> Result<(), Error> {
        let (namespace, name) = (&pod.metadata.namespace, pod.spec.service_account_name.as_str());
        let name = match (name, pod.spec.service_account.as_str()) {
            ("", "") => DEFAULT,
            ("", old) => old,
            (name, _) => name,
        };
        let key = keys::object(Kind::ServiceAccount, namespace, name);
        if self.member().view().state().get(&key).is_some() {
            return Ok(());
        }
        for attempt in 0..ATTEMPTS {
            if self.state(Freshness::MostRecent).await?.get(&key).is_some() {
                return Ok(());
            }
            if name == DEFAULT && attempt == 0 {
                Box::pin(self.furnish(namespace)).await?;
            } else {
                tokio::time::sleep(DELAY).await;
            }
        }
        let detail = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        Err(Error::forbidden(Kind::Pod, &pod.metadata.name, &detail))
    }
}

fn set_priority(pod: &mut Pod) -> Result<(), Error> {
    let class = pod.spec.priority_class_name.as_str();
    if class.is_empty() {
        return Ok(());
    }
    let found = CLASSES.iter().find(|(name, _)| *name == class);
    let Some((_, priority)) = found else {
        let detail = format!("no PriorityClass with name {class} was found");
        return Err(Error::forbidden(Kind::Pod, &pod.metadata.name, &detail));
    };
    if pod.spec.priority.is_some_and(|given| given != *priority) {
        let detail = "the integer value of priority must not be provided in pod spec; priority admission controller \
                      computed the value from the given PriorityClass name";
        return Err(Error::forbidden(Kind::Pod, &pod.metadata.name, detail));
    }
    pod.spec.priority = Some(*priority);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_classes_have_a_priority() {
        let of = |class: &str| {
            let mut pod = Pod::default();
            class.clone_into(&mut pod.spec.priority_class_name);
            set_priority(&mut pod).map(|()| pod.spec.priority).map_err(|error| error.to_string())
        };
        assert_eq!(of(""), Ok(None));
        assert_eq!(of("system-node-critical"), Ok(Some(2_000_001_000)));
        let refused = of("mine").unwrap_err();
        assert!(refused.ends_with("is forbidden: no PriorityClass with name mine was found"), "{refused}");
    }
}

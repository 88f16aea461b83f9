//! Why a condition does not hold, as `ctl why` knows it at that moment.

use std::time::Duration;

use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_api::{Kind, Object};
use squall_client::ResourceRef;

use super::shared::Shared;
use crate::scenario::Condition;

/// The timeout for an answer of the control plane, which may be broken.
const ASK: Duration = Duration::from_secs(5);
/// Maximum number of pods that are explained.
const PODS: usize = 3;

/// Returns a sentence for each object that a condition is about: first the workload, then the pods that are not ready.
pub async fn reasons(shared: &Shared, condition: &Condition) -> Vec<String> {
    let mut subjects = condition.subjects();
    let unready = shared.stage.witness.look(|world| {
        let pods = world.pods().filter(|pod| pod.metadata.namespace == shared.name);
        let unready = pods.filter(|pod| is_pod_active(pod) && !is_pod_ready(pod));
        unready.map(|pod| (Kind::Pod, pod.metadata.name.clone())).take(PODS).collect::<Vec<_>>()
    });
    if condition.is_about_pods() {
        subjects.extend(unready);
    }
    let mut reasons = Vec::new();
    for (kind, name) in subjects {
        let named = format!("{}/{name}", kind.info().singular_group());
        match explain(shared, kind, &name).await {
            Ok(said) => reasons.extend(said.map(|said| format!("{named} {said}"))),
            Err(error) => reasons.push(format!("{named} could not be explained: {error}")),
        }
    }
    reasons
}

/// Returns the sentence for an object, or `None` for a kind that `why` does not know.
async fn explain(shared: &Shared, kind: Kind, name: &str) -> Result<Option<String>, squall_client::Error> {
    let client = shared.stage.client.with_deadline(ASK);
    let object = Object::from_any(&client.get(&ResourceRef::object(kind, &shared.name, name), "").await?)?;
    Ok(squall_why::explain(&client, &object).await?.map(|answer| answer.to_string()))
}

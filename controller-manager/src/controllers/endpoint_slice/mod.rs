//! EndpointSlices: which pods back a service, and whether they are ready.

pub mod members;
mod plan;

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::core::v1::{Pod, Service};
use squall_api::discovery::v1::EndpointSlice;
use squall_api::labels::Selector;
use squall_api::metav1::v1::ObjectMeta;

use crate::runtime::{CachedKind, Caches, Controller, Key, ObjectChange, Plan};

pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// Keeps the EndpointSlices of services up to date.
pub struct EndpointSliceController;

/// The observed state of a service.
pub struct Observed {
    service: Arc<Service>,
    pods: Vec<Arc<Pod>>,
    slices: Vec<Arc<EndpointSlice>>,
}

impl Controller for EndpointSliceController {
    type Observed = Observed;
    const NAME: &'static str = "endpoint-slice-controller";
    const WORKERS: usize = 2;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        let slice_of = |meta: &ObjectMeta| meta.labels.get(SERVICE_NAME).map(|name| Key::new(&meta.namespace, name));
        match change.kind {
            CachedKind::EndpointSlice => change.both().filter_map(slice_of).collect(),
            _ => services_of(change, caches),
        }
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches
            .services
            .all()
            .iter()
            .map(|service| Key::new(&service.metadata.namespace, &service.metadata.name))
            .collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let service = caches.services.get(&key.namespace, &key.name)?;
        let selector = Selector::from_map(&service.spec.selector);
        let pods =
            caches.pods.in_namespace(&key.namespace).into_iter().filter(|pod| selector.matches(&pod.metadata.labels));
        let slices = caches.endpoint_slices.controlled_by(&service.metadata.uid);
        Some(Observed { pods: pods.collect(), slices, service })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        plan(&observed)
    }
}

/// Returns the services that a change of a service or of a pod affects.
pub fn services_of(change: &ObjectChange, caches: &Caches) -> Vec<Key> {
    let mut keys = Vec::new();
    for meta in change.both() {
        match change.kind {
            CachedKind::Service => keys.push(Key::new(&meta.namespace, &meta.name)),
            CachedKind::Pod => {
                let selects = |service: &&Arc<Service>| {
                    !service.spec.selector.is_empty()
                        && Selector::from_map(&service.spec.selector).matches(&meta.labels)
                };
                let services = caches.services.in_namespace(&meta.namespace);
                let selecting = services.iter().filter(selects);
                keys.extend(selecting.map(|service| Key::new(&meta.namespace, &service.metadata.name)));
            }
            _ => {}
        }
    }
    keys.dedup();
    keys
}

fn plan(observed: &Observed) -> Plan {
    let service = observed.service.as_ref();
    // The endpoints of services without a selector are managed by others.
    if !is_managed(service) {
        return Plan::default();
    }
    let ours = |slice: &&EndpointSlice| slice.metadata.labels.get(MANAGED_BY).is_some_and(|by| by == MANAGER);
    let slices: Vec<&EndpointSlice> = observed.slices.iter().map(AsRef::as_ref).filter(ours).collect();
    let groups = members::groups(service, observed.pods.iter().map(AsRef::as_ref));
    Plan::of(plan::reconcile(service, groups, &slices))
}

/// Whether our controllers manage the endpoints of the service.
pub fn is_managed(service: &Service) -> bool {
    !service.spec.selector.is_empty()
        && service.spec.r#type != "ExternalName"
        && service.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Action;
    use squall_api::core::v1::{Container, ContainerPort, PodCondition, ServicePort};
    use squall_api::discovery::v1::Endpoint;
    use squall_api::intstr::IntOrString;
    use squall_api::metav1::v1::Time;

    fn pod(number: usize, ready: bool, deleting: bool) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.uid = number.to_string();
        pod.status.pod_ip = format!("127.1.{}.{}", number / 256, number % 256);
        pod.metadata.deletion_timestamp = deleting.then_some(Time { seconds: 1, nanos: 0 });
        let status = if ready { "True" } else { "False" }.to_owned();
        pod.status.conditions.push(PodCondition { r#type: "Ready".to_owned(), status, ..PodCondition::default() });
        Arc::new(pod)
    }

    fn service(target: IntOrString) -> Arc<Service> {
        let mut service = Service::default();
        service.metadata.name = "kubia".to_owned();
        service.spec.selector.insert("app".to_owned(), "kubia".to_owned());
        service.spec.ports.push(ServicePort { port: 80, target_port: target, ..ServicePort::default() });
        Arc::new(service)
    }

    /// A service and its slices, with every write applied at once.
    struct World {
        service: Arc<Service>,
        slices: Vec<EndpointSlice>,
        made: usize,
    }

    impl World {
        fn new(target: IntOrString) -> Self {
            Self { service: service(target), slices: Vec::new(), made: 0 }
        }

        /// Applies the plan for these pods, and returns the number of writes.
        fn settle(&mut self, pods: Vec<Arc<Pod>>) -> usize {
            let slices = self.slices.iter().cloned().map(Arc::new).collect();
            let actions = plan(&Observed { service: self.service.clone(), pods, slices }).actions;
            let count = actions.len();
            for action in actions {
                match action {
                    Action::Create(object) => {
                        let mut slice = EndpointSlice::try_from(*object).unwrap();
                        self.made += 1;
                        slice.metadata.uid = self.made.to_string();
                        self.slices.push(slice);
                    }
                    Action::Update(object) => {
                        let slice = EndpointSlice::try_from(*object).unwrap();
                        let at = self.slices.iter().position(|old| old.metadata.uid == slice.metadata.uid).unwrap();
                        self.slices[at] = slice;
                    }
                    Action::Delete { uid, .. } => self.slices.retain(|slice| slice.metadata.uid != uid),
                    other => unreachable!("{other:?}"),
                }
            }
            count
        }

        fn sizes(&self) -> Vec<usize> {
            self.slices.iter().map(|slice| slice.endpoints.len()).collect()
        }
    }

    #[test]
    fn terminating_pods_stay_but_are_not_ready() {
        let mut world = World::new(IntOrString::int(8080));
        let mut nowhere = pod(4, true, false).as_ref().clone();
        nowhere.status.pod_ip.clear();
        world.settle(vec![pod(1, true, false), pod(2, true, true), pod(3, false, false), Arc::new(nowhere)]);
        let conditions = |e: &Endpoint| (e.conditions.ready, e.conditions.serving, e.conditions.terminating);
        let found: Vec<_> = world.slices[0].endpoints.iter().map(conditions).collect();
        let yes_no = |ready, serving, terminating| (Some(ready), Some(serving), Some(terminating));
        assert_eq!(found, [yes_no(true, true, false), yes_no(false, true, true), yes_no(false, false, false)]);
        assert_eq!(world.slices[0].ports[0].port, Some(8080));
    }

    #[test]
    fn a_slice_has_at_most_a_hundred_endpoints_and_few_are_written() {
        let mut world = World::new(IntOrString::int(8080));
        let all = |count: usize| (0..count).map(|number| pod(number, true, false)).collect::<Vec<_>>();
        assert_eq!((world.settle(vec![]), world.sizes()), (1, vec![0]), "one slice, even without endpoints");
        assert_eq!((world.settle(all(250)), world.sizes()), (3, vec![100, 100, 50]));
        assert_eq!(world.settle(all(250)), 0);
        let mut changed = all(250);
        changed[120] = pod(120, false, false);
        assert_eq!(world.settle(changed), 1, "only its own slice is written");
        assert_eq!((world.settle(all(251)), world.sizes()), (2, vec![100, 100, 51]));
        assert_eq!((world.settle(all(100)), world.sizes()), (2, vec![100]));
        assert_eq!((world.settle(vec![]), world.sizes()), (1, vec![0]));
    }

    #[test]
    fn pods_that_name_their_ports_differently_are_in_slices_of_their_own() {
        let mut world = World::new(IntOrString::string("http"));
        let named = |number: usize, port: i32| {
            let mut pod = pod(number, true, false).as_ref().clone();
            let ports =
                vec![ContainerPort { name: "http".to_owned(), container_port: port, ..ContainerPort::default() }];
            pod.spec.containers.push(Container { ports, ..Container::default() });
            Arc::new(pod)
        };
        world.settle(vec![named(1, 8080), named(2, 9090), named(3, 8080)]);
        let mut found: Vec<(Option<i32>, usize)> =
            world.slices.iter().map(|slice| (slice.ports[0].port, slice.endpoints.len())).collect();
        found.sort_unstable();
        assert_eq!(found, [(Some(8080), 2), (Some(9090), 1)]);
    }
}

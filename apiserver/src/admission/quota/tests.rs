//! Tests of what quotas count, refuse and release.

use super::*;
use squall_api::core::v1::{Container, Pod, Service, ServicePort};

fn quantities(list: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    list.iter().map(|(name, amount)| ((*name).to_owned(), Quantity { string: (*amount).to_owned() })).collect()
}

fn quota(hard: &[(&str, &str)]) -> ResourceQuota {
    let mut quota = ResourceQuota::default();
    quota.metadata.name = "q".to_owned();
    quota.spec.hard = quantities(hard);
    recount(&quota, std::iter::empty())
}

fn pod(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> Object {
    let mut pod = Pod::default();
    pod.metadata.name = "p".to_owned();
    let mut container = Container { name: "main".to_owned(), ..Container::default() };
    container.resources.requests = quantities(requests);
    container.resources.limits = quantities(limits);
    pod.spec.containers.push(container);
    pod.into()
}

fn used(quota: &ResourceQuota) -> Vec<(&str, &str)> {
    let mut used: Vec<(&str, &str)> =
        quota.status.used.iter().map(|(name, amount)| (name.as_str(), amount.string.as_str())).collect();
    used.sort_unstable();
    used
}

fn message(result: Result<Option<ResourceQuota>, Error>) -> String {
    result.unwrap_err().status.message.clone()
}

#[test]
fn what_comes_is_charged_and_what_goes_is_given_back() {
    let none = quota(&[("pods", "2"), ("requests.memory", "1Gi"), ("count/pods", "5")]);
    assert_eq!(used(&none), [("count/pods", "0"), ("pods", "0"), ("requests.memory", "0")]);
    let pod = pod(&[("memory", "64Mi")], &[]);
    let one = charge(&none, None, Some(&pod)).unwrap().unwrap();
    assert_eq!(used(&one), [("count/pods", "1"), ("pods", "1"), ("requests.memory", "64Mi")]);
    let mut ended = pod.clone();
    if let Object::Pod(pod) = &mut ended {
        pod.status.phase = "Succeeded".to_owned();
    }
    let ended_one = charge(&one, Some(&pod), Some(&ended)).unwrap().unwrap();
    assert_eq!(used(&ended_one), [("count/pods", "1"), ("pods", "0"), ("requests.memory", "0")]);
    let gone = charge(&ended_one, Some(&ended), None).unwrap().unwrap();
    assert_eq!(used(&gone), used(&none));
    assert!(charge(&one, Some(&pod), Some(&pod)).unwrap().is_none(), "nothing changes");
}

#[test]
fn what_is_exceeded_is_named_and_nothing_else() {
    let full = charge(
        &quota(&[("pods", "1"), ("cpu", "500m"), ("count/pods", "9")]),
        None,
        Some(&pod(&[("cpu", "500m")], &[])),
    );
    let full = full.unwrap().unwrap();
    assert_eq!(
        message(charge(&full, None, Some(&pod(&[("cpu", "250m")], &[])))),
        "pods \"p\" is forbidden: exceeded quota: q, requested: cpu=250m,pods=1, used: cpu=500m,pods=1, limited: \
         cpu=500m,pods=1"
    );
}

#[test]
fn what_shrinks_is_never_refused() {
    let mut over = quota(&[("cpu", "1")]);
    over.status.used = quantities(&[("cpu", "3")]);
    let less = charge(&over, Some(&pod(&[("cpu", "2")], &[])), Some(&pod(&[("cpu", "1500m")], &[]))).unwrap().unwrap();
    assert_eq!(used(&less), [("cpu", "2500m")]);
}

#[test]
fn containers_must_say_what_they_need_of_what_is_limited() {
    let limited = quota(&[("limits.memory", "1Gi"), ("cpu", "1"), ("pods", "5")]);
    assert_eq!(
        message(charge(&limited, None, Some(&pod(&[], &[])))),
        "pods \"p\" is forbidden: failed quota: q: must specify cpu for: main; limits.memory for: main"
    );
    assert!(charge(&limited, None, Some(&pod(&[("cpu", "1")], &[("memory", "1Mi")]))).is_ok());
}

#[test]
fn init_containers_count_where_they_need_more() {
    let Object::Pod(mut pod) = pod(&[("cpu", "1")], &[]) else { unreachable!() };
    let mut second = pod.spec.containers[0].clone();
    second.resources.requests = quantities(&[("cpu", "500m")]);
    pod.spec.containers.push(second.clone());
    pod.spec.init_containers.push(second);
    let count = |pod: &Pod| {
        let counted = recount(&quota(&[("cpu", "9")]), std::iter::once(pod.clone().into()));
        used(&counted)[0].1.to_owned()
    };
    assert_eq!(count(&pod), "1500m");
    pod.spec.init_containers[0].resources.requests = quantities(&[("cpu", "4")]);
    assert_eq!(count(&pod), "4");
}

#[test]
fn services_count_their_ports_and_balancers() {
    let mut service = Service::default();
    service.spec.r#type = "LoadBalancer".to_owned();
    service.spec.ports = vec![ServicePort::default(), ServicePort::default()];
    let all = quota(&[("services", "9"), ("services.nodeports", "9"), ("services.loadbalancers", "9")]);
    let counted = recount(&all, [Object::from(service.clone())].into_iter());
    assert_eq!(used(&counted), [("services", "1"), ("services.loadbalancers", "1"), ("services.nodeports", "2")]);
    service.spec.r#type = "ClusterIP".to_owned();
    let counted = recount(&all, [Object::from(service)].into_iter());
    assert_eq!(used(&counted), [("services", "1"), ("services.loadbalancers", "0"), ("services.nodeports", "0")]);
}

#[test]
fn scopes_choose_the_pods() {
    let Object::Pod(mut pod) = pod(&[], &[]) else { unreachable!() };
    pod.spec.active_deadline_seconds = Some(60);
    pod.status.qos_class = "BestEffort".to_owned();
    pod.spec.priority_class_name = "high".to_owned();
    let is_counted = |scopes: &[&str]| {
        let mut quota = quota(&[("pods", "9"), ("configmaps", "9")]);
        quota.spec.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        charge(&quota, None, Some(&Object::Pod(pod.clone()))).unwrap().is_some()
    };
    for (scopes, expected) in [
        (&["Terminating"][..], true),
        (&["NotTerminating"], false),
        (&["BestEffort", "Terminating"], true),
        (&["BestEffort", "NotTerminating"], false),
        (&["NotBestEffort"], false),
        (&["PriorityClass"], true),
        (&["CrossNamespacePodAffinity"], false),
    ] {
        assert_eq!(is_counted(scopes), expected, "{scopes:?}");
    }
}

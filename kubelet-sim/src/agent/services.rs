//! Keeps the runtime's service table up to date: which addresses lead to which pods.

use std::convert::Infallible;
use std::time::Duration;

use squall_api::Kind;
use squall_api::core::v1::Service;
use squall_api::discovery::v1::EndpointSlice;
use squall_api::happening::{EventType, Happening};
use squall_client::events::Recorder;
use squall_client::{Cache, Client, Error, Selection};
use squall_proto::squall::cri::v1 as cri;

use super::addresses::PodRange;
use super::pods::Placed;
use super::routes::{self, Route};
use super::runtime_client::Runtime;

const RETRY: Duration = Duration::from_millis(100);
/// The table is sent again after this time, in case the runtime has restarted.
const REPEAT: Duration = Duration::from_secs(2);

/// Watches services and endpoints. Returns only on an error that a retry cannot fix.
pub async fn follow(
    range: PodRange,
    client: &Client,
    runtime: &Runtime,
    recorder: &Recorder,
    placed: &Placed,
) -> Error {
    let services = &placed.services;
    let slices = Cache::<EndpointSlice>::new();
    let changed = &placed.changed;
    let known = Known { services, slices: &slices, placed, range, recorder };
    tokio::select! {
        error = services.follow(client.clone(), Selection::all(Kind::Service), |_| changed.notify_one()) => error,
        error = slices.follow(client.clone(), Selection::all(Kind::EndpointSlice), |_| changed.notify_one()) => error,
        never = known.tell(runtime) => match never {},
    }
}

/// The objects that the table is made of.
struct Known<'a> {
    services: &'a Cache<Service>,
    slices: &'a Cache<EndpointSlice>,
    placed: &'a Placed,
    range: PodRange,
    recorder: &'a Recorder,
}

impl Known<'_> {
    async fn tell(&self, runtime: &Runtime) -> Infallible {
        self.services.wait_for(1).await;
        self.slices.wait_for(1).await;
        let mut reported = Vec::new();
        loop {
            let routes = self.routes();
            let ports = routes.iter().map(|route| route.port.clone()).collect();
            match runtime.clone().set_services(cri::SetServicesRequest { ports }).await {
                Ok(reply) => {
                    let unbound = reply.into_inner().unbound;
                    unbound
                        .iter()
                        .filter(|unbound| !reported.contains(*unbound))
                        .for_each(|new| self.report(&routes, new));
                    reported = unbound;
                    // Send the table again after a change or a timeout.
                    drop(tokio::time::timeout(REPEAT, self.placed.changed.notified()).await);
                }
                Err(error) => {
                    tracing::debug!(%error, "could not send the services to the runtime");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn routes(&self) -> Vec<Route> {
        let node = self.range.node().to_string();
        let mut routes = routes::of_services(&self.services.all(), &self.slices.all(), &node);
        routes.extend(self.placed.pods.all().iter().flat_map(|pod| routes::host_ports(pod, &node)));
        routes
    }

    /// Tells that an address is not served as asked.
    fn report(&self, routes: &[Route], cri::Unbound { name, reason }: &cri::Unbound) {
        tracing::warn!(name, reason, "an address is not served as asked");
        let Some(route) = routes.iter().find(|route| route.port.name == *name) else { return };
        // Every node serves every service: one of them speaks for all.
        if route.port.backends.first().is_some_and(|first| self.range.contains(&first.address)) {
            self.recorder.record(Happening {
                object: route.object.clone(),
                event_type: EventType::Warning,
                reason: "NotAsInKubernetes",
                message: reason.clone(),
            });
        }
    }
}

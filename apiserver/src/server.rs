//! A complete apiserver: its member and its services, from start to clean shutdown.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::Stream;
use squall_daemon::identity::{self, Caller};
use squall_daemon::{Gateway, Work, tls};
use squall_flags::ApiserverFlags;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::Connected;
use tower::Layer;

use crate::admission::Range;
use crate::connections::{self, Serving};
use crate::fairness::Fairness;
use crate::folder::{DataFolder, Origin};
use crate::grpc::{AccessService, AdminService, ObjectsService, masters_only, members_only};
use crate::heavy::HeavyThread;
use crate::host::{BreakableDisk, Clock, LocalNetwork};
use crate::panics::SurvivePanics;
use crate::raft::{self, LogLimits, Member, RaftService};
use crate::registry::Registry;
use crate::rest;
use crate::tokens::Tokens;
use crate::write_log::WriteLog;

/// Time limit for a clean stop of the member. Open requests are served until then.
const DRAIN: Duration = Duration::from_secs(2);
/// Heartbeat interval of the Raft leader, if no flag sets it.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// Minimum election timeout, if no flag sets it.
const ELECTION: Duration = Duration::from_millis(250);
/// Interval for recreating missing initial objects. Kubernetes uses 10 s; the check costs nothing here.
const RECONCILE: Duration = Duration::from_secs(1);
/// Interval for recounting quotas, which reads their namespaces' objects. Kubernetes: every 5 min and after deletions.
const RECOUNT: Duration = Duration::from_secs(10);
/// Interval for removing expired events.
const EXPIRE: Duration = Duration::from_secs(60);
/// Delay after a failed attempt.
const RETRY: Duration = Duration::from_millis(100);

/// The parts of an apiserver, independent of its machine.
pub struct Setup {
    /// Name of the member, such as `apiserver-0`.
    pub name: String,
    /// Raft configuration.
    pub member: raft::Config,
    /// Address range of services.
    pub service_range: Range,
    /// Source of object timestamps.
    pub clock: Clock,
    /// The cluster's CA (PEM), if there is one.
    pub ca: Option<String>,
    /// Log of completed writes, if enabled.
    pub write_log: Option<WriteLog>,
    /// The key of service accounts' tokens, if there is one.
    pub tokens: Option<Tokens>,
    /// Where heavy writes run; `None` for the thread of everything else.
    pub heavy: Option<Handle>,
}

/// Serves on this machine until `stopping` becomes true or raft stops.
pub fn serve(flags: ApiserverFlags, stopping: watch::Receiver<bool>) -> Work {
    Box::pin(serve_here(flags, stopping))
}

async fn serve_here(flags: ApiserverFlags, stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(flags.listen).await.with_context(|| format!("listening on {}", flags.listen))?;
    squall_faults::begin(&flags.faults)?;
    let origin = if flags.join || !flags.founder.is_empty() { Origin::New } else { Origin::Existing };
    let folder = DataFolder::open(Arc::new(BreakableDisk::default()), &flags.data_dir, flags.id, origin)?;
    let heartbeat = flags.heartbeat_ms.map_or(HEARTBEAT, Duration::from_millis);
    let election = flags.election_ms.map_or(ELECTION, Duration::from_millis);
    let member = raft::Config {
        id: flags.id,
        folder,
        founders: flags.founder.iter().map(|founder| (founder.id, founder.url.clone())).collect(),
        network: Arc::new(LocalNetwork {
            members: tls::client(&flags.tls)?,
            kubelets: tls::client_of_kubelets(&flags.tls)?,
            gateway: Gateway::new(flags.gateway),
        }),
        link_port: flags.link_port,
        heartbeat,
        election: (election, election.saturating_mul(2)),
        log: LogLimits::default(),
    };
    let open = |path: &PathBuf| WriteLog::open(path).with_context(|| format!("opening write log {}", path.display()));
    let write_log = flags.write_log.as_ref().map(open).transpose()?;
    let incoming = Box::pin(identity::incoming(listener, tls::server(&flags.tls).context("loading the certificate")?));
    let heavy = HeavyThread::start()?;
    let setup = Setup {
        heavy: Some(heavy.handle()),
        name: flags.name,
        member,
        service_range: Range::of(flags.service_cidr).map_err(anyhow::Error::msg)?,
        clock: squall_faults::now,
        ca: Some(tls::ca_text(&flags.tls)?),
        write_log,
        tokens: flags.service_account_key.as_deref().map(read_key).transpose()?,
    };
    run(setup, incoming, stopping).await
}

fn read_key(path: &Path) -> anyhow::Result<Tokens> {
    Tokens::of_key(&tls::key_der(path)?).with_context(|| format!("the key is {}", path.display()))
}

/// Serves all incoming connections, over gRPC and HTTP.
pub async fn run<I, C, E>(setup: Setup, incoming: I, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()>
where
    I: Stream<Item = Result<C, E>> + Send,
    C: AsyncRead + AsyncWrite + Connected<ConnectInfo = Caller> + Unpin + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let network = setup.member.network.clone();
    let member = Member::start(setup.member).await?;
    tracing::info!(name = setup.name, "serving");
    let Setup { service_range, clock, ca, write_log, tokens, .. } = setup;
    let registry = Registry::new(member.clone(), network, service_range, clock, ca, write_log)
        .with_heavy_thread(setup.heavy)
        .with_tokens(tokens);
    let routes = Routes::from(rest::router(registry.clone()))
        .add_service(InterceptedService::new(RaftService::server(member.clone()), members_only))
        .add_service(ObjectsService::server(registry.clone()))
        .add_service(AccessService::server(registry.clone()))
        .add_service(InterceptedService::new(AdminService::server(setup.name, registry.clone()), masters_only));
    let service = SurvivePanics { panics: member.metrics().panics.clone() }.layer(routes.prepare());
    let serving = Serving { service, fairness: Fairness::default(), registry: registry.clone() };
    let server = connections::serve(incoming, serving);
    tokio::pin!(server);
    tokio::select! {
        () = &mut server => return Ok(()),
        reason = member.stopped() => bail!("raft stopped: {reason}"),
        never = keep_first_objects(&registry) => match never {},
        never = keep_quotas(&registry) => match never {},
        never = expire_events(&registry) => match never {},
        never = registry.keep_contact() => match never {},
        // A dropped sender also means that the server must stop.
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    // The server responds until leadership is handed over. It does not wait for watches, which never end by themselves.
    tokio::select! {
        () = &mut server => Ok(()),
        stopped = tokio::time::timeout(DRAIN, member.stop()) => stopped.context("stopping the member"),
    }
}

/// Creates the initial objects as soon as there is a leader, and recreates deleted ones.
async fn keep_first_objects(registry: &Registry) -> Infallible {
    loop {
        match registry.bootstrap().await {
            Ok(()) => tokio::time::sleep(RECONCILE).await,
            Err(error) => {
                tracing::warn!(%error, "could not create the initial objects yet; retrying");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Removes events that are too old.
async fn expire_events(registry: &Registry) -> Infallible {
    loop {
        tokio::time::sleep(EXPIRE).await;
        if let Err(error) = registry.expire_events(registry.now()).await {
            tracing::warn!(%error, "could not remove expired events; retrying");
        }
    }
}

/// Recounts quotas: a change that was in progress when a quota was created is missing from its counts.
async fn keep_quotas(registry: &Registry) -> Infallible {
    loop {
        tokio::time::sleep(RECOUNT).await;
        if let Err(error) = registry.keep_quotas().await {
            tracing::warn!(%error, "could not recount the quotas; retrying");
        }
    }
}

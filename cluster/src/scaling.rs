//! Adds and removes apiservers while the cluster is running.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use squall_client::Client;

use crate::addresses::{MAX_APISERVERS, MAX_EVER_APISERVERS};
use crate::certificates::{issue_certificate, update_kubeconfig};
use crate::cluster::Cluster;
use crate::folder::raft_id;
use crate::member::{MemberName, Role};
use crate::pki::Authority;

/// How long a new member may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(120);
/// How long the group may take to remove a member.
const LET_GO: Duration = Duration::from_secs(30);
/// Interval between checks that the new member is still running.
const LOOK: Duration = Duration::from_millis(50);

impl Cluster {
    /// Starts another apiserver and adds it to the group. Returns when it has caught up and votes. A failure is undone.
    /// After an interruption, [`Cluster::remove_apiserver`] undoes the change.
    pub async fn add_apiserver(&mut self) -> anyhow::Result<MemberName> {
        let _lock = self.folder.lock()?;
        ensure!(
            self.folder.description.apiservers.len() < MAX_APISERVERS,
            "a cluster has at most {MAX_APISERVERS} apiservers"
        );
        let index = self.folder.description.next_apiserver;
        ensure!(
            index < MAX_EVER_APISERVERS,
            "this cluster has used all {MAX_EVER_APISERVERS} apiserver numbers, and none is reused; make a new cluster"
        );
        let member = MemberName { role: Role::Apiserver, index };
        let authority =
            Authority::open(&self.folder.pki()).context("opening the CA for the new member's certificate")?;
        let client = self.client()?;
        // Recorded first: whatever happens next, it can be found and ended.
        self.folder.set_apiservers(|apiservers| apiservers.push(index))?;
        if let Err(error) = self.begin(member, &authority, &client).await {
            let gone = client.with_deadline(LET_GO).remove_member(raft_id(member.index)).await;
            gone.with_context(|| {
                format!(
                    "{error:#}; {member} may still be in the group: remove it with \"ctl cluster remove {member}\" \
                     once there is a quorum"
                )
            })?;
            self.take_away(member)?;
            return Err(error);
        }
        update_kubeconfig(&self.folder)?;
        Ok(member)
    }

    async fn begin(&mut self, member: MemberName, authority: &Authority, client: &Client) -> anyhow::Result<()> {
        issue_certificate(&self.folder, authority, member)?;
        self.links_have_grown()?;
        self.launcher.start(&self.folder, member)?;
        let (id, url) = (raft_id(member.index), self.apiserver_url(member.index));
        let client = client.with_deadline(CATCH_UP);
        let ended = async {
            loop {
                self.launcher.reap();
                match self.signals().failure(member) {
                    Some(failure) => return failure,
                    None => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::select! {
            added = client.add_member(id, &url) => Ok(added?),
            failure = ended => bail!("{failure}"),
        }
    }

    /// Removes an apiserver from the group, whether or not it is running, ends it and removes its data.
    pub async fn remove_apiserver(&mut self, member: MemberName) -> anyhow::Result<()> {
        let _lock = self.folder.lock()?;
        ensure!(member.role == Role::Apiserver, "{member} is not an apiserver; only apiservers can be removed");
        if !self.members().contains(&member) {
            bail!("this cluster has no member {member}");
        }
        ensure!(
            self.folder.description.apiservers.len() > 1,
            "{member} is the only apiserver; a cluster needs at least one"
        );
        self.client()?.with_deadline(LET_GO).remove_member(raft_id(member.index)).await?;
        self.take_away(member)?;
        update_kubeconfig(&self.folder)
    }

    /// Ends a member that is no longer in the group, and removes its files. Its log stays.
    fn take_away(&mut self, member: MemberName) -> anyhow::Result<()> {
        self.end(&[member])?;
        let pki = self.folder.pki();
        let files = [self.folder.record(member), pki.join(format!("{member}.crt")), pki.join(format!("{member}.key"))];
        for file in files.iter().filter(|file| file.exists()) {
            std::fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
        }
        let data = self.folder.data(member);
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
        }
        self.folder.set_apiservers(|apiservers| apiservers.retain(|index| *index != member.index))
    }
}

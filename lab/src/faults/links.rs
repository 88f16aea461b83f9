//! Links that are cut or slow.

use squall_cluster::End;
use squall_faults::{LinkFault, What};

use super::Scene;
use super::inside::{Switched, heal};
use crate::scenario::Place;

fn text(end: Option<End>) -> String {
    end.map(|end| end.to_string()).unwrap_or_default()
}

/// Each with each, but none with itself.
fn pairs(senders: &[Option<End>], receivers: &[Option<End>]) -> Vec<(Option<End>, Option<End>)> {
    let all = senders.iter().flat_map(|from| receivers.iter().map(move |to| (*from, *to)));
    all.filter(|(from, to)| from.is_none() || from != to).collect()
}

/// Breaks the links between all that are meant.
pub async fn inject(
    from: &Place,
    to: &Place,
    link: &LinkFault,
    name: &str,
    scene: &Scene<'_>,
) -> anyhow::Result<Vec<Switched>> {
    let (senders, receivers) = (scene.ends(from).await?, scene.ends(to).await?);
    let switch = scene.cluster.lock().await.links()?;
    let mut switched = Vec::new();
    for (from, to) in pairs(&senders, &receivers) {
        let name = format!("{name}/{}", switched.len());
        let link = LinkFault { from: text(from), to: text(to), ..link.clone() };
        let fault = squall_faults::Fault { name: name.clone(), what: Some(What::Link(link)) };
        if let Err(error) = switch.inject(fault).await {
            heal(switched, scene, |_| true).await?;
            return Err(error.into());
        }
        let of = [from, to].map(|end| end.map_or_else(|| "any".to_owned(), |end| end.to_string())).join(" and ");
        switched.push(Switched { switch: switch.clone(), name, of, member: None, may_end_it: false });
    }
    Ok(switched)
}

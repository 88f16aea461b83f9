//! Faults of links: the link-proxy makes them.

use squall_cluster::End;
use squall_faults::{LinkFault, What};

use super::inside::{Asked, Switched, heal};
use super::{LinkEnd, Scene};

/// The arrow between the ends of a link in reports.
pub fn arrow(one_way: bool) -> &'static str {
    if one_way { "→" } else { "↔" }
}

/// The ends of a link fault that was found in the link-proxy.
pub fn ends_in_words(link: &LinkFault) -> String {
    let end = |text: &str| if text.is_empty() { "any".to_owned() } else { text.to_owned() };
    format!("{} {} {}", end(&link.from), arrow(link.one_way), end(&link.to))
}

/// Each sender with each receiver, but none with itself.
fn pairs(senders: &[Option<End>], receivers: &[Option<End>]) -> Vec<(Option<End>, Option<End>)> {
    let all = senders.iter().flat_map(|from| receivers.iter().map(move |to| (*from, *to)));
    all.filter(|(from, to)| from.is_none() || from != to).collect()
}

/// Breaks the links between all ends that the places mean now.
pub async fn inject(
    from: &LinkEnd,
    to: &LinkEnd,
    link: &LinkFault,
    name: &str,
    scene: &Scene<'_>,
) -> anyhow::Result<Asked> {
    let (senders, receivers) = (scene.ends(from).await?, scene.ends(to).await?);
    let switch = scene.cluster.lock().await.links()?;
    let text = |end: Option<End>| end.map(|end| end.to_string()).unwrap_or_default();
    let mut asked = Asked::default();
    for (from, to) in pairs(&senders, &receivers) {
        let name = format!("{name}/{}", asked.all.len());
        let link = LinkFault { from: text(from), to: text(to), ..link.clone() };
        let fault = squall_faults::Fault { name: name.clone(), what: Some(What::Link(link)) };
        if let Err(error) = switch.inject(fault).await {
            heal(asked, scene, |_| true).await?;
            return Err(error.into());
        }
        let of = [from, to].map(|end| end.map_or_else(|| "any".to_owned(), |end| end.to_string())).join(" and ");
        asked.all.push(Switched { switch: switch.clone(), name, of, member: None });
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use squall_faults::Passage;

    use super::*;
    use crate::faults::recognise;

    #[test]
    fn link_faults_are_recognised_in_the_proxy() {
        let text = |link: &LinkFault| recognise(&What::Link(link.clone())).map(|effect| effect.text);
        let link = LinkFault { from: "client-0".to_owned(), delay_ms: 20, jitter_ms: 5, ..LinkFault::default() };
        assert_eq!(text(&link).as_deref(), Some("client-0 ↔ any: 20 ms late, up to 5 ms of jitter"));
        let cut = LinkFault { passage: Passage::Held.into(), one_way: true, ..link };
        assert_eq!(text(&cut).as_deref(), Some("client-0 → any: cut"));
    }
}

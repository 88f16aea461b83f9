//! `ctl taint`.

use squall_api::Object;
use squall_api::core::v1::Taint;

use crate::cli::TaintArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::{Existing, modify};
use crate::output::Changes;
use crate::selection::{self, Wanted};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A requested change to a node's taints.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Set(Taint),
    /// A key and an effect; every effect if it is empty.
    Remove(String, String),
}

/// Sets and removes taints of nodes.
pub async fn taint(context: &Context, args: TaintArgs) -> Result<(), Failure> {
    let is_wish = |word: &String| word.contains(['=', ':']) || word.ends_with('-');
    let at = args.words.iter().position(is_wish).unwrap_or(args.words.len());
    let (what, words) = args.words.split_at(at);
    let wishes: Vec<Wish> = words.iter().map(|word| wish(word)).collect::<Result<_, _>>()?;
    if wishes.is_empty() {
        return Err(Failure::error("at least one taint update is required"));
    }
    let changes = Changes::new(None, args.dry_run)?;
    let mut failures = Vec::new();
    let wanted = Wanted { what, selector: args.selector.as_deref(), all: args.all, ..Wanted::default() };
    for chosen in selection::choose(context, wanted, &mut failures).await? {
        let mut done = "";
        let changed = modify(context, &chosen.resource, (args.dry_run, None), |object| match object {
            Object::Node(node) => {
                done = apply(&mut node.spec.taints, &wishes, Existing::of(args.overwrite), &chosen.resource.name)?;
                Ok(())
            }
            other => Err(Failure::error(format!("{} cannot have taints, only nodes can", other.kind().info().plural))),
        })
        .await;
        match changed {
            Ok(Some(object)) => changes.tell(&object, done)?,
            Ok(None) => changes.say(&format!("node/{} not tainted", chosen.resource.name)),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)
}

/// `key=value:effect`, `key:effect`, `key-`, `key:effect-`.
fn wish(word: &str) -> Result<Wish, Failure> {
    let invalid = || {
        Failure::error(format!("invalid taint spec: {word}: use KEY=VALUE:EFFECT, or KEY[:EFFECT]- to remove a taint"))
    };
    let effect = |effect: &str| match EFFECTS.contains(&effect) {
        true => Ok(effect.to_owned()),
        false => Err(Failure::error(format!(
            "invalid taint effect: {effect}, unsupported taint effect: use one of {}",
            EFFECTS.join(", ")
        ))),
    };
    if let Some(removed) = word.strip_suffix('-') {
        let (key, of) = removed.split_once(':').map_or((removed, ""), |(key, of)| (key, of));
        let key = key.split('=').next().unwrap_or(key);
        let of = if of.is_empty() { String::new() } else { effect(of)? };
        return if key.is_empty() { Err(invalid()) } else { Ok(Wish::Remove(key.to_owned(), of)) };
    }
    let (pair, of) = word.rsplit_once(':').ok_or_else(invalid)?;
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    if key.is_empty() {
        return Err(invalid());
    }
    Ok(Wish::Set(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect(of)?, ..Taint::default() }))
}

/// Changes the taints. Returns a word for the change: `tainted`, `untainted` or `modified`.
fn apply(taints: &mut Vec<Taint>, wishes: &[Wish], existing: Existing, node: &str) -> Result<&'static str, Failure> {
    let (mut set, mut removed, mut modified) = (false, false, false);
    for wish in wishes {
        match wish {
            Wish::Remove(key, effect) => {
                let before = taints.len();
                taints.retain(|taint| taint.key != *key || !(effect.is_empty() || taint.effect == *effect));
                if taints.len() == before {
                    let of = if effect.is_empty() { String::new() } else { format!(":{effect}") };
                    return Err(Failure::error(format!("taint \"{key}{of}\" not found")));
                }
                removed = true;
            }
            Wish::Set(taint) => {
                match taints.iter_mut().find(|old| old.key == taint.key && old.effect == taint.effect) {
                    Some(old) if old.value == taint.value => {}
                    Some(old) if existing == Existing::Replaced => {
                        old.value.clone_from(&taint.value);
                        modified = true;
                    }
                    Some(_) => {
                        return Err(Failure::error(format!(
                            "node {node} already has {} taint(s) with same effect(s) and --overwrite is false",
                            taint.key
                        )));
                    }
                    None => {
                        taints.push(taint.clone());
                        set = true;
                    }
                }
            }
        }
    }
    Ok(match (set, modified, removed) {
        (false, false, true) => "untainted",
        (true, false, false) => "tainted",
        _ => "modified",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Vec<Wish> {
        words.iter().map(|word| wish(word).unwrap()).collect()
    }

    #[test]
    fn taints_are_set_replaced_and_removed() {
        let mut taints = Vec::new();
        assert_eq!(apply(&mut taints, &read(&["disk=slow:NoSchedule"]), Existing::Kept, "n").unwrap(), "tainted");
        assert!(apply(&mut taints, &read(&["disk=fast:NoSchedule"]), Existing::Kept, "n").is_err());
        assert_eq!(apply(&mut taints, &read(&["disk=fast:NoSchedule"]), Existing::Replaced, "n").unwrap(), "modified");
        assert_eq!(apply(&mut taints, &read(&["disk:NoExecute"]), Existing::Kept, "n").unwrap(), "tainted");
        assert_eq!(apply(&mut taints, &read(&["disk:NoExecute-"]), Existing::Kept, "n").unwrap(), "untainted");
        assert_eq!(apply(&mut taints, &read(&["disk-"]), Existing::Kept, "n").unwrap(), "untainted");
        assert!(apply(&mut taints, &read(&["disk-"]), Existing::Kept, "n").is_err());
        assert!(taints.is_empty());
    }

    #[test]
    fn what_is_no_taint_is_refused() {
        for bad in ["x", "=a:NoSchedule", "a=b:Never", "-", "a:Never-"] {
            assert!(wish(bad).is_err(), "{bad}");
        }
    }
}

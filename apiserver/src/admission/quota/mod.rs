//! Resource quotas: limits on the total usage of a namespace. Pure functions.
//!
//! `usage` computes what an object uses, and `scope` decides which objects a quota covers. This module charges a change
//! to the quotas of its namespace and refuses it if it would exceed one. Only increases are refused.

mod scope;
mod usage;

use std::collections::BTreeMap;

use squall_api::core::v1::ResourceQuota;
use squall_api::quantity::{self, Milli, Quantity};
use squall_api::{Error, Kind, Object};

use scope::is_about;
use usage::{Amounts, unspecified, usage};

/// Returns the quota after a change of an object, or `None` if the change does not affect the quota.
///
/// # Errors
///
/// Fails if the change would exceed the quota, or if a pod does not specify an amount that the quota limits.
pub fn charge(
    quota: &ResourceQuota,
    old: Option<&Object>,
    new: Option<&Object>,
) -> Result<Option<ResourceQuota>, Error> {
    if let (None, Some(new)) = (old, new) {
        demand_amounts(quota, new)?;
    }
    let before = old.map(|old| counted(quota, old)).unwrap_or_default();
    let after = new.map(|new| counted(quota, new)).unwrap_or_default();
    let deltas: Amounts = quota
        .status
        .hard
        .keys()
        .map(|name| (name.clone(), amount_in(&after, name).minus(amount_in(&before, name))))
        .filter(|(_, delta)| delta.0 != 0)
        .collect();
    if let Some(new) = new {
        check(quota, new, &deltas)?;
    }
    if deltas.is_empty() {
        return Ok(None);
    }
    let mut charged = quota.clone();
    for (name, delta) in deltas {
        let used = in_list(&quota.status.used, &name).plus(delta).max(Milli(0));
        charged.status.used.insert(name.clone(), written(&name, used));
    }
    Ok(Some(charged))
}

/// Returns the quota with the limits of its spec in force and the usage of its namespace recounted.
#[must_use]
pub fn recount(quota: &ResourceQuota, objects: impl Iterator<Item = Object>) -> ResourceQuota {
    let mut sum: Amounts = quota.spec.hard.keys().map(|name| (name.clone(), Milli(0))).collect();
    for object in objects {
        for (name, amount) in counted(quota, &object) {
            if let Some(whole) = sum.get_mut(&name) {
                *whole = whole.plus(amount);
            }
        }
    }
    let mut counted = quota.clone();
    counted.status.hard.clone_from(&quota.spec.hard);
    counted.status.used = sum.into_iter().map(|(name, amount)| (name.clone(), written(&name, amount))).collect();
    counted
}

/// Whether objects of this kind can count against the quota.
#[must_use]
pub fn may_count(quota: &ResourceQuota, kind: Kind) -> bool {
    let counter = format!("count/{}", kind.info().plural_group());
    match kind {
        Kind::Event => false,
        Kind::Pod => true,
        _ => quota.spec.hard.keys().any(|name| *name == counter || name.starts_with(kind.info().plural)),
    }
}

/// Returns the object's usage that counts against the quota.
fn counted(quota: &ResourceQuota, object: &Object) -> Amounts {
    if is_about(quota, object) { usage(object) } else { Amounts::new() }
}

fn demand_amounts(quota: &ResourceQuota, new: &Object) -> Result<(), Error> {
    let Object::Pod(pod) = new else { return Ok(()) };
    if !is_about(quota, new) {
        return Ok(());
    }
    let missing = unspecified(pod, quota.status.hard.keys());
    if missing.is_empty() {
        return Ok(());
    }
    let parts = missing.iter().map(|(resource, containers)| format!("{resource} for: {}", containers.join(",")));
    let parts: Vec<String> = parts.collect();
    let detail = format!("failed quota: {}: must specify {}", quota.metadata.name, parts.join("; "));
    Err(Error::forbidden(new.kind(), &new.meta().name, &detail))
}

fn check(quota: &ResourceQuota, new: &Object, deltas: &Amounts) -> Result<(), Error> {
    let (hard, used) = (&quota.status.hard, &quota.status.used);
    let exceeded: Vec<&String> = deltas
        .iter()
        .filter(|(name, delta)| delta.0 > 0 && in_list(used, name).plus(**delta) > in_list(hard, name))
        .map(|(name, _)| name)
        .collect();
    if exceeded.is_empty() {
        return Ok(());
    }
    let list = |amount: &dyn Fn(&str) -> Milli| {
        let parts: Vec<String> =
            exceeded.iter().map(|name| format!("{name}={}", written(name, amount(name)).string)).collect();
        parts.join(",")
    };
    let detail = format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        quota.metadata.name,
        list(&|name| amount_in(deltas, name)),
        list(&|name| in_list(used, name)),
        list(&|name| in_list(hard, name)),
    );
    Err(Error::forbidden(new.kind(), &new.meta().name, &detail))
}

fn amount_in(amounts: &Amounts, name: &str) -> Milli {
    amounts.get(name).copied().unwrap_or_default()
}

fn in_list(list: &BTreeMap<String, Quantity>, name: &str) -> Milli {
    list.get(name).and_then(quantity::parse).unwrap_or_default()
}

/// Formats bytes with binary suffixes and everything else with decimal ones.
fn written(name: &str, amount: Milli) -> Quantity {
    let is_bytes = ["memory", "storage"].iter().any(|bytes| name.ends_with(bytes)) || name.contains("hugepages-");
    Quantity { string: if is_bytes { quantity::binary(amount) } else { quantity::decimal(amount) } }
}

#[cfg(test)]
mod tests;

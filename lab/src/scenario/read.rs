//! Reads scenarios from YAML. Reports each error with its line and column.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::{Location, Spanned};
use squall_api::duration;
use squall_faults::mutants::Mutant;
use squall_referee::evidence::Floor;

use super::check::Known;
use super::matrix::{Matrix, combinations, filled};
use super::step::{Expectation, Step};
use super::{Arm, Images, Scenario, Shape};

/// The limit of scenarios that name none.
const fn limit() -> Duration {
    Duration::from_secs(180)
}

/// The time to recover of scenarios that name none.
const fn settle() -> Duration {
    Duration::from_secs(60)
}

/// A scenario as its file has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScenarioFile {
    name: String,
    title: String,
    explain: String,
    #[serde(default)]
    cluster: Shape,
    #[serde(default = "limit", with = "duration")]
    limit: Duration,
    #[serde(default = "settle", with = "duration")]
    settle: Duration,
    #[serde(default, deserialize_with = "known_mutant")]
    mutant: Option<String>,
    images: Option<Images>,
    arms: Vec<Spanned<ArmForm>>,
}

/// An arm as a file has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArmForm {
    name: String,
    #[serde(default)]
    for_each: Matrix,
    steps: Vec<Spanned<Step>>,
    #[serde(default)]
    expect: Vec<Spanned<Expectation>>,
    #[serde(default)]
    clients_may_fail: bool,
    #[serde(default)]
    never_fewer: Vec<Floor>,
}

fn known_mutant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if Mutant::of(&name).is_some() {
        return Ok(Some(name));
    }
    let known = Mutant::ALL.map(Mutant::as_str).join(", ");
    Err(de::Error::custom(format!("unknown mutant {name:?}; known mutants: {known}")))
}

/// A problem and its place.
type Problem = (Location, String);

impl Scenario {
    /// Reads a scenario. `file` is the name that errors mention; `folder` is where its commands find their files.
    pub fn read(text: &str, file: &str, folder: &Path) -> Result<Self, String> {
        let read: ScenarioFile = serde_saphyr::from_str(text).map_err(|error| {
            let error = error.without_snippet();
            let place = error.location().map_or_else(String::new, |at| format!("{}:{}: ", at.line(), at.column()));
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            format!("{file}:{place}{}", said.lines().next().unwrap_or_default())
        })?;
        finish(read, folder).map_err(|(at, problem)| format!("{file}:{}:{}: {problem}", at.line(), at.column()))
    }
}

fn finish(file: ScenarioFile, folder: &Path) -> Result<Scenario, Problem> {
    let mut arms: Vec<Arm> = Vec::new();
    for form in file.arms {
        let at = form.referenced;
        for arm in repeated(form.value, at, &file.cluster)? {
            if arms.iter().any(|other| other.name == arm.name) {
                return Err((at, format!("duplicate arm name {:?}", arm.name)));
            }
            arms.push(arm);
        }
    }
    if arms.is_empty() {
        return Err((Location::UNKNOWN, "a scenario needs at least one arm".to_owned()));
    }
    Ok(Scenario {
        name: file.name,
        title: file.title,
        explain: file.explain.trim_end().to_owned(),
        cluster: file.cluster,
        limit: file.limit,
        settle: file.settle,
        mutant: file.mutant,
        arms,
        faults_may_miss: false,
        images: file.images,
        folder: folder.to_owned(),
    })
}

/// The arm, once for each combination of the values that it is repeated for.
fn repeated(form: ArmForm, at: Location, cluster: &Shape) -> Result<Vec<Arm>, Problem> {
    let combinations = combinations(&form.for_each);
    let arm = checked(form, cluster)?;
    let fill = |values: &Vec<(String, String)>| {
        // The name is a namespace too.
        let name = filled(&arm.name, values)?.replace([':', '_'], "-").to_lowercase();
        let (steps, expect) = (filled(&arm.steps, values)?, filled(&arm.expect, values)?);
        Ok(Arm { name, steps, expect, ..arm.clone() })
    };
    combinations.iter().map(fill).collect::<Result<_, String>>().map_err(|problem| (at, problem))
}

/// The arm with its faults named, and everything checked that a step says of those before it.
fn checked(form: ArmForm, cluster: &Shape) -> Result<Arm, Problem> {
    let mut known = Known::of(cluster);
    let mut steps = Vec::new();
    for Spanned { value: mut step, referenced: at, .. } in form.steps {
        known.check(&mut step).map_err(|problem| (at, problem))?;
        steps.push(step);
    }
    let mut expect = Vec::new();
    for Spanned { value: expectation, referenced: at, .. } in form.expect {
        known.check_condition(&expectation.condition).map_err(|problem| (at, problem))?;
        expect.push(expectation);
    }
    let ArmForm { name, clients_may_fail, never_fewer, .. } = form;
    Ok(Arm { name, steps, expect, clients_may_fail, never_fewer })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
name: example
title: An example
explain: Of a scenario.
arms:
- name: arm-${step}
  forEach:
    step: ['scale-up:1', 'pod:2']
  steps:
  - ctl: rolling-update a b --stop-after ${step}
    as: updater
  - await: {command: {name: updater, is: stopped}}
    within: 5s
  - fault: {kill: command updater}
    for: 1s
  - name: cut
    fault: {cut: {from: client}}
    when: {newReplicaSet: {deployment: kubia, replicas: '>=2'}}
  - heal: cut
  expect:
  - that: {controller: {name: b, replicas: 1}}
";

    fn read(text: &str) -> Result<Scenario, String> {
        Scenario::read(text, "x.yaml", Path::new("."))
    }

    #[test]
    fn a_scenario_is_read_and_its_arms_are_repeated() {
        let scenario = read(GOOD).unwrap();
        let names: Vec<&str> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["arm-scale-up-1", "arm-pod-2"]);
        assert!(matches!(&scenario.arms[1].steps[0], Step::Ctl(ctl) if ctl.words[4] == "pod:2"));
        let faults: Vec<&str> = scenario.faults().map(|(_, fault)| fault.name.as_str()).collect();
        assert_eq!(faults, ["fault-1", "cut", "fault-1", "cut"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (from, to, told) in [
            ("within: 5s", "within: soon", "x.yaml:13:13: invalid duration \"soon\""),
            ("within: 5s", "for: 5s", "x.yaml:13:5: unknown field `for`, expected one of await, within"),
            ("kill: command updater", "kill: command nobody", "x.yaml:14:5: no earlier step starts a command named"),
            ("kill: command updater", "kill: the-moon", "x.yaml:14:19: unknown victim \"the-moon\""),
            ("kill: command updater", "restart: command updater", "x.yaml:14:22: unknown victim \"command updater\""),
            ("kill: command updater", "tear: node-1", "x.yaml:14:19: \"node-1\" is the wrong sort of victim"),
            ("kill: command updater", "fullDisk: kubelets", "x.yaml:14:23: \"kubelets\" is the wrong sort"),
            ("cut: {from: client}", "cut: {from: runtime-0}", "x.yaml:17:25: \"runtime-0\" is the wrong sort"),
            (
                "cut: {from: client}",
                "hold: {of: raft-leader}",
                "x.yaml:17:24: \"raft-leader\" is the wrong sort of victim",
            ),
            ("cut: {from: client}", "hold: {of: node-1, kind: pods}", "x.yaml:17:38: unknown kind \"pods\""),
            (
                "{command: {name: updater, is: stopped}}",
                "{all: [{noController: a}, {command: {name: nobody, is: ended}}]}",
                "x.yaml:12:5: no earlier step starts a command named \"nobody\"",
            ),
            ("- heal: cut", "- heal: other", "x.yaml:19:5: no earlier step injects a fault named \"other\""),
            ("- heal: cut", "- heal: cut\n    load: {service: x}", "x.yaml:20:5: unknown field `load`"),
            ("- heal: cut", "- within: 5s", "x.yaml:19:"),
            ("- heal: cut", "- await: {acknowledged: '>=1'}", "x.yaml:19:5: this scenario has no checkers"),
            ("    for: 1s", "    for: 1s\n    until: {noController: a}", "x.yaml:14:5: a fault has `for` or `until`"),
            ("title: An", "cluster: {links: false}\ntitle: An", "x.yaml:17:5: this scenario has no links to break"),
            ("kill:", "slay:", "x.yaml:14:13: unknown variant `slay`"),
            ("expect:", "expects:", "x.yaml:20:3: unknown field `expects`"),
            ("replicas: 1", "replicas: one", "x.yaml:21:"),
            ("title: An", "mutant: none\ntitle: An", "x.yaml:3:9: unknown mutant \"none\""),
            ("step: [", "stage: [", "x.yaml:6:3: no value for ${step}"),
        ] {
            let problem = read(&GOOD.replace(from, to)).unwrap_err();
            assert!(problem.starts_with(told), "{problem}\nis not\n{told}");
        }
    }
}

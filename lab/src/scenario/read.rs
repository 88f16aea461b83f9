//! Reads scenarios from YAML. What is wrong is told with its line and column.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use squall_api::{Kind, duration};
use squall_faults::mutants::Mutant;

use super::condition::Condition;
use super::step::{Exit, Expectation, FaultStep, Healing, Load, Moment, Step};
use super::victim::Victim;
use super::{Arm, Matrix, Scenario, Shape};
use crate::faults::Fault;

/// How long things may take of which nothing is said.
const WITHIN: &str = "60s";
const LIMIT: &str = "3m";
const SETTLE: &str = "60s";
/// How long what is expected has to stay so.
const STAYS: &str = "2s";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawScenario {
    name: String,
    title: String,
    explain: String,
    #[serde(default)]
    cluster: Shape,
    limit: Option<String>,
    settle: Option<String>,
    mutant: Option<String>,
    arms: Vec<Spanned<RawArm>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawArm {
    name: String,
    #[serde(default)]
    for_each: Matrix,
    steps: Vec<Spanned<RawStep>>,
    #[serde(default)]
    expect: Vec<Spanned<RawExpectation>>,
    #[serde(default)]
    clients_may_fail: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    ctl: Option<String>,
    run: Option<String>,
    r#as: Option<String>,
    exit: Option<Exit>,
    r#await: Option<Condition>,
    within: Option<String>,
    rest: Option<String>,
    load: Option<Load>,
    fault: Option<Fault>,
    name: Option<String>,
    after: Option<String>,
    when: Option<Condition>,
    r#for: Option<String>,
    until: Option<Condition>,
    heal: Option<String>,
    resume: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpectation {
    that: Condition,
    within: Option<String>,
    stays: Option<String>,
}

/// A problem and its place.
type Problem = (Location, String);

impl Scenario {
    /// Reads a scenario. `file` is what problems name; `folder` is where its commands find their files.
    pub fn read(text: &str, file: &str, folder: &Path) -> Result<Self, String> {
        let raw: RawScenario = serde_saphyr::from_str(text).map_err(|error| {
            let error = error.without_snippet();
            let place = error.location().map_or_else(String::new, |at| format!("{}:{}: ", at.line(), at.column()));
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            format!("{file}:{place}{}", said.lines().next().unwrap_or_default())
        })?;
        finish(raw, folder).map_err(|(at, problem)| format!("{file}:{}:{}: {problem}", at.line(), at.column()))
    }
}

fn finish(raw: RawScenario, folder: &Path) -> Result<Scenario, Problem> {
    let nowhere = |problem: String| (Location::UNKNOWN, problem);
    let span = |text: Option<String>, usual: &str| duration::parse(text.as_deref().unwrap_or(usual)).map_err(nowhere);
    if let Some(mutant) = raw.mutant.as_ref().filter(|name| Mutant::of(name).is_none()) {
        let known = Mutant::ALL.map(Mutant::as_str).join(", ");
        return Err(nowhere(format!("there is no mutant {mutant:?}; there are {known}")));
    }
    let mut arms: Vec<Arm> = Vec::new();
    for arm in raw.arms {
        let at = arm.referenced;
        for arm in repeated(arm.value, at)? {
            if arms.iter().any(|other| other.name == arm.name) {
                return Err((at, format!("there are two arms named {:?}", arm.name)));
            }
            arms.push(arm);
        }
    }
    if arms.is_empty() {
        return Err(nowhere("a scenario has at least one arm".to_owned()));
    }
    Ok(Scenario {
        name: raw.name,
        title: raw.title,
        explain: raw.explain.trim_end().to_owned(),
        cluster: raw.cluster,
        limit: span(raw.limit, LIMIT)?,
        settle: span(raw.settle, SETTLE)?,
        mutant: raw.mutant,
        arms,
        faults_may_miss: false,
        folder: folder.to_owned(),
    })
}

/// The arm, once for each combination of the values that it is repeated for.
fn repeated(raw: RawArm, at: Location) -> Result<Vec<Arm>, Problem> {
    let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (key, values) in &raw.for_each {
        let with = |known: &Vec<(String, String)>| {
            let with = |value: &String| [known.clone(), vec![(key.clone(), value.clone())]].concat();
            values.iter().map(with).collect::<Vec<_>>()
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    let arm = Arm { clients_may_fail: raw.clients_may_fail, ..arm(raw.name, raw.steps, raw.expect)? };
    let arms: Vec<Arm> = combinations.iter().map(|values| filled(&arm, values)).collect();
    match format!("{arms:?}").split_once("${").and_then(|(_, rest)| rest.split_once('}')) {
        None => Ok(arms),
        Some((left, _)) => Err((
            at,
            format!(
                "there is no value for ${{{left}}} here: it is filled in in names of arms, commands, conditions and services"
            ),
        )),
    }
}

fn filled(arm: &Arm, values: &[(String, String)]) -> Arm {
    let fill = |text: &str| {
        values.iter().fold(text.to_owned(), |text, (key, value)| text.replace(&format!("${{{key}}}"), value))
    };
    let mut filled = arm.clone();
    // It is a namespace too.
    filled.name = fill(&arm.name).replace([':', '_'], "-").to_lowercase();
    for step in &mut filled.steps {
        match step {
            Step::Ctl { words, .. } | Step::Run { words, .. } => words.iter_mut().for_each(|word| *word = fill(word)),
            Step::Await { condition, .. } => *condition = condition.filled(&fill),
            Step::Fault(fault) => {
                if let Moment::When(condition) = &mut fault.moment {
                    *condition = condition.filled(&fill);
                }
                if let Healing::When(condition) = &mut fault.healing {
                    *condition = condition.filled(&fill);
                }
            }
            Step::Load(load) => load.service = fill(&load.service),
            Step::Heal(_) | Step::Resume(_) | Step::Rest(_) => {}
        }
    }
    for expectation in &mut filled.expect {
        expectation.condition = expectation.condition.filled(&fill);
    }
    filled
}

fn arm(name: String, raw: Vec<Spanned<RawStep>>, expect: Vec<Spanned<RawExpectation>>) -> Result<Arm, Problem> {
    let mut steps = Vec::new();
    let mut known = Known::default();
    for spanned in raw {
        let at = spanned.referenced;
        steps.push(step(spanned.value, &mut known).map_err(|problem| (at, problem))?);
    }
    let mut expectations = Vec::new();
    for spanned in expect {
        let at = spanned.referenced;
        let span = |text: Option<String>, usual: &str| {
            duration::parse(text.as_deref().unwrap_or(usual)).map_err(|problem| (at, problem))
        };
        let RawExpectation { that, within, stays } = spanned.value;
        known.can_be(&that).map_err(|problem| (at, problem))?;
        expectations.push(Expectation { condition: that, within: span(within, WITHIN)?, stays: span(stays, STAYS)? });
    }
    Ok(Arm { name, steps, expect: expectations, clients_may_fail: false })
}

/// What names stand for in the steps so far.
#[derive(Default)]
struct Known {
    commands: BTreeSet<String>,
    faults: BTreeSet<String>,
    is_loaded: bool,
}

/// What a step is, and what may stand beside it.
const FORMS: [(&str, &[&str]); 8] = [
    ("ctl", &["as", "exit"]),
    ("run", &["as"]),
    ("await", &["within"]),
    ("rest", &[]),
    ("load", &[]),
    ("fault", &["name", "after", "when", "for", "until"]),
    ("heal", &[]),
    ("resume", &[]),
];

fn check_form(raw: &RawStep) -> Result<(), String> {
    let there = [
        ("ctl", raw.ctl.is_some()),
        ("run", raw.run.is_some()),
        ("as", raw.r#as.is_some()),
        ("exit", raw.exit.is_some()),
        ("await", raw.r#await.is_some()),
        ("within", raw.within.is_some()),
        ("rest", raw.rest.is_some()),
        ("load", raw.load.is_some()),
        ("fault", raw.fault.is_some()),
        ("name", raw.name.is_some()),
        ("after", raw.after.is_some()),
        ("when", raw.when.is_some()),
        ("for", raw.r#for.is_some()),
        ("until", raw.until.is_some()),
        ("heal", raw.heal.is_some()),
        ("resume", raw.resume.is_some()),
    ];
    let words: Vec<&str> = there.iter().filter(|(_, is_there)| *is_there).map(|(word, _)| *word).collect();
    let heads: Vec<_> = FORMS.iter().filter(|(head, _)| words.contains(head)).collect();
    let [(head, beside)] = heads.as_slice() else {
        let all = FORMS.map(|(head, _)| head).join(", ");
        return Err(format!("a step is exactly one of {all}; this one has {}", words.join(", ")));
    };
    match words.iter().find(|word| *word != head && !beside.contains(word)) {
        Some(word) => Err(format!("`{word}` means nothing beside `{head}`")),
        None => Ok(()),
    }
}

fn step(raw: RawStep, known: &mut Known) -> Result<Step, String> {
    check_form(&raw)?;
    let split = |line: &str| shlex::split(line).ok_or_else(|| format!("the quotes of {line:?} do not match"));
    if let Some(line) = raw.run {
        let name = raw.r#as.ok_or("a program that is run has a name: `as`")?;
        known.commands.insert(name.clone());
        return Ok(Step::Run { words: split(&line)?, name });
    }
    if let Some(line) = raw.ctl {
        let words = split(&line)?;
        known.commands.extend(raw.r#as.clone());
        return Ok(Step::Ctl { words, background: raw.r#as, exit: raw.exit.unwrap_or(Exit::Success) });
    }
    if let Some(condition) = raw.r#await {
        known.can_be(&condition)?;
        let within = duration::parse(raw.within.as_deref().unwrap_or(WITHIN))?;
        return Ok(Step::Await { condition, within });
    }
    if let Some(rest) = raw.rest {
        return duration::parse(&rest).map(Step::Rest);
    }
    if let Some(load) = raw.load {
        if std::mem::replace(&mut known.is_loaded, true) {
            return Err("an arm asks one service; another arm can ask another".to_owned());
        }
        return Ok(Step::Load(load));
    }
    if let Some(name) = raw.heal {
        return if known.faults.contains(&name) {
            Ok(Step::Heal(name))
        } else {
            Err(format!("no fault is named {name:?}"))
        };
    }
    if let Some(name) = raw.resume {
        known.command(&name)?;
        return Ok(Step::Resume(name));
    }
    let fault = raw.fault.ok_or("a step that is nothing")?;
    if let Fault::Hold { kind, .. } = &fault
        && !kind.is_empty()
        && !Kind::ALL.iter().any(|known| known.info().kind == kind)
    {
        return Err(format!("there is no kind {kind:?}; a kind is like Pod or EndpointSlice"));
    }
    if let Some(name) = victim_of(&fault) {
        known.command(name)?;
    }
    let after = raw.after.as_deref().map(duration::parse).transpose()?;
    let moment = match (after, raw.when) {
        (None, None) => Moment::Now,
        (Some(time), None) => Moment::After(time),
        (None, Some(condition)) => Moment::When(condition),
        (Some(_), Some(_)) => return Err("a fault comes `after` a time or `when` something is so, not both".to_owned()),
    };
    let lasts = raw.r#for.as_deref().map(duration::parse).transpose()?;
    let healing = match (lasts, raw.until) {
        (None, None) => Healing::InTheEnd,
        (Some(time), None) => Healing::After(time),
        (None, Some(condition)) => Healing::When(condition),
        (Some(_), Some(_)) => return Err("a fault lasts `for` a time or `until` something is so, not both".to_owned()),
    };
    let name = raw.name.unwrap_or_else(|| format!("fault-{}", known.faults.len() + 1));
    if !known.faults.insert(name.clone()) {
        return Err(format!("there are two faults named {name:?}"));
    }
    Ok(Step::Fault(FaultStep { name, fault, moment, healing }))
}

impl Known {
    /// Of requests nothing can be said where none are made, nor of commands that were not started.
    fn can_be(&self, condition: &Condition) -> Result<(), String> {
        match condition {
            Condition::Served { .. } | Condition::FailedRequests(_) if !self.is_loaded => {
                Err("no request is made in this arm: it has no `load` before".to_owned())
            }
            Condition::Command { name, .. } => self.command(name),
            Condition::All(conditions) if conditions.is_empty() => Err("`all` of nothing is always so".to_owned()),
            Condition::All(conditions) => conditions.iter().try_for_each(|condition| self.can_be(condition)),
            Condition::Served { .. }
            | Condition::FailedRequests(_)
            | Condition::RolledOut { .. }
            | Condition::NewReplicaSet { .. }
            | Condition::OldReplicaSets { .. }
            | Condition::Controller { .. }
            | Condition::NoController(_)
            | Condition::Pods { .. } => Ok(()),
        }
    }

    fn command(&self, name: &str) -> Result<(), String> {
        match self.commands.contains(name) {
            true => Ok(()),
            false => Err(format!("no command was started as {name:?} before")),
        }
    }
}

fn victim_of(fault: &Fault) -> Option<&str> {
    match fault {
        Fault::Kill(Victim::Client(name))
        | Fault::Terminate(Victim::Client(name))
        | Fault::Pause(Victim::Client(name)) => Some(name),
        _ => None,
    }
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
  - fault: {cut: {from: client}}
    name: cut
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
        assert!(matches!(&scenario.arms[1].steps[0], Step::Ctl { words, .. } if words[4] == "pod:2"));
        assert_eq!(scenario.faults().count(), 4);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (from, to, told) in [
            ("within: 5s", "within: soon", "x.yaml:12:5: invalid duration \"soon\""),
            ("within: 5s", "for: 5s", "x.yaml:12:5: `for` means nothing beside `await`"),
            ("kill: command updater", "kill: command nobody", "x.yaml:14:5: no command was started as \"nobody\""),
            ("kill: command updater", "kill: the-moon", "x.yaml:14:"),
            (
                "{command: {name: updater, is: stopped}}",
                "{all: [{noController: a}, {command: {name: nobody, is: ended}}]}",
                "x.yaml:12:5: no command was started as \"nobody\"",
            ),
            ("- heal: cut", "- heal: other", "x.yaml:19:5: no fault is named \"other\""),
            ("- heal: cut", "- heal: cut\n    load: {service: x}", "x.yaml:19:5: a step is exactly one of"),
            ("kill:", "slay:", "x.yaml:14:"),
            ("expect:", "expects:", "x.yaml:20:3: unknown field `expects`"),
            ("replicas: 1", "replicas: one", "x.yaml:21:"),
        ] {
            let problem = read(&GOOD.replace(from, to)).unwrap_err();
            assert!(problem.starts_with(told), "{problem}\nis not\n{told}");
        }
    }
}

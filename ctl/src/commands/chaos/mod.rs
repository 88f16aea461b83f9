//! `ctl chaos`: runs scenarios that break clusters on purpose, and reports the results.

mod random;

use std::path::{Path, PathBuf};

use serde_json::json;
use squall_cluster::check_images;
use squall_faults::mutants;
use squall_lab::report::{html, junit, text};
use squall_lab::scenario::{Scenario, built_in};
use squall_lab::stage::{self, Audience, Note, Playing, Record};
use squall_referee::verdict::Outcome;
use tempfile::TempDir;

use crate::cli::{ChaosCommand, ChaosListArgs, ChaosRunArgs};
use crate::failure::Failure;
use crate::files;
use crate::interruption::Interruption;
use crate::output::{line, line_error, print_cells, text as print};

/// Stands for the mutant that the scenario names itself.
const OWN: &str = "own";

/// The exit code when a command line or a file is wrong: nothing has been started.
const WRONG: u8 = 2;

/// Runs a command.
pub async fn run(command: ChaosCommand) -> Result<(), Failure> {
    match command {
        ChaosCommand::List(args) => list(&args),
        ChaosCommand::Explain { scenario } => explain(&scenario).map_err(wrong),
        ChaosCommand::Run(args) => play_all(args).await,
        ChaosCommand::Random(args) => random::run(args).await,
    }
}

/// Marks a mistake of the user, which is found before anything starts.
fn wrong(failure: Failure) -> Failure {
    failure.with_code(WRONG)
}

/// Fails if a report could not be written at the end.
fn writable(path: Option<&PathBuf>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let opened = match path.exists() {
        true => std::fs::OpenOptions::new().append(true).open(path),
        // Leaves nothing behind if the run does not come to its end.
        false => tempfile::tempfile_in(folder),
    };
    opened.map(drop).map_err(|error| Failure::error(format!("writing {}: {error}", path.display())))
}

/// Finds a scenario by its name or file. The commands of built-in scenarios work in `folder`.
fn find(word: &str, folder: &Path) -> Result<Scenario, Failure> {
    if let Some(found) = built_in::find(word, folder) {
        return found.map_err(Failure::error);
    }
    let path = Path::new(word);
    if !path.is_file() {
        let names: Vec<&str> = built_in::names().collect();
        return Err(Failure::error(format!(
            "no scenario and no file is named {word:?}; use a file, or one of {}",
            names.join(", ")
        )));
    }
    let text = files::text(path).map_err(|error| Failure::error(format!("{word}: {error}")))?;
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = beside.canonicalize().map_err(Failure::error)?;
    Scenario::read(&text, word, &beside).map_err(Failure::error)
}

fn list(args: &ChaosListArgs) -> Result<(), Failure> {
    let all: Vec<Scenario> = built_in::names().map(|name| find(name, Path::new("."))).collect::<Result<_, _>>()?;
    if args.output.is_some() {
        let all: Vec<_> = all.iter().map(|s| json!({"name": s.name, "title": s.title, "mutant": s.mutant})).collect();
        line(&serde_json::to_string_pretty(&all).map_err(Failure::error)?);
        return Ok(());
    }
    let mut cells = vec![vec!["NAME".to_owned(), "TITLE".to_owned()]];
    cells.extend(all.into_iter().map(|scenario| vec![scenario.name, scenario.title]));
    print_cells(&cells, 3);
    Ok(())
}

fn explain(word: &str) -> Result<(), Failure> {
    let scenario = find(word, Path::new("."))?;
    line(&format!("{}: {}\n\n{}\n", scenario.name, scenario.title, scenario.explain));
    line("Faults:");
    for (arm, step) in scenario.faults() {
        line(&format!("  {arm}: {} ({})", step.fault, step.name));
    }
    line("\nExpected at the end, in addition to every invariant:");
    for arm in &scenario.arms {
        for expectation in &arm.expect {
            let stays = squall_api::duration::format(expectation.stays);
            line(&format!("  {}: {}, and stays so for {stays}", arm.name, expectation.condition));
        }
    }
    if let Some(mutant) = &scenario.mutant {
        line(&format!("\nIt fails without the protection that the mutant {mutant} disables."));
    }
    Ok(())
}

async fn play_all(args: ChaosRunArgs) -> Result<(), Failure> {
    let words: Vec<String> =
        if args.all { built_in::names().map(str::to_owned).collect() } else { args.scenarios.clone() };
    check(&words, &args).map_err(wrong)?;
    let (records, failures) = one_by_one(words, async |word: String| {
        let record = play(&word, &args).await?;
        if args.output.is_none() {
            print(&text::text(&record));
        }
        Ok(record)
    })
    .await?;
    finish(
        &records,
        failures,
        Outputs { report: args.report.as_ref(), junit: args.junit.as_ref(), json: args.output.is_some() },
    )
}

/// Reports an error in any scenario or flag before the first scenario runs.
fn check(words: &[String], args: &ChaosRunArgs) -> Result<(), Failure> {
    for word in words {
        let scenario = chosen(find(word, Path::new("."))?, word, args.arm.as_deref())?;
        mutant_of(&scenario, args.mutant.as_deref())?;
        check_images_of(&scenario, word)?;
    }
    writable(args.report.as_ref())?;
    writable(args.junit.as_ref())
}

fn check_images_of(scenario: &Scenario, word: &str) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::error)?;
    match scenario.catalogue(folder.path())? {
        Some(file) => check_images(&file).map_err(|error| Failure::error(format!("{word}: images: {error:#}"))),
        None => Ok(()),
    }
}

/// The scenario, or one arm of it.
fn chosen(scenario: Scenario, word: &str, arm: Option<&str>) -> Result<Scenario, Failure> {
    let Some(arm) = arm else { return Ok(scenario) };
    let names: Vec<String> = scenario.arms.iter().map(|arm| arm.name.clone()).collect();
    let missing = || Failure::error(format!("{word} has no arm {arm:?}; it has {}", names.join(", ")));
    scenario.only(arm).ok_or_else(missing)
}

/// Runs one scenario after the other, until interrupted. The others run even if one could not.
async fn one_by_one<T>(
    items: impl IntoIterator<Item = T>,
    play: impl AsyncFn(T) -> Result<Record, Failure>,
) -> Result<(Vec<Record>, Vec<Failure>), Failure> {
    let mut interruption = Interruption::listen()?;
    let (mut records, mut failures) = (Vec::new(), Vec::new());
    for item in items {
        let played = tokio::select! {
            played = play(item) => played,
            signal = interruption.wait() => Err(Failure::error(format!("interrupted by {signal}"))),
        };
        match played {
            Ok(record) => records.push(record),
            Err(failure) => failures.push(failure),
        }
        if interruption.has_come() {
            break;
        }
    }
    Ok((records, failures))
}

/// Where to write the results.
struct Outputs<'a> {
    report: Option<&'a PathBuf>,
    junit: Option<&'a PathBuf>,
    json: bool,
}

/// Writes the results. A scenario that could not run counts as inconclusive.
fn finish(records: &[Record], failures: Vec<Failure>, outputs: Outputs<'_>) -> Result<(), Failure> {
    if outputs.json {
        line(&serde_json::to_string_pretty(records).map_err(Failure::error)?);
    }
    if !outputs.json && records.len() > 1 {
        summary(records);
    }
    write(outputs.report, || html::html(records))?;
    write(outputs.junit, || junit::junit(records))?;
    let unknown = (!failures.is_empty()).then_some(Outcome::Inconclusive);
    if let Err(failure) = Failure::all(failures) {
        line_error(&failure.text());
    }
    match records.iter().map(|record| record.verdict.outcome).chain(unknown).max() {
        None | Some(Outcome::Pass) => Ok(()),
        Some(other) => Err(Failure::silent().with_code(other.exit_code())),
    }
}

/// One row for each scenario, with the first reason if it did not pass.
fn summary(records: &[Record]) {
    let mut cells = vec![["SCENARIO", "VERDICT", "TIME", "REASON"].map(str::to_owned).to_vec()];
    cells.extend(records.iter().map(|record| {
        let reason = record.verdict.reasons.first().map(|reason| reason.text.clone()).unwrap_or_default();
        vec![
            record.scenario.clone(),
            record.verdict.outcome.to_string(),
            format!("{:.0}s", record.seconds),
            reason.lines().next().unwrap_or_default().to_owned(),
        ]
    }));
    line("");
    print_cells(&cells, 3);
}

fn write(path: Option<&PathBuf>, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, text()).map_err(|error| Failure::error(format!("writing {}: {error}", path.display())))?;
    line_error(&format!("wrote {}", path.display()));
    Ok(())
}

/// The mutant that the flags ask for. Fails if it does not exist.
fn mutant_of(scenario: &Scenario, asked: Option<&str>) -> Result<Option<String>, Failure> {
    let own =
        || scenario.mutant.as_deref().ok_or_else(|| Failure::error(format!("{} has no own mutant", scenario.name)));
    let Some(name) = asked.map(|asked| if asked == OWN { own() } else { Ok(asked) }).transpose()? else {
        return Ok(None);
    };
    mutants::find(name).map_err(Failure::error)?;
    Ok(Some(name.to_owned()))
}

async fn play(word: &str, args: &ChaosRunArgs) -> Result<Record, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::error)?;
    let scenario = chosen(find(word, folder.path())?, word, args.arm.as_deref())?;
    built_in::unpack(folder.path())?;
    let mutant = mutant_of(&scenario, args.mutant.as_deref())?;
    let playing = Playing::to_the_end(args.timing, mutant, folder.path().to_owned());
    let kept = if args.keep { Kept::Always } else { Kept::OfFailures };
    play_in(folder, &scenario, &playing, kept).await
}

/// Whether to keep a cluster's folder after its scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Always,
    /// If the scenario failed, proved nothing, or could not run.
    OfFailures,
}

/// Runs a scenario.
async fn play_in(folder: TempDir, scenario: &Scenario, playing: &Playing, kept: Kept) -> Result<Record, Failure> {
    line_error(&format!("{}: {}", scenario.name, scenario.title));
    let record = stage::play(scenario, playing, Audience::of_notes(tell)).await;
    let is_clear = |record: &Record| matches!(record.verdict.outcome, Outcome::Pass | Outcome::Degraded);
    let is_to_be_kept = kept == Kept::Always || !record.as_ref().is_ok_and(is_clear);
    if is_to_be_kept {
        line_error(&format!("the logs are in {}", folder.keep().join("cluster/logs").display()));
    }
    Ok(record?)
}

/// Prints a note of a run.
pub fn tell(note: &Note) {
    line_error(&format!("{:6.1} s  {:<20} {}", note.at.as_secs_f64(), note.arm, note.text));
}

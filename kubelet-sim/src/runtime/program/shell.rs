//! The few commands that everybody uses, alone or in `sh -c`: `sleep`, `exit`, `true`, `false`, `echo`, endless loops.

use std::sync::Arc;
use std::time::Duration;

use squall_proto::squall::cri::v1 as cri;
use tokio::sync::watch;

use crate::runtime::log::Log;
use crate::runtime::order::Order;

/// A sequence of commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    steps: Vec<Step>,
    /// Whether it ends when it is told to, which a shell does only with a `trap`.
    traps: bool,
}

/// A command, and when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    when: When,
    what: What,
}

/// The condition of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// After `&&`.
    Succeeded,
    /// After `||`.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// Thousandths of a second; `None` for ever.
    Sleep(Option<u64>),
    /// The exit code; `None` for that of the command before.
    Exit(Option<i32>),
    Status(i32),
    Echo(String),
    /// Writes the variables.
    Environment,
    /// Repeats its commands for ever.
    Loop(Script),
    Unknown(String),
}

/// How a script ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, or never.
    Known,
    /// In a command that is not known here.
    Unknown,
}

/// Reads the command of a container. `None` if nothing of it is known.
pub(super) fn command(line: &[String]) -> Option<Script> {
    let (first, rest) = line.split_first()?;
    let name = first.rsplit('/').next().unwrap_or(first);
    if ["sh", "bash", "ash", "dash"].contains(&name) {
        let (flags, rest) = rest.split_first()?;
        let is_command = flags.starts_with('-') && flags.ends_with('c');
        return rest.first().filter(|_| is_command).and_then(|text| script(text));
    }
    let what = simple(line);
    (!matches!(what, What::Unknown(_))).then(|| Script { steps: vec![Step { when: When::Always, what }], traps: false })
}

/// Reads the text of `sh -c`. `None` if no command of it is known.
fn script(text: &str) -> Option<Script> {
    let script = Reader { words: words(text)?, at: 0, depth: 0 }.script(&[]);
    let known = |step: &Step| !matches!(step.what, What::Unknown(_));
    (script.traps || script.steps.iter().any(known)).then_some(script)
}

/// A word, or what stands between commands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Text(String),
    Mark(&'static str),
}

/// Splits a text into words. `None` if a quote does not end.
fn words(text: &str) -> Option<Vec<Word>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, ';' | '\n' | '&' | '|' | ' ' | '\t' | '\r') => {
                words.extend(word.take().map(Word::Text));
                let twice = chars.next_if_eq(&c).is_some();
                match (c, twice) {
                    (';' | '\n', _) => words.push(Word::Mark(";")),
                    ('&', true) => words.push(Word::Mark("&&")),
                    ('|', true) => words.push(Word::Mark("||")),
                    ('&', false) => words.push(Word::Mark("&")),
                    ('|', false) => words.push(Word::Mark("|")),
                    _ => {}
                }
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(Word::Text));
    quote.is_none().then_some(words)
}

/// Reads commands from words.
struct Reader {
    words: Vec<Word>,
    at: usize,
    /// How many loops it is in.
    depth: usize,
}

/// How deep loops may nest. Deeper ones are not known.
const DEEPEST: usize = 16;

impl Reader {
    /// Reads commands up to one of these words.
    fn script(&mut self, ends: &[&str]) -> Script {
        let (mut script, mut when) = (Script::default(), When::Always);
        while let Some(word) = self.words.get(self.at).cloned() {
            match word {
                Word::Text(text) if ends.contains(&text.as_str()) => break,
                Word::Mark(mark) => {
                    self.at = self.at.saturating_add(1);
                    when = match mark {
                        "&&" => When::Succeeded,
                        "||" => When::Failed,
                        _ => When::Always,
                    };
                }
                Word::Text(text) if (text == "while" || text == "until") && self.depth < DEEPEST => {
                    self.depth = self.depth.saturating_add(1);
                    let what = self.repeated();
                    self.depth = self.depth.saturating_sub(1);
                    script.steps.push(Step { when, what });
                }
                Word::Text(_) => {
                    let line = self.line();
                    if line.first().is_some_and(|first| first == "trap") {
                        script.traps = true;
                    } else {
                        script.steps.push(Step { when, what: simple(&line) });
                    }
                }
            }
        }
        script
    }

    /// Reads the words of one command. A pipe and what follows belong to it.
    fn line(&mut self) -> Vec<String> {
        let mut line = Vec::new();
        while let Some(word) = self.words.get(self.at) {
            match word {
                Word::Text(text) => line.push(text.clone()),
                Word::Mark("|") => line.push("|".to_owned()),
                Word::Mark(_) => break,
            }
            self.at = self.at.saturating_add(1);
        }
        line
    }

    /// Reads `while true; do …; done`. Another condition is not known.
    fn repeated(&mut self) -> What {
        let start = self.at;
        let condition = self.line();
        let is_endless = matches!(
            condition.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            ["while", "true" | ":"] | ["while", "[", "1", "]"] | ["until", "false"]
        );
        while self.words.get(self.at) == Some(&Word::Mark(";")) {
            self.at = self.at.saturating_add(1);
        }
        let begins = self.words.get(self.at) == Some(&Word::Text("do".to_owned()));
        self.at = self.at.saturating_add(usize::from(begins));
        let body = self.script(&["done"]);
        let ends = self.words.get(self.at) == Some(&Word::Text("done".to_owned()));
        self.at = self.at.saturating_add(usize::from(ends));
        if is_endless && begins && ends && !body.steps.is_empty() {
            return What::Loop(body);
        }
        let texts = self.words.get(start..self.at).unwrap_or_default().iter().map(|word| match word {
            Word::Text(text) => text.as_str(),
            Word::Mark(mark) => mark,
        });
        What::Unknown(texts.collect::<Vec<_>>().join(" "))
    }
}

/// Reads one command.
fn simple(line: &[String]) -> What {
    let unknown = || What::Unknown(line.join(" "));
    // `exec` replaces the shell, and `A=b` sets a variable of the command: they change nothing here.
    let words: Vec<&str> =
        line.iter().map(String::as_str).skip_while(|word| *word == "exec" || is_assignment(word)).collect();
    let Some((first, rest)) = words.split_first() else {
        return if line.is_empty() { What::Status(0) } else { unknown() };
    };
    match (first.rsplit('/').next().unwrap_or(first), rest) {
        ("sleep", ["infinity" | "inf"]) | ("tail", ["-f", "/dev/null"]) | ("wait" | "pause", []) => What::Sleep(None),
        ("sleep", times) if !times.is_empty() => {
            let millis: Option<Vec<u64>> = times.iter().map(|time| millis(time)).collect();
            millis.map_or_else(unknown, |millis| What::Sleep(Some(millis.into_iter().fold(0, u64::saturating_add))))
        }
        ("exit", []) => What::Exit(None),
        ("exit", [code]) => code.parse().map_or_else(|_| unknown(), |code: i32| What::Exit(Some(code & 0xff))),
        ("env" | "printenv", []) => What::Environment,
        ("true" | ":", _) => What::Status(0),
        ("false", _) => What::Status(1),
        ("echo", words) if !words.iter().any(|word| ["|", ">", ">>"].contains(word)) => {
            What::Echo(words.iter().filter(|word| **word != "-n").copied().collect::<Vec<_>>().join(" "))
        }
        _ => unknown(),
    }
}

/// Whether a word sets a variable: `A=b`.
fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_name(name))
}

/// Reads the time of a `sleep`: `5`, `0.5`, `2m`.
fn millis(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().next_back()?),
        None => (text, 's'),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    let fraction: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let factor = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 1,
    };
    Some(whole.saturating_mul(1_000).saturating_add(fraction).saturating_mul(factor))
}

impl Script {
    /// Returns how it ends.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self.steps.last() {
            Some(Step { what: What::Unknown(_), .. }) => Ending::Unknown,
            _ => Ending::Known,
        }
    }

    /// Returns its first command that is not known.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match &step.what {
            What::Unknown(text) => Some(text.clone()),
            What::Loop(body) => body.unknown(),
            _ => None,
        })
    }

    /// Runs it, and returns its exit code. `second` is how long a second takes in the cluster's time.
    ///
    /// A shell without a `trap` does not end when it is told to, as process 1 of a real container.
    pub async fn run(&self, shell: &Shell<'_>, orders: &mut watch::Receiver<Order>) -> i32 {
        let told = async {
            drop(orders.wait_for(|order| *order == Order::End).await);
            if !self.traps {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            outcome = self.walk(shell) => outcome.unwrap_or_else(|code| code),
            () = told => 0,
        }
    }

    /// Runs the commands in order. An `exit` is an error, so that it ends all loops.
    async fn walk(&self, shell: &Shell<'_>) -> Result<i32, i32> {
        let mut status = 0;
        for step in &self.steps {
            let runs = match step.when {
                When::Always => true,
                When::Succeeded => status == 0,
                When::Failed => status != 0,
            };
            if !runs {
                continue;
            }
            status = match &step.what {
                What::Sleep(None) => std::future::pending().await,
                What::Sleep(Some(millis)) => {
                    tokio::time::sleep(scaled(shell.second, *millis)).await;
                    0
                }
                What::Exit(code) => return Err(code.unwrap_or(status)),
                What::Status(code) => *code,
                What::Echo(text) => {
                    shell.log.write(shell.filled(text));
                    0
                }
                What::Environment => {
                    for variable in shell.environment {
                        shell.log.write(format!("{}={}", variable.name, variable.value));
                    }
                    0
                }
                What::Loop(body) => loop {
                    Box::pin(body.walk(shell)).await?;
                    // A loop without a sleep must not take the whole machine.
                    tokio::time::sleep(LEAST_TURN).await;
                },
                What::Unknown(_) => 0,
            };
        }
        Ok(status)
    }
}

/// The surroundings of a script.
pub struct Shell<'a> {
    /// How long a second takes in the cluster's time.
    pub second: Duration,
    /// Where it writes.
    pub log: &'a Arc<Log>,
    /// Its variables.
    pub environment: &'a [cri::Variable],
}

impl Shell<'_> {
    /// Puts the values of variables into a text: `$NAME`, `${NAME}`.
    fn filled(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        let mut closes = true;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let braced = after.strip_prefix('{').filter(|_| closes).map(|inner| inner.split_once('}'));
            closes &= braced != Some(None);
            let (name, after) = match braced.flatten() {
                Some((name, after)) => (name, after),
                None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
            };
            let variable = self.environment.iter().find(|variable| variable.name == name);
            match (name, variable) {
                ("", _) => filled.push('$'),
                (_, Some(variable)) => filled.push_str(&variable.value),
                (_, None) => {}
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// The shortest turn of an endless loop.
const LEAST_TURN: Duration = Duration::from_millis(10);

fn scaled(second: Duration, millis: u64) -> Duration {
    let nanos = second.as_nanos().saturating_mul(u128::from(millis)) / 1_000;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn read(line: &[&str]) -> Option<Script> {
        command(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    /// Runs a command. Returns its exit code and how many tenths of a second it took, or nothing after a day.
    async fn ran(line: &[&str]) -> Option<(i32, u128)> {
        let (orders, log, start) = (watch::Sender::new(Order::Run), Arc::new(Log::new()), Instant::now());
        let script = read(line).unwrap();
        let mut orders = orders.subscribe();
        let shell = Shell { second: Duration::from_secs(1), log: &log, environment: &[] };
        let run = script.run(&shell, &mut orders);
        let code = tokio::time::timeout(Duration::from_secs(86_400), run).await.ok()?;
        Some((code, start.elapsed().as_millis() / 100))
    }

    #[tokio::test(start_paused = true)]
    async fn commands_take_their_time_and_have_their_code() {
        for (line, code, tenths) in [
            (&["true"][..], 0, 0),
            (&["/bin/false"], 1, 0),
            (&["sleep", "5"], 0, 50),
            (&["sleep", "0.5"], 0, 5),
            (&["sleep", "1m"], 0, 600),
            (&["sh", "-c", "exit 3"], 3, 0),
            (&["/bin/sh", "-ec", "sleep 2; exit 300"], 44, 20),
            (&["sh", "-c", "false"], 1, 0),
            (&["sh", "-c", "false || exit 7"], 7, 0),
            (&["sh", "-c", "true || exit 7"], 0, 0),
            (&["sh", "-c", "false && exit 7"], 1, 0),
            (&["sh", "-c", "false; exit"], 1, 0),
            (&["sh", "-c", "echo 'a; exit 9'; sleep 1"], 0, 10),
            (&["bash", "-c", "sleep 1\nexit 2\n"], 2, 10),
            (&["sh", "-c", "while true; do sleep 3; exit 4; done"], 4, 30),
            (&["sh", "-c", "date; sleep 1; exit 1"], 1, 10),
            (&["sh", "-c", "A=b C=1 exec sleep 1"], 0, 10),
        ] {
            assert_eq!(ran(line).await, Some((code, tenths)), "{line:?}");
        }
        for line in [
            &["sleep", "infinity"][..],
            &["tail", "-f", "/dev/null"],
            &["sh", "-c", "while :; do echo a; sleep 60; done"],
        ] {
            assert_eq!(ran(line).await, None, "{line:?} goes on for ever");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn variables_are_written_and_filled_in() {
        let (orders, log) = (watch::Sender::new(Order::Run), Arc::new(Log::new()));
        let environment = [cri::Variable { name: "A".to_owned(), value: "x y".to_owned() }];
        let shell = Shell { second: Duration::from_secs(1), log: &log, environment: &environment };
        let script = read(&["sh", "-c", "echo $A,${A}! $B 5$; env"]).unwrap();
        assert_eq!(script.run(&shell, &mut orders.subscribe()).await, 0);
        let lines: Vec<String> = log.after(0).0.iter().map(|line| line.text.clone()).collect();
        assert_eq!(lines, ["x y,x y!  5$", "A=x y"]);
    }

    #[test]
    fn deep_loops_and_long_lines_are_read_without_deep_calls() {
        let deep = "while true; do ".repeat(50_000) + "sleep 1" + &"; done".repeat(50_000);
        let long = "exec ".repeat(200_000) + "sleep 1";
        for text in [deep, long] {
            assert!(read(&["sh", "-c", &text]).is_some());
        }
    }

    #[test]
    fn other_commands_are_not_known() {
        for line in
            [&["node", "app.js"][..], &["sh"], &["sh", "-c", "npm start"], &["sh", "run.sh"], &["sh", "-c", "echo 'a"]]
        {
            assert_eq!(read(line), None, "{line:?}");
        }
        let script = read(&["sh", "-c", "echo a && exec nginx -g 'daemon off;'"]).unwrap();
        assert_eq!(
            (script.ending(), script.unknown().unwrap().as_str()),
            (Ending::Unknown, "exec nginx -g daemon off;")
        );
        let script = read(&["sh", "-c", "if a; then exit 1; fi; sleep 5"]).unwrap();
        assert_eq!((script.ending(), script.unknown().unwrap().as_str()), (Ending::Known, "if a"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_shell_with_a_trap_ends_when_it_is_told_to() {
        for (text, ends) in [("trap 'exit 0' TERM; sleep 60", true), ("sleep 60", false)] {
            let orders = watch::Sender::new(Order::Run);
            let (script, mut receiver, log) =
                (read(&["sh", "-c", text]).unwrap(), orders.subscribe(), Arc::new(Log::new()));
            orders.send_replace(Order::End);
            let start = Instant::now();
            let shell = Shell { second: Duration::from_secs(1), log: &log, environment: &[] };
            script.run(&shell, &mut receiver).await;
            assert_eq!(start.elapsed() < Duration::from_secs(1), ends, "{text}");
        }
    }
}

//! Failures of commands: messages in kubectl's words, and exit codes.

use squall_api::error::Reason;
use squall_client::Error;

/// Why a command failed: one complete message for each failure.
#[derive(Debug)]
pub struct Failure {
    texts: Vec<String>,
    /// Whether a requested object does not exist.
    not_found: bool,
    code: u8,
}

/// The exit code of a failure that sets no other.
const FAILED: u8 = 1;

impl Failure {
    const fn of(texts: Vec<String>) -> Self {
        Self { texts, not_found: false, code: FAILED }
    }

    /// Whether a requested object does not exist.
    pub const fn is_not_found(&self) -> bool {
        self.not_found
    }

    /// The same failure with another exit code.
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// The messages, joined by line breaks.
    pub fn text(&self) -> String {
        self.texts.join("\n")
    }

    /// A message that starts with `error: `.
    pub fn error(text: impl std::fmt::Display) -> Self {
        Self::of(vec![format!("error: {text}")])
    }

    /// A message without the `error: ` prefix.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::of(vec![text.into()])
    }

    /// No message: the exit code is enough.
    pub fn silent() -> Self {
        Self::of(Vec::new())
    }

    /// An API error while processing a file. `doing` is a word like `creating` or `applying`.
    pub fn api_with_file(error: &Error, doing: &str, file: &str) -> Self {
        Self { texts: vec![text(error, Some((doing, file)))], not_found: error.is_not_found(), code: FAILED }
    }

    /// An invalid command line. As in kubectl, a hint to the help follows.
    pub fn usage(command: &str, text: impl std::fmt::Display) -> Self {
        Self::of(vec![format!("error: {text}\nSee 'ctl {command} -h' for help and examples")])
    }

    /// Combines several failures. `Ok` if there are none.
    pub fn all(failures: Vec<Self>) -> Result<(), Self> {
        let texts: Vec<String> = failures.into_iter().flat_map(|failure| failure.texts).collect();
        if texts.is_empty() { Ok(()) } else { Err(Self::of(texts)) }
    }

    /// The messages, one for each failure.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { texts: vec![text(&error, None)], not_found: error.is_not_found(), code: FAILED }
    }
}

impl From<squall_api::Error> for Failure {
    fn from(error: squall_api::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::error(format!("{error:#}")),
        }
    }
}

fn text(error: &Error, file: Option<(&str, &str)>) -> String {
    let api = match error {
        Error::Api(api) => api,
        Error::Config(text) => return format!("error: {text}"),
        Error::Unreachable { endpoints, refused: true, .. } => {
            let server = endpoints.first().map_or("", String::as_str).trim_start_matches("https://");
            return format!(
                "The connection to the server {server} was refused - did you specify the right host or port?"
            );
        }
        Error::Unreachable { reason, .. } => return format!("Unable to connect to the server: {reason}"),
    };
    let status = &api.status;
    if api.is(Reason::Invalid)
        && let Some(details) = &status.details
    {
        let causes: Vec<String> =
            details.causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let head = match details.kind.as_str() {
            "" => "The request is invalid: ".to_owned(),
            kind => format!("The {kind} {:?} is invalid: ", details.name),
        };
        return match causes.as_slice() {
            [] => head + &status.message,
            [one] => head + one,
            many => head + &many.iter().map(|cause| format!("\n* {cause}")).collect::<String>(),
        };
    }
    let message = match file {
        Some((doing, file)) => format!("error when {doing} {file:?}: {}", status.message),
        None => status.message.clone(),
    };
    format!("Error from server ({}): {message}", status.reason)
}

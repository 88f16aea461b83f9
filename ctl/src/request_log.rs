//! `-v 6` and above: logs each request to standard error, in the format of kubectl's log.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use squall_api::Object;
use squall_client::{Error, Exchange, Observer, Sent};

use crate::output::line_error;

/// From this level on, one line for each request.
const REQUESTS: u8 = 6;
/// From this level on, the bodies of requests and responses, truncated.
const BODIES: u8 = 8;
/// From this level on, full bodies.
const WHOLE_BODIES: u8 = 9;
/// At level 8, bodies are truncated to this many bytes, as in kubectl.
const CUT: usize = 1_024;

/// The observer that logs a client's requests; `None` below level 6.
pub fn observer(verbosity: u8) -> Option<Observer> {
    (verbosity >= REQUESTS).then(|| Arc::new(move |exchange: &Exchange<'_>| log(verbosity, exchange)) as Observer)
}

/// Logs the path of the kubeconfig.
pub fn config_loaded(verbosity: u8, path: &Path) {
    if verbosity >= REQUESTS {
        print(concat!("request_log.rs:", line!()), &format!("Config loaded from file:  {}", path.display()));
    }
}

fn log(verbosity: u8, exchange: &Exchange<'_>) {
    if verbosity >= BODIES
        && let Some(sent) = &exchange.sent
    {
        print(concat!("request_log.rs:", line!()), &format!("Request Body: {}", cut(verbosity, sent_text(sent))));
    }
    let milliseconds = exchange.elapsed.as_millis();
    let outcome = outcome(exchange);
    print(
        concat!("request_log.rs:", line!()),
        &format!("{} {} {outcome} in {milliseconds} milliseconds", exchange.verb, exchange.url),
    );
    if verbosity >= BODIES {
        for any in exchange.received {
            let text =
                Object::from_any(any).map_or_else(|_| any.type_url.clone(), |object| object.to_json().to_string());
            print(concat!("request_log.rs:", line!()), &format!("Response Body: {}", cut(verbosity, text)));
        }
    }
}

/// The status that the REST API would have returned, like `200 OK`.
fn outcome(exchange: &Exchange<'_>) -> String {
    match exchange.error {
        None if exchange.verb == "POST" => "201 Created".to_owned(),
        None => "200 OK".to_owned(),
        Some(Error::Api(error)) => format!("{} {}", error.status.code, phrase(error.status.code)),
        Some(other) => format!("({other})"),
    }
}

const fn phrase(code: i32) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}

fn sent_text(sent: &Sent) -> String {
    match sent {
        Sent::Text(text) => text.clone(),
        Sent::Object(any) => {
            Object::from_any(any).map_or_else(|_| any.type_url.clone(), |object| object.to_json().to_string())
        }
    }
}

fn cut(verbosity: u8, text: String) -> String {
    if verbosity >= WHOLE_BODIES || text.len() <= CUT {
        return text;
    }
    let end = (0..=CUT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{} [truncated {} chars]", &text[..end], text.len() - end)
}

/// Prints a line in klog's format: level, date, time, process, place.
fn print(place: &str, text: &str) {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    let stamp = now.strftime("%m%d %H:%M:%S%.6f");
    line_error(&format!("I{stamp} {:>7} {place}] {text}", std::process::id()));
}

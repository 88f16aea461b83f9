//! The answers of a server to HTTP requests.

use std::time::Duration;

use crate::catalogue::{Answer, Image};

/// The kind of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// As the image's entry in the catalogue says.
    Image,
    /// agnhost's `netexec`: the name of its pod, health, echoes, and its own end.
    Netexec,
    /// agnhost's `serve-hostname`: the name of its pod.
    Hostname,
    /// agnhost's `test-webserver`: an empty page.
    Static,
    /// agnhost's `liveness`: healthy for ten seconds.
    Liveness,
}

/// A request, as far as an answer depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The path without its query: `/healthz`.
    pub path: &'a str,
    /// The query: `msg=hi`.
    pub query: &'a str,
    /// Its number, counted from 0.
    pub number: u64,
    /// The address that it comes from.
    pub client: &'a str,
    /// The name of the pod.
    pub pod: &'a str,
    /// How long the container has run, in the cluster's time.
    pub age: Duration,
}

/// An answer, and the exit code of a server that ends after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The exit code, if the request ends the server.
    pub exit: Option<i32>,
}

/// How long `liveness` is healthy.
const HEALTHY: Duration = Duration::from_secs(10);

impl Site {
    /// Answers a request.
    #[must_use]
    pub fn answer(self, image: &Image, asked: Asked<'_>) -> Page {
        let page = |status: u16, body: String| Page { status, body, exit: None };
        match self {
            Self::Image => {
                let failed = image.fail_after_requests.is_some_and(|limit| asked.number >= limit);
                let Answer { status, body } = image.failure.as_ref().filter(|_| failed).unwrap_or(&image.answer);
                page(*status, body.replace("{pod}", asked.pod))
            }
            Self::Hostname => page(200, asked.pod.to_owned()),
            Self::Static => page(200, String::new()),
            Self::Liveness if asked.path == "/healthz" && asked.age > HEALTHY => {
                page(500, format!("error: {}", asked.age.as_secs_f64()))
            }
            Self::Liveness => page(200, "ok".to_owned()),
            Self::Netexec => netexec(asked),
        }
    }
}

fn netexec(asked: Asked<'_>) -> Page {
    let page = |status: u16, body: &str| Page { status, body: body.to_owned(), exit: None };
    match asked.path {
        "/hostname" | "/hostName" => page(200, asked.pod),
        "/clientip" => page(200, asked.client),
        "/echo" => page(200, asked.query.strip_prefix("msg=").unwrap_or_default()),
        "/healthz" | "/readyz" => page(200, ""),
        "/exit" => {
            let code = asked.query.split('&').find_map(|part| part.strip_prefix("code=")?.parse().ok());
            Page { exit: Some(code.unwrap_or(0)), ..page(200, "") }
        }
        "/shutdown" => Page { exit: Some(0), ..page(200, "") },
        "/" => page(200, "NOW: 1970-01-01 00:00:00 +0000 UTC"),
        _ => page(404, "404 page not found\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn answer(site: Site, path: &str, query: &str, age: u64) -> (u16, String, Option<i32>) {
        let image = Catalogue::load(None).unwrap().find("luksa/kubia:v3").unwrap();
        let asked = Asked { path, query, number: age, client: "127.0.0.9", pod: "p", age: Duration::from_secs(age) };
        let page = site.answer(&image, asked);
        (page.status, page.body, page.exit)
    }

    #[test]
    fn each_site_has_its_own_answers() {
        let text = |body: &str| body.to_owned();
        assert_eq!(answer(Site::Image, "/", "", 0), (200, text("This is v3 running in pod p\n"), None));
        assert_eq!(answer(Site::Image, "/", "", 9).0, 500);
        assert_eq!(answer(Site::Hostname, "/x", "", 0), (200, text("p"), None));
        assert_eq!(answer(Site::Netexec, "/echo", "msg=hi", 0), (200, text("hi"), None));
        assert_eq!(answer(Site::Netexec, "/exit", "code=3", 0), (200, text(""), Some(3)));
        assert_eq!(answer(Site::Netexec, "/nothing", "", 0).0, 404);
        assert_eq!(
            (answer(Site::Liveness, "/healthz", "", 9).0, answer(Site::Liveness, "/healthz", "", 11).0),
            (200, 500)
        );
    }
}

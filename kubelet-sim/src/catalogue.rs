//! The catalogue of simulated images: their pull and start times, their answers, and their failures.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use squall_api::{duration, manifest};

/// The built-in images.
const BUILT_IN: &str = include_str!("../../examples/images.yaml");

/// The images that are known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    images: Vec<Image>,
    /// The treatment of other images.
    #[serde(skip)]
    others: Others,
}

/// The treatment of an image that the catalogue does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Others {
    /// It runs as a small server that is named after its tag.
    #[default]
    Run,
    /// It cannot be pulled.
    Refuse,
}

/// A simulated image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// The name with its tag. The tag `*` stands for every tag.
    pub name: String,
    /// Whether it cannot be pulled.
    #[serde(default)]
    pub missing: bool,
    /// The kind of program in it.
    #[serde(default)]
    pub nature: Nature,
    /// How long the first pull on a node takes.
    #[serde(default, deserialize_with = "read_duration")]
    pub pull_time: Duration,
    /// How long a running container takes until it listens.
    #[serde(default, deserialize_with = "read_duration")]
    pub start_time: Duration,
    /// The port it listens on; `None` for those that its containers declare.
    #[serde(default)]
    pub port: Option<u16>,
    /// The answer to each HTTP request.
    #[serde(default)]
    pub answer: Answer,
    /// Number of requests after which it fails; `None` for never.
    #[serde(default)]
    pub fail_after_requests: Option<u64>,
    /// The answer once it fails; `None` for the normal answer.
    #[serde(default)]
    pub failure: Option<Answer>,
    /// Time after which it exits by itself; `None` for never.
    #[serde(default, deserialize_with = "read_optional_duration")]
    pub exit_after: Option<Duration>,
    /// The exit code when it exits by itself.
    #[serde(default)]
    pub exit_code: i32,
    /// Its reaction to SIGTERM.
    #[serde(default)]
    pub shutdown: Shutdown,
    /// The results of the commands that probes and hooks run in it.
    #[serde(default)]
    exec: Vec<Exec>,
}

/// The kind of program in an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nature {
    /// A server, which is its entry point.
    #[default]
    Server,
    /// A shell: `args` are its command, and without one it ends at once.
    Shell,
    /// A process that does nothing until it is told to end.
    Pause,
    /// agnhost, the image of Kubernetes' own tests: `args` are its subcommand.
    Agnhost,
}

/// The result of a command. A command without an entry succeeds without output.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Exec {
    /// The command with its arguments, separated by single spaces.
    command: String,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    output: String,
    /// How long the container must have run for this entry to apply.
    #[serde(default, deserialize_with = "read_duration")]
    after: Duration,
}

impl Image {
    /// The port of an image that names none, in a container that names none.
    pub const USUAL_PORT: u16 = 8080;

    /// An image that nobody described: a small server that is named after its tag.
    fn undescribed(name: &str) -> Self {
        let tag = name.rsplit('/').next().and_then(|last| last.split_once([':', '@'])).map_or("latest", |(_, tag)| tag);
        Self {
            name: name.to_owned(),
            missing: false,
            nature: Nature::Server,
            pull_time: Duration::from_millis(300),
            start_time: Duration::from_millis(100),
            port: None,
            answer: Answer { status: 200, body: format!("This is {tag} running in pod {{pod}}\n") },
            fail_after_requests: None,
            failure: None,
            exit_after: None,
            exit_code: 0,
            shutdown: Shutdown::default(),
            exec: Vec::new(),
        }
    }

    /// Returns the exit code and the output of a command in a container of this age. If several entries apply, the one
    /// with the highest `after` wins.
    #[must_use]
    pub fn exec(&self, command: &str, age: Duration) -> (i32, String) {
        let entries = self.exec.iter().filter(|exec| exec.command == command && exec.after <= age);
        entries
            .max_by_key(|exec| exec.after)
            .map_or_else(Default::default, |exec| (exec.exit_code, exec.output.clone()))
    }
}

/// An HTTP answer; `{pod}` in the body stands for the pod's name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status, 200 to 599.
    #[serde(deserialize_with = "read_status")]
    pub status: u16,
    /// The body, with `{pod}` as a placeholder.
    pub body: String,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, body: String::new() }
    }
}

/// The reaction of a container to SIGTERM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shutdown {
    /// Ends immediately, as most programs do.
    #[default]
    Immediate,
    /// Serves until no new requests arrive, then ends.
    Drain,
    /// Keeps running until it is killed.
    Ignore,
}

fn read_status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    match status {
        200..=599 => Ok(status),
        other => Err(serde::de::Error::custom(format!("invalid HTTP status {other}: use 200 to 599"))),
    }
}

fn read_duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn read_optional_duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    read_duration(deserializer).map(Some)
}

impl Catalogue {
    /// Loads the images of a file, if one is given, followed by the built-in ones. Others run.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut images = Vec::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            images = Self::parse(&text).with_context(|| format!("reading the images of {}", path.display()))?.images;
        }
        images.extend(Self::parse(BUILT_IN).context("reading the built-in images")?.images);
        Ok(Self { images, others: Others::Run })
    }

    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let value = manifest::parse(text).map_err(anyhow::Error::msg)?;
        Ok(serde_json::from_value(value)?)
    }

    /// The same images, and this for others.
    #[must_use]
    pub fn with_others(self, others: Others) -> Self {
        Self { others, ..self }
    }

    /// Finds the image with this name. A missing tag means `latest`. `None` if it cannot be pulled.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Image> {
        let short = shortened(name);
        let described = self.images.iter().find(|image| image.name == name || describes(shortened(&image.name), short));
        let by_name = described.filter(|image| !image.name.ends_with(":*"));
        match (described, self.others) {
            _ if by_name.is_none() && says_missing(short) => None,
            (Some(image), _) => Some(image.clone()).filter(|image| !image.missing),
            (None, Others::Run) => Some(Image::undescribed(name)),
            (None, Others::Refuse) => None,
        }
    }
}

/// Removes the registry and the folder that Docker adds to a name without any.
fn shortened(name: &str) -> &str {
    let name = ["docker.io/", "index.docker.io/"].iter().find_map(|host| name.strip_prefix(host)).unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// Words in a tag or a name by which people mean an image that does not exist.
const MISSING: [&str; 8] =
    ["missing", "nonexistent", "non-existent", "nonexisting", "not-exist", "notexist", "notfound", "not-found"];

/// Whether an image says of itself that it does not exist: `nginx:does-not-exist`, `webserver:404`. A rollout to one
/// is meant to get stuck.
fn says_missing(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let words: Vec<&str> = last.split('@').next().unwrap_or(last).split([':', '.', '_']).collect();
    words.iter().any(|word| {
        let word = word.to_ascii_lowercase();
        word == "404" || MISSING.iter().any(|missing| word.contains(missing))
    })
}

/// Whether an entry of the catalogue is about an image: `nginx:*` about `nginx:1.27` and `nginx@sha256:…`.
fn describes(entry: &str, image: &str) -> bool {
    let parts = |name: &str| {
        let folder = name.rfind('/').map_or(0, |slash| slash.saturating_add(1));
        let tag = name.get(folder..).and_then(|last| last.find([':', '@'])).map(|at| folder.saturating_add(at));
        let (repository, tag) = name.split_at(tag.unwrap_or(name.len()));
        (repository.to_owned(), if tag.is_empty() { ":latest".to_owned() } else { tag.to_owned() })
    };
    let ((entry, tag), (image, other)) = (parts(entry), parts(image));
    entry == image && (tag == other || tag == ":*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_docs_is_read() {
        let docs = include_str!("../../docs/images.md");
        let example = docs.split("```").nth(1).and_then(|block| block.strip_prefix("yaml\n")).unwrap();
        let images = Catalogue::parse(example).unwrap().images;
        assert_eq!(
            images.iter().map(|image| image.name.as_str()).collect::<Vec<_>>(),
            ["mine/shop:v1", "mine/shop:v2", "mine/job:v1"]
        );
    }

    #[test]
    fn an_image_that_says_that_it_does_not_exist_cannot_be_pulled_unless_it_is_described_by_name() {
        let catalogue = Catalogue::load(None).unwrap();
        for name in [
            "webserver:404",
            "nginx:nonexistent",
            "nginx:1.161",
            "docker.io/library/nginx:does-not-exist",
            "gcr.io/google_samples/gb-redisslave:nonexistent",
            "example.com/no/such/not-found",
            "busybox:Missing",
        ] {
            assert!(catalogue.find(name).is_none(), "{name}");
        }
        for name in ["nginx:1.27", "missing.example.com/shop:1", "shop:1404", "shop:v404", "a/missing/b:1"] {
            assert!(catalogue.find(name).is_some(), "{name}");
        }
        let own = Catalogue::parse("images: [{name: 'shop:404'}]").unwrap();
        assert!(own.find("shop:404").is_some());
    }

    #[test]
    fn an_image_that_nobody_described_is_a_server_unless_all_must_be_described() {
        let catalogue = Catalogue::load(None).unwrap();
        for (name, tag) in [("mine:7", "7"), ("a.example.com:5000/x/mine", "latest"), ("mine:1@sha256:0", "1@sha256:0")]
        {
            let image = catalogue.find(name).unwrap();
            assert_eq!(image.answer.body, format!("This is {tag} running in pod {{pod}}\n"), "{name}");
        }
        let strict = catalogue.with_others(Others::Refuse);
        assert!(strict.find("mine:7").is_none() && strict.find("luksa/kubia:v1").is_some());
    }

    #[test]
    fn well_known_images_are_found_whatever_their_tag() {
        let catalogue = Catalogue::load(None).unwrap();
        for name in ["nginx", "nginx:1.27", "docker.io/library/nginx:alpine", "nginx@sha256:0"] {
            assert_eq!(catalogue.find(name).unwrap().port, Some(80), "{name}");
        }
        assert_eq!(catalogue.find("busybox:1.36").unwrap().nature, Nature::Shell);
        assert_eq!(catalogue.find("mine/nginx:1").unwrap().port, None, "another repository");
    }

    #[test]
    fn a_command_does_what_its_image_says() {
        let text = "images: [{name: a, answer: {status: 200, body: x}, exec: [
            {command: cat /tmp/healthy, exitCode: 1, output: \"No such file\", after: 30s},
            {command: cat /tmp/healthy, output: ok}]}]";
        let image = Catalogue::parse(text).unwrap().images.remove(0);
        let at = |seconds| image.exec("cat /tmp/healthy", Duration::from_secs(seconds));
        assert_eq!(at(29), (0, "ok".to_owned()));
        assert_eq!(at(30), (1, "No such file".to_owned()));
        assert_eq!(image.exec("ls", Duration::ZERO), (0, String::new()));
    }

    #[test]
    fn the_built_in_images_are_those_of_the_chapter() {
        let catalogue = Catalogue::load(None).unwrap();
        for tag in ["v1", "v2", "v3", "v4"] {
            assert!(catalogue.find(&format!("luksa/kubia:{tag}")).is_some());
        }
        assert!(catalogue.find("luksa/kubia").is_none());
        assert!(catalogue.find("luksa/kubia:v9").is_none(), "the tour needs one that is missing");
        assert_eq!(catalogue.find("docker.io/luksa/kubia:v1").unwrap().port, Some(8080));
        assert!(Catalogue::parse("images: [{name: a, anser: 1}]").is_err());
        let problem = Catalogue::parse("images: [{name: a, answer: {status: 99, body: x}}]").unwrap_err().to_string();
        assert!(problem.contains("invalid HTTP status 99"), "{problem}");
        assert!(Catalogue::load(Some(Path::new("/nowhere"))).unwrap_err().to_string().contains("/nowhere"));
    }
}

//! Selects the objects that a command works on: `TYPE`, `TYPE NAME...`, `TYPE/NAME...`, `TYPE,TYPE`.

use std::path::PathBuf;

use squall_api::labels::Selector;
use squall_api::{Kind, Object};
use squall_client::{Client, Reason, ResourceRef};

use crate::cli::SelectArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::kinds::Kinds;
use crate::manifests::{self, Depth};

/// The types of `ctl get all`.
const ALL: [Kind; 5] = [Kind::Pod, Kind::ReplicationController, Kind::Service, Kind::Deployment, Kind::ReplicaSet];

/// One type, with names or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub kind: Kind,
    /// Empty: all objects of the type.
    pub names: Vec<String>,
}

/// Whether a command names kinds that may be users' own.
fn may_be_custom(words: &[String]) -> bool {
    let is_slashed = words.iter().any(|word| word.contains('/'));
    let kinds = words.iter().take(if is_slashed { usize::MAX } else { 1 });
    kinds
        .flat_map(|word| word.split('/').next())
        .flat_map(|word| word.split(','))
        .any(|word| Kind::of_word(word).is_none())
}

/// Parses the words of a command.
pub async fn parse(context: &Context, words: &[String]) -> Result<Vec<Target>, Failure> {
    if may_be_custom(words) { parse_with(context.kinds().await?, words) } else { parse_with(&Kinds::default(), words) }
}

fn kind(kinds: &Kinds, word: &str) -> Result<Kind, Failure> {
    kinds.of_word(word).ok_or_else(|| Failure::error(format!("the server doesn't have a resource type {word:?}")))
}

/// Parses the words of a command, when these kinds are defined.
fn parse_with(known: &Kinds, words: &[String]) -> Result<Vec<Target>, Failure> {
    let Some((first, rest)) = words.split_first() else {
        return Err(Failure::plain(
            "You must specify the type of resource to get. Use \"ctl api-resources\" for a complete list of supported resources.\n\n\
             error: Required resource not specified.\nUse \"ctl explain <resource>\" for a detailed description of that resource \
             (e.g. ctl explain pods).\nSee 'ctl get -h' for help and examples",
        ));
    };
    if words.iter().any(|word| word.contains('/')) {
        return words.iter().map(|word| with_slash(known, word)).collect();
    }
    let mut targets: Vec<Target> = Vec::new();
    for word in first.split(',') {
        let kinds = match word {
            "all" => [ALL.to_vec(), known.in_category("all")].concat(),
            word => vec![kind(known, word)?],
        };
        targets.extend(kinds.into_iter().map(|kind| Target { kind, names: rest.to_vec() }));
    }
    Ok(targets)
}

fn with_slash(known: &Kinds, word: &str) -> Result<Target, Failure> {
    match word.split_once('/') {
        Some((kind_word, name)) if !name.is_empty() && !name.contains('/') => {
            Ok(Target { kind: kind(known, kind_word)?, names: vec![name.to_owned()] })
        }
        Some(_) => Err(Failure::error("arguments in resource/name form may not have more than one slash")),
        None => Err(Failure::error(
            "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form \
             (e.g. 'ctl get resource/<resource_name>' instead of 'ctl get resource resource/<resource_name>'",
        )),
    }
}

/// Parses words, each of which must name an object.
pub async fn parse_named(context: &Context, words: &[String]) -> Result<Vec<Target>, Failure> {
    named(parse(context, words).await?)
}

fn named(targets: Vec<Target>) -> Result<Vec<Target>, Failure> {
    if targets.iter().any(|target| target.names.is_empty()) {
        return Err(Failure::error("resource(s) were provided, but no name was specified"));
    }
    Ok(targets)
}

/// The namespaces that a command looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespaces {
    /// The one of the context.
    Current,
    /// All of them.
    All,
}

impl Namespaces {
    /// Reads the flag `--all-namespaces`.
    pub const fn of(all_namespaces: bool) -> Self {
        if all_namespaces { Self::All } else { Self::Current }
    }
}

/// The namespace of objects of a kind; empty for cluster-scoped kinds, and for all namespaces.
pub fn namespace_of(kind: Kind, context: &Context, namespaces: Namespaces) -> String {
    match namespaces {
        Namespaces::Current if kind.info().is_namespaced() => context.namespace.clone(),
        Namespaces::Current | Namespaces::All => String::new(),
    }
}

/// A selection of objects by words, labels, fields or files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    pub what: &'a [String],
    pub filename: &'a [PathBuf],
    pub selector: Option<&'a str>,
    pub field_selector: Option<&'a str>,
    /// Whether a type without a name stands for all its objects.
    pub all: bool,
    pub all_namespaces: bool,
}

impl<'a> Wanted<'a> {
    /// Selects by words and flags, or by files.
    pub fn of(select: &'a SelectArgs, filename: &'a [PathBuf]) -> Self {
        Self {
            what: &select.what,
            filename,
            selector: select.selector.as_deref(),
            field_selector: select.field_selector.as_deref(),
            all: false,
            all_namespaces: select.all_namespaces,
        }
    }
}

/// A selected object, and the file that defines it, if any.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub resource: ResourceRef,
    pub file: Option<String>,
}

/// Returns the selected objects, in the order of the arguments. A type alone needs `--all` or a selector.
pub async fn choose(
    context: &Context,
    wanted: Wanted<'_>,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Chosen>, Failure> {
    if !wanted.filename.is_empty() {
        if !wanted.what.is_empty() {
            return Err(Failure::error(
                "when paths, URLs, or stdin is provided as resource input, you may not specify resource arguments as well",
            ));
        }
        if wanted.field_selector.is_some() {
            return Err(Failure::error("--field-selector cannot be used with -f"));
        }
        let selector = Selector::parse(wanted.selector.unwrap_or_default()).map_err(Failure::error)?;
        let mut documents = manifests::read(context, wanted.filename, Depth::Folder, failures).await?;
        documents.retain(|document| selector.matches(&document.labels()));
        let chosen =
            documents.iter().map(|document| Chosen { resource: document.object(), file: Some(document.file.clone()) });
        return Ok(chosen.collect());
    }
    let mut chosen = Vec::new();
    for target in parse(context, wanted.what).await? {
        let namespace = namespace_of(target.kind, context, Namespaces::of(wanted.all_namespaces));
        let labelled = wanted.selector.is_some() || wanted.field_selector.is_some();
        if !target.names.is_empty() {
            if labelled {
                return Err(Failure::error("name cannot be provided when a selector is specified"));
            }
            let named = |name: &String| ResourceRef::object(target.kind, &namespace, name);
            chosen.extend(target.names.iter().map(|name| Chosen { resource: named(name), file: None }));
            continue;
        }
        if !labelled && !wanted.all {
            return Err(Failure::error("resource(s) were provided, but no name was specified"));
        }
        let objects = list(context, target.kind, &namespace, (wanted.selector, wanted.field_selector)).await?;
        let named = |object: &Object| ResourceRef::object(target.kind, &object.meta().namespace, &object.meta().name);
        chosen.extend(objects.iter().map(|object| Chosen { resource: named(object), file: None }));
    }
    Ok(chosen)
}

/// Fetches the chosen objects. API errors, like missing objects, are added to `failures`.
pub async fn fetch_chosen(
    context: &Context,
    chosen: Vec<Chosen>,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Object>, Failure> {
    found(context, chosen.into_iter().map(|chosen| chosen.resource), failures).await
}

/// Fetches objects. API errors, like missing objects, are added to `failures`.
async fn found(
    context: &Context,
    wanted: impl Iterator<Item = ResourceRef>,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Object>, Failure> {
    let mut objects = Vec::new();
    for resource in wanted {
        match get(&context.client, resource.kind, &resource.namespace, &resource.name).await {
            Ok(object) => objects.push(context.adopted(object)),
            Err(error) if matches!(error, squall_client::Error::Api(_)) => failures.push(error.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(objects)
}

/// The message for an empty result.
pub fn nothing_found(context: &Context, targets: &[Target], namespaces: Namespaces) -> String {
    match targets.iter().any(|target| target.kind.info().is_namespaced()) && namespaces == Namespaces::Current {
        true => format!("No resources found in {} namespace.", context.namespace),
        false => "No resources found".to_owned(),
    }
}

/// Fetches the objects of a target. API errors of named objects, like missing ones, are added to `failures`.
pub async fn fetch(
    context: &Context,
    target: &Target,
    args: &SelectArgs,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Object>, Failure> {
    let namespace = namespace_of(target.kind, context, Namespaces::of(args.all_namespaces));
    if target.names.is_empty() {
        return list(context, target.kind, &namespace, (args.selector.as_deref(), args.field_selector.as_deref()))
            .await;
    }
    if args.selector.is_some() {
        return Err(Failure::error("name cannot be provided when a selector is specified"));
    }
    found(context, target.names.iter().map(|name| ResourceRef::object(target.kind, &namespace, name)), failures).await
}

/// Lists the objects with these labels and fields.
async fn list(
    context: &Context,
    kind: Kind,
    namespace: &str,
    (labels, fields): (Option<&str>, Option<&str>),
) -> Result<Vec<Object>, Failure> {
    let (labels, fields) = (labels.unwrap_or_default(), fields.unwrap_or_default());
    let listed = context.client.list(&ResourceRef::collection(kind, namespace), labels, fields, "").await;
    let adopted = |objects: Vec<Object>| objects.into_iter().map(|object| context.adopted(object)).collect();
    listed.map(|(_, objects)| adopted(objects)).map_err(|error| unable(kind, labels, fields, error))
}

/// kubectl: when the server refuses the selectors of a list, the message shows them.
fn unable(kind: Kind, labels: &str, fields: &str, error: squall_client::Error) -> Failure {
    let squall_client::Error::Api(api) = &error else { return error.into() };
    if !api.is(Reason::BadRequest) {
        return error.into();
    }
    let info = kind.info();
    let resource = format!("{}/{}, Resource={}", info.group, info.version, info.plural);
    let text = format!(
        "Unable to find {resource:?} that match label selector {labels:?}, field selector {fields:?}: {}",
        api.status.message
    );
    squall_client::Error::from(squall_api::Error::bad_request(text)).into()
}

/// Fetches one object.
pub async fn get(client: &Client, kind: Kind, namespace: &str, name: &str) -> Result<Object, squall_client::Error> {
    let any = client.get(&ResourceRef::object(kind, namespace, name), "").await?;
    Ok(Object::from_any(&any)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[String]) -> Result<Vec<Target>, Failure> {
        parse_with(&Kinds::default(), words)
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn targets_are_read_as_by_kubectl() {
        let target =
            |kind, names: &[&str]| Target { kind, names: names.iter().map(|name| (*name).to_owned()).collect() };
        assert_eq!(parse(&words("svc,po")).unwrap(), [target(Kind::Service, &[]), target(Kind::Pod, &[])]);
        assert_eq!(parse(&words("po a b")).unwrap(), [target(Kind::Pod, &["a", "b"])]);
        assert_eq!(parse(&words("po/a svc/b")).unwrap(), [target(Kind::Pod, &["a"]), target(Kind::Service, &["b"])]);
        assert_eq!(parse(&words("cm,all")).unwrap().len(), 1 + ALL.len());
        for bad in ["foo", "po po/a", "po/", "po/a/b"] {
            assert!(parse(&words(bad)).is_err(), "{bad}");
        }
        assert!(named(parse(&words("po")).unwrap()).is_err());
        assert!(may_be_custom(&words("po,ct")) && may_be_custom(&words("ct/x")) && !may_be_custom(&words("po ct")));
    }
}

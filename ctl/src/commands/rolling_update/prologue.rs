//! Before the first pod moves: prepares the new controller, and labels the old pods to tell them from the new ones.

use squall_api::Kind;
use squall_api::core::v1::{Container, ReplicationController};
use squall_api::decode::{self, FieldValidation};

use super::NEXT;
use super::controllers::{Controllers, hash, without_server_fields};
use super::steps::Steps;
use crate::cli::RollingUpdateArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::manifests::{self, Depth};
use crate::output::{line, warnings};

/// The two controllers of an update.
pub struct Prepared {
    pub old: ReplicationController,
    pub new: ReplicationController,
}

/// Finds or builds the new controller. With an image, also labels the old one and its pods: even with `--dry-run`, as
/// kubectl did.
pub async fn prepare(
    controllers: &Controllers,
    context: &Context,
    args: &RollingUpdateArgs,
    old: ReplicationController,
    steps: &mut Steps,
) -> Result<Prepared, Failure> {
    let new_name =
        args.names.get(1).cloned().or_else(|| old.metadata.annotations.get(NEXT).cloned()).unwrap_or_default();
    if args.rollback {
        let new = controllers.find(&new_name).await?;
        let new = new.ok_or_else(|| Failure::error(format!("Could not find {new_name} to rollback.")))?;
        return Ok(Prepared { old, new });
    }
    if args.image.is_empty() {
        let new = from_file(context, args, &old).await?;
        return Ok(Prepared { old, new });
    }
    let existing = if new_name.is_empty() { None } else { controllers.find(&new_name).await? };
    let new = match existing {
        Some(new) => {
            check_image(&new, &args.image)?;
            line(&format!("Found existing update in progress ({}), resuming.", new.metadata.name));
            new
        }
        None => {
            let current = controllers.get(&old.metadata.name).await?;
            made_from(current, &new_name, args).map_err(Failure::error)?
        }
    };
    let value = format!("{}-orig", hash(&old));
    let old = point_to_next(controllers, old, &new.metadata.name, &args.deployment_label_key, &value, steps).await?;
    Ok(Prepared { old, new })
}

fn check_image(new: &ReplicationController, image: &str) -> Result<(), Failure> {
    let containers = new.spec.template.as_ref().map(|template| template.spec.containers.as_slice()).unwrap_or_default();
    let current = containers.first().map_or("", |container| &container.image);
    if current == image {
        return Ok(());
    }
    Err(Failure::error(format!(
        "Found existing in-progress update to image ({current}).\nEither continue in-progress update with --image={current} or rollback \
         with --rollback"
    )))
}

/// Builds the new controller: the old one with another image, its own label and a new name.
fn made_from(
    current: ReplicationController,
    name: &str,
    args: &RollingUpdateArgs,
) -> Result<ReplicationController, String> {
    let (mut new, key) = (current, &args.deployment_label_key);
    let template = new.spec.template.as_mut().ok_or("the controller has no pod template")?;
    let container = choose(&mut template.spec.containers, &args.container)?;
    if container.image == args.image && args.image_pull_policy.is_empty() {
        return Err("--image-pull-policy (Always|Never|IfNotPresent) must be provided when --image is the same as existing container \
                    image"
            .to_owned());
    }
    container.image.clone_from(&args.image);
    if !args.image_pull_policy.is_empty() {
        container.image_pull_policy.clone_from(&args.image_pull_policy);
    }
    let hash = hash(&new);
    new.metadata.name = if name.is_empty() { format!("{}-{hash}", new.metadata.name) } else { name.to_owned() };
    new.spec.selector.insert(key.clone(), hash.clone());
    if let Some(template) = new.spec.template.as_mut() {
        template.metadata.labels.insert(key.clone(), hash);
    }
    without_server_fields(&mut new.metadata);
    Ok(new)
}

fn choose<'a>(containers: &'a mut [Container], name: &str) -> Result<&'a mut Container, String> {
    match (containers.len(), name.is_empty()) {
        (0, _) => Err("pod has no containers!".to_owned()),
        (1, true) => Ok(&mut containers[0]),
        (_, true) => Err("must specify container to update when updating a multi-container pod".to_owned()),
        (_, false) => {
            let found = containers.iter_mut().find(|container| container.name == name);
            found.ok_or_else(|| format!("container {name} not found in pod"))
        }
    }
}

/// Reads the new controller from a file. Without a size, it gets the old one's.
async fn from_file(
    context: &Context,
    args: &RollingUpdateArgs,
    old: &ReplicationController,
) -> Result<ReplicationController, Failure> {
    let validation = FieldValidation::parse(manifests::validation(&args.validate)?)?;
    let mut failures = Vec::new();
    let documents = manifests::read(context, &args.filename, Depth::Folder, &mut failures).await?;
    Failure::all(failures)?;
    let file = args.filename.first().map(|file| file.display().to_string()).unwrap_or_default();
    let document = match documents.as_slice() {
        [] => return Err(Failure::error(format!("please make sure {file} exists and is not empty"))),
        [one] => one,
        _ => return Err(Failure::error(format!("{file} specifies multiple items"))),
    };
    if document.kind != Kind::ReplicationController {
        return Err(Failure::error(format!(
            "{file} contains a {} not a ReplicationController",
            document.kind.info().kind
        )));
    }
    let decoded = decode::from_json(document.kind, document.json.clone(), validation)?;
    warnings(&decoded.warnings);
    let object = decoded.object;
    let mut new = ReplicationController::try_from(object).map_err(|kind| {
        Failure::error(format!("{file} contains a {} not a ReplicationController", kind.info().kind))
    })?;
    new.metadata.namespace.clone_from(&document.namespace);
    let labels = new.spec.template.as_ref().map(|template| template.metadata.labels.clone()).unwrap_or_default();
    if new.spec.selector.is_empty() {
        new.spec.selector = labels;
    }
    new.spec.replicas = new.spec.replicas.or(old.spec.replicas);
    Ok(new)
}

/// Records the new controller's name on the old one, and adds a label that the new pods will not have: first to the old
/// template, then to the existing pods, then to the old selector. Pods are never without a controller.
async fn point_to_next(
    controllers: &Controllers,
    old: ReplicationController,
    next: &str,
    key: &str,
    value: &str,
    steps: &mut Steps,
) -> Result<ReplicationController, Failure> {
    let note = |controller: &mut ReplicationController| {
        controller.metadata.annotations.insert(NEXT.to_owned(), next.to_owned());
    };
    if old.spec.selector.contains_key(key) {
        let old = controllers.change(old, note).await?;
        steps.passed("next");
        return Ok(old);
    }
    let mut old = old;
    // Only in memory: a conflict loses it.
    note(&mut old);
    let old = controllers
        .change(old, |controller| {
            if let Some(template) = controller.spec.template.as_mut() {
                template.metadata.labels.insert(key.to_owned(), value.to_owned());
            }
        })
        .await?;
    steps.passed("template");
    for pod in controllers.pods_of(&old).await? {
        controllers.change_pod(pod, |pod| drop(pod.metadata.labels.insert(key.to_owned(), value.to_owned()))).await?;
        steps.passed("pod");
    }
    let old = controllers
        .change(old, |controller| drop(controller.spec.selector.insert(key.to_owned(), value.to_owned())))
        .await?;
    steps.passed("selector");
    // Delete pods that the controller made meanwhile from its old template. (There are none, since the list has only
    // pods with the label. kubectl checks nevertheless.)
    for pod in controllers.pods_of(&old).await? {
        if pod.metadata.labels.get(key).is_none_or(|label| label != value) {
            controllers.delete_pod(&pod.metadata.name).await?;
        }
    }
    Ok(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodTemplateSpec;

    fn containers(names: &[&str]) -> Vec<Container> {
        names.iter().map(|name| Container { name: (*name).to_owned(), ..Container::default() }).collect()
    }

    #[test]
    fn the_container_is_the_only_one_or_the_one_named() {
        assert_eq!(choose(&mut containers(&["a"]), "").unwrap().name, "a");
        assert_eq!(choose(&mut containers(&["a", "b"]), "b").unwrap().name, "b");
        let refused = |names: &[&str], name| choose(&mut containers(names), name).unwrap_err();
        assert!(refused(&["a", "b"], "").contains("multi-container"));
        assert_eq!(refused(&["a"], "c"), "container c not found in pod");
        assert!(refused(&[], "").contains("no containers"));
    }

    #[test]
    fn a_new_controller_has_the_image_a_label_and_a_name() {
        let mut old = ReplicationController::default();
        old.metadata.name = "kubia-v1".to_owned();
        old.metadata.uid = "u".to_owned();
        old.metadata.resource_version = "7".to_owned();
        let template = PodTemplateSpec {
            spec: squall_api::core::v1::PodSpec { containers: containers(&["nodejs"]), ..Default::default() },
            ..PodTemplateSpec::default()
        };
        old.spec.template = Some(template);
        let args = RollingUpdateArgs {
            names: vec!["kubia-v1".to_owned()],
            image: "luksa/kubia:v2".to_owned(),
            container: String::new(),
            image_pull_policy: String::new(),
            deployment_label_key: "deployment".to_owned(),
            filename: Vec::new(),
            rollback: false,
            dry_run: false,
            update_period: Default::default(),
            poll_interval: Default::default(),
            timeout: Default::default(),
            validate: String::new(),
            output: None,
            stop_after: None,
        };
        let new = made_from(old.clone(), "", &args).unwrap();
        let label = &new.spec.selector["deployment"];
        assert_eq!((label.len(), new.metadata.name.clone()), (32, format!("kubia-v1-{label}")));
        assert_eq!(new.spec.template.as_ref().unwrap().metadata.labels["deployment"], *label);
        assert!(new.metadata.uid.is_empty() && new.metadata.resource_version.is_empty());
        assert_eq!(made_from(old, "kubia-v2", &args).unwrap().metadata.name, "kubia-v2");
        let again = made_from(new, "x", &args).unwrap_err();
        assert!(again.starts_with("--image-pull-policy"), "{again}");
    }
}

//! Images: decides whether one has to be pulled, and records the events of the pull.

use std::time::Duration;

use squall_api::duration;
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_client::events::Recorder;
use squall_proto::squall::cri::v1 as cri;
use tokio::time::Instant;

use super::runtime_client::Runtime;
use crate::lifecycle::PullFailure;

/// Obtains an image for a container.
pub struct Puller {
    pub runtime: Runtime,
    pub recorder: Recorder,
    /// The container that the events refer to.
    pub object: ObjectId,
    pub image: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub policy: String,
}

impl Puller {
    /// Returns the id of the image once it is present on the node.
    pub async fn get(self) -> Result<String, PullFailure> {
        if let Some(problem) = invalid(&self.image) {
            self.tell(EventType::Warning, "InspectFailed", problem.clone());
            return Err(self.failed("InvalidImageName", problem));
        }
        let request = cri::ImageStatusRequest { image: self.image.clone() };
        let status = self.runtime.clone().image_status(request).await.map_err(|status| PullFailure {
            reason: "ImageInspectError",
            message: format!("Failed to inspect image {:?}: {}", self.image, status.message()),
        })?;
        let status = status.into_inner();
        match self.policy.as_str() {
            "Never" | "IfNotPresent" if status.present => {
                let message = format!("Container image {:?} already present on machine", self.image);
                self.tell(EventType::Normal, "Pulled", message);
                Ok(status.image_id)
            }
            "Never" => {
                let message = format!("Container image {:?} is not present with pull policy of Never", self.image);
                self.tell(EventType::Warning, "ErrImageNeverPull", message.clone());
                Err(self.failed("ErrImageNeverPull", message))
            }
            _ => self.pull().await,
        }
    }

    async fn pull(self) -> Result<String, PullFailure> {
        let start = Instant::now();
        self.tell(EventType::Normal, "Pulling", format!("Pulling image {:?}", self.image));
        match self.runtime.clone().pull_image(cri::PullImageRequest { image: self.image.clone() }).await {
            Ok(reply) => {
                let reply = reply.into_inner();
                let took = Duration::from_nanos(u64::try_from(reply.pull_nanos).unwrap_or(0));
                let message = format!(
                    "Successfully pulled image {:?} in {} ({} including waiting). Image size: {} bytes.",
                    self.image,
                    duration::format(took),
                    duration::format(start.elapsed()),
                    reply.size_bytes
                );
                self.tell(EventType::Normal, "Pulled", message);
                Ok(reply.image_id)
            }
            Err(status) => {
                let message = format!("Failed to pull image {:?}: {}", self.image, status.message());
                self.tell(EventType::Warning, "Failed", message);
                Err(self.failed("ErrImagePull", status.message().to_owned()))
            }
        }
    }

    fn failed(&self, reason: &'static str, message: String) -> PullFailure {
        self.tell(EventType::Warning, "Failed", format!("Error: {reason}"));
        PullFailure { reason, message }
    }

    fn tell(&self, event_type: EventType, reason: &'static str, message: String) {
        self.recorder.record(Happening { object: self.object.clone(), event_type, reason, message });
    }
}

/// Returns the problem with an image name, in Kubernetes' words; `None` if the name is valid.
fn invalid(image: &str) -> Option<String> {
    let repository = image.split('@').next().unwrap_or(image);
    let (path, tag) = match repository.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (repository, "latest"),
    };
    // The first part may be a registry's host, with a port and capital letters.
    let parts: Vec<&str> = path.split('/').collect();
    let host = parts.len() > 1 && parts[0].contains(['.', ':']);
    let wrong = |part: &&str| {
        let odd = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
        part.is_empty() || part.contains(odd)
    };
    let bad_tag = tag.is_empty() || tag.contains(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    let problem = match parts.iter().skip(usize::from(host)).find(|part| wrong(part)) {
        Some(part) if part.contains(|c: char| c.is_ascii_uppercase()) => {
            format!("invalid reference format: repository name ({path}) must be lowercase")
        }
        Some(_) => "invalid reference format".to_owned(),
        None if bad_tag => "invalid reference format".to_owned(),
        None => return None,
    };
    Some(format!("Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_checked() {
        for good in
            ["luksa/kubia:v1", "busybox", "Registry.example.com:5000/a/b:V1", "a@sha256:0123", "localhost:5000/x"]
        {
            assert_eq!(invalid(good), None, "{good}");
        }
        for bad in ["", "a//b", "Luksa/kubia", "a:", "a b", "a:b c"] {
            assert!(invalid(bad).is_some(), "{bad}");
        }
        assert!(invalid("Luksa/Kubia").unwrap().ends_with("repository name (Luksa/Kubia) must be lowercase"));
    }
}

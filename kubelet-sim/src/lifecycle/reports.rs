//! The outcomes of the steps and probes of containers, as the pod's views take them in.

/// The failure of a probe or a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The container did not pass it.
    Failed(String),
    /// It could not be run.
    Error(String),
}

/// The failure to obtain an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullFailure {
    /// The reason in the container's waiting state: `ErrImagePull`.
    pub reason: &'static str,
    /// The message in the container's waiting state.
    pub message: String,
}

/// The failure to start a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartProblem {
    /// A volume that the container mounts cannot be prepared.
    Volume(String),
    /// The source of an environment variable does not exist.
    Config(String),
    /// The runtime returned an error.
    Runtime(String),
}

//! The phases of the demo, by the notes of its run.

use crate::stage::Note;

/// Where the demo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// The processes are starting.
    #[default]
    Starting,
    /// The first version is rolling out.
    Deploying,
    /// The second version is rolling out, under load.
    RollingOut,
    /// Both leaders were killed; the rollout goes on.
    Leaderless,
    /// The killed members are starting again.
    Rejoining,
}

impl Phase {
    /// The phase that a note begins, if it begins one.
    #[must_use]
    pub fn of(note: &Note) -> Option<Self> {
        let begins = [
            ("$ ctl create", Self::Deploying),
            ("$ ctl set image", Self::RollingOut),
            ("injected: kill controller-leader", Self::Leaderless),
            ("healed: kill controller-leader", Self::Rejoining),
        ];
        begins.into_iter().find(|(text, _)| note.text.starts_with(text)).map(|(_, phase)| phase)
    }

    /// The phase in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting the cluster",
            Self::Deploying => "deploying v1",
            Self::RollingOut => "rolling out v2 under load",
            Self::Leaderless => "both leaders killed, rolling on",
            Self::Rejoining => "the killed members are back, judging every revision",
        }
    }
}

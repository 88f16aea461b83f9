//! Conflicts of an apply with other managers.

use squall_proto::meta::v1::{StatusCause, StatusDetails};

use crate::error::{Error, Reason};

/// A field that another manager owns with a different value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The manager, as messages name it: `"kubectl" using apps/v1`.
    pub manager: String,
    /// The path of the field: `.spec.replicas`.
    pub path: String,
}

/// The treatment of fields that other managers own with different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// The apply is refused.
    Refuse,
    /// The apply takes them over (`force`).
    TakeOver,
}

impl OnConflict {
    /// Reads the API's parameter `force`.
    #[must_use]
    pub const fn of(force: bool) -> Self {
        if force { Self::TakeOver } else { Self::Refuse }
    }
}

impl Error {
    /// Applying would change fields that other managers own.
    #[must_use]
    pub fn apply_conflict(conflicts: &[Conflict]) -> Self {
        let causes = conflicts.iter().map(|conflict| StatusCause {
            reason: "FieldManagerConflict".to_owned(),
            message: format!("conflict with {}", conflict.manager),
            field: conflict.path.clone(),
        });
        let details = StatusDetails { causes: causes.collect(), ..StatusDetails::default() };
        let message = match conflicts {
            [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.path),
            many => {
                let mut managers: Vec<&str> = many.iter().map(|conflict| conflict.manager.as_str()).collect();
                managers.sort_unstable();
                managers.dedup();
                let mut lines = Vec::new();
                for manager in managers {
                    lines.push(format!("conflicts with {manager}:"));
                    lines.extend(many.iter().filter(|c| c.manager == manager).map(|c| format!("- {}", c.path)));
                }
                format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
            }
        };
        Self::new(Reason::Conflict, message, Some(details))
    }
}

//! Computes the next number of replicas of each controller. Pure.

/// One extra pod and none missing: the command's fixed limits.
const MAX_SURGE: i32 = 1;
const MAX_UNAVAILABLE: i32 = 0;

/// The limits of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The number of pods at the end.
    pub desired: i32,
    /// The update itself never leaves fewer pods available.
    pub min_available: i32,
    /// Maximum number of pods of both controllers.
    pub max_total: i32,
}

/// The requested replicas of both controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The size of the old controller, which shrinks to 0.
    pub old: i32,
    /// The size of the new controller, which grows.
    pub new: i32,
}

impl Bounds {
    /// The bounds of an update to this many pods.
    pub fn of(desired: i32) -> Self {
        // If none has to stay available, all old pods may go at once.
        let min_available = (desired - MAX_UNAVAILABLE).max(0);
        Self { desired, min_available, max_total: desired.saturating_add(MAX_SURGE) }
    }

    /// The next size of the new controller; `None` if it stays.
    pub fn scale_up(self, sizes: Sizes) -> Option<i32> {
        let room = match sizes.old {
            0 => self.desired - sizes.new,
            _ => self.max_total.saturating_sub(sizes.old.saturating_add(sizes.new)),
        };
        (sizes.new != self.desired && room > 0).then(|| (sizes.new + room).min(self.desired))
    }

    /// The next size of the old controller, given the number of available new pods; `None` if it stays.
    pub fn scale_down(self, sizes: Sizes, new_available: i32) -> Option<i32> {
        let unavailable = sizes.new - new_available;
        let surplus =
            sizes.old.saturating_add(sizes.new).saturating_sub(self.min_available).saturating_sub(unavailable);
        if sizes.old == 0 || surplus <= 0 {
            return None;
        }
        let is_there = sizes.new == self.desired && new_available == self.desired;
        Some(if is_there { 0 } else { (sizes.old - surplus).max(0) })
    }

    /// Whether the update is complete.
    pub fn is_reached(self, sizes: Sizes) -> bool {
        sizes.new == self.desired && sizes.old == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes after each step, with every pod available at once.
    fn path(desired: i32, mut sizes: Sizes) -> Vec<(i32, i32)> {
        let bounds = Bounds::of(desired);
        let mut path = Vec::new();
        while !bounds.is_reached(sizes) && path.len() < 100 {
            sizes.new = bounds.scale_up(sizes).unwrap_or(sizes.new);
            sizes.old = bounds.scale_down(sizes, sizes.new).unwrap_or(sizes.old);
            path.push((sizes.old, sizes.new));
        }
        path
    }

    #[test]
    fn three_pods_are_moved_one_by_one() {
        assert_eq!(path(3, Sizes { old: 3, new: 0 }), [(2, 1), (1, 2), (0, 3)]);
        assert_eq!(path(3, Sizes { old: 2, new: 1 }), [(1, 2), (0, 3)]);
        assert_eq!(path(3, Sizes { old: 0, new: 1 }), [(0, 3)]);
        assert_eq!(path(0, Sizes { old: 2, new: 0 }), [(0, 0)]);
    }

    #[test]
    fn from_every_state_the_bounds_are_kept_and_the_end_is_reached() {
        for desired in 0..=8 {
            for old in 0..=8 {
                for new in 0..=desired {
                    let bounds = Bounds::of(desired);
                    let start = Sizes { old, new };
                    for available in 0..=new {
                        if let Some(size) = bounds.scale_up(start) {
                            assert!(size > new && size <= desired, "{start:?}");
                            assert!(old == 0 || old + size <= bounds.max_total, "{start:?}");
                        }
                        if let Some(size) = bounds.scale_down(start, available) {
                            // Old pods are assumed to be available.
                            assert!(
                                size < old && size + available >= bounds.min_available.min(old + available),
                                "{start:?}"
                            );
                        }
                    }
                    assert!(path(desired, start).len() <= 18, "{desired} {start:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_goes_down_while_what_is_new_is_not_available() {
        assert_eq!(Bounds::of(3).scale_down(Sizes { old: 3, new: 1 }, 0), None);
        assert_eq!(Bounds::of(3).scale_down(Sizes { old: 3, new: 1 }, 1), Some(2));
    }
}

//! Clusters as a whole: their processes, their members, their disks, and the promises of their store.

mod damage;
mod full_disk;
mod launcher;
mod leftovers;
mod memory;
mod metrics;
mod repeated_requests;
mod resources;
mod resumed_watch;
mod scaling;
mod snapshots;

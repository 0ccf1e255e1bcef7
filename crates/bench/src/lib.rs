//! Benchmarks: criterion for ours, and programs that peers' scripts (`peers/`) run beside other libraries.
//!
//! Not a default member: `cargo bench -p bench`, `cargo build --release -p bench`.

pub mod learners;
pub mod rows;
pub mod usage;

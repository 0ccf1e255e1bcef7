//! What the architecture promises, read from the workspace's own metadata and sources.

mod architecture;

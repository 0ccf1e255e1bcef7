//! Drift. (in progress)

//! Makes cargo regard the build dependencies.

fn main() {}

//! `netsec`.

fn main() -> std::process::ExitCode {
    orchestrator::main()
}

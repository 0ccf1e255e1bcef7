//! `netsec-server`.

fn main() -> std::process::ExitCode {
    server::main()
}

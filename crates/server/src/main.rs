//! The `stentor` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    stentor_server::cli::main()
}

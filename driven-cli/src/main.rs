//! The command `driven`.

use std::process::ExitCode;

fn main() -> ExitCode {
    driven_cli::main(std::env::args_os())
}

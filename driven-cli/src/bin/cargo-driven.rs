//! The command `cargo driven`: Cargo calls it with `driven` as its first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "driven") {
        arguments.remove(1);
    }
    driven_cli::main(arguments)
}

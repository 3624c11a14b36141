//! `driven completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use crate::output::Output;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven completions bash > ~/.local/share/bash-completion/completions/driven"
)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, output: &mut Output) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "driven", &mut script);
        let script = String::from_utf8_lossy(&script);
        output.either(&serde_json::json!({ "script": script }), || script.to_string());
    }
}

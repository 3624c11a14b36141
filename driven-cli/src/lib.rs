//! The commands `driven` and `cargo driven`.
//!
//! Thin: a command parses its arguments, calls a library, and prints. stdout is
//! data, stderr is talk. Exit codes: 0 clean or warnings only, 1 findings, 2 failure.

#![forbid(unsafe_code)]

mod commands;
mod confine;
mod fetching;
mod files;
mod gate;
mod keys;
mod output;
mod ready_made;
mod sarif;
mod source;
mod trusted;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use driven_build::holds_key;

use crate::commands::Command;
use crate::confine::Becomes;
use crate::output::Output;

/// Rules for AI coding assistants as a build artefact.
#[derive(Debug, Parser)]
#[command(name = "driven", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  driven init                              make a rule folder here
  driven validate                          check it
  driven build rules -o rules.drv          compile it
  driven match rules.drv src/main.rs       which rules speak about this file?";

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Clean, or warnings only.
    Clean,
    /// Findings that keep something from being done.
    Findings,
}

/// Why a command failed.
#[derive(Clone, Debug)]
struct Failure {
    code: &'static str,
    message: String,
    hint: String,
    /// The message is findings: what was looked at is wrong, not how.
    is_findings: bool,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), hint: String::new(), is_findings: false }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    fn io(path: &std::path::Path, err: &std::io::Error) -> Self {
        let hint = match err.kind() {
            std::io::ErrorKind::NotFound => "check the path, and that its folder exists",
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                "check the permissions of the file and its folder"
            }
            std::io::ErrorKind::StorageFull => "make room on the disk; nothing was changed",
            std::io::ErrorKind::IsADirectory => "give a file, not a folder",
            _ => "check the file and the disk that it is on",
        };
        Failure::new("io", format!("{}: {err}", path.display())).hint(hint)
    }

    fn of_build(err: &driven_build::Error) -> Self {
        let is_findings = err.kind() == driven_build::ErrorKind::Findings;
        Failure { is_findings, ..Failure::new(err.code(), err.to_string()).hint(err.hint()) }
    }

    /// The failure with the file that it is about in front.
    fn in_file(self, path: &std::path::Path) -> Self {
        Failure { message: format!("{}: {}", path.display(), self.message), ..self }
    }
}

impl From<driven::Error> for Failure {
    fn from(err: driven::Error) -> Self {
        Failure::new(err.code(), err.to_string()).hint(err.hint())
    }
}

impl From<driven_build::Error> for Failure {
    fn from(err: driven_build::Error) -> Self {
        Failure::of_build(&err)
    }
}

impl From<driven_assistants::Error> for Failure {
    fn from(err: driven_assistants::Error) -> Self {
        Failure::new(err.code(), err.to_string()).hint(err.hint())
    }
}

impl From<driven_serve::Error> for Failure {
    fn from(err: driven_serve::Error) -> Self {
        Failure::new(err.code(), err.to_string()).hint(err.hint())
    }
}

impl From<driven_format::Error> for Failure {
    fn from(err: driven_format::Error) -> Self {
        driven::Error::from(err).into()
    }
}

type Outcome = Result<Exit, Failure>;

/// Runs the command that `arguments` ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match &arguments[..] {
        [own, first, rest @ ..] if first == confine::CONFINED => confined(own, rest),
        _ => run(&arguments, false),
    }
}

fn run(arguments: &[OsString], is_confined: bool) -> ExitCode {
    // What clap does not understand it shows.
    if arguments.iter().any(|argument| holds_key(&argument.to_string_lossy())) {
        let mut output = Output::new(arguments.iter().any(|argument| argument == "--json"));
        let failure = Failure::new("usage", "an argument is a private key itself")
            .hint("write it to a file that only you may read, and give the path; others on this machine can see arguments");
        return ended(Err(failure), &mut output);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(err) => return misused(&err, arguments.iter().any(|argument| argument == "--json")),
    };
    let mut output = Output::new(cli.json);
    let profile = cli.command.profile().filter(|_| !is_confined);
    let outcome = match profile {
        Some(profile) => match confine::run_again(&profile, &arguments[1..]) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        None => cli.command.run(&mut output),
    };
    ended(outcome, &mut output)
}

fn ended(outcome: Outcome, output: &mut Output) -> ExitCode {
    match output.finish().and(outcome) {
        Ok(Exit::Clean) => ExitCode::SUCCESS,
        Ok(Exit::Findings) => ExitCode::from(1),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(if failure.is_findings { 1 } else { 2 })
        }
    }
}

/// The child's side of [`confine`]: restricts itself, and goes on.
fn confined(own: &OsString, arguments: &[OsString]) -> ExitCode {
    let mut output = Output::new(arguments.iter().any(|argument| argument == "--json"));
    let (becomes, rest) = match confine::enter(arguments) {
        Ok(entered) => entered,
        Err(failure) => return ended(Err(failure), &mut output),
    };
    match becomes {
        Becomes::Driven => run(&[std::slice::from_ref(own), &rest[..]].concat(), true),
        Becomes::Program => ended(Err(confine::become_program(&rest)), &mut output),
        Becomes::Probe => {
            for act in rest.chunks(3) {
                let [word, first, second] = act else { break };
                let answer = confine::act(&word.to_string_lossy(), first, second);
                output.line(&answer);
            }
            ended(Ok(Exit::Clean), &mut output)
        }
    }
}

/// Help, version, or arguments that make no sense; clap's own exit codes are 0 for help and 2 for misuse.
fn misused(err: &clap::Error, json: bool) -> ExitCode {
    // A closed stdout is no reason to fail.
    let _ = err.print();
    if !err.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if json {
        let text = err.to_string();
        // What clap lists below its message, such as arguments that lack, ends with an empty line.
        let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let message = lines.join(" ");
        let message = message.trim_start_matches("error: ");
        let hint = "see `driven --help`";
        Output::new(true)
            .value(&serde_json::json!({ "error": { "code": "usage", "message": message, "hint": hint } }));
    }
    ExitCode::from(2)
}

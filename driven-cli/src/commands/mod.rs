//! One file for each command: its arguments, and how it is run.

mod build;
mod completions;
mod context;
mod convert;
mod deps;
mod dev;
mod diff;
mod doctor;
mod import;
mod init;
mod inspect;
mod key;
mod keygen;
mod matching;
mod patch;
mod publish;
mod pull;
mod serve;
mod sign;
mod snapshot;
mod sync;
mod trust;
mod updates;
mod validate;
mod verify;
mod watching;

use clap::Subcommand;

use crate::confine::Profile;
use crate::output::Output;
use crate::{Exit, Outcome};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Init),
    Validate(validate::Validate),
    Build(build::Build),
    Inspect(inspect::Inspect),
    Match(matching::Match),
    Context(context::Context),
    Sync(sync::Sync),
    Dev(dev::Dev),
    Import(import::Import),
    Deps(deps::Deps),
    Convert(convert::Convert),
    Diff(diff::Diff),
    Patch(patch::Patch),
    Snapshot(snapshot::Snapshot),
    Publish(publish::Publish),
    Serve(serve::Serve),
    Pull(pull::Pull),
    Updates(updates::Updates),
    Keygen(keygen::Keygen),
    Key(key::Key),
    Sign(sign::Sign),
    Verify(verify::Verify),
    Trust(trust::Trust),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}

impl Command {
    /// What the command may do in a child that restricts itself; nothing when it runs right here.
    pub(crate) fn profile(&self) -> Option<Profile> {
        match self {
            Command::Import(command) => Some(command.profile()),
            _ => None,
        }
    }

    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        match self {
            Command::Init(command) => command.run(output),
            Command::Validate(command) => command.run(output),
            Command::Build(command) => command.run(output),
            Command::Inspect(command) => command.run(output),
            Command::Match(command) => command.run(output),
            Command::Context(command) => command.run(output),
            Command::Sync(command) => command.run(output),
            Command::Dev(command) => command.run(output),
            Command::Import(command) => command.run(output),
            Command::Deps(command) => command.run(output),
            Command::Convert(command) => command.run(output),
            Command::Diff(command) => command.run(output),
            Command::Patch(command) => command.run(output),
            Command::Snapshot(command) => command.run(output),
            Command::Publish(command) => command.run(output),
            Command::Serve(command) => command.run(output),
            Command::Pull(command) => command.run(output),
            Command::Updates(command) => command.run(output),
            Command::Keygen(command) => command.run(output),
            Command::Key(command) => command.run(output),
            Command::Trust(command) => command.run(output),
            Command::Sign(command) => command.run(output),
            Command::Verify(command) => command.run(output),
            Command::Doctor(command) => command.run(output),
            Command::Completions(command) => {
                command.run(output);
                Ok(Exit::Clean)
            }
        }
    }
}

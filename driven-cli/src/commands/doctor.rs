//! `driven doctor`

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use driven::Capability;
use serde_json::json;

use crate::confine::{self, Act, PASSED_ON, Profile};
use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Say what this system enforces of the sandbox
///
/// Tries in a child what each capability stands for, and reports what the kernel answered: `enforced` when every
/// act was refused, `partly` when some were, `not` when none was. Commands of driven's own that read foreign
/// files, and commands that sign, run in such a child.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven doctor\n  driven doctor --require-sandbox")]
pub(crate) struct Doctor {
    /// Exit with 2 unless all is enforced
    #[arg(long)]
    require_sandbox: bool,
}

/// What a capability stands for, act by act.
struct Trial {
    capability: Capability,
    acts: Vec<(Act, OsString, OsString)>,
}

impl Doctor {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let folder = tempfile::tempdir().map_err(|err| Failure::io(&std::env::temp_dir(), &err))?;
        // Somebody must be there to be reached, or the refusal would not be the kernel's.
        let failed = |err: std::io::Error| Failure::new("io", format!("a socket on this machine: {err}"));
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let receiver = UdpSocket::bind("127.0.0.1:0").map_err(failed)?;
        let addresses = [listener.local_addr().map_err(failed)?, receiver.local_addr().map_err(failed)?];
        let trials = trials(folder.path(), addresses.map(|one| one.to_string()))?;
        let arguments: Vec<OsString> = trials
            .iter()
            .flat_map(|trial| &trial.acts)
            .flat_map(|(act, first, second)| [act.as_str().into(), first.clone(), second.clone()])
            .collect();
        let printed = confine::run_probe(&Profile::new(), &arguments)?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let mut answers = printed.lines();
        let mut all = true;
        let mut lines = String::new();
        let mut values = Vec::new();
        for Trial { capability, acts } in &trials {
            let tried: Vec<(&str, &str)> =
                acts.iter().map(|(act, ..)| (act.as_str(), answers.next().unwrap_or("no answer"))).collect();
            let refused = tried.iter().filter(|(_, answer)| is_refusal(answer)).count();
            let word = match refused {
                // Also where there is nothing to take away.
                some if some == tried.len() => "enforced",
                0 => "not",
                _ => "partly",
            };
            all &= word == "enforced";
            let mut shown: Vec<String> =
                tried.iter().map(|(act, answer)| format!("{act}: {}", in_words(answer))).collect();
            if shown.is_empty() {
                shown.push("no variable is set".into());
            }
            // Writing to a String can't fail.
            let _ = writeln!(lines, "{:<10}{word:<10}{}", capability.as_str(), shown.join(", "));
            values.push(json!({ "capability": capability.as_str(), "enforced": word,
                "acts": tried.iter().map(|(act, answer)| json!({ "act": act, "answer": in_words(answer) })).collect::<Vec<_>>() }));
        }
        let value = json!({ "system": std::env::consts::OS, "enforced": all, "capabilities": values });
        output.either(&value, || lines);
        if all {
            return Ok(Exit::Clean);
        }
        if self.require_sandbox {
            return Err(Failure::new("sandbox", "this system does not enforce all of the sandbox")
                .hint("Linux 6.12 or newer with Landlock and seccomp does"));
        }
        output.note("what is not enforced is not contained: look at what you let driven read and run");
        Ok(Exit::Clean)
    }
}

/// Refused by Landlock, by seccomp, or taken away before the child began.
fn is_refusal(answer: &str) -> bool {
    matches!(answer, "1" | "13" | "18" | "not there")
}

fn in_words(answer: &str) -> &str {
    match answer {
        "done" => "done",
        "1" => "refused by seccomp",
        "13" | "18" => "refused by Landlock",
        "not there" => "taken away",
        other => other,
    }
}

fn trials(folder: &Path, [connects, receives]: [String; 2]) -> Result<Vec<Trial>, Failure> {
    let file = |name: &str| folder.join(name).into_os_string();
    for name in ["there", "gone", "moved", "linked"] {
        fs::write(folder.join(name), name).map_err(|err| Failure::io(folder, &err))?;
    }
    let own = std::env::current_exe().unwrap_or_default().into_os_string();
    let one = |act: Act, argument: OsString| (act, argument, OsString::new());
    let environment = |name: &str| variable(name).map(|name| one(Act::Environment, name));
    let acts = |capability| match capability {
        Capability::FsRead => vec![one(Act::Read, file("there"))],
        Capability::FsWrite => vec![
            one(Act::Write, file("there")),
            one(Act::Make, file("new")),
            one(Act::Remove, file("gone")),
            (Act::Link, file("linked"), file("link")),
            (Act::Rename, file("moved"), file("away")),
            one(Act::Mode, file("there")),
        ],
        Capability::Exec => vec![one(Act::Exec, own.clone())],
        Capability::Net => vec![
            one(Act::Connect, connects.clone().into()),
            one(Act::Bind, "127.0.0.1:0".into()),
            one(Act::Udp, receives.clone().into()),
        ],
        Capability::Env => environment("PATH").into_iter().collect(),
        Capability::Settings => vec![one(Act::Write, file("there"))],
        Capability::Secrets => {
            [one(Act::Read, file("there"))].into_iter().chain(environment("HOME")).collect()
        }
        _ => vec![one(Act::Signal, std::process::id().to_string().into())],
    };
    Ok(Capability::ALL.iter().map(|&capability| Trial { capability, acts: acts(capability) }).collect())
}

/// A variable that is set, so that a child may miss it: this one, or else any that would have to be taken away.
fn variable(name: &str) -> Option<OsString> {
    let set =
        std::env::vars_os().map(|(name, _)| name).filter(|name| !PASSED_ON.iter().any(|kept| name == kept));
    let names: Vec<OsString> = set.collect();
    names.iter().find(|one| *one == name).or(names.first()).cloned()
}

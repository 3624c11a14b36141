//! Children that restrict themselves: what driven runs on behalf of somebody else's data runs in one.
//!
//! The parent starts this same program again with a [`Profile`]; the child takes from itself, before any thread
//! is started, whatever the profile does not name, and goes on: with a command of driven's own, or by becoming
//! another program. Law: `docs/TRUST.md`, "Sandbox". Knows no rules and no packs.

#[cfg(target_os = "linux")]
mod linux;
mod probe;

use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;

pub(crate) use probe::{Act, act};

/// The argument that makes a child of driven.
pub(crate) const CONFINED: &str = "__confined";
/// The most of a child's output that is read, in bytes.
const MOST_OUTPUT: u64 = 64 * 1024;

/// What a child may do; all else is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each takes something away by itself")]
pub(crate) struct Profile {
    /// Files and folders that it may read, with what is below them.
    pub(crate) reads: Vec<PathBuf>,
    /// Folders below which it may write, make and remove.
    pub(crate) writes: Vec<PathBuf>,
    /// Whether it may start other programs.
    pub(crate) runs: bool,
    pub(crate) sockets: Sockets,
    /// Whether it may ask at the terminal.
    pub(crate) terminal: bool,
    /// Whether it keeps the environment.
    pub(crate) environment: bool,
    pub(crate) limits: Limits,
    pub(crate) layers: Layers,
    /// Nothing is done when a layer can't be had whole.
    pub(crate) required: bool,
    /// The process with which the child ends.
    pub(crate) parent: u32,
}

/// Which sockets a child may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    None,
    /// To agents on this machine.
    Local,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From start to end, in seconds.
    pub(crate) seconds: u64,
    /// Of address space, in bytes.
    pub(crate) memory: u64,
    /// Of each file that it writes, in bytes.
    pub(crate) file: u64,
}

/// The layers of the kernel that restrict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layers {
    pub(crate) landlock: bool,
    pub(crate) seccomp: bool,
}

/// How much of what was asked for the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    Nothing,
    Partly,
    Whole,
}

impl Profile {
    /// Nothing but memory and the standard streams.
    pub(crate) fn new() -> Self {
        Profile {
            reads: Vec::new(),
            writes: Vec::new(),
            runs: false,
            sockets: Sockets::None,
            terminal: false,
            environment: false,
            limits: Limits { seconds: 60, memory: 2 << 30, file: 256 << 20 },
            layers: Layers { landlock: true, seccomp: true },
            required: false,
            parent: std::process::id(),
        }
    }

    fn to_json(&self) -> Value {
        let paths =
            |paths: &[PathBuf]| -> Vec<Value> { paths.iter().map(|path| path_to_json(path)).collect() };
        json!({
            "reads": paths(&self.reads),
            "writes": paths(&self.writes),
            "runs": self.runs,
            "sockets": self.sockets.as_str(),
            "terminal": self.terminal,
            "environment": self.environment,
            "limits": [self.limits.seconds, self.limits.memory, self.limits.file],
            "layers": [self.layers.landlock, self.layers.seccomp],
            "required": self.required,
            "parent": self.parent,
        })
    }

    /// Reads what [`to_json`](Self::to_json) wrote; nothing less is a profile.
    fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let paths = |key: &str| -> Option<Vec<PathBuf>> {
            value[key].as_array()?.iter().map(path_from_json).collect()
        };
        let limit = |at: usize| value["limits"][at].as_u64();
        Some(Profile {
            reads: paths("reads")?,
            writes: paths("writes")?,
            runs: value["runs"].as_bool()?,
            sockets: Sockets::from_word(value["sockets"].as_str()?)?,
            terminal: value["terminal"].as_bool()?,
            environment: value["environment"].as_bool()?,
            limits: Limits { seconds: limit(0)?, memory: limit(1)?, file: limit(2)? },
            layers: Layers {
                landlock: value["layers"][0].as_bool()?,
                seccomp: value["layers"][1].as_bool()?,
            },
            required: value["required"].as_bool()?,
            parent: value["parent"].as_u64()?.try_into().ok()?,
        })
    }
}

/// A path as text, or as its bytes where it is none.
fn path_to_json(path: &Path) -> Value {
    path.to_str().map_or_else(|| json!(path.as_os_str().as_encoded_bytes()), Value::from)
}

fn path_from_json(value: &Value) -> Option<PathBuf> {
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let bytes: Option<Vec<u8>> =
        value.as_array()?.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
    path_of_bytes(bytes?)
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

impl Sockets {
    const ALL: [Sockets; 3] = [Sockets::None, Sockets::Local, Sockets::All];

    fn as_str(self) -> &'static str {
        match self {
            Sockets::None => "none",
            Sockets::Local => "local",
            Sockets::All => "all",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Sockets::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What a child becomes once it is restricted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Becomes {
    /// driven again, with these arguments.
    Driven,
    /// Another program.
    Program,
    /// A probe of [`Act`]s.
    Probe,
}

impl Becomes {
    const ALL: [(Becomes, &str); 3] =
        [(Becomes::Driven, "driven"), (Becomes::Program, "program"), (Becomes::Probe, "probe")];
}

/// The variables that a child has although its environment is taken away.
pub(crate) const PASSED_ON: [&str; 3] = ["NO_COLOR", "RUST_BACKTRACE", "TERM"];

/// The command that starts the child.
fn child(profile: &Profile, becomes: Becomes, arguments: &[OsString]) -> Result<Command, Failure> {
    let own = std::env::current_exe()
        .map_err(|err| Failure::new("io", format!("this program can't find itself: {err}")))?;
    let word = Becomes::ALL.iter().find(|(one, _)| *one as u8 == becomes as u8).map_or("", |(_, word)| word);
    // What this process was given open, and did not ask for, is not passed on.
    #[cfg(unix)]
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let mut command = Command::new(own);
    command.arg(CONFINED).arg(profile.to_json().to_string()).arg(word).args(arguments);
    if !profile.environment {
        let kept: Vec<_> =
            PASSED_ON.iter().filter_map(|name| std::env::var_os(name).map(|value| (*name, value))).collect();
        command.env_clear().envs(kept);
    }
    Ok(command)
}

/// Runs a command of driven's own in a child; its streams are these.
pub(crate) fn run_again(profile: &Profile, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let mut child = child(profile, Becomes::Driven, arguments)?.spawn().map_err(|err| not_started(&err))?;
    let status = wait(&mut child, profile)?;
    match status.code() {
        Some(code) => Ok(ExitCode::from(u8::try_from(code).ok().filter(|code| *code <= 2).unwrap_or(2))),
        None => Err(ended(status, profile)),
    }
}

/// Runs another program in a child, gives it `input`, and takes what it prints; its stderr is this one.
pub(crate) fn run_program(profile: &Profile, words: &[OsString], input: &[u8]) -> Result<Vec<u8>, Failure> {
    let profile = Profile { terminal: !leads_a_group(), ..profile.clone() };
    collect(&profile, Becomes::Program, words, input)
}

/// Tries acts in a child, and takes what it prints.
pub(crate) fn run_probe(profile: &Profile, arguments: &[OsString]) -> Result<Vec<u8>, Failure> {
    collect(profile, Becomes::Probe, arguments, &[])
}

fn collect(
    profile: &Profile,
    becomes: Becomes,
    arguments: &[OsString],
    input: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut command = child(profile, becomes, arguments)?;
    lead_a_group(&mut command);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|err| not_started(&err))?;
    let (mut to, from) = (child.stdin.take(), child.stdout.take());
    let input = input.to_vec();
    let (sender, receiver) = mpsc::channel();
    // Neither thread is waited for when the child's time is over: what holds its streams may live on.
    thread::spawn(move || {
        // A program that does not read what it is given says so by what it prints.
        let _ = to.take().map(|mut to| to.write_all(&input));
    });
    thread::spawn(move || {
        let mut printed = Vec::new();
        let read = from.map(|from| from.take(MOST_OUTPUT + 1).read_to_end(&mut printed));
        let _ = sender.send(read.transpose().map(|_| printed));
    });
    let limit = Duration::from_secs(profile.limits.seconds);
    let started = Instant::now();
    let printed = receiver.recv_timeout(limit);
    if !matches!(&printed, Ok(Ok(printed)) if printed.len() as u64 <= MOST_OUTPUT) {
        stop(&mut child);
    }
    let Ok(printed) = printed else { return Err(too_long(profile)) };
    let printed = printed.map_err(|err| Failure::new("io", format!("what the child prints: {err}")))?;
    if printed.len() as u64 > MOST_OUTPUT {
        return Err(Failure::new("limit", format!("the child printed more than {MOST_OUTPUT} bytes")));
    }
    let left = limit.saturating_sub(started.elapsed());
    let status = wait_for(&mut child, left, profile)?;
    match status.code() {
        Some(0) => Ok(printed),
        Some(code) => Err(Failure::new("child", format!("the child ended with {code}"))
            .hint("what it says stands above; it can write nowhere and ask nobody outside unless it is let")),
        None => Err(ended(status, profile)),
    }
}

fn wait(child: &mut Child, profile: &Profile) -> Result<ExitStatus, Failure> {
    wait_for(child, Duration::from_secs(profile.limits.seconds), profile)
}

/// Waits for the end of a child, for so long.
fn wait_for(child: &mut Child, limit: Duration, profile: &Profile) -> Result<ExitStatus, Failure> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        let ended = child.try_wait().map_err(|err| Failure::new("io", format!("the child: {err}")))?;
        if let Some(status) = ended {
            return Ok(status);
        }
        if started.elapsed() >= limit {
            stop(child);
            return Err(too_long(profile));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Ends a child, and what it started where it leads a group of its own.
fn stop(child: &mut Child) {
    // It may have ended by itself meanwhile.
    #[cfg(target_os = "linux")]
    if leads_a_group() {
        let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A person at a terminal may be asked by the child, and can end it; a group of its own could not ask.
fn leads_a_group() -> bool {
    !std::io::stdin().is_terminal()
}

#[cfg(unix)]
fn lead_a_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    if leads_a_group() {
        command.process_group(0);
    }
}

#[cfg(not(unix))]
fn lead_a_group(_: &mut Command) {}

fn not_started(err: &std::io::Error) -> Failure {
    Failure::new("io", format!("the confined child can't be started: {err}"))
}

fn too_long(profile: &Profile) -> Failure {
    Failure::new("limit", format!("the confined child ran longer than {} s", profile.limits.seconds))
        .hint("it was stopped")
}

/// A child that a signal ended: mostly a limit.
fn ended(status: ExitStatus, profile: &Profile) -> Failure {
    let Limits { seconds, memory, file } = profile.limits;
    Failure::new("limit", format!("the confined child was stopped: {status}")).hint(format!(
        "its limits are {seconds} s, {} MiB of memory, and {} MiB a file",
        memory >> 20,
        file >> 20
    ))
}

/// The child's side: restricts this process, and says what it is to become and with which arguments.
///
/// `arguments` are those behind [`CONFINED`].
pub(crate) fn enter(arguments: &[OsString]) -> Result<(Becomes, Vec<OsString>), Failure> {
    let wrong = || Failure::new("usage", format!("`{CONFINED}` is for driven itself"));
    let [profile, becomes, rest @ ..] = arguments else { return Err(wrong()) };
    let profile = profile.to_str().and_then(Profile::from_json).ok_or_else(wrong)?;
    let becomes = Becomes::ALL.into_iter().find(|(_, word)| becomes == *word).ok_or_else(wrong)?.0;
    let reach = restrict(&profile)?;
    let asked = profile.layers.landlock || profile.layers.seccomp;
    if profile.required && reach < Reach::Whole {
        return Err(Failure::new("sandbox", "this system can't enforce all that the sandbox asks for")
            .hint("`driven doctor` says what it can"));
    }
    if asked && reach < Reach::Whole && matches!(becomes, Becomes::Driven | Becomes::Program) {
        let how_much = if reach == Reach::Nothing { "nothing" } else { "only a part" };
        eprintln!("warning: this system enforces {how_much} of the sandbox; see `driven doctor`");
    }
    Ok((becomes, rest.to_vec()))
}

/// Becomes another program; comes back only if that fails.
#[cfg(unix)]
pub(crate) fn become_program(words: &[OsString]) -> Failure {
    use std::os::unix::process::CommandExt;

    let [program, arguments @ ..] = words else { return Failure::new("usage", "no program is named") };
    let err = Command::new(program).args(arguments).exec();
    Failure::new("io", format!("{}: {err}", program.to_string_lossy()))
        .hint("check that the program is there")
}

/// Where a process can't become another, it runs it.
#[cfg(not(unix))]
pub(crate) fn become_program(words: &[OsString]) -> Failure {
    let [program, arguments @ ..] = words else { return Failure::new("usage", "no program is named") };
    match Command::new(program).args(arguments).status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(2)),
        Err(err) => Failure::new("io", format!("{}: {err}", program.to_string_lossy())),
    }
}

#[cfg(target_os = "linux")]
fn restrict(profile: &Profile) -> Result<Reach, Failure> {
    linux::restrict(profile)
}

/// Other systems have other ways, of which none is used.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
fn restrict(_: &Profile) -> Result<Reach, Failure> {
    Ok(Reach::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_comes_through_whole_or_not_at_all() {
        #[cfg(unix)]
        let strange = path_of_bytes(b"/n\xff".to_vec()).expect("bytes are a path");
        #[cfg(not(unix))]
        let strange = PathBuf::from("/n");
        let profile = Profile {
            reads: vec!["/a b".into(), strange],
            writes: vec!["/c".into(), "/d".into()],
            runs: true,
            sockets: Sockets::Local,
            required: true,
            terminal: true,
            layers: Layers { landlock: false, seccomp: true },
            ..Profile::new()
        };
        assert_eq!(Profile::from_json(&profile.to_json().to_string()), Some(profile.clone()));
        assert_ne!(profile, Profile::new());
        let Value::Object(fields) = profile.to_json() else { unreachable!("it is an object") };
        for name in fields.keys() {
            let mut less = fields.clone();
            less.remove(name);
            assert_eq!(Profile::from_json(&Value::Object(less).to_string()), None, "{name}");
        }
    }
}

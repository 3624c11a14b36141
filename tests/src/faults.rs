//! Faults in the system calls of a child, by a preloaded library that a C compiler makes of `faults/shim.c`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process ends before the call.
    Kill,
    /// The process ends after the call.
    Killed,
    /// A read or a write does half of what it was asked for.
    Short,
    /// No space is left.
    NoSpace,
    /// The device fails.
    Device,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 5] = [Fault::Kill, Fault::Killed, Fault::Short, Fault::NoSpace, Fault::Device];

    fn as_str(self) -> &'static str {
        match self {
            Fault::Kill => "kill",
            Fault::Killed => "killed",
            Fault::Short => "short",
            Fault::NoSpace => "28",
            Fault::Device => "5",
        }
    }
}

/// A child that ran with a fault, or with none.
#[derive(Debug)]
pub struct Ran {
    /// What it printed, and how it ended.
    pub output: Output,
    /// Every call that touched the folder: its name and path.
    pub calls: Vec<(String, String)>,
    /// Whether the fault happened.
    pub fired: bool,
}

/// Runs children in which calls that touch one folder fail.
#[derive(Debug)]
pub struct Harness {
    shim: PathBuf,
    log: tempfile::TempDir,
}

impl Harness {
    /// The harness; nothing, said loudly, where the system has no compiler or does not preload.
    ///
    /// # Panics
    /// When the library does not compile although there is a compiler.
    pub fn new() -> Option<Self> {
        static SHIM: OnceLock<Option<tempfile::TempDir>> = OnceLock::new();
        let folder = SHIM.get_or_init(|| {
            if !cfg!(target_os = "linux") || Command::new("cc").arg("--version").output().is_err() {
                eprintln!("skipped: no C compiler, or not Linux");
                return None;
            }
            let folder = tempfile::tempdir().expect("a folder");
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/faults/shim.c");
            let flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"];
            let made = Command::new("cc").args(flags).arg(folder.path().join("shim.so")).arg(source).output();
            let made = made.expect("cc runs");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            Some(folder)
        });
        let shim = folder.as_ref()?.path().join("shim.so");
        Some(Harness { shim, log: tempfile::tempdir().expect("a folder") })
    }

    /// Runs a command; at the call with this number, counted from 0, the fault happens.
    ///
    /// # Panics
    /// When the command can't be started.
    pub fn run(&self, command: &mut Command, under: &Path, fault: Option<(usize, Fault)>) -> Ran {
        let log = self.log.path().join("log");
        // From the run before.
        let _ = std::fs::remove_file(&log);
        command.env("LD_PRELOAD", &self.shim).env("FAULT_UNDER", under).env("FAULT_LOG", &log);
        command.env_remove("FAULT_AT").env_remove("FAULT_KIND");
        if let Some((at, fault)) = fault {
            command.env("FAULT_AT", at.to_string()).env("FAULT_KIND", fault.as_str());
        }
        let output = command.output().expect("the command starts");
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let words = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some((words.next()?, (words.next()?, words.next().unwrap_or_default())))
        };
        let lines: Vec<_> = log.lines().filter_map(words).collect();
        let fired = lines.iter().any(|(word, _)| word == "fired");
        let calls = lines.into_iter().filter(|(word, _)| word == "call").map(|(_, call)| call).collect();
        Ran { output, calls, fired }
    }
}

/// What a file holds after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// What it held before.
    Old,
    /// What it was to hold.
    New,
    /// Anything else.
    Torn,
}

/// Compares what is found with what was and what was to be; nothing stands for no file.
pub fn classify(old: Option<&[u8]>, new: Option<&[u8]>, found: Option<&[u8]>) -> Found {
    if found == old {
        Found::Old
    } else if found == new {
        Found::New
    } else {
        Found::Torn
    }
}

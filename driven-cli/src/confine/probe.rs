//! Acts that a confined child tries, to learn from the kernel's own answer what is enforced.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;

/// Something that a child may or may not be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read,
    Write,
    Make,
    Remove,
    Link,
    Rename,
    Connect,
    Bind,
    Udp,
    Exec,
    Signal,
    Thread,
    Environment,
    Mode,
}

impl Act {
    const ALL: [(Act, &str); 14] = [
        (Act::Read, "read"),
        (Act::Write, "write"),
        (Act::Make, "make"),
        (Act::Remove, "remove"),
        (Act::Link, "link"),
        (Act::Rename, "rename"),
        (Act::Connect, "connect"),
        (Act::Bind, "bind"),
        (Act::Udp, "udp"),
        (Act::Exec, "exec"),
        (Act::Signal, "signal"),
        (Act::Thread, "thread"),
        (Act::Environment, "environment"),
        (Act::Mode, "mode"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Act::ALL.into_iter().find(|(act, _)| *act == self).map_or("", |(_, word)| word)
    }

    fn from_word(word: &str) -> Option<Self> {
        Act::ALL.into_iter().find(|(_, known)| *known == word).map(|(act, _)| act)
    }
}

/// Tries an act with its two arguments; gives `done` or the number of the error.
pub(crate) fn act(word: &str, first: &OsStr, second: &OsStr) -> String {
    let Some(act) = Act::from_word(word) else { return "no such act".into() };
    match tried(act, first, second) {
        Ok(()) => "done".into(),
        Err(err) => err.raw_os_error().map_or_else(|| err.to_string(), |number| number.to_string()),
    }
}

fn tried(act: Act, first: &OsStr, second: &OsStr) -> io::Result<()> {
    let text = first.to_string_lossy();
    match act {
        Act::Read => fs::read(first).map(|_| ()),
        Act::Write => fs::OpenOptions::new().append(true).open(first).map(|_| ()),
        Act::Make => fs::File::create_new(first).map(|_| ()),
        Act::Remove => fs::remove_file(first),
        Act::Link => fs::hard_link(first, second),
        Act::Rename => fs::rename(first, second),
        Act::Connect => TcpStream::connect(&*text).map(|_| ()),
        Act::Bind => TcpListener::bind(&*text).map(|_| ()),
        Act::Udp => UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", &*text).map(|_| ()),
        Act::Mode => fs::set_permissions(first, fs::metadata(first)?.permissions()),
        Act::Exec => Command::new(first).status().map(|_| ()),
        Act::Signal => signal(&text),
        Act::Thread => thread::Builder::new().spawn(|| ())?.join().map_err(|_| io::Error::other("panicked")),
        Act::Environment => match std::env::var_os(first) {
            Some(_) => Ok(()),
            None => Err(io::Error::other("not there")),
        },
    }
}

/// The signal that does nothing but ask whether it could be sent.
#[cfg(target_os = "linux")]
fn signal(pid: &str) -> io::Result<()> {
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
    Ok(rustix::process::test_kill_process(pid.ok_or(io::ErrorKind::InvalidInput)?)?)
}

#[cfg(not(target_os = "linux"))]
fn signal(_: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

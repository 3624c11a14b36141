//! How bytes come from a tree: the trait, and a tree that is a folder here.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use driven_format::{Feed, etag};

/// Brings what lies in a tree of packs; a program can bring its own.
///
/// Whatever it brings is judged as if anybody had sent it.
pub trait Transport: Send {
    /// Asks for one thing.
    ///
    /// # Errors
    /// Why there is no answer. What is not there is an answer.
    fn get(&mut self, request: &Request<'_>) -> Result<Answer, Refusal>;

    /// Whether it leaves this machine; what does not is also asked offline.
    fn goes_out(&self) -> bool {
        true
    }
}

/// What a [`Transport`] is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request<'r> {
    /// Below the address of the tree: words of letters, digits, `.`, `-` and `_`, with `/` between them.
    pub path: &'r str,
    /// Answer [`Answer::Unchanged`] when this is still the `ETag`.
    pub unless: Option<&'r str>,
    /// As many bytes are here already, of what had this `ETag`: go on behind them, or begin anew.
    pub resume: Option<(u64, &'r str)>,
    /// How long an answer that nothing changed may be put off, for something to change.
    pub wait: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// What a [`Transport`] answers.
#[non_exhaustive]
pub enum Answer {
    /// It is there.
    Found(Found),
    /// It is what it was.
    Unchanged,
    /// It is not there.
    Missing,
}

/// Something that is there.
pub struct Found {
    /// Its `ETag`, quotes included, if it is a strong one.
    pub etag: Option<String>,
    /// Where the bytes begin: 0, or where the request asked to go on.
    pub start: u64,
    /// How many bytes follow, if that is known.
    pub length: Option<u64>,
    /// The bytes.
    pub body: Box<dyn Read + Send>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Found(_) => "Found",
            Answer::Unchanged => "Unchanged",
            Answer::Missing => "Missing",
        })
    }
}

/// Why there is no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// What happened, for people.
    pub message: String,
    /// Whether to ask again may help.
    pub is_passing: bool,
    /// How long whoever was asked wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// To ask again may help.
    pub fn passing(message: impl Into<String>) -> Self {
        Refusal { message: message.into(), is_passing: true, retry_after: None }
    }

    /// To ask again does not help.
    pub fn lasting(message: impl Into<String>) -> Self {
        Refusal { message: message.into(), is_passing: false, retry_after: None }
    }
}

/// A tree that is a folder, as `driven publish` writes it.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The tree in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Folder(root.into())
    }
}

impl Transport for Folder {
    fn get(&mut self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let path = self.0.join(request.path);
        let refused = |err: io::Error| Refusal::lasting(format!("{}: {err}", path.display()));
        // To open a pipe is to wait for whoever writes to it.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(Refusal::lasting(format!("{}: it is no file", path.display()))),
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Answer::Missing),
            Err(err) => return Err(refused(err)),
        }
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Answer::Missing),
            Err(err) => return Err(refused(err)),
        };
        let length = file.metadata().map_err(refused)?.len();
        let mut found = Found { etag: None, start: 0, length: Some(length), body: Box::new(io::empty()) };
        if length <= Feed::MAX as u64 {
            let mut bytes = alloc::vec::Vec::new();
            (&mut file).take(length).read_to_end(&mut bytes).map_err(refused)?;
            let tag = etag(&bytes);
            if request.unless == Some(&tag) {
                return Ok(Answer::Unchanged);
            }
            found.etag = Some(tag);
            found.body = Box::new(io::Cursor::new(bytes));
            return Ok(Answer::Found(found));
        }
        found.body = Box::new(file);
        Ok(Answer::Found(found))
    }

    fn goes_out(&self) -> bool {
        false
    }
}

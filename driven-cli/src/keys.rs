//! Keys, roots, timestamps and times as arguments name them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use driven::{Capabilities, Capability, PublicKey};
use driven_build::{holds_key, read_key};
use driven_format::trust::{RootChain, SecretKey, parse_time, read_signature, render_time};

use crate::Failure;
use crate::confine::{self, Limits, Profile, Sockets};
use crate::output::Output;

/// The longest key, root or timestamp that is read, in bytes.
const MAX_TEXT: u64 = (1 << 20) + 1;
/// Names a private key's file.
const KEY_VARIABLE: &str = "DRIVEN_KEY";
/// Holds a command that signs.
const COMMAND_VARIABLE: &str = "DRIVEN_KEY_COMMAND";
/// Names the file of the public key by which such a command signs.
const PUBLIC_VARIABLE: &str = "DRIVEN_PUBLIC_KEY";
/// How long a command that signs may take, in seconds, when nothing else is said.
const MOST_SECONDS: u64 = 120;

/// Reads a short text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    // It may be a key: what grows leaves copies behind.
    let len = fs::metadata(path).map_or(0, |found| found.len()).min(MAX_TEXT);
    let mut text = String::with_capacity(len as usize + 1);
    let read = File::open(path).and_then(|file| file.take(MAX_TEXT).read_to_string(&mut text));
    read.map(|_| text).map_err(|err| match err.kind() {
        ErrorKind::InvalidData => Failure::new(
            "text",
            format!("{}: it is no text; expected a key, a root or a timestamp", path.display()),
        )
        .hint("name another file"),
        _ => Failure::io(path, &err),
    })
}

/// Reads a public key, in whatever form.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_text(&read_text(path)?).map_err(|err| Failure::from(err).in_file(path))
}

/// Reads a root file and proves it.
pub(crate) fn read_root(path: &Path) -> Result<RootChain, Failure> {
    RootChain::read(&read_text(path)?).map_err(|err| of_root(err).in_file(path))
}

/// Why a root is not taken; signatures that lack are made by another command than those of packs.
pub(crate) fn of_root(err: driven_format::Error) -> Failure {
    let failure = Failure::from(err);
    match failure.code {
        "unsigned" | "too-few-keys" | "unknown-key" => failure
            .hint("a root is signed with `driven trust sign`, or take a copy that was, from whom you trust"),
        _ => failure,
    }
}

/// Who signs: key files, and a command that has a key of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct SignerArguments {
    /// Private key to sign with, PKCS#8 in PEM; may be given again
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PathBuf>,
    /// Command that signs what it reads: prints 64 bytes, or these in hex or base64
    #[arg(long, value_name = "COMMAND", requires = "public_key")]
    key_command: Option<String>,
    /// The public key that the command signs by
    #[arg(long, value_name = "PUB", requires = "key_command")]
    public_key: Option<PathBuf>,
    /// What the command may do besides reading files and asking agents on this machine
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = command_capability)]
    key_command_may: Vec<Capability>,
    /// How long the command may take, in seconds: somebody may have to touch a token
    #[arg(long, value_name = "SECONDS", default_value_t = MOST_SECONDS)]
    key_command_timeout: u64,
    /// Fail where this system can't contain the command
    #[arg(long)]
    require_sandbox: bool,
}

fn command_capability(word: &str) -> Result<Capability, String> {
    match Capability::from_word(word) {
        Some(one @ (Capability::FsWrite | Capability::Net)) => Ok(one),
        _ => Err("a command that signs may be let `fs-write` and `net`".into()),
    }
}

impl SignerArguments {
    /// Whether anybody is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.key_command.is_none()
    }

    /// Those who are named, and nobody else.
    pub(crate) fn named(&self) -> Result<Vec<Signer>, Failure> {
        let mut signers = Vec::new();
        for file in &self.keys {
            signers.push(Signer::Key(read_key(file)?));
        }
        if let (Some(command), Some(public)) = (&self.key_command, &self.public_key) {
            signers.push(self.command(command, public)?);
        }
        Ok(signers)
    }

    /// Those who are named, or else whom the environment names.
    pub(crate) fn named_or_environment(&self) -> Result<Vec<Signer>, Failure> {
        if !self.is_empty() {
            return self.named();
        }
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        for name in [KEY_VARIABLE, COMMAND_VARIABLE, PUBLIC_VARIABLE] {
            if variable(name).is_some_and(|value| holds_key(&value.to_string_lossy())) {
                return Err(Failure::new("usage", format!("{name} is a private key itself")).hint(format!(
                    "write it to a file that only you may read, and set {KEY_VARIABLE} to the path"
                )));
            }
        }
        if let Some(file) = variable(KEY_VARIABLE) {
            let key = read_key(Path::new(&file))?;
            return Ok(vec![Signer::Key(key)]);
        }
        match (variable(COMMAND_VARIABLE), variable(PUBLIC_VARIABLE)) {
            (Some(command), Some(public)) => {
                Ok(vec![self.command(&command.to_string_lossy(), Path::new(&public))?])
            }
            (Some(_), None) => {
                Err(Failure::new("usage", format!("{COMMAND_VARIABLE} is set, {PUBLIC_VARIABLE} is not"))
                    .hint("name the public key that the command signs by"))
            }
            (None, _) => Err(Failure::new("no-key", "no key is named").hint(format!(
                "give `--key` or `--key-command`, or set {KEY_VARIABLE} to the path of a key file"
            ))),
        }
    }

    fn command(&self, command: &str, public: &Path) -> Result<Signer, Failure> {
        let words = shlex::split(command).filter(|words| !words.is_empty()).ok_or_else(|| {
            Failure::new("usage", format!("`{command}` is no command")).hint("quotes must be closed")
        })?;
        let words = words.into_iter().map(OsString::from).collect();
        let may: Capabilities = self.key_command_may.iter().copied().collect();
        let everything = || PathBuf::from("/");
        let profile = Profile {
            reads: vec![everything()],
            writes: may.contains(Capability::FsWrite).then(everything).into_iter().collect(),
            runs: true,
            sockets: if may.contains(Capability::Net) { Sockets::All } else { Sockets::Local },
            environment: true,
            limits: Limits { seconds: self.key_command_timeout, ..Profile::new().limits },
            required: self.require_sandbox,
            ..Profile::new()
        };
        Ok(Signer::Command { words, public: read_public(public)?, profile })
    }
}

/// Somebody who signs.
pub(crate) enum Signer {
    Key(SecretKey),
    Command { words: Vec<OsString>, public: PublicKey, profile: Profile },
}

impl Signer {
    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Signer::Key(key) => key.public_key(),
            Signer::Command { public, .. } => public.clone(),
        }
    }

    /// The signature over `message`; one that a command made holds.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Failure> {
        let (words, profile, public) = match self {
            Signer::Key(key) => return Ok(key.sign(message)),
            Signer::Command { words, profile, public } => (words, profile, public),
        };
        let shown = words[0].to_string_lossy();
        let printed = confine::run_program(profile, words, message).map_err(|failure| Failure {
            message: format!("key command `{shown}`: {}", failure.message),
            ..failure
        })?;
        let signature = read_signature(&printed).ok_or_else(|| {
            let message = format!("key command `{shown}`: it printed {} bytes and no signature", printed.len());
            Failure::new("key-command", message)
                .hint("expected 64 bytes, or these in hex or base64; it may need `--key-command-may net` or `fs-write`")
        })?;
        if public.verify(message, &signature) {
            return Ok(signature);
        }
        let id = public.id();
        let message =
            format!("key command `{shown}`: what it printed is no signature by {id} of what it was given");
        Err(Failure::new("key-command", message)
            .hint("check that `--public-key` is of the key that it signs with, and that it signs all bytes, unhashed"))
    }
}

/// The time by the clock of the system.
pub(crate) fn now() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map(|since| since.as_secs())
        .map_err(|_| Failure::new("clock", "the clock is before 1970").hint("set it"))
}

/// Says so when what is signed has ended to hold before; 0 is never.
pub(crate) fn note_expired(expires: u64, output: &mut Output) -> Result<(), Failure> {
    if expires != 0 && expires <= now()? {
        let when = render_time(expires);
        output.note(&format!(
            "warning: this expired on {when}, and is refused; `--expires` takes another date"
        ));
    }
    Ok(())
}

/// A time: `2027-01-31`, `2027-01-31T12:00:00Z`.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.into() };
    parse_time(&whole).ok_or_else(|| "expected a date in UTC: 2027-01-31 or 2027-01-31T12:00:00Z".into())
}

/// When something ends to hold: a time, or `never`, which is 0.
pub(crate) fn expiry(text: &str) -> Result<u64, String> {
    match time(text) {
        _ if text == "never" => Ok(0),
        // It would be written as what never ends.
        Ok(0) => Err("expected a date after 1970-01-01, or `never`".into()),
        read => read,
    }
}

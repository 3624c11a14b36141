//! Where a pack says that it was built from.
//!
//! An optional section that the root digest covers, and so every signature: whoever signed the pack vouches for
//! it. It is no part of what the rules mean. Law: `docs/FORMAT.md`, "Attestation".

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use crate::error::{Error, ErrorKind};
use crate::wire::Digest;

const HEAD: &str = "driven attestation v1";
/// The longest value, in bytes.
const MAX_VALUE: usize = 256;

/// What a pack was built from, by its own account.
///
/// ```
/// use driven_format::{Attestation, Digest, RuleSet, Tables, write_attested};
///
/// let source = Digest([7; 32]);
/// let attestation = Attestation { source, commit: "0a1b2c", ..Attestation::default() };
/// let pack = write_attested(&RuleSet::default(), &attestation)?;
/// assert_eq!(Tables::check(&pack)?.attestation(), Some(attestation));
/// # Ok::<(), driven_format::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attestation<'a> {
    /// The digest of the source files.
    pub source: Digest,
    /// Where they are kept; may be empty.
    pub repository: &'a str,
    /// The revision there; may be empty.
    pub commit: &'a str,
    /// Who or what built it; may be empty.
    pub builder: &'a str,
}

impl<'a> Attestation<'a> {
    fn values(&self) -> [(&'static str, &'a str); 3] {
        [("repository", self.repository), ("commit", self.commit), ("builder", self.builder)]
    }

    /// Reads the section; it has one form.
    pub(crate) fn read(section: &'a [u8]) -> Result<Self, Error> {
        let wrong = || Error::malformed("attestation: it does not have its one form");
        let text = core::str::from_utf8(section).map_err(|_| wrong())?;
        let mut read = Attestation::default();
        for line in text.lines().skip(1) {
            let (word, value) = line.split_once(' ').ok_or_else(wrong)?;
            match word {
                "source" => read.source = Digest::from_hex(value).ok_or_else(wrong)?,
                "repository" => read.repository = value,
                "commit" => read.commit = value,
                "builder" => read.builder = value,
                _ => return Err(wrong()),
            }
        }
        // Writing it again gives the same text, or it was none.
        if read.render().is_ok_and(|one| one == text) { Ok(read) } else { Err(wrong()) }
    }

    /// The section.
    ///
    /// # Errors
    /// A value that is no line of printable ASCII: nothing may hide in it.
    pub(crate) fn render(&self) -> Result<String, Error> {
        let mut text = format!("{HEAD}\nsource {}\n", self.source);
        for (word, value) in self.values().into_iter().filter(|(_, value)| !value.is_empty()) {
            let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if !printable || value.trim() != value || value.len() > MAX_VALUE {
                let message =
                    format!("attestation: `{word}` is at most {MAX_VALUE} characters of printable ASCII");
                return Err(Error::new(ErrorKind::Model, message));
            }
            // Writing to a String can't fail.
            let _ = writeln!(text, "{word} {value}");
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_one_form() {
        let full =
            Attestation { source: Digest([1; 32]), repository: "r", commit: "c d", builder: "driven 1" };
        let text = full.render().unwrap();
        assert_eq!(Attestation::read(text.as_bytes()), Ok(full));
        let bare = Attestation { source: Digest([1; 32]), ..Attestation::default() };
        assert_eq!(Attestation::read(bare.render().unwrap().as_bytes()), Ok(bare));
        for end in 0..text.len() {
            // A line may be left out at the end, and nothing else.
            let cut = &text[..end];
            assert_eq!(Attestation::read(cut.as_bytes()).is_ok(), end > 40 && cut.ends_with('\n'), "{cut}");
        }
        let order = text.replace("commit c d\n", "") + "commit c d\n";
        let twice = text.clone() + "builder driven 1\n";
        let upper = text.replace("source 01", "source 0A").replace("0A", "0a").replacen("0a", "0A", 1);
        let other = text.clone() + "other x\n";
        let empty = text.replace("commit c d", "commit ");
        for wrong in
            [order, twice, upper, other, empty, text.replace('v', "V"), text.replace("c d", "c\u{e9}")]
        {
            assert!(Attestation::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_hides_in_it() {
        for value in ["a\nb", "\u{200b}", "é", " a", "a ", "\u{7f}", &"x".repeat(257)] {
            let one = Attestation { commit: value, ..Attestation::default() };
            assert!(one.render().is_err(), "{value:?}");
        }
        let one = "x".repeat(256);
        assert!(Attestation { commit: &one, ..Attestation::default() }.render().is_ok());
    }
}

//! Feeds: which pack is current, in a few lines that are cheap to ask for again.
//!
//! Law: `docs/UPDATES.md`, "Tree".

use alloc::format;
use alloc::string::String;

use crate::container::MAX_PACK;
use crate::digest::file_hash;
use crate::error::{Error, ErrorKind};
use crate::wire::Digest;

const HEAD: &str = "driven current v1";
/// The longest name that a pack in a tree may have, in bytes.
const MAX_NAME: usize = 100;

/// Says which pack of a name is current. It is nobody's word: the pack is judged when it is there.
///
/// ```
/// use driven_format::Feed;
///
/// let text = format!(
///     "driven current v1\nname house\nversion 12\nedition {0}\nhash {0}\nlength 3456\n",
///     "a7".repeat(32),
/// );
/// let feed = Feed::read(&text)?;
/// assert_eq!((feed.version, feed.length), (12, 3456));
/// assert_eq!(feed.render(), text);
/// # Ok::<(), driven_format::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The name of the pack.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Its edition, which names exactly these bytes.
    pub edition: Digest,
    /// The hash of its file.
    pub hash: Digest,
    /// The length of its file, in bytes.
    pub length: u64,
}

impl Feed {
    /// The longest feed, in bytes; nothing longer needs to be read.
    pub const MAX: usize = 512;

    /// Reads a feed, which has one form.
    ///
    /// # Errors
    /// Any other text.
    pub fn read(text: &str) -> Result<Self, Error> {
        let wrong = |expected: &str| Error::new(ErrorKind::Feed, format!("feed: expected {expected}"));
        let mut lines = text.split_terminator('\n');
        if lines.next() != Some(HEAD) {
            return Err(wrong(&format!("`{HEAD}` in the first line")));
        }
        let mut field = |word: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(word)?.strip_prefix(' '));
            value.ok_or_else(|| wrong(&format!("a line `{word} ...`")))
        };
        let name = field("name")?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong("a number"));
        let digest = |text: &str| Digest::from_hex(text).ok_or_else(|| wrong("64 hexadecimal digits"));
        let feed = Feed {
            name: name.into(),
            version: number(field("version")?)?,
            edition: digest(field("edition")?)?,
            hash: digest(field("hash")?)?,
            length: number(field("length")?)?,
        };
        if !Feed::is_name(name) {
            return Err(wrong("a name of letters, digits, `.`, `-` and `_`"));
        }
        if feed.length > MAX_PACK as u64 {
            return Err(wrong("a length that a pack can have"));
        }
        if feed.render() == text {
            Ok(feed)
        } else {
            Err(wrong("nothing more, and each value in its one form"))
        }
    }

    /// The feed as a text.
    pub fn render(&self) -> String {
        let Feed { name, version, edition, hash, length } = self;
        format!("{HEAD}\nname {name}\nversion {version}\nedition {edition}\nhash {hash}\nlength {length}\n")
    }

    /// The `ETag` under which trees that driven serves send the feed.
    pub fn etag(&self) -> String {
        etag(self.render().as_bytes())
    }

    /// Whether packs of this name can lie in a tree: 1 to 100 letters, digits, `.`, `-` and `_`, no `.` in front.
    pub fn is_name(name: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain)
    }
}

/// The strong `ETag` of bytes as they are sent: their hash, in quotes.
pub fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", file_hash(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Feed {
        Feed { name: "house".into(), version: 7, edition: Digest([1; 32]), hash: Digest([2; 32]), length: 99 }
    }

    #[test]
    fn a_feed_has_one_form() {
        let text = feed().render();
        assert_eq!(Feed::read(&text).unwrap(), feed());
        let others = [
            text.replace("version 7", "version 07"),
            text.replace("version 7", "version +7"),
            text.replace("name house", "name ../house"),
            text.replace("name house", "name "),
            text.replace("length 99", "length 99999999999"),
            text.replace("length 99\n", ""),
            text.replace("hash 02", "hash 0G"),
            text.replace("edition 01", "edition 0"),
            text.replace('\n', "\r\n"),
            text.trim_end().into(),
            format!("{text}more\n"),
            format!("{text}\n"),
            String::new(),
        ];
        for other in others {
            assert_eq!(Feed::read(&other).map_err(|err| err.code()), Err("feed"), "{other}");
        }
    }

    #[test]
    fn the_longest_feed_is_no_longer_than_it_says() {
        let longest =
            Feed { name: "n".repeat(MAX_NAME), version: u64::MAX, length: MAX_PACK as u64, ..feed() };
        assert!(longest.render().len() <= Feed::MAX, "{}", longest.render().len());
        assert!(Feed::read(&longest.render()).is_ok());
    }
}

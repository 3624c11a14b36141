//! Line ends: version control writes them as the system has them, and that is no edit.

use std::borrow::Cow;

/// The text with line feeds alone.
pub(crate) fn feeds(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() }
}

/// Whether two texts differ in line ends at most.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one == other || feeds(one) == feeds(other)
}

/// The text as it is, and with either kind of line ends alone.
pub(crate) fn forms(text: &str) -> [Cow<'_, str>; 3] {
    [text.into(), feeds(text), returns(text).into()]
}

/// What a file is to hold, under the line ends that it has: the file itself where that is all that differs.
pub(crate) fn as_in(there: &str, wanted: String) -> String {
    if is_same(there, &wanted) {
        there.into()
    } else if has_returns(there) {
        returns(&wanted)
    } else {
        wanted
    }
}

/// Whether every line ends with a carriage return and a line feed.
pub(crate) fn has_returns(text: &str) -> bool {
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).peekable();
    lines.peek().is_some() && lines.all(|line| line.ends_with("\r\n"))
}

fn returns(text: &str) -> String {
    feeds(text).replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_line_ends() {
        assert_eq!(as_in("a\r\nb\r\n", "a\nb\n".into()), "a\r\nb\r\n");
        assert_eq!(as_in("a\nb\n", "a\r\nb\r\n".into()), "a\nb\n");
        assert_eq!(as_in("a\r\nb\r\n", "a\r\nc\nd".into()), "a\r\nc\r\nd");
        // A file with both kinds says nothing about what it wants.
        assert_eq!(as_in("a\r\nb\n", "c\n".into()), "c\n");
        assert!(!has_returns("a") && !has_returns("a\r\nb\n") && has_returns("a\r\nb"));
    }
}

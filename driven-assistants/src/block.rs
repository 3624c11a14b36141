//! The marked block in a file that a person owns.
//!
//! What stands outside the two marks is never touched. The first mark carries a
//! digest of what stands between, so that an edit by hand is seen also where
//! nothing else was recorded.

use driven_format::file_hash;

use crate::ends::feeds;

/// How comments are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comment {
    /// `<!-- … -->`
    Html,
    /// `# …`
    Hash,
}

impl Comment {
    fn wrap(self, text: &str) -> String {
        match self {
            Comment::Html => format!("<!-- {text} -->"),
            Comment::Hash => format!("# {text}"),
        }
    }
}

const BEGIN: &str = "driven:begin";
const END: &str = "driven:end";

/// A file parted at its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted<'t> {
    /// What stands before the block.
    pub before: &'t str,
    /// What stands in it, when there is one.
    pub block: Option<Found<'t>>,
    /// What stands behind it.
    pub after: &'t str,
}

/// A block that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'t> {
    /// The text between the marks.
    pub text: &'t str,
    /// Whether it is as it was written.
    pub is_whole: bool,
}

/// Whether a text can stand in a block: it has no mark of its own.
pub fn fits(text: &str) -> bool {
    !text.contains(BEGIN) && !text.contains(END)
}

/// The block with its marks, as it stands in a file.
pub fn wrap(text: &str, comment: Comment) -> String {
    let digest = short_digest(text);
    let begin =
        comment.wrap(&format!("{BEGIN} {digest} Written by `driven sync`: edit the rules, not this block."));
    format!("{begin}\n{text}{}\n", comment.wrap(END))
}

/// Finds the block.
///
/// # Errors
/// Marks that do not pair, in words.
pub fn part(text: &str, comment: Comment) -> Result<Parted<'_>, String> {
    let lines = || {
        let mut at = 0;
        text.split_inclusive('\n').map(move |line| {
            let start = at;
            at += line.len();
            (start, at, line.trim_end())
        })
    };
    let opening = match comment {
        Comment::Html => "<!-- driven:begin ",
        Comment::Hash => "# driven:begin ",
    };
    let closing = comment.wrap(END);
    let mut begins = lines().filter(|(_, _, line)| line.starts_with(opening));
    let mut ends = lines().filter(|(_, _, line)| *line == closing);
    let (begin, end) = match (begins.next(), ends.next()) {
        (None, None) => return Ok(Parted { before: text, block: None, after: "" }),
        (Some(begin), Some(end)) if begin.1 <= end.0 => (begin, end),
        _ => return Err("a mark of driven's block has no partner".into()),
    };
    if begins.next().is_some() || ends.next().is_some() {
        return Err("there are two blocks of driven's".into());
    }
    let inner = &text[begin.1..end.0];
    let stated = begin.2[opening.len()..].split(' ').next().unwrap_or_default();
    let found = Found { text: inner, is_whole: stated == short_digest(inner) };
    Ok(Parted { before: &text[..begin.0], block: Some(found), after: &text[end.1..] })
}

/// What stands between a person's text and a block that is put behind it.
pub fn glue(before: &str) -> &'static str {
    match before {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    }
}

fn short_digest(text: &str) -> String {
    file_hash(feeds(text).as_bytes()).to_string()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_and_an_edit_is_seen() {
        for comment in [Comment::Html, Comment::Hash] {
            let file = format!("mine\n\n{}yours\n", wrap("rule\n", comment));
            let parted = part(&file, comment).expect("one block");
            assert_eq!((parted.before, parted.after), ("mine\n\n", "yours\n"));
            assert_eq!(parted.block, Some(Found { text: "rule\n", is_whole: true }));
            let edited = file.replace("rule", "rules");
            assert!(!part(&edited, comment).expect("one block").block.expect("still there").is_whole);
        }
    }

    #[test]
    fn marks_without_partner_are_refused() {
        let block = wrap("x\n", Comment::Html);
        assert!(part(&format!("{block}{block}"), Comment::Html).is_err());
        assert!(part(block.lines().next().expect("a mark"), Comment::Html).is_err());
        assert!(part("<!-- driven:end -->\n", Comment::Html).is_err());
    }
}

//! The glob dialect: which paths a pattern means.
//!
//! [`expand`] turns a pattern as people write it into *plain* patterns: no
//! braces, always anchored, `**` alone in its component, everything special
//! quoted. [`matches`] asks a plain pattern. Law: `docs/FORMAT.md`, "Globs".

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;

/// The most plain patterns that the braces of one pattern may stand for.
pub const MAX_ALTERNATIVES: usize = 1024;
/// How deep braces may nest.
pub const MAX_NESTING: usize = 16;
/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 4096;
/// The longest plain pattern, in bytes: every character may be quoted, and `**` is added in front and behind.
pub(crate) const MAX_PLAIN: usize = 2 * MAX_PATTERN + 8;
/// The most that the plain patterns of one rule may have, in bytes.
const MAX_PLAIN_OF_LIST: usize = 16 << 20;

/// Why a pattern has no meaning, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobError {
    at: usize,
    message: String,
}

impl GlobError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        GlobError { at, message: message.into() }
    }

    /// Offset of the fault in the pattern, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for GlobError {}

/// A pattern in full form: what one branch of its braces means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlainGlob(String);

impl PlainGlob {
    /// The pattern's text: components between `/`, specials quoted by `\`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path`, relative and with `/` between its parts, is meant.
    pub fn matches(&self, path: &str) -> bool {
        matches(&self.0, path)
    }
}

/// The patterns of one rule in order; the last that matches decides.
#[derive(Clone, Debug, Default)]
pub struct GlobList {
    steps: Vec<(bool, Vec<PlainGlob>)>,
}

impl GlobList {
    /// Reads a list of patterns; one that begins with `!` takes away.
    pub fn parse<S: AsRef<str>>(patterns: &[S]) -> Result<Self, GlobError> {
        let mut steps = Vec::with_capacity(patterns.len());
        let mut room = MAX_PLAIN_OF_LIST;
        for pattern in patterns {
            let (negated, positive) = split_negation(pattern.as_ref());
            let plain =
                expand(positive).map_err(|err| GlobError { at: err.at + usize::from(negated), ..err })?;
            let len = plain.iter().map(|glob| glob.as_str().len()).sum();
            room = room.checked_sub(len).ok_or_else(|| {
                GlobError::new(0, "the patterns of one rule stand for more than 16 MiB of plain ones")
            })?;
            steps.push((negated, plain));
        }
        if !steps.is_empty() && steps.iter().all(|(negated, _)| *negated) {
            return Err(GlobError::new(0, "a list of only `!` patterns matches nothing"));
        }
        Ok(GlobList { steps })
    }

    /// Whether `path`, relative and with `/` between its parts, is meant.
    pub fn matches(&self, path: &str) -> bool {
        let last = self.steps.iter().rev().find(|(_, plain)| plain.iter().any(|glob| glob.matches(path)));
        last.is_some_and(|(negated, _)| !negated)
    }

    /// Each pattern's plain forms, and whether it takes away.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (bool, &[PlainGlob])> {
        self.steps.iter().map(|(negated, plain)| (*negated, plain.as_slice()))
    }
}

fn split_negation(pattern: &str) -> (bool, &str) {
    match pattern.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    }
}

/// The plain patterns that `pattern` stands for; none when no path can match it.
pub fn expand(pattern: &str) -> Result<Vec<PlainGlob>, GlobError> {
    if pattern.len() > MAX_PATTERN {
        return Err(GlobError::new(MAX_PATTERN, format!("a pattern is at most {MAX_PATTERN} bytes long")));
    }
    if !pattern.bytes().any(|byte| matches!(byte, b'{' | b'}' | b'[' | b'\\')) {
        // Nothing is to be unfolded or quoted.
        return Ok(normalise(pattern, pattern.contains('/')).into_iter().collect());
    }
    let mut parser = Parser { pattern, at: 0, anchored: false };
    let branches = parser.sequence(0)?;
    let mut plain: Vec<PlainGlob> =
        branches.iter().filter_map(|branch| normalise(branch, parser.anchored)).collect();
    plain.sort();
    plain.dedup();
    Ok(plain)
}

/// Reads a pattern into the texts of its branches, specials quoted.
struct Parser<'p> {
    pattern: &'p str,
    at: usize,
    /// A slash was seen outside of a class.
    anchored: bool,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.pattern[self.at..].chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.pattern[self.at..].chars().next()
    }

    /// Everything up to the end, or up to the `,` or `}` of the brace at `depth`.
    fn sequence(&mut self, depth: usize) -> Result<Vec<String>, GlobError> {
        let mut branches = vec![String::new()];
        while let Some(next) = self.peek() {
            if depth > 0 && matches!(next, ',' | '}') {
                break;
            }
            let at = self.at;
            self.next();
            match next {
                '{' => branches = self.product(&branches, at, depth)?,
                '}' => {
                    return Err(GlobError::new(at, "`}` without `{`; write `\\}` for the character itself"));
                }
                '[' => {
                    let class = self.class(at)?;
                    append(&mut branches, &class);
                }
                '\\' => {
                    let Some(quoted) = self.next() else {
                        return Err(GlobError::new(at, "nothing follows the `\\`"));
                    };
                    self.anchored |= quoted == '/';
                    append(&mut branches, &quote(quoted));
                }
                '*' | '?' => append(&mut branches, next.encode_utf8(&mut [0; 4])),
                _ => {
                    self.anchored |= next == '/';
                    append(&mut branches, &quote(next));
                }
            }
        }
        Ok(branches)
    }

    /// `branches`, each followed by each branch of the brace that was opened at `open`.
    fn product(&mut self, branches: &[String], open: usize, depth: usize) -> Result<Vec<String>, GlobError> {
        if depth == MAX_NESTING {
            return Err(GlobError::new(open, format!("braces nest at most {MAX_NESTING} deep")));
        }
        let mut inner = Vec::new();
        loop {
            inner.extend(self.sequence(depth + 1)?);
            if inner.len() * branches.len() > MAX_ALTERNATIVES {
                return Err(GlobError::new(
                    open,
                    format!("braces stand for more than {MAX_ALTERNATIVES} patterns"),
                ));
            }
            match self.next() {
                Some(',') => {}
                Some(_) => break,
                None => {
                    return Err(GlobError::new(
                        open,
                        "`{` without `}`; write `\\{` for the character itself",
                    ));
                }
            }
        }
        let joined = branches.iter().flat_map(|head| inner.iter().map(move |tail| format!("{head}{tail}")));
        Ok(joined.collect())
    }

    /// A class with every member quoted and no `/` in it.
    fn class(&mut self, open: usize) -> Result<String, GlobError> {
        let mut class = String::from("[");
        if matches!(self.peek(), Some('!' | '^')) {
            self.next();
            class.push('!');
        }
        let mut first = true;
        loop {
            let at = self.at;
            let low = match self.next() {
                Some(']') if !first => break,
                Some('\\') => self.next(),
                other => other,
            };
            first = false;
            let Some(low) = low else {
                return Err(GlobError::new(open, "`[` without `]`; write `\\[` for the character itself"));
            };
            match self.range_end() {
                Some(high) if high < low => {
                    return Err(GlobError::new(
                        at,
                        format!("the range `{low}-{high}` is the wrong way round"),
                    ));
                }
                Some(high) => class.extend(['\\', low, '-', '\\', high]),
                None if low != '/' => class.extend(['\\', low]),
                None => {}
            }
        }
        class.push(']');
        Ok(class)
    }

    /// The `z` of `a-z`, when a range stands here.
    fn range_end(&mut self) -> Option<char> {
        let mut ahead = self.pattern[self.at..].chars();
        if ahead.next() != Some('-') {
            return None;
        }
        let high = match ahead.next()? {
            ']' => return None,
            '\\' => ahead.next()?,
            other => other,
        };
        self.at = self.pattern.len() - ahead.as_str().len();
        Some(high)
    }
}

fn append(branches: &mut [String], text: &str) {
    for branch in branches {
        branch.push_str(text);
    }
}

fn quote(literal: char) -> String {
    match literal {
        '*' | '?' | '[' | '\\' => format!("\\{literal}"),
        _ => String::from(literal),
    }
}

/// Brings a branch into full form; nothing when no path can match it.
fn normalise(branch: &str, anchored: bool) -> Option<PlainGlob> {
    let mut text = branch;
    if anchored {
        text = text.strip_prefix("./").or_else(|| text.strip_prefix('/')).unwrap_or(text);
    }
    let mut plain = Components { text: String::with_capacity(text.len() + 5), crosses: [false; 2] };
    if !anchored {
        plain.push("**");
    }
    let below = text.strip_suffix('/');
    for component in below.unwrap_or(text).split('/') {
        if matches!(component, "" | "." | "..") {
            return None;
        }
        plain.push(component);
    }
    if below.is_some() {
        plain.push("**");
    }
    if plain.crosses[0] && plain.text.ends_with("/*") {
        plain.text.truncate(plain.text.len() - 2);
    }
    Some(PlainGlob(plain.text))
}

/// A pattern in full form as it grows.
struct Components {
    text: String,
    /// Whether the last component but one is `**`, and whether the last is.
    crosses: [bool; 2],
}

impl Components {
    /// Adds a component; `**` after `**` says nothing new, and `**` in company is `*`.
    fn push(&mut self, component: &str) {
        let crosses = component == "**";
        if crosses && self.crosses[1] {
            return;
        }
        self.crosses = [self.crosses[1], crosses];
        if !self.text.is_empty() {
            self.text.push('/');
        }
        if crosses || !component.contains("**") {
            self.text.push_str(component);
            return;
        }
        let mut starred = false;
        let mut chars = component.chars();
        while let Some(next) = chars.next() {
            if next == '*' && starred {
                continue;
            }
            starred = next == '*';
            self.text.push(next);
            if next == '\\' {
                self.text.extend(chars.next());
            }
        }
    }
}

/// Whether a plain pattern means `path`.
///
/// When a component fails, only the last `**` needs to take one more component:
/// what an earlier one could take, the last can take too. So the time is
/// bounded by the product of both lengths.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let mut pattern = Some(pattern.as_bytes());
    let mut path = Some(path.as_bytes());
    let mut retry = None;
    loop {
        match (pattern, path) {
            (None, None) => return true,
            (Some(b"**"), _) => return path.is_some(),
            (Some(left), Some(below)) => {
                if let Some(after) = left.strip_prefix(b"**/") {
                    retry = Some((after, below));
                    pattern = Some(after);
                    continue;
                }
                let ((component, next_pattern), (name, next_path)) = (split(left), split(below));
                if name_matches(component, name) {
                    (pattern, path) = (next_pattern, next_path);
                    continue;
                }
            }
            _ => {}
        }
        let Some((after, tried)) = retry else { return false };
        let Some(next) = split(tried).1 else { return false };
        retry = Some((after, next));
        (pattern, path) = (Some(after), Some(next));
    }
}

/// The first component and what follows it. A loop over bytes beats a search: components are short.
#[inline]
fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| byte == b'/') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// How many bytes at the front of a plain pattern are not special.
#[inline]
fn literal_len(pattern: &[u8]) -> usize {
    let special = pattern.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
    special.unwrap_or(pattern.len())
}

/// Whether one component of a plain pattern means `name`. Both are UTF-8, cut between characters.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        let literal = literal_len(pattern);
        let matched = if literal > 0 {
            let (text, after) = pattern.split_at(literal);
            if retry.is_some() && after.is_empty() {
                // Nothing is left to choose: what the last `*` takes ends where the text begins.
                return name.ends_with(text);
            }
            name.strip_prefix(text).map(|name| (after, name))
        } else if let Some(after) = pattern.strip_prefix(b"*") {
            if after.is_empty() {
                return true;
            }
            retry = Some((after, name));
            Some((after, name))
        } else if pattern.is_empty() && name.is_empty() {
            return true;
        } else {
            step(pattern, name)
        };
        if let Some(next) = matched {
            (pattern, name) = next;
            continue;
        }
        let Some((after, tried)) = retry else { return false };
        let rest = match after[..literal_len(after)].first() {
            // The `*` takes at least all up to where its text can begin; a first byte never lies within a character.
            Some(&first) => match tried.iter().skip(1).position(|&byte| byte == first) {
                Some(at) => &tried[at + 1..],
                None => return false,
            },
            None => match split_char(tried) {
                Some((_, rest)) => rest,
                None => return false,
            },
        };
        retry = Some((after, rest));
        (pattern, name) = (after, rest);
    }
}

/// The first character of UTF-8 text, and what follows it.
fn split_char(text: &[u8]) -> Option<(char, &[u8])> {
    let len = match text.first()? {
        0..=0x7F => 1,
        0x80..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    let (char, rest) = text.split_at_checked(len)?;
    let char = core::str::from_utf8(char).ok()?.chars().next()?;
    Some((char, rest))
}

/// What is left of both after one character, when the special at the front of the pattern means it.
fn step<'p, 'n>(pattern: &'p [u8], name: &'n [u8]) -> Option<(&'p [u8], &'n [u8])> {
    let (seen, name) = split_char(name)?;
    let (&special, rest) = pattern.split_first()?;
    match special {
        b'?' => Some((rest, name)),
        b'\\' => split_char(rest).filter(|&(quoted, _)| quoted == seen).map(|(_, rest)| (rest, name)),
        b'[' => {
            let class = core::str::from_utf8(rest).ok()?;
            let (meant, rest) = class_matches(class, seen);
            meant.then_some((rest.as_bytes(), name))
        }
        _ => None,
    }
}

/// Whether the class whose members begin `text` means `seen`, and what follows the class.
fn class_matches(text: &str, seen: char) -> (bool, &str) {
    let (negated, mut text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut found = false;
    loop {
        let mut chars = text.chars();
        if chars.next() != Some('\\') {
            return (found != negated, chars.as_str());
        }
        let low = chars.next();
        text = chars.as_str();
        let mut high = low;
        if let Some(range) = text.strip_prefix("-\\") {
            chars = range.chars();
            high = chars.next();
            text = chars.as_str();
        }
        found |= low <= Some(seen) && Some(seen) <= high;
    }
}

/// The literal that a component of a plain pattern is, when nothing in it is special.
pub(crate) fn literal(component: &str) -> Option<Cow<'_, str>> {
    if !component.bytes().any(is_special) {
        return Some(Cow::Borrowed(component));
    }
    let tokens: Option<String> = tokens(component).map(|(literal, _)| literal).collect();
    tokens.map(Cow::Owned)
}

/// Whether a byte is no literal in a plain pattern.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

/// The parts of one component: a literal character, or nothing for a wildcard; with the bytes each takes.
pub(crate) fn tokens(component: &str) -> impl Iterator<Item = (Option<char>, usize)> {
    let mut rest = component;
    core::iter::from_fn(move || {
        let mut chars = rest.chars();
        let token = match chars.next()? {
            '*' | '?' => None,
            '[' => {
                let after = class_matches(chars.as_str(), '/').1;
                chars = after.chars();
                None
            }
            '\\' => chars.next(),
            literal => Some(literal),
        };
        let taken = rest.len() - chars.as_str().len();
        rest = chars.as_str();
        Some((token, taken))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn plain(pattern: &str) -> Vec<String> {
        let expanded = expand(pattern).expect("the pattern has a meaning");
        expanded.iter().map(|glob| glob.as_str().to_string()).collect()
    }

    #[test]
    fn the_longest_patterns_stay_within_the_longest_plain_ones() {
        let longest =
            [format!("{}/", "\\?".repeat(2047)), format!("[{}]?", "*".repeat(4093)), "?".repeat(4096)];
        for pattern in longest {
            let plain = plain(&pattern);
            assert!(plain.iter().all(|plain| plain.len() <= MAX_PLAIN), "{}", plain[0].len());
        }
    }

    #[test]
    fn one_rule_does_not_stand_for_endless_patterns() {
        let branches = format!("{}{}", "{a,b}".repeat(10), "x".repeat(4000));
        assert!(GlobList::parse(&[&branches; 3]).is_ok());
        assert!(GlobList::parse(&[&branches; 5]).unwrap_err().to_string().contains("16 MiB"));
    }

    #[test]
    fn patterns_have_one_full_form() {
        let cases: &[(&str, &[&str])] = &[
            ("*.rs", &["**/*.rs"]),
            ("/*.rs", &["*.rs"]),
            ("./a", &["a"]),
            ("src/", &["src/**"]),
            ("**/*", &["**"]),
            ("*", &["**"]),
            ("**", &["**"]),
            ("a/**/*", &["a/**"]),
            ("a/**/**/b", &["a/**/b"]),
            ("a**b", &["**/a*b"]),
            ("{src/,}a", &["a", "src/a"]),
            ("{x}", &["**/x"]),
            ("{a,}", &["**/a"]),
            ("{a,{b,c}}.rs", &["**/a.rs", "**/b.rs", "**/c.rs"]),
            ("[a-c]x", &["**/[\\a-\\c]x"]),
            ("\\*", &["**/\\*"]),
            ("a//b", &[]),
            ("../a", &[]),
            ("", &[]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(plain(pattern), *expected, "{pattern}");
        }
    }

    #[test]
    fn the_dialect_means_what_it_says() {
        let cases = [
            ("*.rs", "a/b/c.rs", true),
            ("*.rs", ".rs", true),
            ("/*.rs", "a/b.rs", false),
            ("src/**", "src", false),
            ("src/**", "src/a", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b/**/c", "a/b/b/x/c", true),
            ("a/*/b", "a/x/y/b", false),
            ("?.md", "é.md", true),
            ("[!a-c].md", "d.md", true),
            ("[!a-c].md", "b.md", false),
            ("a[+-9]b", "a/b", false),
            ("a[!x]b", "a/b", false),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("\\[x\\]", "[x]", true),
            ("*a*b*c", "xaxbxc", true),
            ("*a*b*c", "xaxbx", false),
            ("**/skills/**/SKILL.md", "x/skills/SKILL.md", true),
        ];
        for (pattern, path, expected) in cases {
            let list = GlobList::parse(&[pattern]).expect(pattern);
            assert_eq!(list.matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn the_last_pattern_decides() {
        let list = GlobList::parse(&["src/**", "!src/gen/**", "src/gen/keep.rs"]).expect("in order");
        assert!(list.matches("src/a.rs"));
        assert!(!list.matches("src/gen/a.rs"));
        assert!(list.matches("src/gen/keep.rs"));
        assert!(GlobList::parse(&["!a"]).is_err());
    }

    #[test]
    fn faults_point_at_their_byte() {
        for (pattern, at) in [("a{b", 1), ("a}b", 1), ("a[b", 1), ("ab\\", 2), ("[z-a]", 1)] {
            assert_eq!(expand(pattern).expect_err(pattern).at(), at, "{pattern}");
        }
        assert!(expand(&"{a,b}".repeat(11)).is_err(), "2048 branches");
        assert!(expand(&"{".repeat(40)).is_err(), "nested too deep");
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "**/*a".repeat(200) + "b";
        let path = "a/".repeat(400) + "a";
        assert!(!GlobList::parse(&[pattern]).expect("in order").matches(&path));
    }
}

//! Links in the text of a paragraph or heading, and link definitions before it.

use alloc::vec::Vec;

use super::Link;
use super::html::tag_len;

/// Finds `[text](destination)` and `![text](destination)` between `start` and `end` of `body`.
///
/// Code spans, autolinks, HTML tags and quoted characters are passed over; a link holds no other link.
pub(super) fn find(body: &str, start: usize, end: usize, links: &mut Vec<Link>) {
    let text = &body.as_bytes()[..end];
    let first = links.len();
    let mut open: Vec<Bracket> = Vec::new();
    let mut at = start;
    while at < end {
        match text[at] {
            b'\\' => at += 2,
            b'`' => at = code_span_end(text, at),
            b'<' => at += autolink_len(&text[at..]).or_else(|| tag_len(&text[at..])).unwrap_or(1),
            b'!' if text.get(at + 1) == Some(&b'[') => {
                open.push(Bracket { start: at, is_image: true, is_active: true });
                at += 2;
            }
            b'[' => {
                open.push(Bracket { start: at, is_image: false, is_active: true });
                at += 1;
            }
            b']' => {
                at += 1;
                let Some(bracket) = open.pop() else { continue };
                if !bracket.is_active {
                    continue;
                }
                let Some((destination, after)) = inline_destination(text, at) else { continue };
                links.push(Link { start: bracket.start, destination });
                at = after;
                if !bracket.is_image {
                    open.iter_mut().filter(|outer| !outer.is_image).for_each(|outer| outer.is_active = false);
                }
            }
            _ => at += 1,
        }
    }
    links[first..].sort_by_key(|link| link.start);
}

struct Bracket {
    start: usize,
    is_image: bool,
    /// Outer brackets of a link can't be one.
    is_active: bool,
}

/// Where the code span that begins at `at` ends, or where its backticks end when nothing closes it.
fn code_span_end(text: &[u8], at: usize) -> usize {
    let run = |from: usize| text[from..].iter().take_while(|&&byte| byte == b'`').count();
    let len = run(at);
    let mut next = at + len;
    while let Some(found) = memchr::memchr(b'`', &text[next..]) {
        let closing = run(next + found);
        next += found + closing;
        if closing == len {
            return next;
        }
    }
    at + len
}

/// Length of `<scheme:...>` or `<name@host>`.
fn autolink_len(text: &[u8]) -> Option<usize> {
    let end = memchr::memchr3(b'>', b'<', b' ', &text[1..])? + 1;
    let inner = &text[1..end];
    if text[end] != b'>' || inner.iter().any(u8::is_ascii_control) {
        return None;
    }
    let scheme =
        inner.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(byte)).count();
    let is_uri =
        (2..=32).contains(&scheme) && inner[0].is_ascii_alphabetic() && inner.get(scheme) == Some(&b':');
    let is_mail = memchr::memchr_iter(b'@', inner).count() == 1
        && !inner.starts_with(b"@")
        && inner.last().is_some_and(u8::is_ascii_alphanumeric)
        && inner.iter().all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-@".contains(byte));
    (is_uri || is_mail).then_some(end + 1)
}

/// The destination in `(destination "title")` at `at`, and where the parenthesis ends.
fn inline_destination(text: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    if text.get(at) != Some(&b'(') {
        return None;
    }
    let start = skip_white_space(text, at + 1)?;
    let (destination, end) = destination(text, start)?;
    let mut next = skip_white_space(text, end)?;
    if next > end && matches!(text.get(next), Some(b'"' | b'\'' | b'(')) {
        next = skip_white_space(text, title_end(text, next)?)?;
    }
    (text.get(next) == Some(&b')')).then_some((destination, next + 1))
}

/// Past white space, at most one line feed, and what marks a quote's lines.
fn skip_white_space(text: &[u8], at: usize) -> Option<usize> {
    let mut next = at;
    let mut lines = 0;
    while let Some(&byte) = text.get(next) {
        match byte {
            b' ' | b'\t' | b'\r' => {}
            b'\n' => lines += 1,
            _ => break,
        }
        next += 1;
    }
    (lines < 2).then_some(next)
}

/// The destination at `at` without angle brackets, and where it ends with them.
fn destination(text: &[u8], at: usize) -> Option<((usize, usize), usize)> {
    if text.get(at) == Some(&b'<') {
        let mut end = at + 1;
        loop {
            match text.get(end)? {
                b'>' => return Some(((at + 1, end), end + 1)),
                b'<' | b'\n' => return None,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
    }
    let (mut end, mut depth) = (at, 0usize);
    while let Some(&byte) = text.get(end) {
        match byte {
            b'\\' if text.get(end + 1).is_some_and(u8::is_ascii_punctuation) => end += 1,
            b'(' => {
                depth += 1;
                if depth > 32 {
                    return None;
                }
            }
            b')' if depth == 0 => break,
            b')' => depth -= 1,
            b' ' | b'\t' | b'\n' | b'\r' => break,
            _ if byte.is_ascii_control() => break,
            _ => {}
        }
        end += 1;
    }
    (depth == 0 && end <= text.len()).then_some(((at, end), end))
}

/// Where the title that begins at `at` ends.
fn title_end(text: &[u8], at: usize) -> Option<usize> {
    let close = if text[at] == b'(' { b')' } else { text[at] };
    let mut end = at + 1;
    loop {
        match *text.get(end)? {
            b'\\' => end += 2,
            byte if byte == close => return Some(end + 1),
            b'(' if close == b')' => return None,
            b'\n' if skip_white_space(text, end).is_none() => return None,
            _ => end += 1,
        }
    }
}

/// How many bytes of `[label]: destination "title"` lines a paragraph begins with.
pub(super) fn definitions_len(paragraph: &str) -> usize {
    let text = paragraph.as_bytes();
    let mut at = 0;
    while let Some(end) = definition_end(text, at) {
        at = end;
    }
    at
}

fn definition_end(text: &[u8], at: usize) -> Option<usize> {
    let start = skip_white_space(text, at)?;
    if text.get(start) != Some(&b'[') {
        return None;
    }
    let mut label = start + 1;
    let mut filled = false;
    loop {
        match *text.get(label)? {
            b']' => break,
            b'[' => return None,
            b'\\' => label += 1,
            byte => filled |= !byte.is_ascii_whitespace(),
        }
        filled |= text[label.min(text.len() - 1)] == b'\\';
        label += 1;
    }
    if !filled || label - start > 1000 || text.get(label + 1) != Some(&b':') {
        return None;
    }
    let begin = skip_white_space(text, label + 2)?;
    let (range, end) = destination(text, begin)?;
    if range.0 == range.1 && end == begin {
        return None;
    }
    let line_end = |from: usize| {
        let next = text[from..]
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r'))
            .map_or(text.len(), |n| from + n);
        (next == text.len() || text[next] == b'\n').then(|| (next + 1).min(text.len()))
    };
    let title = skip_white_space(text, end)?;
    if title > end
        && matches!(text.get(title), Some(b'"' | b'\'' | b'('))
        && let Some(whole) = title_end(text, title).and_then(line_end)
    {
        return Some(whole);
    }
    line_end(end)
}

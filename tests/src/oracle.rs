//! What `pulldown-cmark` says of a body, in the words of driven's scanner.

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Parser, Tag, TagEnd};

/// What both scanners must agree on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// Level and first byte of every heading.
    pub headings: Vec<(u8, usize)>,
    /// First byte of the content, end of the text, depth up to 15, and whether numbered, of every list item.
    pub items: Vec<(usize, usize, u8, bool)>,
    /// First byte and info string of every fenced code block.
    pub fences: Vec<(usize, String)>,
    /// First byte of every inline link and image.
    pub links: Vec<usize>,
}

/// The oracle.
pub fn pulldown(body: &str) -> Structure {
    let mut structure = Structure::default();
    let mut lists = Vec::new();
    let mut depth = 0u8;
    for (event, range) in Parser::new(body).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => structure.headings.push((level as u8, range.start)),
            Event::Start(Tag::List(start)) => lists.push(start.is_some()),
            Event::End(TagEnd::List(_)) => {
                lists.pop();
            }
            Event::Start(Tag::Item) => {
                depth += 1;
                let numbered = lists.last().copied().unwrap_or_default();
                let start = content_start(body, range.start);
                let end = text_end(body, start, range.end);
                structure.items.push((start, end, depth.min(15), numbered));
            }
            Event::End(TagEnd::Item) => depth -= 1,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let raw = body[range.start..].lines().next().unwrap_or_default();
                let info = if is_plain(raw) { info.into_string() } else { String::new() };
                structure.fences.push((range.start, info));
            }
            Event::Start(
                Tag::Link { link_type: LinkType::Inline, .. }
                | Tag::Image { link_type: LinkType::Inline, .. },
            ) => {
                structure.links.push(range.start);
            }
            _ => {}
        }
    }
    structure.links.sort_unstable();
    structure
}

/// Behind the marker that begins at `marker`, and the white space after it.
fn content_start(body: &str, marker: usize) -> usize {
    let rest = body[marker..].trim_start_matches([' ', '\t', '\n']);
    let rest = rest.trim_start_matches(|char: char| char.is_ascii_digit());
    let behind = &rest[1..];
    let content = behind.trim_start_matches([' ', '\t']);
    body.len() - content.len()
}

/// Where the text before `end` ends; blank lines behind it do not count, and an item of quote markers alone is empty.
fn text_end(body: &str, start: usize, end: usize) -> usize {
    if body[start..end.max(start)].trim_start_matches([' ', '\t', '\r', '\n', '>']).is_empty() {
        return start;
    }
    start + body[start..end.max(start)].trim_end_matches([' ', '\t', '\r', '\n']).len()
}

/// Whether the info string of a fence stands in the body as it is meant; driven gives it as it stands.
fn is_plain(info: &str) -> bool {
    !info.contains(['\\', '&', '\u{FFFD}'])
}

/// What driven's scanner says.
pub fn scanned(body: &str) -> Structure {
    use driven_format::NodeKind;

    let outline = driven_build::outline::scan(body);
    let mut structure = Structure::default();
    for node in &outline.nodes {
        let range = node.range();
        match node.kind {
            NodeKind::Section => structure.headings.push((node.level, range.start)),
            NodeKind::Bullet | NodeKind::Numbered => {
                let end = text_end(body, range.start, range.end);
                structure.items.push((range.start, end, node.level, node.kind == NodeKind::Numbered));
            }
            _ => {}
        }
    }
    for fence in &outline.fences {
        let raw = body[fence.start..].lines().next().unwrap_or_default();
        let info = if is_plain(raw) { &body[fence.info.0..fence.info.1] } else { "" };
        structure.fences.push((fence.start, info.to_owned()));
    }
    structure.links = outline.links.iter().map(|link| link.start).collect();
    structure.links.sort_unstable();
    structure
}

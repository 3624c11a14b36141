//! The structure of a body: headings, list items, fenced code.
//!
//! A scanner of the block structure of `CommonMark` 0.31, line by line, after the
//! algorithm in the specification's appendix; lines are found by `memchr`. It
//! builds no tree and reads no inline markup. Where it differs from
//! `pulldown-cmark`, its oracle in the tests, stands in `docs/FORMAT.md`, "Outline".

mod html;
mod line;
mod links;

use alloc::vec::Vec;

use crate::model::{NodeKind, OutlineNode, RuleSet};
use crate::sections::outline::MAX_LEVEL;

use html::HtmlEnd;
use line::Line;

/// A fenced code block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Where its opening fence begins.
    pub start: usize,
    /// The info string behind the fence, as a range of the body.
    pub info: (usize, usize),
    /// Whether a closing fence ended it, rather than the end of what holds it.
    pub is_closed: bool,
}

/// A link or an image with its destination beside its text: `[text](destination)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it begins.
    pub start: usize,
    /// The destination, as a range of the body.
    pub destination: (usize, usize),
}

/// What [`scan`] finds in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Headings and list items, outer before inner.
    pub nodes: Vec<OutlineNode>,
    /// Fenced code blocks in order.
    pub fences: Vec<Fence>,
    /// Links in order.
    pub links: Vec<Link>,
}

/// Finds the structure of a body. A body is shorter than 4 GiB.
pub fn scan(body: &str) -> Outline {
    let marks = memchr::memmem::find_iter(body.as_bytes(), b"](").collect();
    run(Scanner::new(body, marks))
}

/// The nodes that [`scan`] finds.
pub fn nodes(body: &str) -> Vec<OutlineNode> {
    run(Scanner::new(body, Vec::new())).nodes
}

/// Finds the nodes of every body anew, for a model that came without them.
pub fn rescan(set: &mut RuleSet) {
    for rule in &mut set.rules {
        rule.outline = nodes(&rule.body);
    }
}

fn run(mut scanner: Scanner<'_>) -> Outline {
    let body = scanner.body;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', body.as_bytes()) {
        scanner.line(start, end);
        start = end + 1;
    }
    if start < body.len() {
        scanner.line(start, body.len());
    }
    scanner.finish()
}

/// What may hold other blocks.
#[derive(Clone, Copy)]
enum Container {
    Quote,
    Item {
        /// Columns that a line of the item is indented by.
        indent: usize,
        /// Index of its node.
        node: usize,
        /// Something is in it.
        filled: bool,
    },
}

/// The block that takes lines, innermost.
#[derive(Clone, Copy)]
enum Leaf {
    None,
    /// Where it begins, and where its text so far ends.
    Paragraph(usize, usize),
    Fence {
        char: u8,
        len: usize,
    },
    Indented,
    Html(HtmlEnd),
}

struct OpenSection {
    node: usize,
    level: u8,
    /// How many containers hold it.
    depth: usize,
}

struct Scanner<'b> {
    body: &'b str,
    outline: Outline,
    containers: Vec<Container>,
    sections: Vec<OpenSection>,
    leaf: Leaf,
    /// Where the text of the last line that was not blank ends.
    text_end: usize,
    /// Where `](` stands in the body, what is passed left out: without one, a paragraph has no link.
    marks: Vec<usize>,
    next_mark: usize,
}

impl<'b> Scanner<'b> {
    fn new(body: &'b str, marks: Vec<usize>) -> Self {
        Scanner {
            body,
            outline: Outline::default(),
            containers: Vec::new(),
            sections: Vec::new(),
            leaf: Leaf::None,
            text_end: 0,
            marks,
            next_mark: 0,
        }
    }

    /// One line without its line feed.
    fn line(&mut self, start: usize, end: usize) {
        if self.goes_on_plainly(start, end) || start == end && self.passes_empty_line() {
            return;
        }
        let mut line = Line::new(self.body.as_bytes(), start, end);
        let matched = self.match_containers(&mut line);
        let all_matched = matched == self.containers.len();
        let taken = all_matched && self.continue_leaf(&mut line);
        if !taken {
            self.open_blocks(&mut line, matched);
        }
        if let Some(end) = line.text_end() {
            self.text_end = end;
        }
    }

    /// Most lines go on with a paragraph or a code block of the document itself: what is in front can begin or end nothing.
    #[inline]
    fn goes_on_plainly(&mut self, start: usize, end: usize) -> bool {
        let Some(&first) = self.body.as_bytes()[start..end].first() else { return false };
        let plain = match self.leaf {
            Leaf::Paragraph(..) => first.is_ascii_alphabetic(),
            Leaf::Fence { char, .. } => !matches!(first, b' ' | b'\t' | b'\r') && first != char,
            _ => false,
        };
        if !plain || !self.containers.is_empty() {
            return false;
        }
        let text =
            self.body.as_bytes()[start..end].iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        self.text_end = start + text.map_or(0, |last| last + 1);
        if let Leaf::Paragraph(begin, _) = self.leaf {
            self.leaf = Leaf::Paragraph(begin, self.text_end);
        }
        true
    }

    /// An empty line ends nothing but a paragraph and some HTML, unless a quote or an empty item is open.
    #[inline]
    fn passes_empty_line(&mut self) -> bool {
        if !self.containers.iter().all(|container| matches!(container, Container::Item { filled: true, .. }))
        {
            return false;
        }
        match self.leaf {
            Leaf::Paragraph(..) => self.end_paragraph(),
            Leaf::Html(end) if end.is_at_blank_line() => self.leaf = Leaf::None,
            Leaf::Html(_) | Leaf::Fence { .. } | Leaf::Indented | Leaf::None => {}
        }
        true
    }

    /// How many open containers the line goes on with.
    fn match_containers(&mut self, line: &mut Line<'_>) -> usize {
        for (index, container) in self.containers.iter().enumerate() {
            let goes_on = match *container {
                Container::Quote => line.take_quote_marker(),
                Container::Item { indent, filled, .. } => {
                    if line.is_blank() {
                        filled
                    } else {
                        let deep = line.indent() >= indent;
                        if deep {
                            line.take_columns(indent);
                        }
                        deep
                    }
                }
            };
            if !goes_on {
                return index;
            }
        }
        self.containers.len()
    }

    /// Whether the open leaf takes the line, so that no block can begin in it.
    fn continue_leaf(&mut self, line: &mut Line<'_>) -> bool {
        match self.leaf {
            Leaf::Fence { char, len } => {
                if line.closes_fence(char, len) {
                    self.leaf = Leaf::None;
                    if let Some(fence) = self.outline.fences.last_mut() {
                        fence.is_closed = true;
                    }
                }
                true
            }
            Leaf::Html(end) => {
                if end.is_at_blank_line() && line.is_blank() || end.is_in(line.rest()) {
                    self.leaf = Leaf::None;
                }
                true
            }
            Leaf::Indented if line.is_blank() || line.indent() >= 4 => true,
            Leaf::Indented => {
                self.leaf = Leaf::None;
                false
            }
            Leaf::Paragraph(..) | Leaf::None => false,
        }
    }

    /// Opens the blocks that begin in the line, behind the first `matched` containers; the rest is text.
    fn open_blocks(&mut self, line: &mut Line<'_>, matched: usize) {
        // `open` is how many containers hold what comes next; while it equals `matched`, others may still
        // be open beyond it, and a paragraph there goes on lazily if nothing begins.
        let mut open = matched;
        let mut closed = matched == self.containers.len();
        let in_paragraph = |scanner: &Self| closed_paragraph(scanner.leaf);
        loop {
            if line.is_blank() {
                self.close_containers(open);
                self.end_paragraph();
                self.leaf = Leaf::None;
                return;
            }
            if line.indent() >= 4 {
                if !in_paragraph(self) {
                    self.close_containers(open);
                    self.leaf = Leaf::Indented;
                    self.fill();
                    return;
                }
                break;
            }
            let interrupts = closed && in_paragraph(self);
            match line.peek() {
                b'>' => {
                    self.close_containers(open);
                    self.end_paragraph();
                    self.fill();
                    line.take_quote_marker();
                    self.containers.push(Container::Quote);
                }
                b'#' if let Some((level, title)) = line.atx_heading() => {
                    self.close_containers(open);
                    self.end_paragraph();
                    self.heading(level, line.offset(), title);
                    return;
                }
                b'`' | b'~' if let Some((len, info)) = line.opens_fence() => {
                    self.close_containers(open);
                    self.end_paragraph();
                    self.leaf = Leaf::Fence { char: line.peek(), len };
                    self.outline.fences.push(Fence { start: line.offset(), info, is_closed: false });
                    self.fill();
                    return;
                }
                b'<' if let Some(end) = HtmlEnd::of_start(line.rest(), !in_paragraph(self)) => {
                    self.close_containers(open);
                    self.end_paragraph();
                    self.leaf = if end.is_in(line.rest()) { Leaf::None } else { Leaf::Html(end) };
                    self.fill();
                    return;
                }
                b'=' | b'-' if interrupts && self.setext_heading(line) => return,
                b'-' | b'*' | b'_' if line.is_thematic_break() => {
                    self.close_containers(open);
                    self.end_paragraph();
                    self.fill();
                    return;
                }
                b'-' | b'+' | b'*' | b'0'..=b'9' if let Some(marker) = line.list_marker(interrupts) => {
                    self.close_containers(open);
                    self.end_paragraph();
                    self.fill();
                    self.item(line, &marker);
                }
                _ => break,
            }
            open = self.containers.len();
            closed = true;
        }
        self.text(line, open);
    }

    /// Text begins a paragraph, or goes on with the open one, perhaps from within containers that the line left.
    fn text(&mut self, line: &Line<'_>, open: usize) {
        let end = line.text_end().unwrap_or(line.offset());
        if let Leaf::Paragraph(start, _) = self.leaf {
            self.leaf = Leaf::Paragraph(start, end);
            return;
        }
        self.close_containers(open);
        self.leaf = Leaf::Paragraph(line.offset(), end);
        self.fill();
    }

    /// Turns the open paragraph into a heading, unless it is nothing but link definitions.
    fn setext_heading(&mut self, line: &Line<'_>) -> bool {
        let (Leaf::Paragraph(start, end), Some(level)) = (self.leaf, line.setext_level()) else {
            return false;
        };
        let text = &self.body[start..end];
        let text = text[links::definitions_len(text)..].trim_start_matches([' ', '\t']);
        let start = end - text.len();
        if text.is_empty() {
            return false;
        }
        self.leaf = Leaf::None;
        self.heading(level, start, (start, end));
        true
    }

    fn heading(&mut self, level: u8, start: usize, (title_start, title_end): (usize, usize)) {
        let depth = self.containers.len();
        while let Some(open) = self.sections.pop_if(|open| open.depth >= depth && open.level >= level) {
            self.end_node(open.node);
        }
        self.fill();
        self.sections.push(OpenSection { node: self.outline.nodes.len(), level, depth });
        self.node(NodeKind::Section, level, start, 0);
        self.node(NodeKind::Title, level, title_start, title_end - title_start);
        self.find_links(title_start, title_end);
    }

    fn item<'l>(&mut self, line: &mut Line<'l>, marker: &line::ListMarker<'l>) {
        let items = self.containers.iter().filter(|container| matches!(container, Container::Item { .. }));
        let depth = (items.count() + 1).min(MAX_LEVEL.into()) as u8;
        line.take_list_marker(marker);
        let node = self.outline.nodes.len();
        let kind = if marker.is_numbered { NodeKind::Numbered } else { NodeKind::Bullet };
        self.node(kind, depth, line.offset(), 0);
        self.containers.push(Container::Item { indent: marker.content_indent, node, filled: false });
    }

    fn node(&mut self, kind: NodeKind, level: u8, start: usize, len: usize) {
        self.outline.nodes.push(OutlineNode { kind, level, start: start as u32, len: len as u32 });
    }

    /// Sets a node's end to the end of the text so far.
    fn end_node(&mut self, node: usize) {
        let node = &mut self.outline.nodes[node];
        node.len = (self.text_end as u32).saturating_sub(node.start);
    }

    /// Closes the containers beyond the first `keep`, and whatever is open in them.
    fn close_containers(&mut self, keep: usize) {
        if self.containers.len() > keep {
            self.end_paragraph();
            self.leaf = Leaf::None;
        }
        while self.containers.len() > keep {
            while let Some(open) =
                self.sections.pop_if(|open| open.depth > keep && open.depth >= self.containers.len())
            {
                self.end_node(open.node);
            }
            if let Some(Container::Item { node, .. }) = self.containers.pop() {
                self.end_node(node);
            }
        }
    }

    /// Ends the open paragraph and finds its links.
    fn end_paragraph(&mut self) {
        if let Leaf::Paragraph(start, end) = self.leaf {
            self.find_links(start, end);
            self.leaf = Leaf::None;
        }
    }

    fn find_links(&mut self, start: usize, end: usize) {
        while self.marks.get(self.next_mark).is_some_and(|&mark| mark < start) {
            self.next_mark += 1;
        }
        if self.marks.get(self.next_mark).is_some_and(|&mark| mark < end) {
            links::find(self.body, start, end, &mut self.outline.links);
        }
    }

    /// The innermost item has something in it.
    fn fill(&mut self) {
        if let Some(Container::Item { filled, .. }) = self.containers.last_mut() {
            *filled = true;
        }
    }

    fn finish(mut self) -> Outline {
        self.end_paragraph();
        self.close_containers(0);
        while let Some(open) = self.sections.pop() {
            self.end_node(open.node);
        }
        self.outline
    }
}

fn closed_paragraph(leaf: Leaf) -> bool {
    matches!(leaf, Leaf::Paragraph(..))
}

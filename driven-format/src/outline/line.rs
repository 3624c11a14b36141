//! One line of a body, and how far it is read: offsets, and columns with tab stops of four.

/// A line without its line feed.
#[derive(Clone, Copy)]
pub(super) struct Line<'b> {
    bytes: &'b [u8],
    /// Where it begins in the body.
    start: usize,
    /// Offset of what is not read yet, in the body.
    at: usize,
    /// End of the line in the body, without `\r`.
    end: usize,
    column: usize,
    /// Columns of a tab before `at` that are not read yet.
    tab_rest: usize,
    /// Where the white space from `at` on ends, and how many columns it has.
    next: usize,
    indent: usize,
}

/// The marker of a list item that can begin here.
pub(super) struct ListMarker<'b> {
    pub(super) is_numbered: bool,
    /// Columns that the item's other lines are indented by.
    pub(super) content_indent: usize,
    /// The line behind the marker.
    behind: Line<'b>,
    /// Columns between the marker and the content.
    padding: usize,
}

impl<'b> Line<'b> {
    pub(super) fn new(bytes: &'b [u8], start: usize, end: usize) -> Self {
        let end = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
        let mut line = Line { bytes, start, at: start, end, column: 0, tab_rest: 0, next: start, indent: 0 };
        line.see_white_space();
        line
    }

    /// Finds where the white space ends, and how many columns it has.
    #[inline]
    fn see_white_space(&mut self) {
        let (mut at, mut column) = (self.at, self.column + self.tab_rest);
        while at < self.end {
            match self.bytes[at] {
                b' ' => column += 1,
                b'\t' => column += 4 - column % 4,
                _ => break,
            }
            at += 1;
        }
        self.next = at;
        self.indent = column - self.column;
    }

    /// Columns of white space before the next byte.
    #[inline]
    pub(super) fn indent(&self) -> usize {
        self.indent
    }

    /// Offset of the next byte that is no white space.
    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.next
    }

    #[inline]
    pub(super) fn is_blank(&self) -> bool {
        self.next == self.end
    }

    /// The next byte that is no white space; the line is not blank.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.bytes[self.next]
    }

    /// What follows the white space.
    pub(super) fn rest(&self) -> &'b [u8] {
        &self.bytes[self.offset()..self.end]
    }

    /// Where the text of the line ends, markers included, if it has any.
    #[inline]
    pub(super) fn text_end(&self) -> Option<usize> {
        let text = self.bytes[self.start..self.end].iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))?;
        Some(self.start + text + 1)
    }

    /// Reads `columns` of white space.
    #[inline]
    pub(super) fn take_columns(&mut self, columns: usize) {
        if columns <= self.indent && self.indent == self.next - self.at {
            // A byte is a column: spaces, or tabs that happen to be as narrow.
            self.at += columns;
            self.column += columns;
            self.indent -= columns;
        } else {
            self.take_columns_of_tabs(columns);
        }
    }

    fn take_columns_of_tabs(&mut self, columns: usize) {
        let target = self.column + columns;
        while self.column + self.tab_rest < target && self.at < self.end {
            self.column += self.tab_rest;
            let width = match self.bytes[self.at] {
                b' ' => 1,
                b'\t' => 4 - self.column % 4,
                _ => {
                    self.tab_rest = 0;
                    self.see_white_space();
                    return;
                }
            };
            self.at += 1;
            self.tab_rest = width;
        }
        self.tab_rest = (self.column + self.tab_rest).saturating_sub(target);
        self.column = target;
        self.see_white_space();
    }

    /// Reads the white space and `count` bytes behind it.
    #[inline]
    fn take_bytes(&mut self, count: usize) {
        self.at = self.next + count;
        self.column += self.indent + count;
        self.tab_rest = 0;
        self.see_white_space();
    }

    /// Reads `>` and one column behind it.
    pub(super) fn take_quote_marker(&mut self) -> bool {
        if self.indent > 3 || self.is_blank() || self.peek() != b'>' {
            return false;
        }
        self.take_bytes(1);
        if self.indent() > 0 {
            self.take_columns(1);
        }
        true
    }

    /// Level and title of the heading that the line is.
    pub(super) fn atx_heading(&self) -> Option<(u8, (usize, usize))> {
        let rest = self.rest();
        let level = rest.iter().take_while(|&&byte| byte == b'#').count();
        let behind = rest.get(level);
        if level > 6 || behind.is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
            return None;
        }
        let start = self.offset() + level;
        let (start, mut end) = trim(self.bytes, start, self.end);
        let hashes = self.bytes[start..end].iter().rev().take_while(|&&byte| byte == b'#').count();
        let before = end - hashes;
        if hashes > 0 && (before == start || matches!(self.bytes[before - 1], b' ' | b'\t')) {
            end = trim(self.bytes, start, before).1;
        }
        Some((level as u8, (start, end.max(start))))
    }

    /// Length and info string of the fence that the line opens.
    pub(super) fn opens_fence(&self) -> Option<(usize, (usize, usize))> {
        let rest = self.rest();
        let char = rest[0];
        let len = rest.iter().take_while(|&&byte| byte == char).count();
        if len < 3 || char == b'`' && rest[len..].contains(&b'`') {
            return None;
        }
        Some((len, trim(self.bytes, self.offset() + len, self.end)))
    }

    pub(super) fn closes_fence(&self, char: u8, len: usize) -> bool {
        let rest = self.rest();
        let run = rest.iter().take_while(|&&byte| byte == char).count();
        self.indent() < 4 && run >= len && rest[run..].iter().all(|byte| matches!(byte, b' ' | b'\t'))
    }

    /// The level of the heading that the line makes of a paragraph before it.
    pub(super) fn setext_level(&self) -> Option<u8> {
        let rest = self.rest();
        let char = rest[0];
        let run = rest.iter().take_while(|&&byte| byte == char).count();
        let alone = rest[run..].iter().all(|byte| matches!(byte, b' ' | b'\t'));
        alone.then_some(if char == b'=' { 1 } else { 2 })
    }

    pub(super) fn is_thematic_break(&self) -> bool {
        let rest = self.rest();
        let char = rest[0];
        let mut count = 0;
        for &byte in rest {
            match byte {
                b' ' | b'\t' => {}
                _ if byte == char => count += 1,
                _ => return false,
            }
        }
        count >= 3
    }

    /// The marker of the list item that begins here. One that interrupts a paragraph has content and starts at 1.
    pub(super) fn list_marker(&self, interrupts: bool) -> Option<ListMarker<'b>> {
        let rest = self.rest();
        let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        let is_numbered = digits > 0;
        if is_numbered && (digits > 9 || !matches!(rest.get(digits), Some(b'.' | b')'))) {
            return None;
        }
        if is_numbered
            && interrupts
            && rest[..digits]
                .iter()
                .rev()
                .enumerate()
                .any(|(place, &digit)| digit != if place == 0 { b'1' } else { b'0' })
        {
            return None;
        }
        let len = digits + 1;
        if rest.get(len).is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
            return None;
        }
        let mut behind = *self;
        behind.take_bytes(len);
        let blank = behind.is_blank();
        if interrupts && blank {
            return None;
        }
        let spaces = behind.indent();
        let padding = if blank || spaces > 4 { 1 } else { spaces };
        Some(ListMarker { is_numbered, content_indent: self.indent() + len + padding, behind, padding })
    }

    pub(super) fn take_list_marker(&mut self, marker: &ListMarker<'b>) {
        *self = marker.behind;
        self.take_columns(marker.padding);
    }
}

/// The range without white space at its ends.
fn trim(bytes: &[u8], start: usize, end: usize) -> (usize, usize) {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let range = &bytes[start..end];
    match (range.iter().position(is_text), range.iter().rposition(is_text)) {
        (Some(first), Some(last)) => (start + first, start + last + 1),
        _ => (end, end),
    }
}

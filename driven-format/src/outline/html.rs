//! HTML blocks: how they begin and what ends them (`CommonMark` 0.31, section 4.6).

/// What ends an HTML block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HtmlEnd {
    /// A closing tag of `script`, `pre`, `style` or `textarea`.
    RawTag,
    Text(&'static [u8]),
    BlankLine,
}

const RAW_TAGS: [&[u8]; 4] = [b"script", b"pre", b"style", b"textarea"];

const BLOCK_TAGS: [&[u8]; 62] = [
    b"address",
    b"article",
    b"aside",
    b"base",
    b"basefont",
    b"blockquote",
    b"body",
    b"caption",
    b"center",
    b"col",
    b"colgroup",
    b"dd",
    b"details",
    b"dialog",
    b"dir",
    b"div",
    b"dl",
    b"dt",
    b"fieldset",
    b"figcaption",
    b"figure",
    b"footer",
    b"form",
    b"frame",
    b"frameset",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"head",
    b"header",
    b"hr",
    b"html",
    b"iframe",
    b"legend",
    b"li",
    b"link",
    b"main",
    b"menu",
    b"menuitem",
    b"nav",
    b"noframes",
    b"ol",
    b"optgroup",
    b"option",
    b"p",
    b"param",
    b"search",
    b"section",
    b"summary",
    b"table",
    b"tbody",
    b"td",
    b"tfoot",
    b"th",
    b"thead",
    b"title",
    b"tr",
    b"track",
    b"ul",
];

impl HtmlEnd {
    /// What ends the block that `line` begins, `line` at its `<`. Not every start may interrupt a paragraph.
    pub(super) fn of_start(line: &[u8], may_be_any_tag: bool) -> Option<HtmlEnd> {
        let behind = &line[1..];
        if behind.starts_with(b"!--") {
            return Some(HtmlEnd::Text(b"-->"));
        }
        if behind.starts_with(b"?") {
            return Some(HtmlEnd::Text(b"?>"));
        }
        if behind.starts_with(b"![CDATA[") {
            return Some(HtmlEnd::Text(b"]]>"));
        }
        if behind.first() == Some(&b'!') && behind.get(1).is_some_and(u8::is_ascii_alphabetic) {
            return Some(HtmlEnd::Text(b">"));
        }
        let (closing, name) = match behind.strip_prefix(b"/") {
            Some(name) => (true, name),
            None => (false, behind),
        };
        let len = name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let is_one_of = |tags: &[&[u8]]| tags.iter().any(|tag| name[..len].eq_ignore_ascii_case(tag));
        let after = &name[len..];
        let ends = matches!(after.first(), None | Some(b' ' | b'\t' | b'>'));
        if !closing && ends && is_one_of(&RAW_TAGS) {
            return Some(HtmlEnd::RawTag);
        }
        if (ends || after.starts_with(b"/>")) && is_one_of(&BLOCK_TAGS) {
            return Some(HtmlEnd::BlankLine);
        }
        let whole = may_be_any_tag && tag_len(line).is_some_and(|len| line[len..].trim_ascii().is_empty());
        (whole && (closing || !is_one_of(&RAW_TAGS))).then_some(HtmlEnd::BlankLine)
    }

    pub(super) fn is_at_blank_line(self) -> bool {
        self == HtmlEnd::BlankLine
    }

    /// Whether the block ends within `line`.
    pub(super) fn is_in(self, line: &[u8]) -> bool {
        match self {
            HtmlEnd::BlankLine => false,
            HtmlEnd::Text(text) => memchr::memmem::find(line, text).is_some(),
            HtmlEnd::RawTag => memchr::memmem::find_iter(line, b"</").any(|at| {
                let name = &line[at + 2..];
                RAW_TAGS.iter().any(|tag| {
                    name.get(..tag.len()).is_some_and(|name| name.eq_ignore_ascii_case(tag))
                        && name.get(tag.len()) == Some(&b'>')
                })
            }),
        }
    }
}

/// Length of the open or closing tag that `text` begins with (`CommonMark` 0.31, section 6.6).
pub(super) fn tag_len(text: &[u8]) -> Option<usize> {
    let mut tag = Tag { text, at: 1 };
    if tag.take(b'/') {
        tag.name()?;
        tag.white_space();
    } else {
        tag.name()?;
        while tag.white_space() && tag.attribute()? {}
        tag.take(b'/');
    }
    tag.take(b'>').then_some(tag.at)
}

struct Tag<'t> {
    text: &'t [u8],
    at: usize,
}

impl Tag<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn take_while(&mut self, of: impl Fn(u8) -> bool) -> usize {
        let len = self.text[self.at..].iter().take_while(|&&byte| of(byte)).count();
        self.at += len;
        len
    }

    fn white_space(&mut self) -> bool {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) > 0
    }

    fn name(&mut self) -> Option<()> {
        self.peek().filter(u8::is_ascii_alphabetic)?;
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        Some(())
    }

    /// Whether there was an attribute; nothing when it is broken.
    fn attribute(&mut self) -> Option<bool> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':')) {
            return Some(false);
        }
        self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-'));
        let before = self.at;
        self.white_space();
        if !self.take(b'=') {
            self.at = before;
            return Some(true);
        }
        self.white_space();
        if let quote @ (b'"' | b'\'') = self.peek()? {
            self.at += 1;
            self.take_while(|byte| byte != quote);
            self.take(quote).then_some(true)
        } else {
            let plain = |byte| {
                !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'=' | b'<' | b'>' | b'`')
            };
            (self.take_while(plain) > 0).then_some(true)
        }
    }
}

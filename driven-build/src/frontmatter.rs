//! Frontmatter: from the head of a file to keys and values with their places.
//!
//! YAML through `saphyr-parser`, without aliases (their expansion is a known
//! attack, and nothing here needs them). Where a file is not YAML but its meaning
//! is plain (`globs: **/*`, tabs, a colon in a description), it is read as it was
//! meant, key by key. Knows no key.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// How deep values may nest.
const MAX_DEPTH: usize = 16;

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it stands.
    pub range: Range<usize>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Text; plain text may mean a number or a truth value.
    Scalar(String),
    /// Nothing, or a plain `null` or `~`.
    Null,
    /// A list.
    List(Vec<Value>),
    /// Keys and values.
    Map(Vec<Entry>),
}

impl ValueKind {
    /// What it holds, whatever its form and place.
    pub fn shown(&self) -> String {
        match self {
            ValueKind::Scalar(text) => format!("{text:?}"),
            ValueKind::Null => "null".into(),
            ValueKind::List(list) => {
                let values: Vec<String> = list.iter().map(|value| value.kind.shown()).collect();
                format!("[{}]", values.join(", "))
            }
            ValueKind::Map(entries) => {
                let shown = |entry: &Entry| format!("{:?}: {}", entry.key, entry.value.kind.shown());
                let values: Vec<String> = entries.iter().map(shown).collect();
                format!("{{{}}}", values.join(", "))
            }
        }
    }
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_range: Range<usize>,
    /// Its value.
    pub value: Value,
}

/// The head of a file.
#[derive(Clone, Debug, Default)]
pub struct Frontmatter {
    /// Keys and values in order.
    pub entries: Vec<Entry>,
    /// Values that are no YAML and were read as they were meant.
    pub lenient: Vec<Range<usize>>,
    /// Where the body begins.
    pub body_start: usize,
}

/// Why frontmatter has no meaning.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where.
    pub range: Range<usize>,
    /// What was seen.
    pub message: String,
}

/// Reads a YAML mapping as YAML has it: nothing is read as it may have been meant.
pub fn mapping(yaml: &str) -> Result<Vec<Entry>, Fault> {
    parse(yaml, 0)
}

/// Where the body of a file begins, whether its head parses or not.
pub fn body_start(text: &str) -> usize {
    let bom = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let Some(mut line) = fence_end(text, bom) else { return bom };
    loop {
        if let Some(next) = fence_end(text, line) {
            return next;
        }
        match text[line..].find('\n') {
            Some(at) => line += at + 1,
            None => return bom,
        }
    }
}

/// Reads the head of a file; a file without one is all body.
pub fn read(text: &str) -> Result<Frontmatter, Fault> {
    let bom = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let without = Frontmatter { body_start: bom, ..Frontmatter::default() };
    let Some(start) = fence_end(text, bom) else { return Ok(without) };
    let mut line = start;
    let (end, body_start) = loop {
        if let Some(next) = fence_end(text, line) {
            break (line, next);
        }
        match text[line..].find('\n') {
            Some(at) => line += at + 1,
            None if key_of(text[start..].lines().next().unwrap_or("")).is_some() => {
                return Err(Fault {
                    range: bom..bom + 3,
                    message: "the frontmatter has no closing `---`".into(),
                });
            }
            None => return Ok(without),
        }
    };
    let yaml = &text[start..end];
    let mut front = Frontmatter { body_start, ..Frontmatter::default() };
    match parse(yaml, start) {
        Ok(entries) => front.entries = entries,
        Err(_) => read_leniently(yaml, start, &mut front)?,
    }
    Ok(front)
}

/// Where the line behind a `---` at `at` begins.
fn fence_end(text: &str, at: usize) -> Option<usize> {
    let line = text[at..].split_inclusive('\n').next()?;
    (line.trim_end() == "---").then_some(at + line.len())
}

/// Reads a mapping; `base` is where `yaml` begins in the file.
fn parse(yaml: &str, base: usize) -> Result<Vec<Entry>, Fault> {
    let mut loader = Loader { parser: Parser::new_from_str(yaml), places: Places::new(yaml, base) };
    let result = loader.document();
    result.map_err(|(range, message)| Fault { range, message })
}

type Refusal = (Range<usize>, String);

struct Loader<'y> {
    parser: Parser<'y, saphyr_parser::StrInput<'y>>,
    places: Places<'y>,
}

impl<'y> Loader<'y> {
    fn next(&mut self) -> Result<(Event<'y>, Range<usize>), Refusal> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.places.range(span))),
            Some(Err(err)) => {
                let at = self.places.byte(err.marker().index());
                Err((at..at, err.info().to_owned()))
            }
            None => Ok((Event::StreamEnd, self.places.end())),
        }
    }

    fn document(&mut self) -> Result<Vec<Entry>, Refusal> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(Vec::new()),
                (event, range) => {
                    let value = self.value(event, range, 0)?;
                    let rest = self.next()?.0;
                    return match value.kind {
                        ValueKind::Map(entries) if rest == Event::DocumentEnd => Ok(entries),
                        ValueKind::Null => Ok(Vec::new()),
                        _ => Err((value.range, "expected `key: value` lines".into())),
                    };
                }
            }
        }
    }

    fn value(&mut self, event: Event<'y>, range: Range<usize>, depth: usize) -> Result<Value, Refusal> {
        if depth > MAX_DEPTH {
            return Err((range, format!("values nest at most {MAX_DEPTH} deep")));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let kind = if null { ValueKind::Null } else { ValueKind::Scalar(text.into_owned()) };
                Ok(Value { kind, range })
            }
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => {
                            return Ok(Value { kind: ValueKind::List(list), range: range.start..end.end });
                        }
                        (event, range) => list.push(self.value(event, range, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => self.map(range, depth),
            Event::Alias(_) => {
                Err((range, "an alias (`*name`) is not read; quote the text if it is meant as such".into()))
            }
            _ => Err((range, "expected a value".into())),
        }
    }

    fn map(&mut self, range: Range<usize>, depth: usize) -> Result<Value, Refusal> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (key, key_range) = match self.next()? {
                (Event::MappingEnd, end) => {
                    return Ok(Value { kind: ValueKind::Map(entries), range: range.start..end.end });
                }
                (Event::Scalar(key, ..), key_range) => (key.into_owned(), key_range),
                (_, range) => return Err((range, "a key is plain text".into())),
            };
            let (event, range) = self.next()?;
            let value = self.value(event, range, depth + 1)?;
            entries.push(Entry { key, key_range, value });
        }
    }
}

/// From the parser's counts of characters to bytes of the file.
struct Places<'y> {
    yaml: &'y str,
    base: usize,
    /// The last answer: a count of characters and its byte; most questions go forward.
    last: (usize, usize),
}

impl<'y> Places<'y> {
    fn new(yaml: &'y str, base: usize) -> Self {
        Places { yaml, base, last: (0, 0) }
    }

    fn byte(&mut self, index: usize) -> usize {
        let (known, byte) = if self.last.0 <= index { self.last } else { (0, 0) };
        let rest = &self.yaml[byte..];
        let found = rest.char_indices().nth(index - known).map_or(self.yaml.len(), |(at, _)| byte + at);
        self.last = (index, found);
        self.base + found
    }

    fn range(&mut self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }

    fn end(&self) -> Range<usize> {
        let end = self.base + self.yaml.len();
        end..end
    }
}

/// The key that a line begins with in its first column.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(':')?;
    let key = key.trim_end();
    let is_key = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
    (!key.is_empty() && key.chars().all(is_key)).then_some(key)
}

/// Reads each top-level key by itself; a value on one line that is no YAML is taken as it stands.
fn read_leniently(yaml: &str, base: usize, front: &mut Frontmatter) -> Result<(), Fault> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in yaml.split_inclusive('\n') {
        if key_of(line).is_some() {
            starts.push(at);
        }
        at += line.len();
    }
    let first = starts.first().copied().unwrap_or(yaml.len());
    let head =
        yaml[..first].lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    if head.is_some() || starts.is_empty() {
        return parse(yaml, base).map(|entries| front.entries = entries);
    }
    starts.push(yaml.len());
    for pair in starts.windows(2) {
        let block = &yaml[pair[0]..pair[1]];
        read_block(block, base + pair[0], front)?;
    }
    Ok(())
}

fn read_block(block: &str, base: usize, front: &mut Frontmatter) -> Result<(), Fault> {
    let fault = match parse(block, base) {
        Ok(entries) => {
            front.entries.extend(entries);
            return Ok(());
        }
        Err(fault) => fault,
    };
    // YAML forbids tabs to indent; a space in place of each keeps every place.
    if let Ok(entries) = parse(&block.replace('\t', " "), base) {
        front.lenient.push(base..base + block.trim_end().len());
        front.entries.extend(entries);
        return Ok(());
    }
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let mut lines = block.lines().filter(is_said);
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(fault) };
    let Some((key, _)) = line.split_once(':') else { return Err(fault) };
    let text = line[key.len() + 1..].trim();
    // A pattern as it is, which YAML takes for something else, may have a comment behind it all the same.
    let is_pattern = text.starts_with(['*', '!', '[', '{']);
    let text = text.find(" #").filter(|_| is_pattern).map_or(text, |end| text[..end].trim_end());
    let unclosed = text.starts_with("[[") || text.starts_with('[') && !text.ends_with(']');
    if unclosed || text.starts_with(['"', '\'', '|', '>', '&']) {
        return Err(fault);
    }
    let start = base + line.find(text).filter(|_| !text.is_empty()).unwrap_or(line.len());
    let range = start..start + text.len();
    front.lenient.push(range.clone());
    let key_range = base..base + key.trim_end().len();
    let value = lenient_value(text, range);
    front.entries.push(Entry { key: key.trim_end().into(), key_range, value });
    Ok(())
}

/// Text as it stands; in brackets, a list of what stands between commas.
fn lenient_value(text: &str, range: Range<usize>) -> Value {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
        return Value { kind: ValueKind::Scalar(text.into()), range };
    };
    let mut start = range.start + 1;
    let parts = crate::lower::split_globs(inner).into_iter().map(|part| {
        let place = start + (part.len() - part.trim_start().len());
        start += part.len() + 1;
        let part = part.trim();
        let text = part.trim_matches(['"', '\'']).to_owned();
        Value { kind: ValueKind::Scalar(text), range: place..place + part.len() }
    });
    Value { kind: ValueKind::List(parts.collect()), range }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars(text: &str) -> Vec<(String, String)> {
        let front = read(text).expect("the head has a meaning");
        let scalar = |value: &Value| match &value.kind {
            ValueKind::Scalar(text) => text.clone(),
            other => format!("{other:?}"),
        };
        front.entries.iter().map(|entry| (entry.key.clone(), scalar(&entry.value))).collect()
    }

    #[test]
    fn what_yaml_forbids_is_read_as_it_was_meant() {
        let text = "---\ndescription: a: b\nglobs: **/*\nalwaysApply: true\n---\nbody\n";
        let expected = [("description", "a: b"), ("globs", "**/*"), ("alwaysApply", "true")];
        assert_eq!(scalars(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(read(text).expect("in order").lenient.len(), 2);
    }

    #[test]
    fn comments_are_none_of_what_is_meant() {
        let text = "---\nglobs: *.ts # only these\n# always?\ndescription: a: b # c\n---\n";
        let expected = [("globs", "*.ts"), ("description", "a: b # c")];
        assert_eq!(scalars(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(scalars("---\nglobs: **/*\n# last\n---\n")[0].1, "**/*");
    }

    #[test]
    fn stars_in_brackets_are_a_list_of_texts() {
        let text = "---\nglobs: [**/*.ts, **/*.{a,b}]\n---\n";
        let front = read(text).expect("in order");
        let ValueKind::List(list) = &front.entries[0].value.kind else { panic!("a list") };
        let shown: Vec<&str> = list.iter().map(|value| &text[value.range.clone()]).collect();
        assert_eq!(shown, ["**/*.ts", "**/*.{a,b}"]);
    }

    #[test]
    fn tabs_and_carriage_returns_are_read() {
        let front = read("\u{FEFF}---\r\nglobs:\r\n\t- a\r\n\t- b\r\n---\r\nbody").expect("in order");
        assert!(matches!(&front.entries[0].value.kind, ValueKind::List(list) if list.len() == 2));
        assert_eq!(front.body_start, "\u{FEFF}---\r\nglobs:\r\n\t- a\r\n\t- b\r\n---\r\n".len());
    }

    #[test]
    fn a_file_without_a_head_is_all_body() {
        for text in ["# Title\n", "---\n\nA break, then text.\n", "", "\u{FEFF}text"] {
            let front = read(text).expect("no head, no fault");
            assert_eq!(front.body_start, text.len() - text.trim_start_matches('\u{FEFF}').len());
        }
        assert!(read("---\nglobs: x\n").is_err(), "a head that never ends");
    }

    #[test]
    fn bombs_do_not_go_off() {
        let bomb = "---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n";
        assert!(read(bomb).is_err());
        let deep = format!("---\na: {}{}\n---\n", "[".repeat(40), "]".repeat(40));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn ranges_point_into_the_file() {
        let text = "---\n# ü comment\ndescription: \"über\"\ntags: [é, b]\n---\n";
        let front = read(text).expect("in order");
        assert_eq!(&text[front.entries[0].key_range.clone()], "description");
        assert_eq!(&text[front.entries[0].value.range.clone()], "\"über\"");
        let ValueKind::List(tags) = &front.entries[1].value.kind else { panic!("a list") };
        assert_eq!(&text[tags[1].range.clone()], "b");
    }
}

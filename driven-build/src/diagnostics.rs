//! Findings: what is wrong in a rule set, said for people.
//!
//! Every finding has a code from the one table here, a place in the user's own
//! file, and a hint. `docs/diagnostics.md` has a paragraph for each code.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level as Title, Renderer, Snippet};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not reported.
    Allow,
    /// Reported.
    Warn,
    /// Reported, and nothing is built.
    Deny,
}

impl Level {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Level::Allow),
            "warn" => Some(Level::Warn),
            "deny" => Some(Level::Deny),
            _ => None,
        }
    }

    /// `error`, `warning` or `note`.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Allow => "note",
            Level::Warn => "warning",
            Level::Deny => "error",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $lint:literal, $level:ident;)*) => {
        /// What a finding is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code that people look up.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $number,)* }
            }

            /// The name in `[lints]` of `driven.toml`.
            pub fn lint(self) -> &'static str {
                match self { $(Code::$name => $lint,)* }
            }

            /// The level, unless `driven.toml` sets another.
            pub fn default_level(self) -> Level {
                match self { $(Code::$name => Level::$level,)* }
            }
        }
    };
}

codes! {
    /// A file that can't be read.
    Unreadable = "DRV001", "unreadable", Deny;
    /// A file that is not UTF-8.
    NotText = "DRV002", "not-text", Deny;
    /// A file that is too large to be a rule.
    TooLarge = "DRV003", "too-large", Deny;
    /// A link that leaves the folder or loops.
    BadLink = "DRV004", "bad-link", Deny;
    /// A folder without rules.
    NoRules = "DRV005", "no-rules", Deny;
    /// Frontmatter that does not parse.
    BadFrontmatter = "DRV010", "bad-frontmatter", Deny;
    /// Frontmatter that is no YAML, read as it was meant.
    LenientFrontmatter = "DRV011", "lenient-frontmatter", Allow;
    /// A key that is set twice.
    DuplicateKey = "DRV012", "duplicate-key", Deny;
    /// A key that driven does not know.
    UnknownKey = "DRV013", "unknown-key", Warn;
    /// A value of the wrong kind.
    BadValue = "DRV014", "bad-value", Deny;
    /// A file name that can't be an id.
    BadId = "DRV020", "bad-id", Deny;
    /// Two files with one id.
    DuplicateId = "DRV021", "duplicate-id", Deny;
    /// Two ids that differ only in case.
    IdCase = "DRV022", "id-case", Deny;
    /// Two ids that give one Rust constant.
    ConstantClash = "DRV023", "constant-clash", Deny;
    /// A glob without meaning.
    BadGlob = "DRV030", "bad-glob", Deny;
    /// A glob that no path can match.
    DeadGlob = "DRV031", "dead-glob", Warn;
    /// A rule for globs that has none.
    NoGlobs = "DRV032", "no-globs", Warn;
    /// A relation to a rule that is not there.
    UnknownRule = "DRV040", "unknown-rule", Deny;
    /// Rules that require or replace each other in a circle.
    CircularRules = "DRV041", "circular-rules", Deny;
    /// Rules that conflict and yet meet.
    ConflictingRules = "DRV042", "conflicting-rules", Deny;
    /// A rule without text.
    EmptyBody = "DRV050", "empty-body", Warn;
    /// A rule that is longer than an assistant reads well.
    OversizedRule = "DRV051", "oversized-rule", Warn;
    /// A capability that the manifest does not grant.
    UngrantedCapability = "DRV060", "ungranted-capability", Deny;
    /// `pack.toml` or `driven.toml` that does not parse or says what it can't.
    BadSettings = "DRV070", "bad-settings", Deny;
}

/// A file and its text, for excerpts.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as it is shown.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    code: Code,
    level: Level,
    message: String,
    label: String,
    hint: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Text(Arc<SourceFile>, Range<usize>),
    File(PathBuf),
}

impl Finding {
    /// A finding about a range of a file's text.
    pub(crate) fn at(
        code: Code,
        file: &Arc<SourceFile>,
        range: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Finding::new(code, Place::Text(Arc::clone(file), range), message.into())
    }

    /// A finding about a file or folder as a whole.
    pub(crate) fn in_file(code: Code, path: &Path, message: impl Into<String>) -> Self {
        Finding::new(code, Place::File(path.into()), message.into())
    }

    fn new(code: Code, place: Place, message: String) -> Self {
        Finding {
            code,
            level: code.default_level(),
            message,
            label: String::new(),
            hint: String::new(),
            place,
        }
    }

    /// What stands beside the underlined text.
    #[must_use]
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// One thing to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(crate) fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// What it is about.
    pub fn code(&self) -> Code {
        self.code
    }

    /// How much it weighs.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What was seen and what was expected.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// One thing to do; may be empty.
    pub fn hint_text(&self) -> &str {
        &self.hint
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Text(file, _) => &file.path,
            Place::File(path) => path,
        }
    }

    /// Line and column in the file, in characters from 1; nothing for a file as a whole.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let Place::Text(file, range) = &self.place else { return None };
        let before = &file.text[..floor(&file.text, range.start)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        Some((line, before[line_start..].chars().count() + 1))
    }

    /// The finding with an excerpt, as rustc shows its own.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.level {
            Level::Deny => Title::ERROR,
            Level::Warn => Title::WARNING,
            Level::Allow => Title::NOTE,
        };
        let (message, hint, label) =
            (printable(&self.message), printable(&self.hint), printable(&self.label));
        let title = level.primary_title(message.as_str()).id(self.code.as_str());
        let path = printable(&self.path().to_string_lossy());
        let mut group = match &self.place {
            Place::Text(file, range) => {
                let (excerpt, start, line) = excerpt(&file.text, floor(&file.text, range.start));
                let first_line = excerpt.find('\n').unwrap_or(excerpt.len());
                let from = floor(excerpt, range.start - start).min(first_line);
                let to = floor(excerpt, range.end.saturating_sub(start)).clamp(from, first_line);
                let mut annotation = AnnotationKind::Primary.span(from..to);
                if !label.is_empty() {
                    annotation = annotation.label(label.as_str());
                }
                title.element(Snippet::source(excerpt).line_start(line).path(path).annotation(annotation))
            }
            Place::File(_) => title.element(annotate_snippets::Origin::path(path)),
        };
        if !hint.is_empty() {
            group = group.element(Title::HELP.message(hint.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// What findings are sorted by.
    pub(crate) fn order(&self) -> (&Path, usize, Code) {
        let start = match &self.place {
            Place::Text(_, range) => range.start,
            Place::File(_) => 0,
        };
        (self.path(), start, self.code)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Text without characters that steer a terminal: names and excerpts come from files that anybody may have written.
pub fn printable(text: &str) -> String {
    let steers = |char: char| {
        char.is_control() && !matches!(char, '\n' | '\t')
            || matches!(char, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(steers) {
        return text.into();
    }
    text.chars()
        .map(|char| if steers(char) { char.escape_unicode().to_string() } else { char.to_string() })
        .collect()
}

/// A start or end that cuts no character.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// A few lines around `at`, where they start, and the number of the first.
fn excerpt(text: &str, at: usize) -> (&str, usize, usize) {
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[..line_start].matches('\n').count() + 1;
    let rest = &text[line_start..];
    let end = rest.match_indices('\n').nth(11).map_or(rest.len(), |(end, _)| end);
    (&rest[..end], line_start, line)
}

/// All findings of one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Sets levels, drops what is allowed, sorts.
    pub(crate) fn settle(&mut self, level_of: impl Fn(Code) -> Level) {
        for finding in &mut self.findings {
            finding.set_level(level_of(finding.code));
        }
        self.findings.retain(|finding| finding.level != Level::Allow);
        self.findings.sort_by(|a, b| a.order().cmp(&b.order()));
    }

    /// The findings, by file and place.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether something keeps the pack from being built.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Deny)
    }

    /// All findings with excerpts.
    pub fn render(&self, colour: bool) -> String {
        let rendered: Vec<String> = self.findings.iter().map(|finding| finding.render(colour)).collect();
        rendered.join("\n\n")
    }
}

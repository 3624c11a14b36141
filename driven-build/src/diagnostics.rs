//! Findings: what is wrong in a rule set, said for people.
//!
//! Every finding has a code from the one table here, a place in the user's own
//! file, and a hint. `docs/diagnostics.md` has a paragraph for each code.

use std::fmt::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level as Title, Renderer, Snippet};
use driven_format::is_unseen;

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
    ($(#[doc = $doc:literal] $name:ident = $number:literal, $lint:literal, $level:ident;)*) => {
        /// What a finding is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $doc] $name,)*
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

            /// One sentence on it.
            pub fn summary(self) -> &'static str {
                match self { $(Code::$name => $doc.trim_ascii_start(),)* }
            }

            /// The level, unless `driven.toml` sets another.
            pub fn default_level(self) -> Level {
                match self { $(Code::$name => Level::$level,)* }
            }
        }
    };
}

impl Code {
    /// Whether it is about hidden text or what a text is up to.
    pub fn is_security(self) -> bool {
        self.as_str().starts_with("DRV5")
    }

    /// Whether it is a signal, which may be honest, and not hidden text.
    pub fn is_signal(self) -> bool {
        self.is_security() && self.default_level() == Level::Warn
    }

    /// Whether it is of a check, so that it may be weakened; the others leave nothing to build.
    pub(crate) fn is_check(self) -> bool {
        !matches!(
            self,
            Code::Unreadable
                | Code::NotText
                | Code::TooLarge
                | Code::BadLink
                | Code::NoRules
                | Code::BadFrontmatter
                | Code::BadId
                | Code::DuplicateId
                | Code::BadSettings
                | Code::ChangedDependency
                | Code::Overstepping
        )
    }
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
    /// Two ids that give one Rust name.
    NameClash = "DRV023", "name-clash", Deny;
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
    /// An allowance that lets nothing stand, or gives no reason.
    BadAllow = "DRV080", "bad-allow", Warn;
    /// Rules of a dependency that are not those that were accepted.
    ChangedDependency = "DRV090", "changed-dependency", Deny;
    /// A rule of a dependency that reaches further than it may.
    Overstepping = "DRV091", "overstepping", Deny;
    /// An accepted dependency that offers no rules any more.
    StaleApproval = "DRV092", "stale-approval", Warn;
    /// Unicode tags: a copy of ASCII that nothing shows.
    HiddenTags = "DRV501", "hidden-tags", Deny;
    /// Controls that reorder what is shown.
    BidiControl = "DRV502", "bidi-control", Deny;
    /// Zero-width and other invisible characters, out of context.
    InvisibleCharacter = "DRV503", "invisible-character", Deny;
    /// Variation selectors with nothing to vary.
    VariationSelector = "DRV504", "variation-selector", Deny;
    /// Letters that are blank.
    BlankLetter = "DRV505", "blank-letter", Deny;
    /// A soft hyphen within a word.
    SoftHyphen = "DRV506", "soft-hyphen", Deny;
    /// C0 and C1 controls, and a terminal's commands.
    ControlCharacter = "DRV507", "control-character", Deny;
    /// U+2028 or U+2029.
    LineSeparator = "DRV508", "line-separator", Deny;
    /// A letter of another script in the place of a Latin one.
    LookAlike = "DRV509", "look-alike", Deny;
    /// A comment that is not shown and speaks to the model.
    HiddenComment = "DRV520", "hidden-comment", Warn;
    /// A style that keeps text from being shown.
    HiddenStyle = "DRV521", "hidden-style", Warn;
    /// Text far to the right or far below.
    FarAway = "DRV522", "far-away", Warn;
    /// A phrase that sets other instructions aside.
    OverridePhrase = "DRV523", "override-phrase", Warn;
    /// A phrase that asks to keep something from people.
    SecrecyPhrase = "DRV524", "secrecy-phrase", Warn;
    /// A command that sends what lies on the machine.
    Exfiltration = "DRV525", "exfiltration", Warn;
    /// A download that is piped into a shell.
    PipeToShell = "DRV526", "pipe-to-shell", Warn;
    /// A picture whose address carries data away.
    LeakingImage = "DRV527", "leaking-image", Warn;
    /// A secret in the text.
    Secret = "DRV528", "secret", Warn;
    /// Every permission for an assistant.
    BroadPermission = "DRV529", "broad-permission", Warn;
    /// An alias in frontmatter.
    YamlAlias = "DRV530", "yaml-alias", Warn;
    /// An item that asks for nothing in particular.
    VagueRule = "DRV601", "vague-rule", Warn;
    /// Two items that ask for opposite things.
    Contradiction = "DRV602", "contradiction", Warn;
    /// A glob that matches no file of the project.
    UnmatchedGlob = "DRV603", "unmatched-glob", Warn;
    /// A rule that an assistant can never load.
    UnreachableRule = "DRV604", "unreachable-rule", Warn;
    /// A rule that is longer than an assistant reads.
    LongForTarget = "DRV605", "long-for-target", Warn;
    /// The same text in two files.
    DuplicateText = "DRV606", "duplicate-text", Warn;
    /// A link to a file that is not there.
    BrokenLink = "DRV607", "broken-link", Warn;
    /// An `@import` of a file that is not there.
    BrokenImport = "DRV608", "broken-import", Warn;
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
    is_shown: bool,
    is_mendable: bool,
    is_fixed: bool,
}

#[derive(Clone, Debug)]
enum Place {
    Text(Arc<SourceFile>, Range<usize>),
    File(PathBuf),
}

impl Finding {
    /// A finding about a range of a file's text.
    pub fn at(code: Code, file: &Arc<SourceFile>, range: Range<usize>, message: impl Into<String>) -> Self {
        Finding::new(code, Place::Text(Arc::clone(file), range), message.into())
    }

    /// A finding about a file or folder as a whole.
    pub fn in_file(code: Code, path: &Path, message: impl Into<String>) -> Self {
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
            is_shown: true,
            is_mendable: true,
            is_fixed: false,
        }
    }

    /// What stands beside the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// One thing to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The text is not shown: it may be a secret.
    #[must_use]
    #[cfg(feature = "secrets")]
    pub(crate) fn without_excerpt(mut self) -> Self {
        self.is_shown = false;
        self
    }

    pub(crate) fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// The finding, said to be in a part of a ready-made pack.
    #[must_use]
    pub(crate) fn within(mut self, what: &str, id: &str) -> Self {
        self.message = format!("{} (in the {what} of `{id}`)", self.message);
        if !self.code.is_signal() {
            self.hint = "have it made anew without that, or let it stand in driven.toml with a reason".into();
        }
        self.is_mendable = false;
        self
    }

    #[must_use]
    pub(crate) fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The file with its text; nothing when it is about a file as a whole.
    pub fn source(&self) -> Option<&Arc<SourceFile>> {
        match &self.place {
            Place::Text(file, _) => Some(file),
            Place::File(_) => None,
        }
    }

    /// The line that it is about; nothing for a file as a whole.
    pub fn line(&self) -> &str {
        let Place::Text(file, range) = &self.place else { return "" };
        let at = floor(&file.text, range.start);
        let start = file.text[..at].rfind('\n').map_or(0, |end| end + 1);
        file.text[start..].lines().next().unwrap_or_default()
    }

    /// Line and column where it ends, as [`line_column`](Self::line_column) gives where it begins.
    pub fn end_line_column(&self) -> Option<(usize, usize)> {
        let Place::Text(file, range) = &self.place else { return None };
        Some(line_column(&file.text, range.end))
    }

    /// What mends it without judgement: a range of the file's text, and what stands there instead.
    pub fn fix(&self) -> Option<(Range<usize>, &'static str)> {
        let Place::Text(_, range) = &self.place else { return None };
        match self.code {
            Code::LineSeparator => Some((range.clone(), "\n")),
            Code::LookAlike => None,
            code if code.is_security() && !code.is_signal() && self.is_mendable => Some((range.clone(), "")),
            _ => None,
        }
    }

    /// The finding, with a level that settings may raise and nothing may lower.
    #[must_use]
    #[cfg(feature = "dependencies")]
    pub(crate) fn fixed(mut self) -> Self {
        self.is_fixed = true;
        // It is not ours to change.
        self.is_mendable = false;
        self
    }

    /// Whether nothing may lower its level or let it stand.
    pub(crate) fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// It is told where it stands, but not as it stands there, so that nothing can be cut out.
    #[must_use]
    pub(crate) fn not_mendable(mut self) -> Self {
        self.is_mendable = false;
        self
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
        Some(line_column(&file.text, range.start))
    }

    /// The finding with an excerpt, as rustc shows its own.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.level {
            Level::Deny => Title::ERROR,
            Level::Warn => Title::WARNING,
            Level::Allow => Title::NOTE,
        };
        let (message, hint, label) =
            (printable_line(&self.message), printable(&self.hint), printable_line(&self.label));
        let title = level.primary_title(message.as_str()).id(self.code.as_str());
        let path = printable_line(&self.path().to_string_lossy());
        let mut group = match (&self.place, self.line_column()) {
            (Place::Text(..), Some((line, column))) if !self.is_shown => {
                let origin = annotate_snippets::Origin::path(path).line(line).char_column(column);
                title.element(origin)
            }
            (Place::Text(file, range), _) => {
                let (excerpt, start, line) = excerpt(&file.text, floor(&file.text, range.start));
                let first_line = excerpt.find('\n').unwrap_or(excerpt.len());
                let from = floor(excerpt, range.start - start).min(first_line);
                let to = floor(excerpt, range.end.saturating_sub(start)).clamp(from, first_line);
                let (excerpt, span) = visible(excerpt, from..to);
                let mut annotation = AnnotationKind::Primary.span(span);
                if !label.is_empty() {
                    annotation = annotation.label(label.as_str());
                }
                title.element(Snippet::source(excerpt).line_start(line).path(path).annotation(annotation))
            }
            (Place::File(_), _) => title.element(annotate_snippets::Origin::path(path)),
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

/// Text without characters that steer a terminal or that nothing shows: names and excerpts come from files that
/// anybody may have written, and go to people and to models.
pub fn printable(text: &str) -> String {
    if !text.chars().any(is_hidden) {
        return text.into();
    }
    let mut out = String::new();
    for char in text.chars() {
        if is_hidden(char) {
            let _ = write!(out, "<{:04X}>", u32::from(char));
        } else {
            out.push(char);
        }
    }
    out
}

/// The same, in one line: what follows a line break can't pass for a line of ours.
pub fn printable_line(text: &str) -> String {
    printable(text).replace('\n', "<000A>")
}

/// What is not shown as it is; line breaks and tabs have a form of their own.
fn is_hidden(char: char) -> bool {
    is_unseen(char) && !matches!(char, '\n' | '\t')
}

/// The text with a sign for each hidden character, so that columns stay; and where `span` then lies.
fn visible(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let joins = |char: char| matches!(char, '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}' | '\u{2800}');
    let mut out = String::new();
    let mut moved = span.clone();
    for (at, char) in text.char_indices() {
        if at == span.start {
            moved.start = out.len();
        }
        if at == span.end {
            moved.end = out.len();
        }
        let ends_line = char == '\r' && text[at..].starts_with("\r\n");
        let hides = (is_hidden(char) || span.contains(&at) && joins(char)) && !ends_line;
        out.push(if hides { char::REPLACEMENT_CHARACTER } else { char });
    }
    let end = |place: usize, moved: usize| if place == text.len() { out.len() } else { moved };
    moved = end(span.start, moved.start)..end(span.end, moved.end);
    (out, moved)
}

/// The line and column of a place, in characters from 1; a byte-order mark is none.
fn line_column(text: &str, at: usize) -> (usize, usize) {
    let before = text[..floor(text, at)].trim_start_matches('\u{FEFF}');
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
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

/// A `driven-allow` in a text: which checks it speaks about, and why.
#[derive(Clone, Debug)]
struct Marker {
    file: Arc<SourceFile>,
    range: Range<usize>,
    line: usize,
    codes: Vec<String>,
    reason: String,
    is_used: bool,
}

/// All findings of one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    markers: Vec<Marker>,
}

impl Report {
    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Leaves out findings.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.findings.retain(keep);
    }

    /// Adds what another run found.
    pub fn extend(&mut self, other: Report) {
        self.findings.extend(other.findings);
        self.markers.extend(other.markers);
    }

    /// Finds every `driven-allow CODE, CODE: reason` of a text.
    pub(crate) fn read_markers(&mut self, file: &Arc<SourceFile>) {
        const WORD: &str = "driven-allow ";
        /// More than these are no work of people.
        const MOST: usize = 256;
        let (mut line, mut counted) = (1, 0);
        for (at, _) in file.text.match_indices(WORD).take(MOST) {
            line += file.text[counted..at].matches('\n').count();
            counted = at;
            let rest = &file.text[at + WORD.len()..];
            let rest = rest.lines().next().unwrap_or_default();
            let rest = rest.split("-->").next().unwrap_or_default();
            let (codes, reason) = rest.split_once(':').unwrap_or((rest, ""));
            let codes = codes.split(',').map(|code| code.trim().to_owned()).collect();
            let range = at..at + WORD.len() + rest.len();
            let (file, reason) = (Arc::clone(file), reason.trim().to_owned());
            self.markers.push(Marker { file, range, line, codes, reason, is_used: false });
        }
    }

    /// Whether the text beside a finding lets it stand: on its line or the one before, for a signal, with a reason.
    pub(crate) fn is_allowed_in_line(&mut self, finding: &Finding) -> bool {
        let (Place::Text(file, _), Some((line, _))) = (&finding.place, finding.line_column()) else {
            return false;
        };
        let code = finding.code;
        let speaks = |marker: &Marker| {
            Arc::ptr_eq(&marker.file, file)
                && (marker.line == line || marker.line + 1 == line)
                && !marker.reason.is_empty()
                && marker.codes.iter().any(|one| one == code.as_str() || one == code.lint())
        };
        let Some(marker) = self.markers.iter_mut().find(|marker| speaks(marker)) else { return false };
        marker.is_used = code.is_signal();
        marker.is_used
    }

    /// A finding for each marker that let nothing stand.
    pub(crate) fn idle_markers(&self) -> impl Iterator<Item = Finding> {
        self.markers.iter().filter(|marker| !marker.is_used).map(|marker| {
            let message = if marker.reason.is_empty() { "this allowance gives no reason" } else { "this allows nothing" };
            let finding = Finding::at(Code::BadAllow, &marker.file, marker.range.clone(), message);
            finding.hint("write `driven-allow DRV526: why` beside the finding; hidden text is allowed in driven.toml alone")
        })
    }

    pub(crate) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    pub(crate) fn set_findings(&mut self, findings: Vec<Finding>) {
        self.findings = findings;
        self.findings.sort_by(|a, b| a.order().cmp(&b.order()));
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

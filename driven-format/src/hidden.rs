//! Text that people don't see and models read: invisible characters, controls, look-alikes.
//!
//! Context decides: a joiner between Persian letters, in an emoji or behind a
//! Hindi virama is writing; between Latin letters it is a channel. Characters
//! that no writing needs (tags, bidi overrides, variation selectors 17 to 256 on
//! anything but ideographs) are always reported. Scripts and look-alikes are
//! those of Unicode (UAX 24, UTS 39). Knows nothing of files and of levels.

mod in_pack;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use unicode_script::{Script, UnicodeScript};
use unicode_security::skeleton;

pub use in_pack::{HiddenInPack, look_through};

/// What kind of hidden text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HiddenKind {
    /// Unicode tags: a copy of ASCII that nothing shows.
    Tag,
    /// Controls that reorder what is shown.
    Bidi,
    /// Zero-width and other characters without a shape, where no writing has them.
    Invisible,
    /// Variation selectors where there is nothing to vary.
    VariationSelector,
    /// Letters that are blank.
    Filler,
    /// A soft hyphen within a word.
    SoftHyphen,
    /// C0 and C1 controls, also those that begin a terminal's commands.
    Control,
    /// U+2028 and U+2029, which some readers take for the end of a line.
    LineSeparator,
    /// A letter of another script in the place of a Latin one.
    LookAlike,
}

/// A place with hidden text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// What kind it is.
    pub kind: HiddenKind,
    /// Where, in bytes.
    pub range: Range<usize>,
    /// How many characters.
    pub count: usize,
    /// The code points, or for a look-alike the word; what a channel carries, where that can be read.
    pub detail: String,
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = match self.kind {
            HiddenKind::Tag => {
                ("a tag character, which nothing shows", "tag characters, which nothing shows")
            }
            HiddenKind::Bidi => {
                ("a control that reorders what is shown", "controls that reorder what is shown")
            }
            HiddenKind::Invisible => ("an invisible character", "invisible characters"),
            HiddenKind::VariationSelector => {
                ("a variation selector with nothing to vary", "variation selectors with nothing to vary")
            }
            HiddenKind::Filler => ("a blank letter", "blank letters"),
            HiddenKind::SoftHyphen => ("a soft hyphen within a word", "soft hyphens within a word"),
            HiddenKind::Control => ("a control character", "control characters"),
            HiddenKind::LineSeparator => {
                ("a line separator that nothing shows", "line separators that nothing shows")
            }
            HiddenKind::LookAlike => return f.write_str(&self.detail),
        };
        if self.count == 1 {
            return write!(f, "{one}: {}", self.detail);
        }
        write!(f, "{} {many}: {}", self.count, self.detail)
    }
}

/// Finds all hidden text, in order.
///
/// ```
/// let found = driven_format::hidden::find("Be\u{200B}fore");
/// assert_eq!(found[0].range, 2..5);
/// assert!(driven_format::hidden::find("نامه‌ای 👩‍💻 🏴󠁧󠁢󠁳󠁣󠁴󠁿 kΩ").is_empty());
/// ```
pub fn find(text: &str) -> Vec<Hidden> {
    let mut finder = Finder { text, found: Vec::new(), word: None, has_words: Vec::new(), code: (0, false) };
    let mut at = 0;
    while let Some(next) = next_suspect(text.as_bytes(), at) {
        at = finder.look(next);
    }
    finder.found
}

/// The text without what is invisible; look-alikes stay, since what was meant is a matter of judgement.
pub fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for hidden in find(text).into_iter().filter(|hidden| hidden.kind != HiddenKind::LookAlike) {
        out.push_str(&text[at..hidden.range.start]);
        if hidden.kind == HiddenKind::LineSeparator {
            out.push('\n');
        }
        at = hidden.range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// A byte in each of 16 places.
const fn in_each(byte: u8) -> u128 {
    u128::from_ne_bytes([byte; 16])
}

const HIGH: u128 = in_each(0x80);
const TO_HIGH_FROM_ONE: u128 = in_each(0x7F);
const TO_HIGH_FROM_SPACE: u128 = in_each(0x80 - 0x20);
const DELETE: u128 = in_each(0x7F);
const FEED: u128 = in_each(b'\n');
const TAB: u128 = in_each(b'\t');

/// The next byte that is not plain ASCII text: 16 at a time, by few calls and with constants worked out, since macros run
/// this unoptimised.
fn next_suspect(bytes: &[u8], from: usize) -> Option<usize> {
    let (chunks, _) = bytes[from..].as_chunks::<16>();
    let mut at = from;
    for chunk in chunks {
        let word = u128::from_le_bytes(*chunk);
        if word & HIGH != 0 {
            break;
        }
        // No byte has its high bit, which stands for it from here on: no sum carries into the next byte.
        let not_delete = (word ^ DELETE) + TO_HIGH_FROM_ONE;
        let not_control = word + TO_HIGH_FROM_SPACE;
        if not_delete & not_control & HIGH != HIGH {
            let not_feed = (word ^ FEED) + TO_HIGH_FROM_ONE;
            let not_tab = (word ^ TAB) + TO_HIGH_FROM_ONE;
            if (!not_delete | !not_control & not_feed & not_tab) & HIGH != 0 {
                break;
            }
        }
        at += 16;
    }
    let is_suspect = |byte: &u8| *byte >= 0x7F || *byte < 0x20 && !matches!(*byte, b'\n' | b'\t');
    bytes[at..].iter().position(is_suspect).map(|found| at + found)
}

struct Finder<'t> {
    text: &'t str,
    found: Vec<Hidden>,
    /// The word that was looked at last.
    word: Option<Range<usize>>,
    /// Scripts, and whether the text has words of their own in them.
    has_words: Vec<(Script, bool)>,
    /// Up to where fences were counted, and whether that lies in a fenced block.
    code: (usize, bool),
}

/// Ideographs with a selector that a text may have: names have them, channels have many.
const FEW: usize = 8;
/// Ends of names that are hosts without a scheme in front; others are more often files.
const DOMAINS: [&str; 16] = [
    "com", "org", "net", "io", "dev", "app", "ai", "co", "me", "info", "edu", "gov", "cloud", "sh", "xyz",
    "example",
];
/// How far a look around goes, in bytes: one line may be all of a file.
const AROUND: usize = 512;

impl Finder<'_> {
    /// Looks at the character at `at`, and gives where to go on.
    fn look(&mut self, at: usize) -> usize {
        let Some(char) = self.text[at..].chars().next() else { return self.text.len() };
        let end = at + char.len_utf8();
        if let Some(kind) = self.kind(char, at, end) {
            return self.push(kind, at);
        }
        if char.is_alphanumeric() && self.word.as_ref().is_none_or(|word| !word.contains(&at)) {
            self.look_at_word(at);
        } else if is_host_sign(char) {
            self.look_at_sign(char, at..end);
        }
        end
    }

    /// Reports a run of characters of one kind.
    fn push(&mut self, kind: HiddenKind, start: usize) -> usize {
        let mut end = start;
        let mut count = 0;
        let mut detail = String::new();
        let mut message = String::new();
        for char in self.text[start..].chars() {
            let next = end + char.len_utf8();
            if self.kind(char, end, next) != Some(kind) {
                break;
            }
            end = next;
            count += 1;
            if count <= 4 {
                let gap = if count > 1 { " " } else { "" };
                let _ = fmt::Write::write_fmt(&mut detail, format_args!("{gap}U+{:04X}", u32::from(char)));
            }
            message.extend(carried(char));
        }
        if count > 4 {
            detail.push_str(" …");
        }
        let reads = message.chars().filter(char::is_ascii_alphanumeric).count();
        if reads > 3 {
            let shown: String = message.chars().filter(|char| !char.is_control()).take(80).collect();
            let _ = fmt::Write::write_fmt(&mut detail, format_args!("; they read \"{shown}\""));
        }
        self.found.push(Hidden { kind, range: start..end, count, detail });
        end
    }

    fn before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    fn after(&self, end: usize) -> Option<char> {
        self.text[end..].chars().next()
    }

    /// What is looked at around a place.
    fn around(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.text.ceil_char_boundary(range.start.saturating_sub(AROUND));
        let end = self.text.floor_char_boundary((range.end + AROUND).min(self.text.len()));
        start.min(range.start)..end.max(range.end)
    }

    /// The line around a place.
    fn line(&self, at: usize) -> &str {
        let around = self.around(&(at..at));
        let start =
            self.text[around.start..at].rfind('\n').map_or(around.start, |end| around.start + end + 1);
        let end = self.text[at..around.end].find('\n').map_or(around.end, |len| at + len);
        &self.text[start..end]
    }

    /// What a character is where it stands; nothing when it is writing.
    fn kind(&self, char: char, at: usize, end: usize) -> Option<HiddenKind> {
        let (before, after) = (self.before(at), self.after(end));
        let hidden = match char {
            '\r' => after.is_some_and(|after| !matches!(after, '\n' | '\r')),
            '\u{C}' | '\n' | '\t' => false,
            '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' => true,
            _ => return self.kind_beyond_controls(char, at, before, after),
        };
        hidden.then_some(HiddenKind::Control)
    }

    fn kind_beyond_controls(
        &self,
        char: char,
        at: usize,
        before: Option<char>,
        after: Option<char>,
    ) -> Option<HiddenKind> {
        let is = |char: Option<char>, test: fn(char) -> bool| char.is_some_and(test);
        match char {
            '\u{E0000}'..='\u{E007F}' => (!self.is_flag(at)).then_some(HiddenKind::Tag),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Some(HiddenKind::Bidi),
            '\u{200E}' | '\u{200F}' | '\u{61C}' => {
                let around = self.around(&(at..at));
                let has_letters = self.text[around].chars().any(is_right_to_left);
                let is_mark = |char: char| matches!(char, '\u{200E}' | '\u{200F}' | '\u{61C}');
                (!has_letters || is(before, is_mark) || is(after, is_mark)).then_some(HiddenKind::Bidi)
            }
            '\u{200C}' => (!self.parts(at, after)).then_some(HiddenKind::Invisible),
            '\u{200D}' => {
                let in_emoji =
                    is(before, |char| char == '\u{FE0F}' || is_pictograph(char)) && is(after, is_pictograph);
                // Arabic letters join by themselves: a joiner between two of them is no writing.
                let is_arabic = |char: char| char.script() == Script::Arabic && char.is_alphabetic();
                let idle = is(before, is_arabic) && is(after, is_arabic);
                let writing = self.parts(at, after) && !idle && is(self.letter_before(at), is_joining);
                (!writing && !in_emoji).then_some(HiddenKind::Invisible)
            }
            '\u{200B}' => {
                let breaks = is(before, has_no_spaces) && is(after, |char| !is_format(char))
                    || is(after, has_no_spaces) && is(before, |char| !is_format(char));
                (!breaks).then_some(HiddenKind::Invisible)
            }
            '\u{FEFF}' => (at != 0).then_some(HiddenKind::Invisible),
            '\u{34F}' => (!is(before, is_right_to_left)).then_some(HiddenKind::Invisible),
            '\u{180B}'..='\u{180D}' | '\u{180F}' => {
                let varies = is(before, |char| char.script() == Script::Mongolian);
                (!varies).then_some(HiddenKind::VariationSelector)
            }
            '\u{FE00}'..='\u{FE0F}' => {
                let few = || self.selectors_on_ideographs() <= FEW;
                (!varies(before, char, after, few)).then_some(HiddenKind::VariationSelector)
            }
            '\u{E0100}'..='\u{E01EF}' => {
                let ideograph = is(before, |char| char.script() == Script::Han);
                // Registered collections go no further on any ideograph that is in use; names have a few of them.
                let writing = ideograph && char <= '\u{E011F}' && self.selectors_on_ideographs() <= FEW;
                (!writing).then_some(HiddenKind::VariationSelector)
            }
            '\u{115F}' | '\u{1160}' => {
                let jamo = is(before, is_jamo) || is(after, is_jamo);
                (!jamo).then_some(HiddenKind::Filler)
            }
            '\u{3164}' | '\u{FFA0}' | '\u{17B4}' | '\u{17B5}' => Some(HiddenKind::Filler),
            '\u{2800}' => {
                let is_braille = |char: char| matches!(char, '\u{2801}'..='\u{28FF}');
                (!self.line(at).chars().any(is_braille)).then_some(HiddenKind::Filler)
            }
            '\u{AD}' => Some(HiddenKind::SoftHyphen),
            '\u{2028}' | '\u{2029}' => Some(HiddenKind::LineSeparator),
            '\u{180E}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{FDD0}'..='\u{FDEF}'
            | '\u{13430}'..='\u{1343F}'
            | '\u{1D159}'
            | '\u{F0000}'..='\u{10FFFF}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0080}'..='\u{E00FF}'
            | '\u{E01F0}'..='\u{E0FFF}' => Some(HiddenKind::Invisible),
            _ => (u32::from(char) & 0xFFFE == 0xFFFE).then_some(HiddenKind::Invisible),
        }
    }

    /// Whether a tag belongs to a flag: a black flag, up to six letters or digits, and the end of tags.
    fn is_flag(&self, at: usize) -> bool {
        let is_tag = |char: &char| matches!(char, '\u{E0000}'..='\u{E007F}');
        let tags_before = self.text[..at].chars().rev().take_while(is_tag).take(8).count();
        if tags_before == 8 {
            return false;
        }
        let mut head = self.text[..at].chars().rev().skip(tags_before);
        let start = at - tags_before * 4;
        let tags: Vec<char> = self.text[start..].chars().take_while(is_tag).take(9).collect();
        let Some((end, name)) = tags.split_last() else { return false };
        let spells = |char: &char| matches!(char, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
        head.next() == Some('\u{1F3F4}')
            && *end == '\u{E007F}'
            && (3..=6).contains(&name.len())
            && name.iter().all(spells)
    }

    /// The last character before a place that is no mark on another.
    fn letter_before(&self, at: usize) -> Option<char> {
        let is_mark = |char: &char| char.script() == Script::Inherited && !is_format(*char);
        self.text[..at].chars().rev().take(8).find(|char| !is_mark(char))
    }

    /// Whether a joiner or its opposite stands within a word of a script that has them, or at the end of one.
    fn parts(&self, at: usize, after: Option<char>) -> bool {
        let before = self.letter_before(at);
        let is_letter = |char: char| char.is_alphanumeric() || is_joining(char);
        let ends = |after: char| {
            !after.is_alphanumeric()
                && matches!(after.script(), Script::Common | Script::Inherited)
                && !is_format(after)
        };
        let is_arabic = |char: char| char.script() == Script::Arabic;
        // An ending on a foreign word, as Persian writes it.
        let on_foreign = before.is_some_and(is_letter) && after.is_some_and(is_arabic);
        on_foreign
            || before.is_some_and(is_joining) && after.is_none_or(|after| is_joining(after) || ends(after))
    }

    /// How many ideographs of the text have a selector.
    fn selectors_on_ideographs(&self) -> usize {
        let mut before = None;
        let mut count = 0;
        for char in self.text.chars() {
            let selects = matches!(char, '\u{FE00}'..='\u{FE02}' | '\u{E0100}'..='\u{E01EF}');
            count += usize::from(selects && before.is_some_and(|one: char| one.script() == Script::Han));
            if count > FEW {
                break;
            }
            before = Some(char);
        }
        count
    }

    /// A sign that looks like one that parts an address, within the address of a URL.
    fn look_at_sign(&mut self, char: char, range: Range<usize>) {
        let around = self.around(&range);
        let before = &self.text[around.start..range.start];
        let ends = |char: char| char.is_whitespace() || "/?#\"'`<>()[]{}|\\,;".contains(char);
        let host = before.rfind(ends).map_or(0, |at| at + 1);
        let host = before.ceil_char_boundary(host);
        let follows = self.text[range.end..].starts_with(|char: char| char.is_ascii_alphanumeric());
        if before[..host].ends_with("://") && follows {
            let detail =
                alloc::format!("U+{:04X} in a host name looks like a sign that parts it", u32::from(char));
            self.found.push(Hidden { kind: HiddenKind::LookAlike, range, count: 1, detail });
        }
    }

    /// Looks at the word around a letter beyond ASCII.
    fn look_at_word(&mut self, at: usize) {
        let in_word =
            |char: char| char.is_alphanumeric() || char == '_' || char.script() == Script::Inherited;
        let start = self.text[..at]
            .rfind(|char| !in_word(char))
            .map_or(0, |before| before + self.text[before..].chars().next().map_or(1, char::len_utf8));
        let len = self.text[at..].find(|char| !in_word(char)).unwrap_or(self.text.len() - at);
        let range = start..at + len;
        if self.word.as_ref() != Some(&range) {
            self.word = Some(range.clone());
            if let Some(detail) = self.look_alike(&range) {
                let count = self.text[range.clone()].chars().filter(|char| !char.is_ascii()).count();
                self.found.push(Hidden { kind: HiddenKind::LookAlike, range: range.clone(), count, detail });
            }
        }
    }

    /// What is wrong with a word, in words.
    fn look_alike(&mut self, range: &Range<usize>) -> Option<String> {
        let word = &self.text[range.clone()];
        let foreign = word.chars().filter(|&char| char.is_alphabetic() && !is_latin(char));
        // One letter that looks like nothing Latin tells the word, and is mostly among its first.
        if foreign.clone().any(|char| latin_of(char).is_none()) {
            return None;
        }
        if let Some(host) = self.host_around(range)
            && word.chars().all(|char| char.is_ascii() || latin_of(char).is_some() && !is_at_home(char, host))
        {
            return Some(told(word, "a host name"));
        }
        let foreign: Vec<char> = foreign.collect();
        if foreign.is_empty() {
            return None;
        }
        let latin = word.chars().filter(|&char| is_latin(char)).count();
        if latin == 0 {
            let in_code = self.is_in_code(range);
            let script = foreign[0].script();
            let long = foreign.len() >= 3 && has_look_alikes(script);
            return (in_code && long && !self.has_words_in(script)).then(|| told(word, "a name in code"));
        }
        let ascii = word.chars().filter(char::is_ascii_alphabetic).count();
        let is_deceptive = foreign.iter().any(|&char| match char.script() {
            Script::Greek => is_latin_shape(char) && ascii > 1 || ascii >= 3 && is_within(word, char),
            // Mathematical letters and the like are a matter of style outside of names; others look like nothing else.
            script => has_look_alikes(script),
        });
        let is_suffix =
            is_inflected(word) && !self.is_in_code(range) && self.has_words_in(foreign[0].script());
        (is_deceptive && !is_suffix).then(|| told(word, "a word"))
    }

    /// The host name of a URL that a range lies in.
    fn host_around(&self, range: &Range<usize>) -> Option<&str> {
        let ends = |char: char| char.is_whitespace() || "/?#\"'`<>()[]{}|\\,;".contains(char);
        let around = self.around(range);
        let start =
            self.text[around.start..range.start].rfind(ends).map_or(around.start, |at| around.start + at + 1);
        let start = self.text.ceil_char_boundary(start);
        let scheme = self.text[..start].ends_with("://");
        let end = self.text[range.end..around.end].find(ends).map_or(around.end, |len| range.end + len);
        let host = &self.text[start..end];
        let last = host.rsplit('.').next().unwrap_or_default();
        let named = host.contains('.') && (DOMAINS.contains(&last) || host.starts_with("www."));
        (scheme || named).then_some(host)
    }

    /// Whether a place lies in a code span or a fenced block, as far as a look at the lines tells.
    fn is_in_code(&mut self, range: &Range<usize>) -> bool {
        let (mut at, mut is_fenced) = self.code;
        // Words come in order, so that each line is looked at once.
        while let Some(len) = self.text[at..range.start].find('\n') {
            is_fenced ^= self.text[at..at + len].trim_start().starts_with("```");
            at += len + 1;
        }
        self.code = (at, is_fenced);
        let start = at.max(self.around(range).start);
        is_fenced || self.text[start..range.start].matches('`').count() % 2 == 1
    }

    /// Whether the text has a word of a script that can't be taken for a Latin one.
    fn has_words_in(&mut self, script: Script) -> bool {
        if let Some((_, has)) = self.has_words.iter().find(|(known, _)| *known == script) {
            return *has;
        }
        let own = |char: char| char.script() == script && latin_of(char).is_none();
        let plain = |word: &str| word.chars().filter(|&char| own(char)).count() >= 2;
        let has = self.text.split(|char: char| !char.is_alphabetic()).any(plain);
        self.has_words.push((script, has));
        has
    }
}

/// A Latin acronym with an ending of another script, as Russian and Armenian inflect it: `JSONа`.
fn is_inflected(word: &str) -> bool {
    let stem = word.trim_end_matches(|char: char| !char.is_ascii());
    let ending = word[stem.len()..].chars().count();
    let acronym = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    stem.len() > 1 && stem.bytes().all(acronym) && (1..=3).contains(&ending)
}

/// Scripts with letters of the same shape as Latin ones.
fn has_look_alikes(script: Script) -> bool {
    matches!(
        script,
        Script::Cyrillic
            | Script::Greek
            | Script::Armenian
            | Script::Cherokee
            | Script::Coptic
            | Script::Lisu
            | Script::Deseret
    )
}

/// Letters that are at home where the host is: no look-alikes there.
fn is_at_home(char: char, host: &str) -> bool {
    match char {
        'ı' => [".tr", ".az", ".kz"].iter().any(|end| host.ends_with(end)),
        'þ' => host.rsplit('.').next() == Some("is"),
        _ => false,
    }
}

/// Signs that look like those that part an address.
fn is_host_sign(char: char) -> bool {
    matches!(
        char,
        '\u{2044}'
            | '\u{2215}'
            | '\u{29F8}'
            | '\u{FF0F}'
            | '\u{2571}'
            | '\u{FF1A}'
            | '\u{A789}'
            | '\u{2236}'
            | '\u{FF0E}'
    )
}

fn told(word: &str, what: &str) -> String {
    let mut letters: Vec<String> = Vec::new();
    for char in word.chars().filter(|char| !char.is_ascii()) {
        if let Some(latin) = latin_of(char) {
            let told = alloc::format!("U+{:04X} looks like `{latin}`", u32::from(char));
            if !letters.contains(&told) {
                letters.push(told);
            }
        }
    }
    letters.truncate(3);
    alloc::format!("{what} with letters that look like others, `{word}`: {}", letters.join(", "))
}

/// The ASCII letter or digit that a character beyond ASCII looks like.
fn latin_of(char: char) -> Option<char> {
    if char.is_ascii() {
        return None;
    }
    let mut buffer = [0; 4];
    let mut looks = skeleton(char.encode_utf8(&mut buffer));
    match (looks.next(), looks.next()) {
        (Some(one), None) if one.is_ascii_alphanumeric() => Some(one),
        _ => None,
    }
}

/// Greek letters whose shape is that of a Latin one in every face.
fn is_latin_shape(char: char) -> bool {
    matches!(
        char,
        'Α' | 'Β'
            | 'Ε'
            | 'Ζ'
            | 'Η'
            | 'Ι'
            | 'Κ'
            | 'Μ'
            | 'Ν'
            | 'Ο'
            | 'Ρ'
            | 'Τ'
            | 'Υ'
            | 'Χ'
            | 'ο'
            | 'ϲ'
            | 'ϳ'
    )
}

/// Whether a letter stands between two Latin ones.
fn is_within(word: &str, char: char) -> bool {
    word.match_indices(char).any(|(at, _)| {
        let before = word[..at].chars().next_back();
        let after = word[at + char.len_utf8()..].chars().next();
        [before, after].into_iter().all(|one| one.is_some_and(|one| one.is_ascii_alphabetic()))
    })
}

fn is_latin(char: char) -> bool {
    char.is_ascii_alphabetic() || char.is_alphabetic() && char.script() == Script::Latin
}

/// What a character of a hidden channel stands for.
fn carried(char: char) -> Option<char> {
    let code = u32::from(char);
    let byte = match char {
        '\u{E0020}'..='\u{E007E}' => code - 0xE0000,
        // The common encoding of bytes in selectors: 16 and on.
        '\u{E0100}'..='\u{E01EF}' => code - 0xE0100 + 16,
        _ => return None,
    };
    char::from_u32(byte).filter(char::is_ascii)
}

fn is_right_to_left(char: char) -> bool {
    matches!(
        char.script(),
        Script::Hebrew
            | Script::Arabic
            | Script::Syriac
            | Script::Thaana
            | Script::Nko
            | Script::Samaritan
            | Script::Mandaic
            | Script::Adlam
    )
}

/// Scripts whose letters join or form clusters, so that a joiner between two of them is writing.
fn is_joining(char: char) -> bool {
    matches!(
        char.script(),
        Script::Arabic
            | Script::Syriac
            | Script::Mandaic
            | Script::Nko
            | Script::Mongolian
            | Script::Phags_Pa
            | Script::Adlam
            | Script::Devanagari
            | Script::Bengali
            | Script::Gurmukhi
            | Script::Gujarati
            | Script::Oriya
            | Script::Tamil
            | Script::Telugu
            | Script::Kannada
            | Script::Malayalam
            | Script::Sinhala
            | Script::Khmer
            | Script::Myanmar
            | Script::Tibetan
            | Script::Balinese
            | Script::Javanese
            | Script::Meetei_Mayek
            | Script::Tifinagh
    )
}

fn is_format(char: char) -> bool {
    matches!(char, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{AD}')
}

/// Scripts that write no spaces between words.
fn has_no_spaces(char: char) -> bool {
    matches!(
        char.script(),
        Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
            | Script::Tibetan
            | Script::Javanese
            | Script::Balinese
    )
}

/// A picture, an arrow or another sign that emoji are made of, skin tones among them.
fn is_pictograph(char: char) -> bool {
    matches!(
        char,
        '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{25A0}'..='\u{27BF}' | '\u{2900}'..='\u{297F}'
            | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}'
    )
}

/// Whether a variation selector 1 to 16 has something to vary.
fn varies(before: Option<char>, selector: char, after: Option<char>, few: impl Fn() -> bool) -> bool {
    let Some(before) = before else { return false };
    match selector {
        // Text and emoji style: pictures, some signs, and the keycaps.
        '\u{FE0E}' | '\u{FE0F}' => {
            is_pictograph(before)
                || matches!(before, '0'..='9' | '#' | '*') && after == Some('\u{20E3}')
                || matches!(
                    before,
                    '\u{A9}'
                        | '\u{AE}'
                        | '\u{203C}'
                        | '\u{2049}'
                        | '\u{2122}'
                        | '\u{2139}'
                        | '\u{24C2}'
                        | '\u{3030}'
                        | '\u{303D}'
                        | '\u{3297}'
                        | '\u{3299}'
                )
        }
        // Standard forms of signs, ideographs and a few scripts.
        '\u{FE00}' if matches!(before, '0' | '\u{2200}'..='\u{22FF}' | '\u{2A00}'..='\u{2AFF}') => true,
        '\u{FE00}'..='\u{FE02}' => match before.script() {
            Script::Han => few(),
            Script::Myanmar | Script::Phags_Pa | Script::Manichaean => selector == '\u{FE00}',
            _ => false,
        },
        _ => false,
    }
}

fn is_jamo(char: char) -> bool {
    matches!(char, '\u{1100}'..='\u{115E}' | '\u{1161}'..='\u{11FF}' | '\u{A960}'..='\u{A97C}' | '\u{D7B0}'..='\u{D7FB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<HiddenKind> {
        find(text).into_iter().map(|hidden| hidden.kind).collect()
    }

    #[test]
    fn writing_passes() {
        for text in [
            "Plain text, `code` and\ttabs.\r\nA second line.\n",
            "\u{FEFF}with a byte-order mark",
            "👩\u{200D}💻 👨\u{200D}👩\u{200D}👧\u{200D}👦 🏳\u{FE0F}\u{200D}🌈 👍🏽 ❤\u{FE0F} ⚠\u{FE0F} ™\u{FE0F} ©\u{FE0F} ↔\u{FE0F} ℹ\u{FE0F} Ⓜ\u{FE0F}",
            "🧑🏽\u{200D}🚀 👁\u{FE0F}\u{200D}🗨\u{FE0F}",
            "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F} 🇩🇪",
            "1\u{FE0F}\u{20E3} #\u{FE0F}\u{20E3}",
            "می\u{200C}خواهم و نامه\u{200C}ای",
            "क्\u{200D}ष और क्\u{200C}ष, शक्\u{200D} ",
            "שלום \u{200F}(עולם)",
            "kΩ, μF, µs, Δt, πr², λx, σ, αβγ, dσ, kΩ·m, 5 Å",
            "葛\u{E0100}城市 \u{8FBB}\u{E0101}",
            "ไทย\u{200B}ภาษา",
            "Привет, API-шка и JSONа, HTTP-запрос, код и тест",
            "naïve café straße Ærø señor İstanbul kısa",
            "https://münchen.de/straße https://例え.jp https://пример.рф",
            "∩\u{FE00} ⠓⠑⠇⠇⠕\u{2800}⠺",
            "ascii end",
            "API\u{200C}ها و PDF\u{200C}های خانهٔ\u{200C}ما کتابِ\u{200C}من",
            "ไทย\u{200B}API และ\u{200B}2024",
            "השתמשו וAPI ב-API",
            "ستخدم هHTTP",
            "`yapı.md` kısım.txt þing.is https://ısparta.bel.tr",
            "\u{200F}123 (API)\u{200F}\nשלום",
            "Հայերեն կանոններ, APIս",
            "𝐛𝐨𝐥𝐝 is style, ｆｕｌｌ too",
        ] {
            assert_eq!(find(text), [], "{text:?}");
        }
    }

    #[test]
    fn channels_are_found() {
        use HiddenKind::{
            Bidi, Control, Filler, Invisible, LineSeparator, LookAlike, SoftHyphen, Tag, VariationSelector,
        };
        for (text, kind) in [
            ("a\u{E0068}\u{E0069}", Tag),
            ("🏴\u{E0069}\u{E0067}\u{E006E}\u{E006F}\u{E0072}\u{E0065}\u{E0020}\u{E007F}", Tag),
            ("\u{E0001}", Tag),
            ("if (x\u{202E} ) {", Bidi),
            ("a\u{2066}b\u{2069}", Bidi),
            ("Latin \u{200E}only", Bidi),
            ("ig\u{200B}nore", Invisible),
            ("ig\u{200D}nore", Invisible),
            ("ig\u{200C}nore", Invisible),
            ("a\u{2060}b", Invisible),
            ("a\u{FEFF}b", Invisible),
            ("a\u{2062}b", Invisible),
            ("a\u{180E}b", Invisible),
            ("a\u{34F}b", Invisible),
            ("می\u{200C}\u{200C}خواهم", Invisible),
            ("a\u{FE00}", VariationSelector),
            ("a\u{FE0F}", VariationSelector),
            ("😀\u{FE0F}\u{FE0E}", VariationSelector),
            ("😀\u{E0100}\u{E0110}", VariationSelector),
            ("葛\u{E0100}\u{E0101}", VariationSelector),
            ("a\u{3164}b", Filler),
            ("\u{115F}\u{1160}", Filler),
            ("x\u{2800}x", Filler),
            ("ig\u{AD}nore", SoftHyphen),
            ("a\u{1B}[8mb", Control),
            ("a\u{9B}8m", Control),
            ("a\u{8}b", Control),
            ("shown\rover", Control),
            ("a\u{7F}", Control),
            ("a\u{85}b", Control),
            ("a\u{2028}b", LineSeparator),
            ("https://gіthub.com/x", LookAlike),
            ("https://сосо.com/", LookAlike),
            ("see ｇithub.com", LookAlike),
            ("the pаssword of", LookAlike),
            ("`Νame` is", LookAlike),
            ("call `сору`", LookAlike),
            ("ехec", LookAlike),
            ("Αdmin", LookAlike),
            ("א \u{200E}\u{200F}\u{200E}", Bidi),
            ("tests\u{AD} for", SoftHyphen),
            ("—\u{FE00} …\u{FE01}", VariationSelector),
            (
                "测\u{E0110}试\u{E0101}用\u{E011F}测\u{E0110}试\u{E0101}用\u{E011F}测\u{E0110}试\u{E0101}用\u{E011F}",
                VariationSelector,
            ),
            ("“\u{200D}…\u{200D}—", Invisible),
            ("م\u{200D}ن", Invisible),
            ("a\u{13430}b", Invisible),
            ("a\u{F0041}b", Invisible),
            ("a\u{1FFFE}b", Invisible),
            ("https://g\u{966}\u{966}gle.com", LookAlike),
            ("https://github.com\u{2044}login.evil.example", LookAlike),
            ("gıthub.com", LookAlike),
            ("pαth", LookAlike),
            ("Привет мир `sudо`", LookAlike),
            ("`ᎬᏙᏟᎬ`", LookAlike),
        ] {
            assert!(kinds(text).contains(&kind), "{text:?}: {:?}", find(text));
        }
    }

    #[test]
    fn what_is_carried_is_told() {
        let tags: String =
            "run this".chars().filter_map(|char| char::from_u32(0xE0000 + u32::from(char))).collect();
        let found = find(&alloc::format!("Fine.{tags} Really."));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].count, found[0].range.clone()), (8, 5..37));
        assert!(found[0].detail.ends_with("they read \"run this\""), "{}", found[0].detail);
    }

    #[test]
    fn stripping_leaves_nothing_to_find() {
        let text = "a\u{E0068}\u{202E}b ig\u{200B}no\u{AD}re\u{2028}👩\u{200D}💻\u{3164}";
        assert_eq!(strip(text), "ab ignore\n👩\u{200D}💻");
        assert_eq!(find(&strip(text)), []);
    }

    /// One word may be all of a text.
    #[test]
    fn a_long_word_is_looked_at_once() {
        assert_eq!(find(&"字".repeat(200_000)), []);
        assert_eq!(find(&"а".repeat(200_000)), []);
    }

    #[test]
    fn every_byte_is_looked_at() {
        let is_suspect = |byte: &u8| !matches!(byte, b'\n' | b'\t' | b' '..=b'~');
        // Neighbours must not carry into each other, and a plain one must not hide what stands behind it.
        for pair in 0..=u16::MAX {
            let pair = pair.to_le_bytes();
            for (at, len) in [(0, 2), (0, 16), (7, 20), (14, 16), (15, 40), (17, 19)] {
                let mut text = [b'a'; 40];
                text[at..at + 2].copy_from_slice(&pair);
                let text = &text[..len];
                assert_eq!(
                    next_suspect(text, 0),
                    text.iter().position(is_suspect),
                    "{pair:?} at {at} of {len}"
                );
            }
        }
        assert_eq!(next_suspect(b"\x1b and an escape \x1b", 1), Some(16));
    }
}

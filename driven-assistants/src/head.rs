//! Heads of rule files in every assistant's dialect: from text to meaning and back.
//!
//! What an import found is kept as it stood, and comes back byte for byte while
//! it still means what the rule says. Otherwise the known keys are written anew
//! and everything else stays where it was.

use std::collections::BTreeMap;

use driven_build::frontmatter::{self, Entry, Value, ValueKind};
use driven_build::quoted;

use crate::catalog::{GlobForm, HeadSpec, HeadStyle, Mode};
use crate::globs::{self, GlobValue};

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// When the rule takes part.
    pub mode: Mode,
    /// One line.
    pub description: String,
    /// Its globs.
    pub globs: Vec<String>,
}

/// A file of an assistant, read.
#[derive(Clone, Debug)]
pub struct ReadFile {
    /// What its head says.
    pub meaning: Meaning,
    /// Where its body begins, in bytes.
    pub body_start: usize,
}

/// A rule that is always active and says no more.
pub(crate) fn always() -> Meaning {
    Meaning { mode: Mode::Always, description: String::new(), globs: Vec::new() }
}

/// Reads a file in a dialect.
///
/// # Errors
/// A head without meaning, in words and with its place in bytes.
pub fn read(text: &str, spec: &HeadSpec) -> Result<ReadFile, (usize, String)> {
    let (entries, body_start) = entries(text, spec.style)?;
    let find = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let text_of =
        |key: &Option<String>| key.as_ref().and_then(|key| find(key)).map(scalar).unwrap_or_default();
    let description = text_of(&spec.description);
    let glob_value = spec.globs.as_ref().and_then(|globs| Some((find(&globs.key)?, globs.form)));
    let globs = glob_value.map_or_else(Vec::new, |(value, form)| glob_list(value, form));
    let mut globs = globs::sound(globs);
    let says = |constants: &BTreeMap<String, String>| {
        constants.iter().all(|(key, wanted)| {
            let found = find(key).map(scalar).or_else(|| spec.defaults.get(key).cloned());
            let open = found.is_none() && spec.optional.contains(key);
            wanted.contains("{name}") || open || found.is_some_and(|found| &found == wanted)
        })
    };
    let mode = if spec.narrowing.iter().any(|key| find(key).is_some()) {
        Mode::Manual
    } else {
        let scopes = |key: &String| spec.globs.as_ref().is_some_and(|globs| globs.key == *key);
        let says_mode =
            |key: &String| spec.modes.values().any(|keys| keys.get(key).is_some_and(|one| one != "{name}"));
        let found = Found {
            globs: !globs.is_empty(),
            description: !description.is_empty(),
            glob_key: entries.iter().any(|entry| scopes(&entry.key)),
            mode_key: entries.iter().any(|entry| says_mode(&entry.key)),
            nothing: entries.is_empty(),
        };
        mode_of(spec, says, &found)
    };
    if mode != Mode::Globs {
        globs.clear();
    }
    Ok(ReadFile { meaning: Meaning { mode, description, globs }, body_start })
}

/// The first mode whose keys are set as the file has them; one without keys of its own comes last.
fn mode_of(spec: &HeadSpec, says: impl Fn(&BTreeMap<String, String>) -> bool, found: &Found) -> Mode {
    if found.nothing && spec.defaults.is_empty() && spec.modes.contains_key(&Mode::Manual) {
        return Mode::Manual;
    }
    for mode in [Mode::Off, Mode::Always, Mode::Globs, Mode::Agent, Mode::Manual] {
        let Some(constants) = spec.modes.get(&mode) else { continue };
        let fits = match mode {
            Mode::Always => !constants.is_empty() && (found.mode_key || !found.glob_key),
            Mode::Globs => found.globs,
            Mode::Agent => found.description || spec.description.is_none(),
            _ => true,
        };
        if fits && says(constants) {
            return mode;
        }
    }
    // A scope that can't be read is still one: what nothing fits is at most called for by name.
    let is_scoped = found.glob_key || found.mode_key;
    if is_scoped || spec.modes.contains_key(&Mode::Manual) { Mode::Manual } else { Mode::Always }
}

/// What a head has.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the head")]
struct Found {
    /// Globs with a meaning.
    globs: bool,
    description: bool,
    /// The key of the globs, whatever its value.
    glob_key: bool,
    /// A key that says when the rule takes part.
    mode_key: bool,
    /// No key at all.
    nothing: bool,
}

fn scalar(value: &Value) -> String {
    match &value.kind {
        ValueKind::Scalar(text) => text.clone(),
        _ => String::new(),
    }
}

fn glob_list(value: &Value, form: GlobForm) -> Vec<String> {
    let value = match &value.kind {
        ValueKind::Scalar(text) => GlobValue::Text(text.clone()),
        ValueKind::List(list) => GlobValue::List(list.iter().map(scalar).collect()),
        _ => return Vec::new(),
    };
    globs::parse(&value, form)
}

/// The entries of a head, and where the body begins.
fn entries(text: &str, style: HeadStyle) -> Result<(Vec<Entry>, usize), (usize, String)> {
    match style {
        HeadStyle::Yaml => match frontmatter::read(text) {
            Ok(front) => Ok((front.entries, front.body_start)),
            Err(fault) => Err((fault.range.start, fault.message)),
        },
        HeadStyle::Lines => Ok(line_entries(text)),
    }
}

/// A block of `key: value` lines, which is no YAML: a value is all that stands behind the colon.
fn line_entries(text: &str) -> (Vec<Entry>, usize) {
    let bom = text.len() - text.trim_start_matches('\u{FEFF}').len();
    let mut at = bom;
    let mut entries = Vec::new();
    for (number, line) in text[bom..].split_inclusive('\n').enumerate() {
        let (start, shown) = (at, line.trim_end());
        at += line.len();
        match (number, shown == "---") {
            (0, true) => {}
            (0, false) => return (Vec::new(), bom),
            (_, true) => return (entries, at),
            _ => {
                if let Some((key, value)) = shown.split_once(':') {
                    let value_start = start + key.len() + 1;
                    entries.push(Entry {
                        key: key.trim().into(),
                        key_range: start..start + key.len(),
                        value: Value {
                            kind: ValueKind::Scalar(value.trim().into()),
                            range: value_start..start + shown.len(),
                        },
                    });
                }
            }
        }
    }
    // The fence was never closed: all of it is text.
    (Vec::new(), bom)
}

/// Whether a dialect says what `meaning` says, in every part that it has a word for.
fn agrees(read: &Meaning, meaning: &Meaning, spec: &HeadSpec) -> bool {
    read.mode == meaning.mode
        && (!describes(spec, meaning.mode) || read.description == meaning.description)
        && (meaning.mode != Mode::Globs || globs::mean_the_same(&read.globs, &meaning.globs))
}

/// Whether the description is written in a mode.
pub fn describes(spec: &HeadSpec, mode: Mode) -> bool {
    spec.description.is_some() && (spec.describes.is_empty() || spec.describes.contains(&mode))
}

/// Writes the head of a rule named `name`; nothing when the dialect can't say it.
///
/// `origin` is what an import found in front of the body.
pub fn write(meaning: &Meaning, name: &str, spec: &HeadSpec, origin: Option<&str>) -> Option<String> {
    if let Some(origin) = origin
        && read(origin, spec).is_ok_and(|read| {
            origin[read.body_start..].trim().is_empty() && agrees(&read.meaning, meaning, spec)
        })
    {
        return Some(origin.into());
    }
    let bare = Meaning { description: String::new(), ..meaning.clone() };
    // A description may turn a rule that a person calls for into one that the model chooses: then it is left out.
    [meaning, &bare].into_iter().find_map(|meaning| {
        let head = compose(meaning, name, spec, origin)?;
        let says = read(&head, spec).ok()?.meaning;
        let same_globs = meaning.mode != Mode::Globs || globs::mean_the_same(&says.globs, &meaning.globs);
        (says.mode == meaning.mode && same_globs).then_some(head)
    })
}

/// The head anew, or that of the origin with its known keys as they are now.
fn compose(meaning: &Meaning, name: &str, spec: &HeadSpec, origin: Option<&str>) -> Option<String> {
    let lines = lines(meaning, name, spec)?;
    Some(match origin.and_then(|origin| Some((origin, entries(origin, spec.style).ok()?))) {
        Some((origin, (entries, _))) if !entries.is_empty() => {
            let before = read(origin, spec).ok().map(|read| read.meaning);
            let stays = |entry: &Entry| stays(entry, before.as_ref(), meaning, spec);
            rewrite(origin, &entries, &lines, stays)
        }
        _ => fence(&lines.into_values().map(|(_, line)| line).collect::<String>()),
    })
}

fn fence(lines: &str) -> String {
    if lines.is_empty() { String::new() } else { format!("---\n{lines}---\n") }
}

/// The lines of the known keys, by their place in the order.
type Lines = BTreeMap<usize, (String, String)>;

fn lines(meaning: &Meaning, name: &str, spec: &HeadSpec) -> Option<Lines> {
    let constants = spec.modes.get(&meaning.mode)?;
    let mut lines = Lines::new();
    let mut put = |key: &str, line: String| {
        let place = spec.order.iter().position(|known| known == key).unwrap_or(usize::MAX);
        lines.insert(place, (key.to_owned(), line));
    };
    if let Some(key) = &spec.description
        && describes(spec, meaning.mode)
        && !meaning.description.is_empty()
    {
        put(key, format!("{key}: {}\n", value(&meaning.description, spec.style)?));
    }
    if let Some(globs) = &spec.globs
        && meaning.mode == Mode::Globs
    {
        let line = match globs::print(&meaning.globs, globs.form)? {
            GlobValue::List(list) => {
                let items: Vec<String> = list.iter().map(|glob| format!("  - {}\n", quoted(glob))).collect();
                format!("{}:\n{}", globs.key, items.concat())
            }
            GlobValue::Text(text) if globs.form == GlobForm::Comma => {
                format!("{}: {}\n", globs.key, quoted(&text))
            }
            GlobValue::Text(text) => format!("{}: {text}\n", globs.key),
        };
        put(&globs.key, line);
    }
    for (key, wanted) in constants {
        let text = wanted.replace("{name}", name);
        let plain = matches!(text.as_str(), "true" | "false") || spec.style == HeadStyle::Lines;
        put(key, format!("{key}: {}\n", if plain { text } else { value(&text, spec.style)? }));
    }
    Some(lines)
}

/// Whether an entry still says what it should, or nothing that is ours to say.
fn stays(entry: &Entry, before: Option<&Meaning>, now: &Meaning, spec: &HeadSpec) -> bool {
    let key = &entry.key;
    if spec.description.as_ref() == Some(key) {
        return describes(spec, now.mode)
            && before.is_some_and(|before| before.description == now.description);
    }
    if spec.globs.as_ref().is_some_and(|globs| globs.key == *key) {
        return now.mode == Mode::Globs
            && before.is_some_and(|before| {
                before.mode == Mode::Globs && globs::mean_the_same(&before.globs, &now.globs)
            });
    }
    if let Some(wanted) = spec.modes.get(&now.mode).and_then(|constants| constants.get(key)) {
        // A name is what a person called it.
        return wanted.contains("{name}") || *wanted == scalar(&entry.value);
    }
    !spec.modes.values().any(|constants| constants.contains_key(key))
}

/// The head that an import found, with the lines of those keys anew that don't stay.
fn rewrite(origin: &str, entries: &[Entry], lines: &Lines, stays: impl Fn(&Entry) -> bool) -> String {
    let newline = if origin.contains("\r\n") { "\r\n" } else { "\n" };
    let line_start = |at: usize| origin[..at].rfind('\n').map_or(0, |end| end + 1);
    let end_of = |entry: &Entry| {
        let start = line_start(entry.key_range.start);
        let end = entry.value.range.end.max(entry.key_range.end);
        let rest = if origin[..end].ends_with('\n') { "" } else { &origin[end..] };
        let end = end + rest.find('\n').map_or(rest.len(), |at| at + 1);
        // A list goes on to the next key; what stands at the margin in front of that is no part of it.
        let behind = origin[start..end].split_inclusive('\n').rev();
        let behind = behind.take_while(|line| line.starts_with('#') || line.trim().is_empty());
        end - behind.map(str::len).sum::<usize>()
    };
    let starts: Vec<usize> = entries.iter().map(|entry| line_start(entry.key_range.start)).collect();
    let last = &entries[entries.len() - 1];
    let closing = origin[last.value.range.end.max(last.key_range.end)..]
        .match_indices("---")
        .map(|(at, _)| last.value.range.end.max(last.key_range.end) + at)
        .find(|&at| line_start(at) == at)
        .unwrap_or(origin.len());
    let mut text = origin[..starts[0]].to_owned();
    let mut written = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(closing);
        let is_kept = stays(entry);
        if is_kept {
            text.push_str(&origin[starts[index]..end]);
        } else if let Some((_, line)) = lines.values().find(|(key, _)| *key == entry.key) {
            text.push_str(&line.replace('\n', newline));
        }
        if !is_kept {
            // Comments and empty lines behind it are nobody's but the person's.
            text.push_str(&origin[end_of(entry).min(end)..end]);
        }
        written.push(entry.key.as_str());
    }
    for (key, line) in lines.values() {
        if !written.contains(&key.as_str()) {
            text.push_str(&line.replace('\n', newline));
        }
    }
    text.push_str(&origin[closing..]);
    text
}

/// A text as a value; nothing when the style can't hold it.
fn value(text: &str, style: HeadStyle) -> Option<String> {
    match style {
        HeadStyle::Yaml => Some(if is_plain(text) { text.into() } else { quoted(text) }),
        HeadStyle::Lines => (!text.contains(['\n', '\r']) && !text.contains("---")).then(|| text.into()),
    }
}

/// Whether every reader takes the text for itself without quotes.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|char: char| char.is_alphabetic() || char == '/');
    let inner = |char: char| {
        char.is_alphanumeric()
            || matches!(char, ' ' | '.' | ',' | '/' | '_' | '-' | '(' | ')' | '\'' | '+' | ';')
    };
    let word = text.to_ascii_lowercase();
    let special =
        matches!(word.as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    starts && text.chars().all(inner) && !text.ends_with(' ') && !special
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{assistants, find};

    fn spec(id: &str) -> &'static HeadSpec {
        find(id).and_then(|assistant| assistant.head.as_ref()).expect("it has a head")
    }

    fn meaning(mode: Mode, description: &str, globs: &[&str]) -> Meaning {
        Meaning {
            mode,
            description: description.into(),
            globs: globs.iter().map(|&glob| glob.into()).collect(),
        }
    }

    #[test]
    fn every_mode_of_every_dialect_reads_back_as_it_was_written() {
        for assistant in assistants() {
            let Some(spec) = &assistant.head else { continue };
            for &mode in spec.modes.keys() {
                let globs: &[&str] = if mode == Mode::Globs { &["src/**/*.ts", "**/*.{a,b}"] } else { &[] };
                let mut wanted = meaning(mode, "What: it \"says\"", globs);
                if !describes(spec, mode) {
                    wanted.description.clear();
                }
                let head =
                    write(&wanted, "name", spec, None).unwrap_or_else(|| panic!("{} {mode:?}", assistant.id));
                let mut read = read(&format!("{head}body"), spec).expect("it was written").meaning;
                if spec.globs.as_ref().is_some_and(|globs| globs.form == GlobForm::SplitComma)
                    && mode == Mode::Globs
                {
                    assert_eq!(read.globs, ["src/**/*.ts", "**/*.a", "**/*.b"]);
                    read.globs.clone_from(&wanted.globs);
                }
                // Where only the description tells them apart, it is not written for a rule called by hand.
                if mode == Mode::Manual && read.description.is_empty() {
                    read.description.clone_from(&wanted.description);
                }
                assert_eq!(read, wanted, "{}: {head}", assistant.id);
            }
        }
    }

    #[test]
    fn a_head_that_still_holds_comes_back_byte_for_byte() {
        let origin =
            "\u{FEFF}---\r\n# kept\r\nglobs:   *.ts,*.tsx\r\nauthor: me\r\nalwaysApply: false \r\n--- \r\n";
        let wanted = meaning(Mode::Globs, "", &["*.ts", "*.tsx"]);
        assert_eq!(write(&wanted, "x", spec("cursor"), Some(origin)).as_deref(), Some(origin));
    }

    #[test]
    fn a_changed_key_leaves_the_others_where_they_were() {
        let origin = "---\r\nauthor: me # who\r\nglobs: *.ts\r\nalwaysApply: false\r\nversion: 2\r\n---\r\n";
        let wanted = meaning(Mode::Globs, "Types", &["**/*.ts", "**/*.mts"]);
        let head = write(&wanted, "x", spec("cursor"), Some(origin));
        let expected = "---\r\nauthor: me # who\r\nglobs: **/*.ts,**/*.mts\r\nalwaysApply: false\r\nversion: 2\r\n\
                        description: Types\r\n---\r\n";
        assert_eq!(head.as_deref(), Some(expected));
    }

    #[test]
    fn what_a_person_wrote_between_the_keys_stays() {
        let origin = "---\n# first\ndescription: Old # why\n# comment two\n\nglobs: \"*.ts,*.tsx\"\nalwaysApply: false\n---\n";
        let wanted = meaning(Mode::Globs, "New", &["*.ts", "*.tsx"]);
        let expected = origin.replace("Old # why", "New");
        assert_eq!(write(&wanted, "x", spec("cursor"), Some(origin)), Some(expected));
        // A list over several lines goes whole, and what follows stays.
        let origin = "---\npaths:\n  - a/**   # one\n  - b/**\n# two\nother: 1\n---\n";
        let wanted = meaning(Mode::Globs, "", &["c/**"]);
        let head = write(&wanted, "x", spec("claudecode"), Some(origin)).expect("it can be said");
        assert_eq!(head, "---\npaths:\n  - \"c/**\"\n# two\nother: 1\n---\n");
        // Names that people gave, also where driven writes one of its own.
        for (id, origin) in [
            ("copilot", "---\nname: Nice\napplyTo: 'a/**'\n---\n"),
            ("continue", "---\nname: Nice\nglobs: [\"a/**\"]\n---\n"),
        ] {
            let head = write(&wanted, "x", spec(id), Some(origin)).expect("it can be said");
            assert!(head.contains("name: Nice\n") && head.contains("c/**"), "{id}: {head}");
        }
    }
}

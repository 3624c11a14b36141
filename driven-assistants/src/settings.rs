//! Lists in an assistant's settings: entries are added and taken back, everything else stays as it is.
//!
//! JSON and JSONC through `jsonc-parser`'s syntax tree, which keeps comments and
//! order; YAML by places that `driven-build` gives, since no library edits it.

use driven_build::frontmatter::{self, Entry, ValueKind};
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstNode, CstRootNode};

use crate::catalog::SettingsFormat;

/// A settings file with some entries taken out of its list `key` and others put in.
///
/// # Errors
/// A file that can't be read, or a key that holds something else, in words.
pub fn edit(
    text: &str,
    format: SettingsFormat,
    key: &str,
    remove: &[String],
    add: &[String],
) -> Result<String, String> {
    match format {
        SettingsFormat::Json | SettingsFormat::Jsonc => edit_json(text, key, remove, add),
        SettingsFormat::Yaml => {
            let (marker, document) = one_document(text)?;
            let edited = edit_yaml(document, key, remove, add)?;
            is_only_edited(document, &edited, key, remove, add)?;
            Ok(format!("{marker}{edited}"))
        }
    }
}

/// A YAML file parted behind the mark of its first document.
fn one_document(text: &str) -> Result<(&str, &str), String> {
    let mut at = 0;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        match line.trim_end() {
            "---" if start == 0 => start = at,
            "---" | "..." => return Err("it has several documents".into()),
            shown if start == 0 && !shown.is_empty() && !shown.starts_with(['#', '%']) => break,
            _ => {}
        }
    }
    let is_mark = |line: &str| matches!(line.trim_end(), "---" | "...") || line.starts_with("--- ");
    if text[start..].lines().any(is_mark) {
        return Err("it has several documents".into());
    }
    Ok(text.split_at(start))
}

/// Reads the edited file again: the list holds what it should, and everything else is as it was.
fn is_only_edited(
    before: &str,
    after: &str,
    key: &str,
    remove: &[String],
    add: &[String],
) -> Result<(), String> {
    let kinds = |text: &str| -> Result<(Vec<String>, Vec<String>), String> {
        let entries = frontmatter::mapping(text).map_err(|fault| fault.message)?;
        let own = entries.iter().find(|entry| entry.key == key).map_or(Ok(Vec::new()), values)?;
        let others = entries.iter().filter(|entry| entry.key != key);
        Ok((own, others.map(|entry| format!("{:?} {}", entry.key, entry.value.kind.shown())).collect()))
    };
    let (old, others_before) = kinds(before)?;
    let (new, others_after) = kinds(after)?;
    let mut wanted: Vec<String> =
        old.into_iter().filter(|one| !remove.contains(one) || add.contains(one)).collect();
    let fresh: Vec<String> = add.iter().filter(|one| !wanted.contains(one)).cloned().collect();
    wanted.extend(fresh);
    if new == wanted && others_before == others_after {
        return Ok(());
    }
    Err("its form is one that can't be edited with certainty; write the list with a line for each entry"
        .into())
}

/// The texts in the list `key`; none when it is not there.
///
/// # Errors
/// A file that can't be read, or a key that holds something else, in words.
pub fn texts(text: &str, format: SettingsFormat, key: &str) -> Result<Vec<String>, String> {
    if format == SettingsFormat::Yaml {
        let (_, document) = one_document(text)?;
        let entries = frontmatter::mapping(document).map_err(|fault| fault.message)?;
        return entries.iter().find(|entry| entry.key == key).map_or(Ok(Vec::new()), values);
    }
    let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|err| err.to_string())?;
    if root.value().is_none() {
        return Ok(Vec::new());
    }
    let object = root.object_value().ok_or("expected an object")?;
    let Some(property) = object.get(key) else { return Ok(Vec::new()) };
    let list = property.array_value().ok_or_else(|| format!("expected a list in `{key}`"))?;
    Ok(list.elements().iter().filter_map(text_of).collect())
}

fn text_of(node: &CstNode) -> Option<String> {
    node.as_string_lit().and_then(|one| one.decoded_value().ok())
}

fn edit_json(text: &str, key: &str, remove: &[String], add: &[String]) -> Result<String, String> {
    let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|err| err.to_string())?;
    if root.value().is_none() {
        root.set_value(CstInputValue::Object(Vec::new()));
    }
    let object = root.object_value().ok_or("expected an object")?;
    let list = match object.get(key) {
        Some(property) => property.array_value().ok_or_else(|| format!("expected a list in `{key}`"))?,
        None if add.is_empty() => return Ok(text.into()),
        None => object.array_value_or_set(key),
    };
    for node in list.elements() {
        if text_of(&node).is_some_and(|value| remove.contains(&value) && !add.contains(&value)) {
            node.remove();
        }
    }
    let there: Vec<String> = list.elements().iter().filter_map(text_of).collect();
    for entry in add.iter().filter(|entry| !there.contains(entry)) {
        list.append(CstInputValue::String(entry.clone()));
    }
    if list.elements().is_empty()
        && let Some(property) = object.get(key)
    {
        property.remove();
    }
    let edited = root.to_string();
    Ok(if edited.ends_with('\n') || text.ends_with('\n') || !text.is_empty() {
        edited
    } else {
        edited + "\n"
    })
}

fn edit_yaml(text: &str, key: &str, remove: &[String], add: &[String]) -> Result<String, String> {
    const FENCE: &str = "---\n";
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    // The reader knows heads of files: with fences around it, a YAML file is one.
    let front =
        frontmatter::read(&format!("{FENCE}{text}{newline}{FENCE}")).map_err(|fault| fault.message)?;
    let Some(entry) = front.entries.iter().find(|entry| entry.key == key) else {
        return Ok(if add.is_empty() { text.into() } else { format!("{text}{newline}{}", block(key, add)) });
    };
    let kept = |value: &str| !remove.iter().any(|gone| gone == value) || add.iter().any(|one| one == value);
    let found: Vec<String> = values(entry)?;
    let mut all: Vec<String> = found.iter().filter(|value| kept(value)).cloned().collect();
    all.extend(add.iter().filter(|one| !found.contains(one)).cloned());
    if all == found {
        return Ok(text.into());
    }
    // Lines of the list that stay are kept as they stand, comments with them.
    let start = entry.key_range.start - FENCE.len();
    let end = end_of(text, entry, start, FENCE.len());
    let body = &text[start..end];
    let is_block = matches!(&entry.value.kind, ValueKind::List(_))
        && !text[start..entry.value.range.start + 1 - FENCE.len()].contains('[');
    if all.is_empty() {
        return Ok(format!("{}{}", &text[..start], &text[end..]));
    }
    if !is_block {
        return Ok(format!("{}{}{}", &text[..start], block(key, &all), &text[end..]));
    }
    let mut lines: Vec<String> = Vec::new();
    for line in body.split_inclusive('\n') {
        let item =
            line.trim_start().strip_prefix("- ").map(|item| item.split(" #").next().unwrap_or(item).trim());
        if item.is_none_or(|item| kept(item.trim_matches(['"', '\'']))) {
            lines.push(if line.ends_with('\n') { line.into() } else { format!("{line}\n") });
        }
    }
    let indent: String = body
        .lines()
        .find(|line| line.trim_start().starts_with("- "))
        .map_or("  ".into(), |line| line[..line.len() - line.trim_start().len()].into());
    lines.extend(
        add.iter().filter(|one| !found.contains(one)).map(|one| format!("{indent}- {}\n", scalar(one))),
    );
    Ok(format!("{}{}{}", &text[..start], lines.concat(), &text[end..]))
}

/// Where the lines of an entry end, in the file without the fence.
fn end_of(text: &str, entry: &Entry, start: usize, fence: usize) -> usize {
    let last = match &entry.value.kind {
        ValueKind::List(list) if !text[start..entry.value.range.start + 1 - fence].contains('[') => {
            list.last().map_or(entry.key_range.end, |value| value.range.end)
        }
        _ => entry.value.range.end.max(entry.key_range.end),
    };
    let at = (last - fence).min(text.len());
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

fn values(entry: &Entry) -> Result<Vec<String>, String> {
    let texts = |list: &[frontmatter::Value]| -> Option<Vec<String>> {
        list.iter()
            .map(|value| match &value.kind {
                ValueKind::Scalar(text) => Some(text.clone()),
                _ => None,
            })
            .collect()
    };
    match &entry.value.kind {
        ValueKind::Null => Ok(Vec::new()),
        ValueKind::Scalar(text) => Ok(vec![text.clone()]),
        ValueKind::List(list) => texts(list).ok_or_else(|| format!("expected texts in `{}`", entry.key)),
        ValueKind::Map(_) => Err(format!("expected a list in `{}`", entry.key)),
    }
}

fn block(key: &str, values: &[String]) -> String {
    let items: Vec<String> = values.iter().map(|value| format!("  - {}\n", scalar(value))).collect();
    format!("{key}:\n{}", items.concat())
}

fn scalar(text: &str) -> String {
    let plain =
        text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '/' | '_' | '-'));
    if plain { text.into() } else { format!("'{}'", text.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|&entry| entry.to_owned()).collect()
    }

    #[test]
    fn comments_and_order_stay_and_what_was_added_is_taken_back() {
        let json = "{\n  // mine\n  \"model\": \"x\",\n  \"instructions\": [\n    \"a.md\" // keep\n  ]\n}\n";
        let yaml = "# mine\nmodel: x\nread:\n  - a.md # keep\nafter: 1\n";
        let flow = "read: [a.md]\nmodel: x\n";
        let single = "read: a.md\n";
        for (text, format, key) in
            [(json, SettingsFormat::Jsonc, "instructions"), (yaml, SettingsFormat::Yaml, "read")]
        {
            let added = edit(text, format, key, &[], &list(&["b.md", "c.md"])).expect("in order");
            assert!(added.contains("mine") && added.contains("keep") && added.contains("c.md"), "{added}");
            let again = edit(&added, format, key, &[], &list(&["b.md", "c.md"])).expect("in order");
            assert_eq!(again, added, "nothing is added twice");
            let removed = edit(&added, format, key, &list(&["b.md", "c.md"]), &[]).expect("in order");
            assert_eq!(removed, text);
        }
        for text in [flow, single] {
            let added = edit(text, SettingsFormat::Yaml, "read", &[], &list(&["b.md"])).expect("in order");
            assert!(added.contains("read:\n  - a.md\n  - b.md\n"), "{added}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_begun() {
        let json = edit("", SettingsFormat::Json, "instructions", &[], &list(&["b"])).expect("in order");
        assert!(json.contains("\"instructions\"") && json.ends_with('\n'), "{json}");
        assert_eq!(
            edit("", SettingsFormat::Yaml, "read", &[], &list(&["b"])).as_deref(),
            Ok("read:\n  - b\n")
        );
    }

    #[test]
    fn what_is_no_list_is_left_alone() {
        for (text, format) in [
            ("{\"k\": 1}", SettingsFormat::Json),
            ("[1]", SettingsFormat::Json),
            ("{", SettingsFormat::Json),
            ("k:\n  a: 1\n", SettingsFormat::Yaml),
        ] {
            assert!(edit(text, format, "k", &[], &list(&["x"])).is_err(), "{text}");
        }
    }
}

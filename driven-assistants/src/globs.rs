//! Globs as assistants write them: one parser and one printer for every form.
//!
//! Braces are respected everywhere; a form that can't say a pattern says so, so
//! that nothing is widened. The meaning of a pattern is `driven_format::glob`'s.

use driven_build::split_globs;
use driven_format::glob::expand;

use crate::catalog::GlobForm;

/// Globs as a value of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GlobValue {
    /// Several values.
    List(Vec<String>),
    /// One text.
    Text(String),
}

/// Writes globs in a form; nothing when the form can't say them.
///
/// Every pattern is written in full: with a slash, so that no dialect reads it
/// at another depth.
pub fn print(globs: &[String], form: GlobForm) -> Option<GlobValue> {
    let mut full = Vec::new();
    for glob in globs {
        if glob.starts_with('!') {
            // No assistant documents what a pattern that takes away does.
            return None;
        }
        full.push(full_form(glob));
    }
    if form == GlobForm::List {
        return Some(GlobValue::List(full));
    }
    let mut parts = Vec::new();
    for glob in full {
        // A bare value that begins with a brace is a mapping to readers of YAML.
        let opens = form == GlobForm::BareComma && glob.starts_with('{');
        let parts_all = form == GlobForm::SplitComma || opens;
        let branches = if parts_all { expand_braces(&glob)? } else { vec![glob] };
        for branch in branches {
            let whole = split_globs(&branch).len() == 1 && branch.trim() == branch;
            let parted = parts_all && branch.contains(',');
            let bare = form == GlobForm::BareComma || form == GlobForm::SplitComma;
            let misread = bare
                && (branch.contains(" #")
                    || branch.contains(": ")
                    || branch.ends_with(':')
                    || branch.starts_with(['[', '&', '|', '>', '%', '@', '`', '#', '"', '\'']));
            if !whole || parted || misread || branch.contains(['\\', '\n']) {
                return None;
            }
            parts.push(branch);
        }
    }
    Some(GlobValue::Text(parts.join(if form == GlobForm::SplitComma { ", " } else { "," })))
}

/// Reads globs of a form.
pub fn parse(value: &GlobValue, form: GlobForm) -> Vec<String> {
    let texts = match value {
        GlobValue::List(list) => list.clone(),
        GlobValue::Text(text) if form == GlobForm::SplitComma => text.split(',').map(str::to_owned).collect(),
        // A list is also written as one text where people are used to that.
        GlobValue::Text(text) => split_globs(text).into_iter().map(str::to_owned).collect(),
    };
    let trimmed = texts.iter().map(|text| text.trim().trim_matches(['"', '\'']).to_owned());
    trimmed.filter(|text| !text.is_empty()).collect()
}

/// The pattern with its depth written out: `*.rs` is `**/*.rs`, `./a/b` is `a/b`, `a/` is `a/**`.
pub fn full_form(glob: &str) -> String {
    let anchored = glob.contains('/');
    let mut text = glob.strip_prefix("./").or_else(|| glob.strip_prefix('/')).unwrap_or(glob).to_owned();
    if text.ends_with('/') {
        text.push_str("**");
    }
    match (anchored, text.contains('/')) {
        (true, true) => text,
        // In the root alone: without the slash it would mean any depth.
        (true, false) if text != "**" => format!("/{text}"),
        _ if text == "**" => text,
        _ => format!("**/{text}"),
    }
}

/// Every branch of the braces written out; nothing when there are too many, or a brace has no partner.
fn expand_braces(glob: &str) -> Option<Vec<String>> {
    const MOST: usize = 256;
    let mut done = Vec::new();
    let mut open = vec![glob.to_owned()];
    while let Some(text) = open.pop() {
        let Some(end) = text.find('}') else {
            if text.contains('{') {
                return None;
            }
            done.push(text);
            continue;
        };
        let start = text[..end].rfind('{')?;
        let branches: Vec<&str> = text[start + 1..end].split(',').collect();
        if open.len() + done.len() + branches.len() > MOST {
            return None;
        }
        for branch in branches.into_iter().rev() {
            open.push(format!("{}{branch}{}", &text[..start], &text[end + 1..]));
        }
    }
    Some(done)
}

/// The globs that have a meaning; those without match nothing.
pub fn sound(globs: Vec<String>) -> Vec<String> {
    let is_sound = |glob: &String| expand(glob.strip_prefix('!').unwrap_or(glob)).is_ok();
    let sound: Vec<String> = globs.into_iter().filter(is_sound).collect();
    // A list that only takes away matches nothing.
    if sound.iter().all(|glob| glob.starts_with('!')) { Vec::new() } else { sound }
}

/// Whether two lists match the same paths, as far as their forms tell.
pub fn mean_the_same(a: &[String], b: &[String]) -> bool {
    let plain = |globs: &[String]| -> Option<Vec<String>> {
        let mut plain = Vec::new();
        for glob in globs {
            plain.extend(expand_braces(&full_form(glob))?);
        }
        if !globs.iter().any(|glob| glob.starts_with('!')) {
            plain.sort();
            plain.dedup();
        }
        Some(plain)
    };
    a == b || plain(a).is_some_and(|plain_a| plain(b) == Some(plain_a))
}

/// The folder that a list of globs speaks about, when that is all they say: `src/api/**`.
pub fn only_folder(globs: &[String]) -> Option<&str> {
    let [glob] = globs else { return None };
    let glob = glob.strip_prefix("./").or_else(|| glob.strip_prefix('/')).unwrap_or(glob);
    let folder =
        glob.strip_suffix("/**").or_else(|| glob.strip_suffix("/**/*")).or_else(|| glob.strip_suffix('/'))?;
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let literal = !folder.contains(['*', '?', '[', ']', '{', '}', '\\', '!', ',']);
    (literal && folder.split('/').all(plain)).then_some(folder)
}

#[cfg(test)]
mod tests {
    use driven_format::glob::GlobList;
    use proptest::prelude::*;

    use super::*;

    fn list(globs: &[&str]) -> Vec<String> {
        globs.iter().map(|&glob| glob.to_owned()).collect()
    }

    #[test]
    fn forms_keep_braces_together() {
        let globs = list(&["src/**/*.{ts,tsx}", "*.rs"]);
        let text = |form| match print(&globs, form) {
            Some(GlobValue::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(GlobForm::BareComma), "src/**/*.{ts,tsx},**/*.rs");
        assert_eq!(text(GlobForm::SplitComma), "src/**/*.ts, src/**/*.tsx, **/*.rs");
    }

    #[test]
    fn what_a_form_cannot_say_is_not_said() {
        assert_eq!(print(&list(&["!a"]), GlobForm::List), None);
        assert_eq!(print(&list(&["a\\,b"]), GlobForm::Comma), None);
        assert_eq!(print(&list(&["{a,b"]), GlobForm::SplitComma), None);
    }

    #[test]
    fn a_folder_is_told_from_a_pattern() {
        assert_eq!(only_folder(&list(&["src/api/**"])), Some("src/api"));
        assert_eq!(only_folder(&list(&["./docs/"])), Some("docs"));
        for other in ["**", "src/*/**", "src/**/*.rs", "../x/**", "/**"] {
            assert_eq!(only_folder(&list(&[other])), None, "{other}");
        }
    }

    fn glob() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("*".to_owned()),
            Just("**".to_owned()),
            "[a-c]{1,2}",
            "\\*\\.[a-c]{1,2}",
            "[a-c]\\{[a-c],[a-c]{1,2}\\}",
            "\\*\\.\\{[a-c],[a-c]\\}",
        ];
        (prop::collection::vec(part, 1..4), any::<bool>()).prop_map(|(parts, rooted)| {
            let text = parts.join("/");
            if rooted { format!("/{text}") } else { text }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// What a form says means the same paths when it is read back.
        #[test]
        fn what_a_form_can_say_survives_the_trip(
            globs in prop::collection::vec(glob(), 1..4),
            paths in prop::collection::vec("[a-c]{1,2}(/[a-c]{1,2}){0,2}(\\.[a-c])?", 8),
        ) {
            let Ok(meant) = GlobList::parse(&globs) else { return Ok(()) };
            for form in [GlobForm::List, GlobForm::Comma, GlobForm::BareComma, GlobForm::SplitComma] {
                let Some(value) = print(&globs, form) else { continue };
                let read = parse(&value, form);
                let read = GlobList::parse(&read).expect("what was written is in order");
                for path in &paths {
                    prop_assert_eq!(meant.matches(path), read.matches(path), "{:?} {}", form, path);
                }
            }
        }
    }
}

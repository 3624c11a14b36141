//! Checks of quality that can be told by form: what asks for nothing, what contradicts, what never loads.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use driven_build::{Code, Finding, Report, RuleText, SourceFile, outline};
use driven_format::NodeKind;
use driven_format::glob::GlobList;
use regex_lite::Regex;

use crate::catalog::{Assistant, LimitKind, Mode, Scope, find};
use crate::tree::Tree;
use crate::walk::Walk;

/// A text that rules stand in.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Relative to the project; for a rule its id.
    pub(crate) path: String,
    pub(crate) file: Arc<SourceFile>,
    pub(crate) body_start: usize,
    pub(crate) mode: Mode,
    pub(crate) globs: Vec<(String, Range<usize>)>,
    /// The assistant whose file it is; nothing for a rule.
    pub(crate) owner: Option<&'static str>,
    /// The assistants that a rule is for.
    pub(crate) targets: Vec<String>,
}

impl Subject {
    pub(crate) fn of_rule(text: &RuleText) -> Self {
        let rule = &text.rule;
        Subject {
            path: rule.id.clone(),
            file: Arc::clone(&text.file),
            body_start: text.body_start,
            mode: Mode::of(rule.activation),
            globs: rule.globs.iter().cloned().zip(text.globs.iter().cloned()).collect(),
            owner: None,
            targets: rule.targets.clone(),
        }
    }

    fn body(&self) -> &str {
        &self.file.text[self.body_start..]
    }

    fn finding(&self, code: Code, range: Range<usize>, message: impl Into<String>) -> Finding {
        Finding::at(code, &self.file, range, message)
    }

    fn whole(&self, code: Code, message: impl Into<String>) -> Finding {
        Finding::in_file(code, &self.file.path, message)
    }
}

/// Runs every check.
pub(crate) fn check(tree: &Tree, subjects: &[Subject], targets: &[String], report: &mut Report) {
    let items: Vec<Item<'_>> = subjects.iter().flat_map(items).collect();
    vague(&items, report);
    contradictions(&items, report);
    duplicates(subjects, report);
    for subject in subjects {
        links(tree, subject, report);
        reach(subject, targets, report);
        length(subject, targets, report);
    }
    dead_globs(tree, subjects, report);
}

/// An item of a list, its inner lists apart.
struct Item<'s> {
    subject: &'s Subject,
    range: Range<usize>,
    /// In lower case, without marks and without the full stop.
    text: String,
}

fn items(subject: &Subject) -> Vec<Item<'_>> {
    let body = subject.body();
    let nodes = outline::scan(body).nodes;
    let list = nodes.iter().filter(|node| matches!(node.kind, NodeKind::Bullet | NodeKind::Numbered));
    list.map(|node| {
        let text = body[node.range()].lines().next().unwrap_or_default().trim_end();
        let start = subject.body_start + node.start as usize;
        let plain: String = text.chars().filter(|char| !matches!(char, '*' | '`' | '_' | '"')).collect();
        let plain = plain.trim().trim_end_matches(['.', '!', ';']).to_lowercase();
        Item { subject, range: start..start + text.len(), text: plain }
    })
    .collect()
}

/// Items that a model would follow without having read them.
const VAGUE: &str = r"^((please|always|try to|make sure to|ensure you|you should|remember to) )?((write|produce|create|use|keep|ensure|follow|apply|maintain|adhere to|have|make) )?((only|the|your|all|some|any|industry|general|good|clean|best|better|high[- ]quality|quality|proper|properly|correct|readable|maintainable|efficient|robust|nice|great|modern|appropriate|sensible|reasonable|well[- ]written|consistent|simple|clear|meaningful|descriptive|professional|and|,|&) ?)+(code|practices?|quality|style|standards?|conventions?|design|solutions?|programming|coding|engineering|( ))+$|^be (careful|consistent|concise|clear|helpful|thorough|smart|professional|precise|accurate|nice)$|^use (common sense|good judge?ment|your judge?ment)$|^think (carefully|step by step)$|^(do|try) your best$|^(handle|fix) (errors|things|issues) (properly|correctly|appropriately|gracefully)$|^(write|add) (good|proper|appropriate) (tests|comments|documentation|docs)$|^(follow|use|apply) best practices( (where|when|as) (appropriate|possible|needed))?$";

fn vague(items: &[Item<'_>], report: &mut Report) {
    static PATTERN: OnceLock<Regex> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| Regex::new(VAGUE).expect("the pattern is tested"));
    for item in items.iter().filter(|item| item.text.len() < 80 && pattern.is_match(&item.text)) {
        let message = "this asks for nothing that could be told apart from its opposite";
        let finding = item.subject.finding(Code::VagueRule, item.range.clone(), message);
        report.push(finding.hint("say what is to be done and what not, or leave it out"));
    }
}

/// What an item is for or against: `(true, "tabs")` for `Use tabs`.
fn stance(text: &str) -> Option<(bool, &str)> {
    const AGAINST: [&str; 12] = [
        "never use ",
        "do not use ",
        "don't use ",
        "avoid using ",
        "avoid ",
        "never ",
        "do not ",
        "don't ",
        "must not use ",
        "must not ",
        "should not use ",
        "no ",
    ];
    const FOR: [&str; 9] = [
        "always use ",
        "prefer using ",
        "prefer to use ",
        "must use ",
        "should use ",
        "prefer ",
        "always ",
        "must ",
        "use ",
    ];
    let cut = |words: &[&str]| words.iter().find_map(|word| text.strip_prefix(word)).map(str::trim);
    let found = cut(&AGAINST).map(|rest| (false, rest)).or_else(|| cut(&FOR).map(|rest| (true, rest)));
    found.filter(|(_, rest)| rest.len() > 3)
}

fn contradictions(items: &[Item<'_>], report: &mut Report) {
    let mut by_topic: BTreeMap<&str, (Vec<&Item<'_>>, Vec<&Item<'_>>)> = BTreeMap::new();
    for item in items {
        if let Some((is_for, topic)) = stance(&item.text) {
            let (pro, contra) = by_topic.entry(topic).or_default();
            if is_for { pro.push(item) } else { contra.push(item) }
        }
    }
    for (pro, contra) in by_topic.into_values() {
        for against in contra {
            let Some(other) = pro.iter().find(|item| meet(item.subject, against.subject)) else { continue };
            let message =
                format!("{} asks for the opposite: `{}`", other.subject.file.path.display(), other.text);
            let finding = against.subject.finding(Code::Contradiction, against.range.clone(), message);
            report.push(finding.hint("decide for one, or scope each by globs"));
        }
    }
}

/// Whether two texts can speak in one conversation.
fn meet(a: &Subject, b: &Subject) -> bool {
    let shared =
        a.targets.is_empty() || b.targets.is_empty() || a.targets.iter().any(|one| b.targets.contains(one));
    let globs = |one: &Subject| one.globs.iter().map(|(glob, _)| glob.clone()).collect::<Vec<_>>();
    let scoped = match (a.mode, b.mode) {
        (Mode::Off, _) | (_, Mode::Off) => false,
        (Mode::Globs, Mode::Globs) => crate::globs::mean_the_same(&globs(a), &globs(b)),
        _ => true,
    };
    let readers = a.owner.is_none() || b.owner.is_none() || a.owner == b.owner;
    shared && scoped && readers
}

fn duplicates(subjects: &[Subject], report: &mut Report) {
    let mut seen: HashMap<(Option<&str>, &str), &Subject> = HashMap::new();
    for subject in subjects {
        let text = subject.body().trim();
        if text.len() < 40 {
            continue;
        }
        if let Some(first) = seen.get(&(subject.owner, text)) {
            let message = format!("the text is that of {}", first.file.path.display());
            let hint = "leave one of them, with the globs and targets of both";
            report.push(subject.whole(Code::DuplicateText, message).hint(hint));
        } else {
            seen.insert((subject.owner, text), subject);
        }
    }
}

/// Whether a file that a text names is there: beside the text, or below the project's root.
fn is_there(tree: &Tree, subject: &Subject, path: &str) -> bool {
    let folder = subject.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = subject.file.path.parent().map(|parent| parent.join(path));
    let places = [format!("{folder}/{path}"), path.to_owned()];
    // What leads out of the project is none of our business.
    let leads_out = |path: &str| {
        let mut depth = 0_i32;
        path.split('/').any(|part| {
            depth += match part {
                "" | "." => 0,
                ".." => -1,
                _ => 1,
            };
            depth < 0
        })
    };
    let in_root = |place: &String| {
        let place = place.trim_start_matches('/');
        leads_out(place) || tree.root().join(place).symlink_metadata().is_ok()
    };
    subject.owner.is_none() && beside.is_some_and(|beside| beside.symlink_metadata().is_ok())
        || places.iter().any(in_root)
}

fn links(tree: &Tree, subject: &Subject, report: &mut Report) {
    let body = subject.body();
    for link in outline::scan(body).links {
        let (start, end) = link.destination;
        let whole = body[start..end].trim_matches(['<', '>']);
        let path = whole.strip_prefix("mdc:").unwrap_or(whole);
        let path = path.split(['#', '?']).next().unwrap_or_default();
        let is_foreign = path.contains([':', '%', '{', '$', '*', '<', ' ', '\\']) || path.starts_with("//");
        // A bare word is more often an example than a file.
        let is_path = path.contains('/') || path.contains('.');
        if path.is_empty() || is_foreign || !is_path || is_there(tree, subject, path) {
            continue;
        }
        let range = subject.body_start + start..subject.body_start + end;
        let message = format!("there is no file `{path}`");
        report.push(
            subject.finding(Code::BrokenLink, range, message).hint("mend the path, or take the link out"),
        );
    }
    let imports = subject.owner.and_then(find).is_some_and(|owner| owner.imports);
    if imports {
        at_imports(tree, subject, report);
    }
}

/// `@docs/style.md`, which some assistants read in its place.
fn at_imports(tree: &Tree, subject: &Subject, report: &mut Report) {
    const ENDINGS: [&str; 7] = [".md", ".mdc", ".txt", ".json", ".yaml", ".yml", ".toml"];
    let body = subject.body();
    let mut is_code = false;
    let mut at = 0;
    for line in body.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        for (offset, _) in line.match_indices('@').filter(|_| !is_code) {
            let opens =
                line[..offset].chars().next_back().is_none_or(|char| char.is_whitespace() || char == '(');
            let rest = &line[offset + 1..];
            let end = rest.find(|char: char| char.is_whitespace() || "`'\"()[]<>,;".contains(char));
            let path = rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', ':', '!', '?']);
            let in_span = line[..offset].matches('`').count() % 2 == 1;
            let is_file = ENDINGS.iter().any(|ending| path.ends_with(ending)) && !path.starts_with('~');
            if opens && !in_span && is_file && !is_there(tree, subject, path) {
                let from = subject.body_start + start + offset;
                let message = format!("there is no file `{path}` to take in");
                let finding = subject.finding(Code::BrokenImport, from..from + 1 + path.len(), message);
                report.push(finding.hint("mend the path, or take the line out"));
            }
        }
    }
}

/// Rules that no assistant that they are for can load.
fn reach(subject: &Subject, targets: &[String], report: &mut Report) {
    for name in subject.targets.iter().filter(|name| *name != "*" && find(name).is_none()) {
        let message = format!("the rule is for `{name}`, which is no assistant");
        report.push(subject.whole(Code::UnreachableRule, message).hint("see `driven sync --list`"));
    }
    if subject.owner.is_some() || subject.mode != Mode::Manual {
        return;
    }
    let named = if subject.targets.is_empty() { targets } else { &subject.targets };
    let readers: Vec<&Assistant> = named.iter().filter_map(|name| find(name)).collect();
    if !readers.is_empty() && !readers.iter().any(|one| one.expresses(Mode::Manual)) {
        let message = "a rule that is called by hand, and none of its assistants knows such rules";
        let hint = "give it globs or a description, or another target";
        report.push(subject.whole(Code::UnreachableRule, message).hint(hint));
    }
}

fn length(subject: &Subject, targets: &[String], report: &mut Report) {
    let named: Vec<&str> = match subject.owner {
        Some(owner) => vec![owner],
        None if subject.targets.is_empty() => targets.iter().map(String::as_str).collect(),
        None => subject.targets.iter().map(String::as_str).collect(),
    };
    for assistant in named.into_iter().filter_map(find) {
        for limit in assistant.limits.iter().filter(|limit| limit.kind != LimitKind::Advice) {
            let text = if subject.owner.is_some() { &subject.file.text } else { subject.body() };
            let count = limit.unit.count(text);
            if count > limit.max && (limit.scope == Scope::File || subject.owner.is_some()) {
                let (unit, name, max, note) = (limit.unit.as_str(), &assistant.name, limit.max, &limit.note);
                let message = format!("{count} {unit}; {name} reads {max} ({note})");
                let hint = "split it by the files that it speaks about";
                report.push(subject.whole(Code::LongForTarget, message).hint(hint));
            }
        }
    }
}

/// Globs that match no file of the project, where others do: a set of rules without a project has no files to match.
fn dead_globs(tree: &Tree, subjects: &[Subject], report: &mut Report) {
    let mut globs: Vec<(&Subject, &Range<usize>, &str, GlobList)> = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.mode == Mode::Globs) {
        for (glob, range) in subject.globs.iter().filter(|(glob, _)| !glob.starts_with('!')) {
            if let Ok(list) = GlobList::parse(std::slice::from_ref(glob)) {
                globs.push((subject, range, glob, list));
            }
        }
    }
    // What matches everything tells nothing of whether there is a project.
    let tells = |glob: &str| !matches!(glob.trim_start_matches(['.', '/']), "*" | "**" | "**/*");
    let count = globs.iter().filter(|(_, _, glob, _)| tells(glob)).count();
    let mut walk = Walk { hidden: true, ..Walk::of_project() };
    walk.run(tree, "", &mut Vec::new(), &mut |path| globs.retain(|(.., list)| !list.matches(path)));
    let dead = globs.iter().filter(|(_, _, glob, _)| tells(glob)).count();
    if walk.is_cut() || dead == count {
        return;
    }
    for (subject, range, glob, _) in globs {
        let message = format!("`{glob}` matches no file of the project");
        let finding = if range.is_empty() {
            subject.whole(Code::UnmatchedGlob, message)
        } else {
            subject.finding(Code::UnmatchedGlob, range.clone(), message)
        };
        report.push(finding.hint("mend it, or take it out when the files are gone"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vague_items_are_told_by_their_form() {
        let pattern = Regex::new(VAGUE).expect("the pattern is in order");
        for text in [
            "write clean code",
            "follow best practices",
            "be careful",
            "use common sense",
            "always write good, readable code",
        ] {
            assert!(pattern.is_match(text), "{text}");
        }
        for text in [
            "write code for the oldest supported release",
            "use tabs",
            "keep functions below 40 lines",
            "follow the naming of the standard library",
            "return errors",
            "code",
        ] {
            assert!(!pattern.is_match(text), "{text}");
        }
    }

    #[test]
    fn a_stance_has_a_side_and_a_topic() {
        assert_eq!(stance("use tabs"), Some((true, "tabs")));
        assert_eq!(stance("avoid using tabs"), Some((false, "tabs")));
        assert_eq!(stance("never use tabs"), Some((false, "tabs")));
        assert_eq!(stance("tabs are wide"), None);
    }
}

//! Matching: the tables against the patterns one by one, and both against `globset`.

use driven::Pack;
use driven_format::glob::GlobList;
use driven_format::{Activation, Rule, RuleSet, write_pack};
use globset::GlobBuilder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner that makes the same cases on every run.
fn runner(cases: u32) -> TestRunner {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(
        Config { cases, failure_persistence: None, max_global_rejects: 1 << 20, ..Config::default() },
        rng,
    )
}

/// Whether `globset` says that the pattern, in full form, means the path.
fn oracle(pattern: &str, path: &str) -> bool {
    let anchored = pattern.contains('/');
    let pattern = pattern.strip_prefix("./").or_else(|| pattern.strip_prefix('/')).unwrap_or(pattern);
    let full = match (anchored, pattern.strip_suffix('/')) {
        (_, Some(folder)) => format!("{folder}/**"),
        (false, None) if pattern != "**" => format!("**/{pattern}"),
        _ => pattern.to_owned(),
    };
    let glob = GlobBuilder::new(&full).literal_separator(true).build();
    glob.expect("only patterns that both read are asked").compile_matcher().is_match(path)
}

const NAMES: &[&str] =
    &["a", "b", "ab", "src", "lib.rs", "a.rs", "x.d.ts", "é", "A", ".env", "main.test.ts", "Makefile"];

fn paths() -> impl Strategy<Value = String> {
    vec(prop::sample::select(NAMES), 1..5).prop_map(|parts| parts.join("/"))
}

/// Patterns from pieces that driven and `globset` read alike.
fn patterns() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(
        &[
            "a",
            "b",
            "ab",
            "src",
            ".rs",
            "*",
            "?",
            "[ab]",
            "[!a]",
            "lib",
            ".",
            "ts",
            ".d",
            "{a,b}",
            "{rs,d.ts}",
            "é",
            "Makefile",
        ][..],
    );
    let component = prop_oneof![
        1 => Just("**".to_owned()),
        4 => vec(piece, 1..4).prop_map(|pieces| pieces.concat()),
    ];
    vec(component, 1..5).prop_map(|parts| parts.join("/")).prop_filter(
        "`.` and `..` are no names, `**` only alone",
        |pattern| {
            pattern
                .split('/')
                .all(|part| !matches!(part, "." | "..") && (part == "**" || !part.contains("**")))
        },
    )
}

#[test]
fn patterns_mean_what_the_oracle_says() {
    runner(20_000)
        .run(&(patterns(), paths()), |(pattern, path)| {
            // The two listed deviations: characters against bytes, and classes against separators.
            prop_assume!(path.is_ascii() || !pattern.contains(['?', '[']));
            prop_assume!(!path.contains('/') || !pattern.contains("[!"));
            let list = GlobList::parse(&[&pattern]).unwrap();
            prop_assert_eq!(list.matches(&path), oracle(&pattern, &path), "{} on {}", pattern, path);
            Ok(())
        })
        .unwrap();
}

/// Where the dialect and `globset` part, on purpose: pattern, path, what driven says, what the oracle says.
#[test]
fn deviations_from_the_oracle_are_these() {
    let cases = [
        // A class never matches a separator, negated or not.
        ("a[!x]b", "a/b", false, Some(true)),
        ("a[+-9]b", "a/b", false, Some(true)),
        // `?` and a class are one character, not one byte.
        ("?.md", "é.md", true, Some(false)),
        // An empty branch stands for nothing at all.
        ("{a,}b", "b", true, None),
        // In a class, `\` quotes the next character.
        ("[\\]a]", "]", true, None),
        // `**` in company is `*`.
        ("a**b", "axb", true, Some(true)),
    ];
    for (pattern, path, ours, theirs) in cases {
        assert_eq!(GlobList::parse(&[pattern]).unwrap().matches(path), ours, "{pattern} on {path}");
        if let Some(theirs) = theirs {
            assert_eq!(oracle(pattern, path), theirs, "{pattern} on {path}, oracle");
        }
    }
}

fn pack_of(rules: &[Vec<String>]) -> Vec<u8> {
    let rules = rules.iter().enumerate().map(|(index, globs)| {
        let mut rule = Rule::new(format!("{index:04}"), "");
        rule.globs.clone_from(globs);
        rule.activation = Activation::Globs;
        rule
    });
    write_pack(&RuleSet { rules: rules.collect(), ..RuleSet::default() }).unwrap()
}

#[test]
fn the_tables_say_what_the_patterns_say_one_by_one() {
    let pattern = (any::<bool>(), patterns())
        .prop_map(|(negated, pattern)| if negated { format!("!{pattern}") } else { pattern });
    let globs = vec(pattern, 1..4).prop_map(|mut globs| {
        globs[0] = globs[0].trim_start_matches('!').to_owned();
        globs
    });
    runner(600)
        .run(&(vec(globs, 1..90), vec(paths(), 8)), |(rules, paths)| {
            let bytes = pack_of(&rules);
            let pack = Pack::open(&bytes).unwrap();
            for path in &paths {
                let found: Vec<usize> = pack.for_path(path).map(|rule| rule.id().parse().unwrap()).collect();
                let lists = rules.iter().map(|globs| GlobList::parse(globs).unwrap());
                let expected: Vec<usize> = lists
                    .enumerate()
                    .filter(|(_, list)| list.matches(path))
                    .map(|(index, _)| index)
                    .collect();
                prop_assert_eq!(found, expected, "{}", path);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn real_globs_say_the_same_in_tables_and_in_the_oracle() {
    let mut rules = Vec::new();
    for folder in ["copilot", "cursor"] {
        let Some(root) = driven_tests::outside_folder("DRIVEN_CORPUS") else { return };
        let (set, _) = driven_build::rules(root.join(folder)).cap_lints_warn().model().unwrap();
        rules.extend(
            set.rules.into_iter().filter(|rule| rule.activation == Activation::Globs).map(|rule| rule.globs),
        );
    }
    let bytes = pack_of(&rules);
    let pack = Pack::open(&bytes).unwrap();
    let folders = [
        "",
        "src/",
        "src/app/",
        "app/api/users/",
        ".github/workflows/",
        "docs/",
        "k8s/base/",
        "tests/unit/",
        "x/migrations/",
    ];
    let names = rules.iter().flatten().filter_map(|glob| glob.rsplit('/').next());
    let mut names: Vec<String> =
        names.map(|name| name.replace(['*', '?', '[', ']', '{', '}'], "x").replace(',', ".")).collect();
    names.extend(
        ["index.ts", "page.tsx", "main.rs", "a.d.ts", "Dockerfile", "b.spec.js", "c.test.py"]
            .map(str::to_owned),
    );
    names.sort();
    names.dedup();
    let matchers: Vec<Vec<globset::GlobMatcher>> = rules
        .iter()
        .map(|globs| {
            let full = globs.iter().map(|glob| {
                let anchored = glob.contains('/');
                let glob = glob.trim_start_matches("./").trim_start_matches('/');
                let full = if anchored || glob == "**" { glob.to_owned() } else { format!("**/{glob}") };
                GlobBuilder::new(&full).literal_separator(true).build().unwrap().compile_matcher()
            });
            full.collect()
        })
        .collect();
    let mut asked = 0;
    for name in &names {
        for folder in folders {
            let path = format!("{folder}{name}");
            if path.contains("//") || path.is_empty() {
                continue;
            }
            let found: Vec<usize> = pack.for_path(&path).map(|rule| rule.id().parse().unwrap()).collect();
            let expected: Vec<usize> = (0..rules.len())
                .filter(|&index| matchers[index].iter().any(|glob| glob.is_match(&path)))
                .collect();
            assert_eq!(found, expected, "{path}");
            asked += 1;
        }
    }
    assert!(asked > 2000, "{asked} paths are too few");
}

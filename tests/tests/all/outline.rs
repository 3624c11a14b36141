//! The body scanner against its oracle, `pulldown-cmark`.

use driven_tests::oracle::{pulldown, scanned};
use driven_tests::{corpus_files, outside_folder};

/// Bodies on which the two scanners differ, with what each says.
fn differences<'b>(bodies: impl IntoIterator<Item = (String, &'b str)>) -> Vec<String> {
    let differs = |(name, body): (String, &str)| {
        let (oracle, found) = (pulldown(body), scanned(body));
        (oracle != found).then(|| format!("{name}: {body:?}\noracle: {oracle:?}\n found: {found:?}\n"))
    };
    bodies.into_iter().filter_map(differs).collect()
}

#[test]
fn every_corpus_file_has_the_structure_that_the_oracle_finds() {
    let files: Vec<_> = corpus_files("copilot").into_iter().chain(corpus_files("cursor")).collect();
    let bodies = files.iter().map(|(path, text)| {
        let start = driven_build::frontmatter::read(text).map_or(0, |front| front.body_start);
        (path.display().to_string(), &text[start..])
    });
    let differences = differences(bodies);
    assert!(differences.is_empty(), "{} files differ, the first:\n{}", differences.len(), differences[0]);
}

#[test]
fn every_example_of_commonmark_has_the_structure_that_the_oracle_finds() {
    let Some(folder) = outside_folder("DRIVEN_COMMONMARK") else { return };
    let spec = std::fs::read_to_string(folder.join("spec.txt")).expect("the specification is there");
    let fence = "`".repeat(32);
    let opening = format!("\n{fence} example\n");
    let examples: Vec<String> = spec
        .split(&opening)
        .skip(1)
        .map(|example| example.split("\n.\n").next().unwrap_or_default().replace('→', "\t") + "\n")
        .collect();
    assert!(examples.len() > 600, "{} examples are too few", examples.len());
    let numbered = examples.iter().enumerate().map(|(index, body)| (index + 1, body.as_str()));
    let differences = differences(numbered.map(|(number, body)| (format!("example {number}"), body)));
    assert!(differences.is_empty(), "{} examples differ:\n{}", differences.len(), differences.join("\n"));
}

/// Documents made of what block structure is made of, the same on every run.
#[test]
fn made_up_documents_have_the_structure_that_the_oracle_finds() {
    const PIECES: &[&str] = &[
        "- ",
        "* ",
        "1. ",
        "2) ",
        "> ",
        "# ",
        "## x",
        "===\n",
        "---\n",
        "```\n",
        "~~~ rust\n",
        "\n",
        "\n",
        "\n\n",
        "  ",
        "    ",
        "\t",
        "text",
        "a\nb",
        "***\n",
        "-",
        "+",
        "10. ",
        "`code`",
        "[a](b)",
        "![i](j)",
        "<div>\n",
        "<!-- c -->",
        "\\",
        "é",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let documents: Vec<String> = (0..60_000)
        .map(|_| {
            let len = 1 + next(14);
            (0..len).map(|_| PIECES[next(PIECES.len())]).collect()
        })
        .collect();
    let claimed = documents.iter().enumerate().filter(|(_, body)| !driven_tests::fuzz::deviates(body));
    let bodies = claimed.map(|(index, body)| (format!("document {index}"), body.as_str()));
    let mut differences = differences(bodies);
    differences.sort_by_key(String::len);
    assert!(
        differences.is_empty(),
        "{} documents differ, the shortest:\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n")
    );
}

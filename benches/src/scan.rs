//! The structure of bodies.

use std::hint::black_box;

use driven_build::outline;

use crate::data::Set;
use crate::harness::{Timed, contestant, race};
use crate::report::Report;

/// Every body of the set.
pub fn race_scanners(set: &Set) -> Vec<Timed> {
    race(vec![
        contestant("driven's scanner", || {
            set.facts.iter().map(|rule| outline::scan(black_box(&rule.body)).nodes.len()).sum()
        }),
        contestant("a scanner byte by byte (fewer constructs)", || {
            set.facts.iter().map(|rule| byte_by_byte(black_box(&rule.body))).sum()
        }),
        contestant("pulldown-cmark, parsed", || {
            set.facts.iter().map(|rule| pulldown_cmark::Parser::new(black_box(&rule.body)).count()).sum()
        }),
    ])
}

/// Headings, items and fences at the start of lines alone: no quotes, no nesting, no HTML, no setext headings.
fn byte_by_byte(body: &str) -> usize {
    let (mut found, mut at_start, mut fenced) = (Vec::new(), true, false);
    let bytes = body.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if at_start && byte != b' ' {
            let rest = &bytes[at..];
            if rest.starts_with(b"```") {
                fenced = !fenced;
                found.push((at, 3));
            } else if !fenced && (byte == b'#' || matches!(rest, [b'-' | b'*' | b'+', b' ', ..])) {
                found.push((at, byte));
            }
        }
        at_start = byte == b'\n' || at_start && byte == b' ';
    }
    found.len()
}

/// The whole corpus.
pub fn report(set: &Set, report: &mut Report) {
    let timed = race_scanners(set);
    report.heading("The structure of bodies", "Headings, list items, fenced code and links of every body.");
    report.times("finding structure, whole corpus", &timed);
    report.at_least("finding structure, against pulldown-cmark", 4.0, timed[2].over(&timed[0]));
}

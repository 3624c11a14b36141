//! From a file in the page cache to one rule's body.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use driven::LazyPackBuf;

use crate::data::{self, Facts, Set};
use crate::harness::{contestant, race};
use crate::report::Report;

pub fn report(set: &Set, corpus: &Path, report: &mut Report) {
    let dir = tempfile::tempdir().expect("a folder for the files");
    let (pack, json) = (dir.path().join("rules.drv"), dir.path().join("rules.json"));
    fs::write(&pack, &set.pack).expect("the pack can be written");
    fs::write(&json, &set.json).expect("the JSON can be written");
    let sources: Vec<_> = set.facts.iter().map(|rule| data::source_of(corpus, rule)).collect();
    let id = set.facts[set.facts.len() / 2].id.as_str();
    let timed = race(vec![
        contestant("driven: read, open lazily, find, prove and read the body", || {
            let pack = LazyPackBuf::open(black_box(&pack)).expect("it was written");
            pack.as_lazy().rule(id).map_or(0, |rule| rule.body().expect("it was written").len())
        }),
        contestant("driven: map, open lazily, find, prove and read the body", || {
            let file = fs::File::open(black_box(&pack)).expect("it was written");
            // SAFETY: the file lies in a folder of this process, and nothing writes to it.
            let pack = unsafe { driven::MappedPack::map(&file) }.expect("it was written");
            pack.as_lazy().rule(id).map_or(0, |rule| rule.body().expect("it was written").len())
        }),
        contestant("read, serde_json, find", || {
            let bytes = fs::read(black_box(&json)).expect("it was written");
            let rules: Vec<Facts> = serde_json::from_slice(&bytes).expect("it was written");
            rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.body.len())
        }),
        contestant("read and parse each Markdown file (the same YAML parser, pulldown-cmark)", || {
            let mut found = 0;
            for source in &sources {
                let text = fs::read_to_string(black_box(source)).expect("the corpus can be read");
                let front = driven_build::frontmatter::read(&text).expect("the corpus parses");
                let body = &text[front.body_start..];
                found += pulldown_cmark::Parser::new(body).count() + front.entries.len();
            }
            found
        }),
    ]);
    report.heading("From a file to one rule's body", "Twenty rules, files in the page cache.");
    report.times("file to body, 20 rules", &timed);
    report.at_least("file to one body, against read + serde_json", 20.0, timed[2].over(&timed[0]));
    report.at_least(
        "file to one body, against reading and parsing the Markdown",
        20.0,
        timed[3].over(&timed[0]),
    );
}

//! Sizes, raw and compressed, both sides treated alike.

use crate::data::Set;
use crate::report::Report;

const SCHEMA: &str = "\
The JSON is an array of objects, minified, with the keys `id`, `description`, `activation` (number), `globs`, `priority`, \
`category` (number), `tags`, `languages`, `when`, `targets`, `requires`, `conflicts`, `replaces`, `capabilities` (number), \
`body`, `outline`: an array of `[kind, level, start, len]`, all numbers. Digests are left out on both sides: those of the pack \
are set to zero before it is compressed.";

pub fn report(set: &Set, report: &mut Report) {
    let zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 19).expect("memory is enough").len();
    let brotli = |bytes: &[u8]| {
        let mut out = Vec::new();
        let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
        brotli::BrotliCompress(&mut &bytes[..], &mut out, &parameters).expect("memory is enough");
        out.len()
    };
    let without_digests = without_digests(&set.pack);
    let json = json(set);
    let rows = [
        ("source files", None),
        ("driven pack", Some(&set.pack[..])),
        ("driven pack without digests", Some(&without_digests)),
        ("the same facts as minified JSON", Some(&json)),
        ("postcard", Some(&set.postcard)),
        ("bitcode", Some(&set.bitcode)),
        ("rkyv", Some(&set.rkyv)),
        ("flatbuffers", Some(&set.flatbuffers)),
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, bytes)| match bytes {
            None => vec![(*name).into(), set.source_bytes.to_string(), String::new(), String::new()],
            Some(bytes) => {
                vec![
                    (*name).into(),
                    bytes.len().to_string(),
                    zstd(bytes).to_string(),
                    brotli(bytes).to_string(),
                ]
            }
        })
        .collect();
    report.heading("Size", SCHEMA);
    report.table("bytes, whole corpus", &["", "raw", "zstd -19", "brotli -11"], &rows);
    let number = |row: usize, column: usize| rows[row][column].parse::<f64>().unwrap_or(f64::NAN);
    report.at_most("raw pack, against the source files", 1.10, number(1, 1) / number(0, 1));
    report.at_most("pack under zstd -19, against minified JSON", 1.00, number(2, 2) / number(3, 2));
    report.paragraph(&format!(
        "Against raw JSON ({:.0} bytes), the raw pack is {:.0} % smaller, and the pack under zstd -19 {:.0} %; \
         but JSON under zstd -19 is {:.0} % smaller than raw JSON too. A figure like \"73 % smaller than JSON\" compares \
         a compressed form with one that is not.",
        number(3, 1),
        100.0 * (1.0 - number(1, 1) / number(3, 1)),
        100.0 * (1.0 - number(1, 2) / number(3, 1)),
        100.0 * (1.0 - number(3, 2) / number(3, 1)),
    ));
}

/// The pack with zeros where its digests are.
fn without_digests(pack: &[u8]) -> Vec<u8> {
    let tables = driven_format::Tables::check(pack).expect("it was written");
    let mut bytes = pack.to_vec();
    bytes[32..64].fill(0);
    for (section, _, offset, len) in tables.sections() {
        match section {
            Some(driven_format::Section::Digests) => bytes[offset..offset + len].fill(0),
            // Those of the content and of the texts.
            Some(driven_format::Section::Manifest) => bytes[offset + len - 64..offset + len].fill(0),
            _ => {}
        }
    }
    bytes
}

fn json(set: &Set) -> Vec<u8> {
    let rules: Vec<serde_json::Value> = set
        .facts
        .iter()
        .map(|rule| {
            let mut value = serde_json::to_value(rule).expect("facts are JSON");
            let outline = rule
                .outline
                .iter()
                .map(|node| serde_json::json!([node.kind as u8, node.level, node.start, node.len]));
            value["outline"] = outline.collect();
            value
        })
        .collect();
    serde_json::to_vec(&rules).expect("facts are JSON")
}

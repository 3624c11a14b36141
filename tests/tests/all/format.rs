//! `docs/FORMAT.md` and `docs/UPDATES.md` are the law: their tables are compared with the records.

use driven_format::records as r;

/// Every record with its fields and their sizes.
const RECORDS: &[(&str, &[(&str, usize)])] = &[
    ("StrRef", r::StrRef::FIELDS),
    ("HeaderRecord", r::HeaderRecord::FIELDS),
    ("SectionRecord", r::SectionRecord::FIELDS),
    ("ManifestRecord", r::ManifestRecord::FIELDS),
    ("RuleRecord", r::RuleRecord::FIELDS),
    ("OriginRecord", r::OriginRecord::FIELDS),
    ("PersonaRecord", r::PersonaRecord::FIELDS),
    ("WorkflowRecord", r::WorkflowRecord::FIELDS),
    ("StepRecord", r::StepRecord::FIELDS),
    ("OutlineRecord", r::OutlineRecord::FIELDS),
    ("IdsRecord", r::IdsRecord::FIELDS),
    ("PathsRecord", r::PathsRecord::FIELDS),
    ("GroupRecord", r::GroupRecord::FIELDS),
    ("KeyRecord", r::KeyRecord::FIELDS),
    ("PairRecord", r::PairRecord::FIELDS),
    ("RowRecord", r::RowRecord::FIELDS),
    ("SieveRecord", r::SieveRecord::FIELDS),
    ("CheckRecord", r::CheckRecord::FIELDS),
    ("PatternRecord", r::PatternRecord::FIELDS),
    ("PostingsRecord", r::PostingsRecord::FIELDS),
    ("PostingRecord", r::PostingRecord::FIELDS),
    ("SignaturesRecord", r::SignaturesRecord::FIELDS),
    ("SignatureRecord", r::SignatureRecord::FIELDS),
];

/// Offset, size and name in each row of the table under a record's heading.
fn table(document: &str, record: &str) -> Vec<(usize, usize, String)> {
    let heading = format!("### `{record}`\n");
    let start = document.find(&heading).unwrap_or_else(|| panic!("no table for {record}"));
    let lines = document[start + heading.len()..].lines().skip(3);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let number =
                |cell: &str| cell.parse().unwrap_or_else(|_| panic!("{record}: `{cell}` is no number"));
            (number(cells[1]), number(cells[2]), cells[3].trim_matches('`').to_owned())
        })
        .collect()
}

#[test]
fn the_tables_of_the_document_are_the_records() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FORMAT.md")).unwrap();
    compare(&document, RECORDS);
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/UPDATES.md")).unwrap();
    compare(&document, &[("PatchRecord", driven_format::patch::PatchRecord::FIELDS)]);
}

fn compare(document: &str, records: &[(&str, &[(&str, usize)])]) {
    for (record, fields) in records {
        let mut offset = 0;
        let expected: Vec<(usize, usize, String)> = fields
            .iter()
            .map(|&(name, size)| {
                offset += size;
                (offset - size, size, name.to_owned())
            })
            .collect();
        assert_eq!(table(document, record), expected, "{record}");
    }
    assert_eq!(document.matches("\n### `").count(), records.len(), "a table without a record");
}

#[test]
fn the_sections_of_the_document_are_the_sections() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FORMAT.md")).unwrap();
    for &section in driven_format::Section::ALL {
        let row = format!("| {} | {} |", section as u32, section.as_str());
        assert!(document.contains(&row), "FORMAT.md lacks `{row}`");
    }
}

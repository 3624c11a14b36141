//! Packs in files: what changes underneath is refused when it is read, and never seen.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use driven::{LazyPackBuf, Pack};
use driven_format::{PackBuilder, Rule, Tables};
use driven_tests::samples::{key, with_a_false_rule, with_false_texts};

/// Longer than what is read at once, bodies of all lengths.
fn pack() -> Vec<u8> {
    let mut builder = PackBuilder::new("house", 1);
    for number in 0..30_usize {
        let body = format!("# Rule {number}\n\n- {}\n", "Grüße, and text. ".repeat(number * 9));
        let mut rule = Rule::new(format!("rule-{number:02}"), body);
        rule.outline = driven_format::outline::nodes(&rule.body);
        builder = builder.rule(rule);
    }
    builder.rule(Rule::new("empty", "")).finish().unwrap()
}

fn on_disk(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.drv");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// Writes into the file that is there, as no well-behaved program does.
fn poke(path: &std::path::Path, at: u64, byte: u8) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[test]
fn a_pack_in_a_file_says_what_the_pack_in_memory_says() {
    let bytes = pack();
    let (_dir, path) = on_disk(&bytes);
    let (lazy, whole) = (LazyPackBuf::open(&path).unwrap(), Pack::open(&bytes).unwrap());
    let lazy = lazy.as_lazy();
    assert_eq!(lazy.len(), 31);
    for rule in whole.rules() {
        let found = lazy.rule(rule.id()).unwrap().read().unwrap();
        assert_eq!(found.body(), rule.body());
        assert_eq!(
            found.items().map(|item| item.text()).collect::<Vec<_>>(),
            rule.items().map(|item| item.text()).collect::<Vec<_>>()
        );
    }
    assert_eq!(lazy.for_path("src/main.rs").count(), whole.for_path("src/main.rs").count());
    // The body that lies behind the tables is not there to be asked.
    assert_eq!(lazy.rule("rule-07").unwrap().prove_body().unwrap_err().code(), "pack-truncated");
    assert_eq!(lazy.check_text().unwrap().as_bytes(), &bytes[..]);
    assert!(lazy.prove().is_ok());
    // A short one, and one whose table makes no sense.
    let short = PackBuilder::new("house", 1).rule(Rule::new("a", "Text.\n")).finish().unwrap();
    let (_dir, path) = on_disk(&short);
    let lazy = LazyPackBuf::open(&path).unwrap();
    assert_eq!(lazy.as_lazy().rule("a").unwrap().body().unwrap(), "Text.\n");
    for at in 64 + 2 * 16 + 8..64 + 3 * 16 {
        let mut bent = bytes.clone();
        bent[at] ^= 0x80;
        let (_dir, path) = on_disk(&bent);
        let err = LazyPackBuf::open(&path).unwrap_err();
        assert!(err.to_string().contains("rules.drv"), "{err}");
    }
}

#[test]
fn a_body_or_outline_that_was_changed_is_refused_on_its_first_read() {
    let bytes = pack();
    let tables = Tables::check(&bytes).unwrap();
    let [_, (bodies, _)] = Tables::text_ranges(&bytes);
    for rule in tables.rules().filter(|rule| !rule.body_range().is_empty()) {
        let (body, outline) = (rule.body_range(), rule.outline_range());
        assert!(!outline.is_empty());
        let in_body = [body.start, body.start + body.len() / 2, body.end - 1].map(|at| bodies + at);
        let in_outline = [outline.start, outline.end - 1].map(|at| Tables::front_len(&bytes) + at);
        for at in in_body.into_iter().chain(in_outline) {
            let (_dir, path) = on_disk(&bytes);
            // Before it is opened, and after.
            let after = LazyPackBuf::open(&path).unwrap();
            poke(&path, at as u64, bytes[at] ^ 1);
            let before = LazyPackBuf::open(&path).unwrap();
            for lazy in [before.as_lazy(), after.as_lazy()] {
                let err = lazy.rule(rule.id()).unwrap().read().unwrap_err();
                assert_eq!(err.code(), "pack-digest");
                assert!(err.to_string().contains("rules.drv"), "{err}");
                assert!(lazy.check_text().is_err());
                // The others are as they were.
                assert!(lazy.rule("empty").unwrap().read().is_ok());
            }
        }
    }
}

#[test]
fn a_file_that_changes_underneath_never_gives_another_text() {
    let bytes = pack();
    let (dir, path) = on_disk(&bytes);
    let lazy = LazyPackBuf::open(&path).unwrap();
    let lazy = lazy.as_lazy();
    let text = lazy.rule("rule-07").unwrap().body().unwrap();
    let kept = text.to_owned();
    let old = LazyPackBuf::open(&path).unwrap();
    // Another pack in its place: this one still reads the file that it opened.
    fs::write(dir.path().join("other"), b"no pack").unwrap();
    fs::rename(dir.path().join("other"), &path).unwrap();
    assert!(old.as_lazy().rule("rule-08").unwrap().read().is_ok());
    // Zeros, and then nothing, in the file itself.
    let (_dir, path) = on_disk(&bytes);
    let other = LazyPackBuf::open(&path).unwrap();
    fs::write(&path, vec![0; bytes.len()]).unwrap();
    assert_eq!(other.as_lazy().rule("rule-09").unwrap().read().unwrap_err().code(), "pack-digest");
    fs::write(&path, b"").unwrap();
    assert_eq!(other.as_lazy().rule("rule-10").unwrap().read().unwrap_err().code(), "io");
    // A sound pack, and a shorter one.
    fs::write(&path, PackBuilder::new("house", 1).finish().unwrap()).unwrap();
    assert_eq!(other.as_lazy().check_text().unwrap_err().code(), "pack-changed");
    assert!(other.as_lazy().prove().is_ok());
    assert_eq!(text, kept);
}

#[test]
fn many_read_one_pack_in_a_file_at_once() {
    let bytes = pack();
    let (_dir, path) = on_disk(&bytes);
    let lazy = LazyPackBuf::open(&path).unwrap();
    let whole = Pack::open(&bytes).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for rule in whole.rules() {
                    assert_eq!(lazy.as_lazy().rule(rule.id()).unwrap().body().unwrap(), rule.body());
                }
            });
        }
    });
}

/// What is proved of all of a file beside its text: that it is what the root names, and of the root that it is that.
#[test]
fn all_of_a_file_is_what_its_root_names() {
    let (plain, public) = (pack(), key().public_key());
    let mut named = plain.clone();
    let at = named.windows(5).position(|text| text == b"house").unwrap();
    named[at] = b'm';
    let (_dir, path) = on_disk(&named);
    let lazy = LazyPackBuf::open(&path).unwrap();
    assert_eq!(lazy.as_lazy().check_text().unwrap_err().code(), "pack-digest");

    for (bent, by_signature, by_digests) in
        [(with_false_texts(&plain), true, true), (with_a_false_rule(&plain), false, true)]
    {
        let (_dir, path) = on_disk(&driven_build::sign_pack(&bent, &key(), 0).unwrap());
        let lazy = LazyPackBuf::open(&path).unwrap();
        let signed = lazy.as_lazy().verify(&public).unwrap().read_all();
        assert_eq!(signed.err().map(|err| err.code()), by_signature.then_some("pack-digest"));
        let proved = lazy.as_lazy().prove().unwrap().read_all();
        assert_eq!(proved.err().map(|err| err.code()), by_digests.then_some("pack-digest"));
    }
}

//! The fuzzers' seeds, through the same code as the fuzzers.

use driven_tests::fuzz;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds")).join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        run(&seed);
        // A little beyond each seed: cut off, and with each byte made another.
        for at in (0..seed.len()).step_by(seed.len() / 200 + 1) {
            run(&seed[..at]);
            let mut other = seed.clone();
            other[at] ^= 0x15;
            run(&other);
        }
        count += 1;
    }
    assert!(count > 0, "{target} has no seeds");
}

#[test]
fn opening() {
    replay("open", fuzz::open);
}

#[test]
fn frontmatter() {
    replay("frontmatter", fuzz::frontmatter);
}

#[test]
fn outline() {
    replay("outline", fuzz::outline);
}

#[test]
fn matching() {
    replay("matching", fuzz::matching);
}

#[test]
fn patch() {
    replay("patch", fuzz::patch);
}

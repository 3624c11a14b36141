//! From text to a signed pack.

use std::path::Path;

use crate::harness::{median, own_cpu};
use crate::report::Report;

pub fn report(corpus: &Path, report: &mut Report) {
    let key = driven_format::trust::SecretKey::from_seed(&zeroize::Zeroizing::new([7; 32]));
    let rounds = (0..11).map(|_| {
        let before = own_cpu();
        for folder in ["copilot", "cursor"] {
            let compiled = driven_build::rules(corpus.join(folder))
                .cap_lints_warn()
                .try_compile()
                .expect("the corpus compiles");
            std::hint::black_box(
                driven_build::sign_pack(&compiled.pack, &key, 0).expect("a pack can be signed"),
            );
        }
        own_cpu() - before
    });
    let seconds = median(rounds.collect());
    report.heading(
        "Compiling",
        "Both collections, from their folders to two signed packs in memory; a release build.",
    );
    report.table(
        "processor seconds",
        &["", "median of 11"],
        &[vec!["whole corpus".into(), format!("{seconds:.3}")]],
    );
    report.at_most("whole corpus from text to signed pack, CPU seconds", 0.3, seconds);
}

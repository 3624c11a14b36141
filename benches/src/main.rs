//! Measures driven beside its rivals and writes `CLAIMS.md`.
//!
//! ```text
//! DRIVEN_CORPUS=... cargo run --release --manifest-path benches/Cargo.toml
//! ```
//! Parts can be named to run them alone, without writing: `load`, `paths`, `scan`,
//! `size`, `file`, `trust`, `updates`, `state`, `compile`, `embed`, `sync`, `cost`.

mod compile;
mod cost;
mod data;
mod embed;
mod file;
mod flat;
mod harness;
mod load;
mod lookup;
mod paths;
mod report;
mod scan;
mod size;
mod state;
mod sync;
mod trust;
mod updates;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let Some(corpus) = std::env::var_os("DRIVEN_CORPUS").map(PathBuf::from) else {
        eprintln!(
            "DRIVEN_CORPUS is not set: it names a folder with `copilot` and `cursor`, two collections of real rule files"
        );
        return ExitCode::from(2);
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the benches lie in the workspace");
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let runs = |part: &str| chosen.is_empty() || chosen.iter().any(|one| one == part);
    let (twenty, whole) = data::sets(&corpus);
    let mut report = Report::new(root, &twenty, &whole);
    if runs("load") {
        load::report(&twenty, &whole, &mut report);
        lookup::report(&twenty, &whole, &mut report);
    }
    if runs("file") {
        file::report(&twenty, &corpus, &mut report);
    }
    if runs("trust") {
        trust::report(&whole, &mut report);
    }
    if runs("updates") {
        updates::report(&corpus, &mut report);
    }
    if runs("state") {
        state::report(&whole, &mut report);
    }
    if runs("paths") {
        paths::report(&whole, &mut report);
    }
    if runs("size") {
        size::report(&whole, &mut report);
    }
    if runs("scan") {
        scan::report(&whole, &mut report);
    }
    if runs("compile") {
        compile::report(&corpus, &mut report);
    }
    if runs("embed") {
        embed::report(root, &twenty, &whole, &mut report);
    }
    if runs("sync") {
        sync::report(root, &whole.model, &mut report);
    }
    if runs("cost") {
        cost::report(root, &mut report);
    }
    if chosen.is_empty() {
        let path = root.join("CLAIMS.md");
        driven_build::write_if_changed(&path, report.text().as_bytes()).expect("CLAIMS.md can be written");
        eprintln!("wrote {}", path.display());
    } else {
        println!("{}", report.text());
    }
    ExitCode::SUCCESS
}

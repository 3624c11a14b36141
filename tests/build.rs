//! Compiles packs for the tests of embedding.

use std::path::PathBuf;

use driven_format::{Rule, RuleSet, write_pack};

/// Every word that the language has or keeps.
const WORDS: &str = "\
    abstract as async await become box break const continue crate do dyn else enum extern false final fn \
    for gen if impl in let loop macro macro_rules match mod move mut override priv pub raw ref return \
    safe self static struct super trait true try type typeof union unsafe unsized use virtual where \
    while yield _";

fn main() -> driven_build::Result<()> {
    driven_build::rules("fixtures/embedded/rules").compile()?;
    driven_build::rules("fixtures/embedded/prompts").name("other").compile()?;
    driven_build::rules("fixtures/embedded/names").compile()?;
    pack("empty", vec![]);
    pack("words", WORDS.split(' ').map(|word| Rule::new(format!("{word}/{word}"), "Text.\n")).collect());
    Ok(())
}

/// A pack that no folder of rules gives.
fn pack(name: &str, rules: Vec<Rule>) {
    let bytes = write_pack(&RuleSet { rules, ..RuleSet::default() }).expect("the rules are in order");
    let out_dir = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets it"));
    driven_build::write_if_changed(&out_dir.join(format!("{name}.drv")), &bytes).expect("the folder is ours");
}

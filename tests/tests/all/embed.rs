//! `include_rules!`: what it makes, in all the places where it must work.

/// The crate by another path: expansions must not depend on what it is called.
mod facade {
    pub(crate) use driven as renamed;
}

/// Twice in one crate, through two names of the crate, strictly linted.
mod strict {
    #![forbid(unsafe_code, nonstandard_style)]
    #![deny(missing_docs, clippy::all, clippy::pedantic)]

    driven::include_rules!(
        /// Documented by its owner too.
        pub mod rules
    );
    super::facade::renamed::include_rules!(pub(crate) mod prompts, pack = "other");
}

use strict::{prompts, rules};

driven::include_rules!(mod names);
driven::include_rules!(mod empty);
driven::include_rules!(mod words);
driven::include_rules!(mod frozen, file = "packs/v1/small.drv", trust = "packs/v1/small.pub");

#[test]
fn every_rule_has_a_name_that_gives_it() {
    assert_eq!(rules::get(rules::ids::ERRORS).body(), "- Return them.\n");
    assert_eq!(rules::get(rules::ids::r#type::_2FA).id(), "type/2fa");
    assert_eq!(rules::ids::ERRORS.as_str(), "errors");
    assert_eq!(prompts::get(prompts::ids::ERRORS).body(), "Summarise.\n");
}

#[test]
fn names_are_values_to_match_compare_and_show() {
    const IN_A_CONSTANT: &str = rules::ids::r#type::_2FA.as_str();
    let about = |id| match id {
        rules::ids::ERRORS => "errors",
        rules::ids::r#type::_2FA => "factors",
    };
    assert_eq!(about(rules::ids::ERRORS), "errors");
    assert_ne!(rules::ids::ERRORS, rules::ids::r#type::_2FA);
    assert_eq!(std::collections::HashSet::from([rules::ids::ERRORS, rules::ids::ERRORS]).len(), 1);
    assert_eq!(format!("{:?} {0:>8}", rules::ids::ERRORS), "Id(\"errors\")   errors");
    assert_eq!(IN_A_CONSTANT, "type/2fa");
}

/// Their paths, joined, are one name.
#[test]
fn rules_whose_paths_look_alike_are_told_apart() {
    use names::ids::{a, a__b};
    assert_eq!(names::get(a::b::C__D).body(), "- One.\n");
    assert_eq!(names::get(a__b::C__D).body(), "- Two.\n");
}

#[test]
fn every_word_of_the_language_can_be_a_folder_and_a_rule() {
    assert_eq!(words::get(words::ids::r#yield::YIELD).id(), "yield/yield");
    assert_eq!(words::get(words::ids::crate_::CRATE).id(), "crate/crate");
    assert_eq!(words::get(words::ids::__::__).id(), "_/_");
}

#[test]
fn a_pack_without_rules_can_be_embedded() {
    assert_eq!(empty::PACK.len(), 0);
    assert_eq!(size_of::<empty::Id>(), 0, "there is no name to get a rule by");
}

#[test]
fn the_pack_is_what_was_compiled() {
    assert_eq!(rules::PACK.len(), 2);
    assert_eq!(rules::PACK.for_path("src/a.rs").count(), 2);
    assert!(rules::PACK.prove().is_ok());
    assert_eq!(rules::PACK.as_bytes().as_ptr() as usize % 64, 0, "aligned");
}

#[test]
fn a_ready_made_pack_is_proved_while_compiling() {
    assert_eq!(frozen::get(frozen::ids::rust::ERRORS).priority(), 200);
    assert_eq!(
        frozen::PACK.as_bytes(),
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/packs/v1/small.drv")).unwrap()
    );
}

#[test]
fn packs_and_views_go_between_threads() {
    fn shared<T: Send + Sync + Copy>(value: T) -> T {
        value
    }
    let pack = shared(rules::PACK);
    let rule = shared(pack.rule("errors").unwrap());
    std::thread::scope(|scope| scope.spawn(|| rule.body().len()).join().unwrap());
}

#[test]
fn misuse_does_not_compile_and_says_why() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

/// A crate of its own in a folder, and what its check prints.
fn check_alone(dir: &std::path::Path, source: &str) -> (bool, String) {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let manifest = format!(
        "[package]\nname = \"forgetful\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nsomething = {{ package = \"driven\", path = \"{workspace}/driven\" }}\n"
    );
    std::fs::create_dir_all(dir.join("src")).unwrap();
    std::fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(format!("{workspace}/Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    std::fs::write(dir.join("src/lib.rs"), source).unwrap();
    let checked = std::process::Command::new(env!("CARGO"))
        .args(["check", "--offline", "--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/forgetful")])
        .current_dir(dir)
        .env_remove("OUT_DIR")
        .output()
        .unwrap();
    (checked.status.success(), String::from_utf8(checked.stderr).unwrap())
}

/// Hidden text in a ready-made pack stops the compilation, and says where it is.
#[test]
fn hidden_text_in_a_ready_made_pack_does_not_compile() {
    use driven_format::{PackBuilder, Rule};

    let dir = tempfile::tempdir().unwrap();
    let pack = |body: &str| PackBuilder::new("x", 1).rule(Rule::new("a", body)).finish().unwrap();
    std::fs::write(dir.path().join("a.drv"), pack("Fine.\nNot\u{E0041}\u{E0042} fine.\n")).unwrap();
    let call = "something::include_rules!(pub mod rules, file = \"a.drv\"";
    let (passes, message) = check_alone(dir.path(), &format!("{call});\n"));
    assert!(!passes && message.contains("2 tag characters") && message.contains("line 2"), "{message}");
    let (passes, message) = check_alone(dir.path(), &format!("{call}, cap_lints = \"warn\");\n"));
    assert!(passes, "{message}");
    std::fs::write(dir.path().join("a.drv"), pack("Fine.\n")).unwrap();
    let (passes, message) = check_alone(dir.path(), &format!("{call});\n"));
    assert!(passes, "{message}");
}

/// As somebody has it who forgot the other half.
#[test]
fn without_a_build_script_the_message_says_what_to_add() {
    let dir = tempfile::tempdir().unwrap();
    let (passes, message) = check_alone(dir.path(), "something::include_rules!(pub mod rules);\n");
    assert!(!passes);
    assert!(message.contains("there is no build script to compile the rules: add `build.rs`"), "{message}");
    assert!(message.contains("src/lib.rs:1:"), "{message}");
}

//! A ready-made signed pack: no build script, no private key, proved while this crate compiles.
//!
//! The pack in `packs` came from somebody else, as a platform team hands one out:
//! ```text
//! driven build rules -o packs/platform.drv --key platform.key
//! ```
//! This crate has the public key alone. Another pack in its place, or a bit of it
//! changed, does not compile.

driven::include_rules!(pub mod platform, file = "packs/platform.drv", trust = "packs/platform.pub");

fn main() {
    let manifest = platform::PACK.manifest();
    println!("{} {} ({} rules)", manifest.name(), manifest.version(), platform::PACK.len());
    for path in std::env::args().skip(1) {
        for rule in platform::PACK.for_path(&path) {
            println!("{path}: {}", rule.id());
        }
    }
    println!("{}", platform::get(platform::ids::LOGGING).body());
}

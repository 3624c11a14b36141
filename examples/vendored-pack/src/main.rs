//! The program names rules of the library; if one of them is gone, it does not compile.

use vendored_pack::platform;

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

//! Prints the rules for a path: its own, and those that the library `greeter` ships.

driven::include_rules!(
    /// The rules of this program and of its dependencies.
    pub mod rules
);

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "src/main.rs".into());
    println!("{path}");
    for rule in rules::PACK.for_path(&path) {
        println!("  {}: {}", rule.id(), rule.description());
    }
    // The name of a dependency's rule holds its version: an update that changes it is seen here.
    println!("\n{}", rules::get(rules::ids::greeter_0_1_0::NAMES).body());
    let name = greeter::Name::new("driven").expect("it is not empty");
    println!("{}", greeter::greeting(&name));
}

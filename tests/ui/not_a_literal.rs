driven::include_rules!(pub mod rules, file = RULES);

fn main() {}

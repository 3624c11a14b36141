driven::include_rules!(mod rules, pack = "a", pack = "b");

fn main() {}

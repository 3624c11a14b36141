driven::include_rules!(mod rules, pack = "absent");

fn main() {}

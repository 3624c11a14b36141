driven::include_rules!(mod rules, pack = "a", file = "b.drv");

fn main() {}

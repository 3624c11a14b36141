driven::include_rules!(pub mod rules, fil = "rules.drv");

fn main() {}

driven::include_rules!("rules");

fn main() {}

driven::include_rules!(mod rules);

fn main() {
    let _ = rules::get(rules::ids::ERRORS).body();
    let _ = rules::get(rules::ids::GONE).body();
}

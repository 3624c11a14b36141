driven::include_rules!(mod rules);
driven::include_rules!(mod other);

fn main() {
    let _ = rules::get(other::ids::ERRORS).body();
}

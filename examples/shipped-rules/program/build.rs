//! Compiles the rules of this program, and those that its dependencies ship as far as driven.toml accepts them.

fn main() -> driven_build::Result<()> {
    driven_build::rules("rules").dependencies(".").compile()
}

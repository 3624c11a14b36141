//! Compiles the reviewer's rules.

fn main() -> driven_build::Result<()> {
    driven_build::rules("rules").compile()
}

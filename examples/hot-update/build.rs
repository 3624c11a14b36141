//! Compiles and signs the rules that the program ships with.

fn main() -> driven_build::Result<()> {
    driven_build::rules("rules").sign_with_development_key("keys/development.key").compile()
}

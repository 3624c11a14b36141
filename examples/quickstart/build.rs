//! Compiles the folder `rules` into a signed pack.

fn main() -> driven_build::Result<()> {
    // A key of development, in the open for everybody to read: it shows how, and proves nothing.
    driven_build::rules("rules").sign_with_development_key("keys/development.key").compile()
}

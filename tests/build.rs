//! Compiles packs for the tests of embedding.

fn main() -> driven_build::Result<()> {
    driven_build::rules("fixtures/embedded/rules").compile()?;
    driven_build::rules("fixtures/embedded/prompts").name("other").compile()?;
    driven_build::rules("fixtures/embedded/names").compile()
}

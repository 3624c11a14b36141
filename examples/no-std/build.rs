//! Compiles the rules, and links the C library that the program prints with.

fn main() -> driven_build::Result<()> {
    println!("cargo::rustc-link-lib=c");
    driven_build::rules("rules").compile()
}

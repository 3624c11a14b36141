//! Greets people.

/// A name that is fit to be greeted.
pub struct Name(String);

impl Name {
    /// Takes a name; an empty one is none.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let name = name.trim();
        (!name.is_empty()).then(|| Name(name.into()))
    }
}

/// The greeting for a name.
#[must_use]
pub fn greeting(name: &Name) -> String {
    format!("Hello, {}!", name.0)
}

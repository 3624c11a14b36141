//! From a path of the operating system to a path that patterns speak about.

use alloc::borrow::Cow;

/// A project-relative path with `/` between its parts.
///
/// Borrows what it can: on Unix a path that is UTF-8 costs nothing.
///
/// ```
/// # use std::path::Path;
/// use driven::ProjectPath;
///
/// let path = ProjectPath::from_os(Path::new("src/main.rs"));
/// assert_eq!((path.as_str(), path.is_lossy()), ("src/main.rs", false));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPath<'p> {
    text: Cow<'p, str>,
    lossy: bool,
}

impl<'p> ProjectPath<'p> {
    /// Converts a path that is relative to the project; on Windows `\` becomes `/`.
    #[cfg(feature = "std")]
    pub fn from_os(path: &'p std::path::Path) -> Self {
        let text = path.to_string_lossy();
        let lossy = path.to_str().is_none();
        let text = if std::path::MAIN_SEPARATOR == '/' { text } else { Cow::Owned(text.replace('\\', "/")) };
        ProjectPath { text, lossy }
    }

    /// The path for [`Pack::for_path`](crate::Pack::for_path).
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the path was not Unicode, so that a pattern may mean what it should not.
    pub fn is_lossy(&self) -> bool {
        self.lossy
    }
}

//! `driven match`

use std::fmt::Write;
use std::path::{Path, PathBuf};

use driven::{PackBuf, ProjectPath};
use driven_build::printable;
use serde_json::{Value, json};

use crate::output::Output;
use crate::{Exit, Failure, Outcome, trusted};

/// Say which rules speak about a path
///
/// Paths are relative to the project. Rules come in order of falling priority.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven match rules.drv src/main.rs\n  git diff --name-only | xargs driven match rules.drv --json"
)]
pub(crate) struct Match {
    /// The pack
    file: PathBuf,
    /// Paths relative to the project
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Match {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let pack = PackBuf::open(&self.file)?;
        let pack = pack.as_pack().prove().map_err(|err| Failure::from(err).in_file(&self.file))?;
        trusted::admit(*pack, &self.file, Path::new("."), output)?;
        let mut values = Vec::new();
        let mut text = String::new();
        for path in &self.paths {
            let path = ProjectPath::from_os(path);
            if path.is_lossy() {
                output.note(&format!("warning: {} is not UTF-8; it was matched as shown", path.as_str()));
            }
            if path.as_str().starts_with('/') || path.as_str().split('/').any(|part| part == "..") {
                output.note(&format!(
                    "warning: {} is not relative to the project, so nothing matches",
                    path.as_str()
                ));
            }
            let rules: Vec<&str> = pack.for_path(path.as_str()).map(|rule| rule.id()).collect();
            let _ = writeln!(text, "{}", printable(path.as_str()));
            for rule in pack.for_path(path.as_str()) {
                let _ = writeln!(text, "  {}", printable(rule.id()));
            }
            values.push(json!({ "path": path.as_str(), "rules": rules }));
        }
        output.either(&Value::Array(values), || text);
        Ok(Exit::Clean)
    }
}

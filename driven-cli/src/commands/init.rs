//! `driven init`

use std::fs;
use std::path::{Path, PathBuf};

use driven_build::{PACK_FILE, PROJECT_FILE, write_whole};
use serde_json::json;

use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Make a rule folder with its settings and a first rule
///
/// Files that are there already are left as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven init\n  driven init my-project")]
pub(crate) struct Init {
    /// The project's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
}

const PROJECT: &str = "\
# How driven judges and builds the rules of this project.
rules = \"rules\"

[lints]
# oversized-rule = \"deny\"
";

const RULE: &str = "\
---
description: What a change needs before it is reviewed
activation: always
---
# Changes

- One subject a change, and the reason in its description.
- New behaviour comes with a test that fails without it.
";

impl Init {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let folder = self.dir.join("rules");
        let name = name_of(&self.dir);
        let pack = format!("# What this pack of rules is.\nname = \"{name}\"\nversion = 1\n");
        fs::create_dir_all(&folder).map_err(|err| Failure::io(&folder, &err))?;
        let files = [
            (self.dir.join(PROJECT_FILE), PROJECT),
            (folder.join(PACK_FILE), &pack),
            (folder.join("changes.md"), RULE),
        ];
        let mut written = Vec::new();
        for (path, text) in files {
            if path.symlink_metadata().is_ok() {
                output.note(&format!("kept {}", path.display()));
                continue;
            }
            write_whole(&path, text.as_bytes()).map_err(|err| Failure::io(&path, &err))?;
            written.push(path.to_string_lossy().into_owned());
        }
        output.either(&json!({ "written": written }), || written.join("\n"));
        output.note("next: write rules in `rules`, then run `driven validate`");
        Ok(Exit::Clean)
    }
}

/// What the pack of a project is called that has no name yet: as its folder.
pub(crate) fn name_of(dir: &Path) -> String {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let name = whole.file_name().map_or_else(|| "rules".into(), |name| name.to_string_lossy());
    let name: String = name.chars().filter(|char| char.is_alphanumeric() || "-_. ".contains(*char)).collect();
    name.trim().into()
}

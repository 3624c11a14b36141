//! `driven convert`

use std::fs;
use std::path::{Path, PathBuf};

use driven::Pack;
use driven_build::{ErrorKind, json as json_form, lift_pack, write_folder};
use driven_format::{RuleSet, write_pack};
use serde_json::json;

use crate::files::{self, Kind};
use crate::output::Output;
use crate::{Exit, Failure, Outcome, ready_made, trusted};

/// Convert between a rule folder, a pack and JSON
///
/// The ending of OUT says what is written: `.drv` a pack, `.json` JSON, anything
/// else a folder. Bodies are kept byte for byte. Signatures belong to one pack's
/// bytes and are not carried over.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven convert rules -o rules.json\n  driven convert rules.drv -o unpacked\n  \
                  driven convert rules.json -o rules.drv"
)]
pub(crate) struct Convert {
    /// A rule folder, a pack or JSON
    input: PathBuf,
    /// What to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Turn errors of checks into warnings
    #[arg(long, value_parser = ["warn"])]
    cap_lints: Option<String>,
}

impl Convert {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let Some(set) = self.read(output)? else { return Ok(Exit::Findings) };
        let written = self.write(&set, output)?;
        let shown: Vec<String> = written.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        output.either(&json!({ "written": shown }), || shown.join("\n"));
        Ok(Exit::Clean)
    }

    fn read(&self, output: &mut Output) -> Result<Option<RuleSet>, Failure> {
        if self.input.is_dir() {
            let mut compiler = driven_build::project(&self.input);
            if self.cap_lints.is_some() {
                compiler = compiler.cap_lints_warn();
            }
            return match compiler.model() {
                Ok((set, report)) => {
                    output.findings(&report);
                    Ok(Some(set))
                }
                Err(err) if err.kind() == ErrorKind::Findings => {
                    if let Some(report) = err.report() {
                        output.findings(report);
                    }
                    output.note("nothing was written");
                    Ok(None)
                }
                Err(err) => Err(err.into()),
            };
        }
        let bytes = files::read_pack_or_json(&self.input)?;
        let shown = self.input.display();
        if bytes.starts_with(&driven_format::MAGIC[..4]) {
            let pack = Pack::open(&bytes).map_err(|err| Failure::from(err).in_file(&self.input))?;
            trusted::admit(pack, &self.input, Path::new("."), output)?;
            let set = lift_pack(&bytes).map_err(|err| Failure::from(err).in_file(&self.input))?;
            return self.checked(set, output);
        }
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim_start_matches('\u{FEFF}');
        if !text.trim_start().starts_with('{') {
            return Err(Failure::new("foreign", format!("{shown}: neither a folder, nor a pack, nor JSON"))
                .hint("give a folder of rules, a `.drv`, or what `driven convert` wrote as `.json`"));
        }
        let set = json_form::from_json(text).map_err(|err| Failure::of_build(&err).in_file(&self.input))?;
        self.checked(set, output)
    }

    /// A set that came ready-made: hidden text in it is no less hidden for that.
    fn checked(&self, mut set: RuleSet, output: &mut Output) -> Result<Option<RuleSet>, Failure> {
        let cap = self.cap_lints.is_some();
        let clean = ready_made::may_pass(&set, &self.input, Path::new("."), false, output)?;
        if !clean && !cap {
            output.note("nothing was written");
            return Ok(None);
        }
        set.manifest.capped |= !clean;
        Ok(Some(set))
    }

    fn write(&self, set: &RuleSet, output: &mut Output) -> Result<Vec<PathBuf>, Failure> {
        match self.output.extension().and_then(|ending| ending.to_str()) {
            Some("drv") => {
                let pack = write_pack(set).map_err(|err| Failure::from(err).in_file(&self.input))?;
                files::write_built(&self.output, &pack, output)?;
            }
            Some("json") => files::write(&self.output, json_form::to_json(set).as_bytes(), &Kind::Json)?,
            _ => return self.write_folder(set),
        }
        Ok(vec![self.output.clone()])
    }

    /// Into a new or empty folder only, so that rules of another set do not mix in.
    fn write_folder(&self, set: &RuleSet) -> Result<Vec<PathBuf>, Failure> {
        let taken = |path: &Path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken(&self.output) {
            let message = format!("{} is not empty", self.output.display());
            return Err(Failure::new("not-empty", message).hint("give a folder that does not exist yet"));
        }
        if self.output.symlink_metadata().is_ok() && !self.output.is_dir() {
            let message = format!("{} exists and is no folder", self.output.display());
            return Err(
                Failure::new("exists", message).hint("name a folder, or a file that ends in .drv or .json")
            );
        }
        write_folder(set, &self.output).map_err(Failure::from)
    }
}

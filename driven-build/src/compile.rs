//! The compiler's face: from a folder to a pack, in a build script or anywhere.

use std::cmp::Reverse;
use std::env;
use std::fmt::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driven_format::{Attestation, Digest, Rule, RuleSet, file_hash, write_attested, write_pack};

use crate::checks;
use crate::diagnostics::{Code, Finding, Level, Report, SourceFile};
use crate::error::{Error, Result};
use crate::judge::Judge;
use crate::lower::{LoweredRule, lower_persona, lower_rule, lower_workflow};
use crate::security;
use crate::settings::{self, PACK_FILE, PROJECT_FILE, PackSettings, ProjectSettings};
use crate::source::{Folder, read_folder, read_text};
use crate::write::write_if_changed;

/// Begins to compile the rules in `folder`.
///
/// A relative folder is taken from the current one, which in a build script is
/// that of the crate's `Cargo.toml`.
///
/// ```no_run
/// // build.rs
/// fn main() -> driven_build::Result<()> {
///     driven_build::rules("rules").compile()
/// }
/// ```
pub fn rules(folder: impl Into<PathBuf>) -> Compiler {
    Compiler::new(folder.into())
}

/// Begins to compile the rules of a project, outside of Cargo.
///
/// `dir` holds a `driven.toml`, which says where the rules are; or it is a rule
/// folder itself, and then the nearest `driven.toml` above it judges.
pub fn project(dir: impl AsRef<Path>) -> Compiler {
    let dir = dir.as_ref();
    let own = dir.join(PROJECT_FILE);
    if own.is_file() {
        // What is wrong in it is reported when it is read to judge by.
        let settings = settings::read_project(&own, &own, &mut Report::default());
        let compiler = Compiler::new(dir.join(settings.rules)).settings(own);
        #[cfg(feature = "dependencies")]
        if !settings.dependencies.is_empty() {
            return compiler.dependencies(dir);
        }
        return compiler;
    }
    let absolute = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let above =
        absolute.ancestors().skip(1).map(|folder| folder.join(PROJECT_FILE)).find(|file| file.is_file());
    let compiler = Compiler::new(dir.into());
    match above {
        Some(file) => compiler.settings(file),
        None => compiler,
    }
}

/// Compiles a folder of rules; made by [`rules`].
#[derive(Clone, Debug)]
pub struct Compiler {
    folder: PathBuf,
    name: Option<String>,
    out_dir: Option<PathBuf>,
    settings: Option<PathBuf>,
    cap: bool,
    built_from: Option<BuiltFrom>,
    /// The rules are somebody else's: nothing in them speaks for itself.
    is_foreign: bool,
    /// Cargo runs this.
    #[cfg(feature = "dependencies")]
    in_build: bool,
    /// Where to look for dependencies whose rules are taken.
    #[cfg(feature = "dependencies")]
    package: Option<PathBuf>,
    #[cfg(feature = "sign")]
    key: Option<crate::sign::KeySource>,
}

/// Where a pack says that it was built from: what nobody can find in the sources. Empty is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltFrom {
    /// Where the sources are kept.
    pub repository: String,
    /// The revision there.
    pub commit: String,
    /// Who or what built it.
    pub builder: String,
}

/// What a compilation gave.
#[derive(Debug)]
pub struct Compiled {
    /// The bytes of the pack.
    pub pack: Vec<u8>,
    /// Warnings.
    pub report: Report,
}

/// A rule, its file, and where its parts stand there.
#[derive(Clone, Debug)]
pub struct RuleText {
    /// The rule.
    pub rule: Rule,
    /// The file.
    pub file: Arc<SourceFile>,
    /// Where its body begins.
    pub body_start: usize,
    /// Where each of its globs stands.
    pub globs: Vec<Range<usize>>,
}

impl Compiler {
    fn new(folder: PathBuf) -> Self {
        Compiler {
            folder,
            name: None,
            out_dir: None,
            settings: None,
            cap: false,
            built_from: None,
            is_foreign: false,
            #[cfg(feature = "dependencies")]
            in_build: false,
            #[cfg(feature = "dependencies")]
            package: None,
            #[cfg(feature = "sign")]
            key: None,
        }
    }

    /// Begins to compile the rules of a dependency.
    #[cfg(feature = "dependencies")]
    pub(crate) fn foreign(folder: PathBuf) -> Self {
        Compiler { is_foreign: true, ..Compiler::new(folder) }
    }

    /// Takes in the rules that dependencies of the package in `dir` ship and that its workspace accepted.
    ///
    /// In a build script `dir` is `.`; accepted is what `[[dependencies]]` in the workspace's `driven.toml` names.
    #[cfg(feature = "dependencies")]
    #[must_use]
    pub fn dependencies(mut self, dir: impl Into<PathBuf>) -> Self {
        self.package = Some(dir.into());
        self
    }

    /// The name that `include_rules!` finds the pack by; by default that of the folder.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where the pack is written; by default Cargo's `OUT_DIR`.
    #[must_use]
    pub fn out_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(dir.into());
        self
    }

    /// The project's settings; by default the `driven.toml` beside `Cargo.toml` in a build script, and none elsewhere.
    #[must_use]
    pub fn settings(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings = Some(file.into());
        self
    }

    /// The project's settings that judge it.
    pub fn settings_file(&self) -> Option<&Path> {
        self.settings.as_deref()
    }

    /// Turns errors of checks into warnings, as rustc's option of that name.
    #[must_use]
    pub fn cap_lints_warn(mut self) -> Self {
        self.cap = true;
        self
    }

    /// Has the pack say what it was built from: the digest of its source files, and this.
    ///
    /// Whoever has the sources can build it again and compare: `driven build DIR --reproduce PACK`.
    #[must_use]
    pub fn attest(mut self, from: BuiltFrom) -> Self {
        self.built_from = Some(from);
        self
    }

    /// Signs the pack with a key that lies in the open, beside the sources: everybody who has them can sign.
    ///
    /// It shows that signing works and proves nothing. Releases are better built unsigned, and signed by `driven sign` where the key is.
    #[cfg(feature = "sign")]
    #[must_use]
    pub fn sign_with_development_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.key = Some(crate::sign::KeySource::Development(file.into()));
        self
    }

    /// Signs the pack with the key in the file that an environment variable names; without the variable it stays unsigned.
    ///
    /// The variable holds a path and never the key itself: Cargo writes the values of watched variables down.
    #[cfg(feature = "sign")]
    #[must_use]
    pub fn sign_with_key_file_from_env(mut self, variable: impl Into<String>) -> Self {
        self.key = Some(crate::sign::KeySource::Environment(variable.into()));
        self
    }

    /// Compiles in a build script: findings become Cargo's errors and warnings, and the pack goes to `OUT_DIR`.
    ///
    /// # Errors
    /// Only what is no finding: no `OUT_DIR`, a pack that can't be written, a key that can't be read. With
    /// findings that deny a pack it prints them as `cargo::error` and returns `Ok`; Cargo then fails the build
    /// and shows them alone, where an error would bury them under the script's whole output.
    pub fn compile(mut self) -> Result<()> {
        let Some(out_dir) = self.out_dir.clone().or_else(|| env::var_os("OUT_DIR").map(PathBuf::from)) else {
            return Err(Error::setup(
                "OUT_DIR is not set: call this from a build script, or give an out_dir",
            ));
        };
        let out = out_dir.join(format!("{}.drv", self.pack_name()));
        // Cargo runs build scripts in the folder of their Cargo.toml.
        self.settings.get_or_insert_with(|| PROJECT_FILE.into());
        for path in self.watched() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        #[cfg(feature = "sign")]
        if let Some(key) = &self.key {
            key.print_watches();
        }
        #[cfg(feature = "dependencies")]
        {
            self.in_build = true;
        }
        let inputs = self.read();
        for linked in &inputs.linked {
            println!("cargo::rerun-if-changed={}", linked.display());
        }
        let compiled = self.lower(inputs);
        let report = match &compiled {
            Ok(compiled) => &compiled.report,
            Err(err) => match err.report() {
                Some(report) => report,
                None => return compiled.map(|_| ()),
            },
        };
        for finding in report.findings() {
            let key = if finding.level() == Level::Deny { "error" } else { "warning" };
            for line in finding.render(false).lines() {
                println!("cargo::{key}={line}");
            }
        }
        if let Ok(compiled) = compiled {
            write_if_changed(&out, &compiled.pack).map_err(|err| Error::io(&out, err))?;
        }
        Ok(())
    }

    /// Compiles anywhere, writes nothing, and gives the pack.
    ///
    /// # Errors
    /// Findings that deny a pack, all of them; a key that can't be read.
    pub fn try_compile(self) -> Result<Compiled> {
        let inputs = self.read();
        self.lower(inputs)
    }

    /// Every finding before it is judged, and the rules that could be read.
    pub fn findings(self) -> (Report, Vec<RuleText>) {
        let Inputs { mut report, settings, pack, rules, set, .. } = self.read();
        let others = set.rules.iter().map(|rule| rule.id.clone()).collect();
        checks::check(&rules, &others, pack.manifest.capabilities, settings.max_body, &mut report);
        let texts = rules.into_iter().map(|lowered| RuleText {
            rule: lowered.rule,
            file: lowered.file,
            body_start: lowered.places.body_start,
            globs: lowered.places.globs,
        });
        (report, texts.collect())
    }

    /// Only looks: every finding, and no pack.
    pub fn check(self) -> Report {
        let inputs = self.read();
        match self.lower(inputs) {
            Ok(compiled) => compiled.report,
            Err(err) => err.into_report(),
        }
    }

    /// The rules as a model, with warnings.
    ///
    /// # Errors
    /// As [`try_compile`](Self::try_compile).
    pub fn model(self) -> Result<(RuleSet, Report)> {
        let inputs = self.read();
        self.lower_model(inputs)
    }

    /// One digest of all that a compilation reads; nothing when something can't be read.
    ///
    /// Costs a read of the files, no parsing: whoever compiled from the same digest needs not do it again.
    pub fn fingerprint(self) -> Option<String> {
        let mut report = Report::default();
        let mut all = String::new();
        let mut add = |name: &str, text: &str| {
            let _ = writeln!(all, "{name:?} {}", file_hash(text.as_bytes()));
        };
        let pack_file = self.folder.join(PACK_FILE);
        for file in self.settings.iter().chain([&pack_file]).filter(|file| file.exists()) {
            add(&file.to_string_lossy(), &read_text(file, file, &mut report)?.text);
        }
        let pack = settings::read_pack(&self.folder, &self.folder, &mut report);
        let beside =
            [&pack.personas, &pack.workflows].into_iter().flatten().map(|name| self.folder.join(name));
        for folder in beside.chain([self.folder.clone()]) {
            for source in read_folder(&folder, &pack.folders(&self.folder), &mut report).sources {
                add(&source.file.path.to_string_lossy(), &source.file.text);
            }
        }
        #[cfg(feature = "dependencies")]
        if let Some(package) = &self.package {
            for offer in crate::deps::offers(package).ok()?.offers {
                let _ = writeln!(all, "{} {}", offer.prefix(), offer.digest);
            }
        }
        report.settle(Code::default_level);
        (!report.has_errors()).then(|| format!("{} {}", file_hash(all.as_bytes()), self.cap))
    }

    /// The digest of every source file under its path below the rule folder; the same on every machine.
    fn source_digest(&self, inputs: &Inputs) -> Digest {
        let mut lines: Vec<String> = inputs
            .files
            .iter()
            .map(|file| {
                let path = file.path.strip_prefix(&self.folder).unwrap_or(&file.path);
                let path = path.to_string_lossy().replace('\\', "/");
                format!("{} {path}\n", file_hash(file.text.as_bytes()))
            })
            .collect();
        // Rules of dependencies are named as they are in the pack, and by what they say.
        lines.extend(inputs.set.rules.iter().map(|rule| {
            let body = file_hash(rule.body.as_bytes());
            format!("{body} {}\n", rule.id)
        }));
        lines.sort();
        file_hash(format!("driven source v1\n{}", lines.concat()).as_bytes())
    }

    /// The name of the pack's file without its ending.
    fn pack_name(&self) -> String {
        let folder = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        self.name.clone().or(folder).unwrap_or_else(|| "rules".into())
    }

    /// The files and folders of which a change may change the pack.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        let settings = self.settings.iter().filter(|file| file.exists()).cloned();
        let pack = settings::read_pack(&self.folder, &self.folder, &mut Report::default());
        let beside = [pack.personas, pack.workflows].into_iter().flatten().map(|name| self.folder.join(name));
        // What lies in the folder is watched with it.
        let beside = beside.filter(|folder| !folder.starts_with(&self.folder));
        settings.chain([self.folder.clone()]).chain(beside).collect()
    }

    /// The folder of the settings, which may go and come while the folder stays.
    #[cfg(feature = "watch")]
    pub(crate) fn settings_folder(&self) -> Option<PathBuf> {
        let folder = self.settings.as_ref()?.parent()?;
        Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
    }

    /// Reads and lowers every file; nothing is judged yet.
    fn read(&self) -> Inputs {
        let mut report = Report::default();
        let settings = match &self.settings {
            Some(file) => settings::read_project(file, file, &mut report),
            None => ProjectSettings::default(),
        };
        let mut pack = settings::read_pack(&self.folder, &self.folder, &mut report);
        if self.is_foreign {
            // Folders beside the rules may lie anywhere, and only rules are taken.
            (pack.personas, pack.workflows) = (None, None);
        }
        let folder = read_folder(&self.folder, &pack.folders(&self.folder), &mut report);
        let mut inputs = Inputs {
            report,
            settings,
            pack,
            rules: Vec::new(),
            set: RuleSet::default(),
            linked: folder.linked.clone(),
            files: Vec::new(),
        };
        inputs.read_rules(&folder, &self.folder, self.is_foreign);
        inputs.read_beside(&self.folder);
        #[cfg(feature = "dependencies")]
        if let Some(package) = &self.package {
            let (rules, watched) = crate::deps::take_approved(package, self.in_build, &mut inputs.report);
            inputs.set.rules = rules;
            inputs.linked.extend(watched);
        }
        inputs
    }

    fn lower_model(&self, inputs: Inputs) -> Result<(RuleSet, Report)> {
        let Inputs { mut report, settings, pack, rules, mut set, .. } = inputs;
        let others = set.rules.iter().map(|rule| rule.id.clone()).collect();
        checks::check(&rules, &others, pack.manifest.capabilities, settings.max_body, &mut report);
        let root = self.settings.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let judgement = Judge::new(&settings, root)?.cap(self.cap).judge(&mut report);
        if report.has_errors() {
            return Err(Error::findings(report));
        }
        set.manifest = pack.manifest;
        set.manifest.capped = judgement.is_capped;
        set.rules.extend(rules.into_iter().map(|lowered| lowered.rule));
        set.rules.sort_by(|a, b| (Reverse(a.priority), &a.id).cmp(&(Reverse(b.priority), &b.id)));
        Ok((set, report))
    }

    fn lower(&self, inputs: Inputs) -> Result<Compiled> {
        let source = self.built_from.as_ref().map(|_| self.source_digest(&inputs)).unwrap_or_default();
        let (set, mut report) = self.lower_model(inputs)?;
        let written = match &self.built_from {
            Some(BuiltFrom { repository, commit, builder }) => {
                write_attested(&set, &Attestation { source, repository, commit, builder })
            }
            None => write_pack(&set),
        };
        let pack = match written {
            Ok(pack) => pack,
            Err(err) => {
                report.push(Finding::in_file(
                    Code::TooLarge,
                    &self.folder,
                    format!("the format can't hold it: {err}"),
                ));
                return Err(Error::findings(report));
            }
        };
        #[cfg(feature = "sign")]
        let pack = match &self.key {
            Some(key) => key.sign(pack)?,
            None => pack,
        };
        Ok(Compiled { pack, report })
    }
}

/// All that was read.
struct Inputs {
    report: Report,
    settings: ProjectSettings,
    pack: PackSettings,
    rules: Vec<LoweredRule>,
    set: RuleSet,
    linked: Vec<PathBuf>,
    /// Every source file.
    files: Vec<Arc<SourceFile>>,
}

impl Inputs {
    fn read_rules(&mut self, folder: &Folder, shown: &Path, is_foreign: bool) {
        if folder.sources.is_empty() && !self.report.has_errors() {
            let finding = Finding::in_file(Code::NoRules, shown, "there is no rule in the folder");
            self.report
                .push(finding.hint("a rule is a file that ends in `.md`, `.mdc` or `.instructions.md`"));
        }
        for source in &folder.sources {
            self.files.push(Arc::clone(&source.file));
            security::check_id(source, &mut self.report);
            if is_foreign {
                security::check_foreign(&source.file, &mut self.report);
            } else {
                security::check_text(&source.file, &mut self.report);
            }
            self.rules.extend(lower_rule(source, &mut self.report));
        }
    }

    /// Personas and workflows lie in folders beside the rules, which `pack.toml` names.
    fn read_beside(&mut self, root: &Path) {
        let open = |name: &Option<String>, linked: &mut Vec<PathBuf>, report: &mut Report| {
            let Some(name) = name else { return Vec::new() };
            let real = root.join(name);
            linked.push(real.clone());
            read_folder(&real, &[], report).sources
        };
        for source in open(&self.pack.personas, &mut self.linked, &mut self.report) {
            self.files.push(Arc::clone(&source.file));
            security::check_id(&source, &mut self.report);
            security::check_text(&source.file, &mut self.report);
            self.set.personas.extend(lower_persona(&source, &mut self.report));
        }
        for source in open(&self.pack.workflows, &mut self.linked, &mut self.report) {
            self.files.push(Arc::clone(&source.file));
            security::check_id(&source, &mut self.report);
            security::check_text(&source.file, &mut self.report);
            self.set.workflows.extend(lower_workflow(&source, &mut self.report));
        }
        let settings = root.join(PACK_FILE);
        if settings.exists() {
            // What is wrong with it as settings was reported when it was read.
            let file = read_text(&settings, &settings, &mut Report::default());
            if let Some(file) = &file {
                security::check_text(file, &mut self.report);
            }
            self.files.extend(file);
            self.linked.push(settings);
        }
    }
}

impl fmt::Display for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pack of {} bytes", self.pack.len())
    }
}

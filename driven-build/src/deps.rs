//! Rules that travel with crates: what dependencies offer, and how much of it is taken.
//!
//! A library ships rules for the people who use it by
//! `[package.metadata.driven] rules = "rules"`. Text from a dependency is not
//! trusted: it is taken only as it was when somebody accepted it, by source,
//! package and digest; its rules live under `package@version/`, reach no further
//! than was granted, replace nothing, ask for nothing, and are checked without
//! mercy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, PackageId};
use driven_format::{Activation, Rule, file_hash};

use crate::compile::{Compiler, RuleText};
use crate::diagnostics::{Code, Finding, Report};
use crate::error::{Error, Result};
use crate::settings::{Approval, PACK_FILE, PROJECT_FILE, ProjectSettings};
use crate::source::{read_folder, read_text};

/// The rules that a package ships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Where it comes from, as Cargo writes it; empty for a path.
    pub source: String,
    /// The rule folder.
    pub folder: PathBuf,
    /// The digest of its files.
    pub digest: String,
    /// Every file as text, for people to look at and to compare.
    pub text: String,
    /// Why it can't be read; empty when it can.
    pub fault: String,
}

/// What the dependencies of a workspace offer.
#[derive(Clone, Debug)]
pub struct Offers {
    /// The root of the workspace, where `driven.toml` lies.
    pub root: PathBuf,
    /// The offers, by package and version.
    pub offers: Vec<Offer>,
}

/// Looks at what the dependencies of the workspace or package in `dir` offer, without the network.
///
/// # Errors
/// A folder without `Cargo.toml`, a lock file that is out of date, packages that were not fetched.
pub fn offers(dir: &Path) -> Result<Offers> {
    // Nothing of the project is to be run: Cargo takes its settings, which may name a compiler, from the folder that
    // it is started in.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let outside = dir.ancestors().last().unwrap_or(&dir).to_path_buf();
    offers_from(&dir, &outside)
}

/// The same, with Cargo started in a folder, whose settings it then takes.
fn offers_from(dir: &Path, started: &Path) -> Result<Offers> {
    let manifest = dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Error::setup(format!(
            "{} has no Cargo.toml: rules travel with crates; run this at the root of a Cargo workspace",
            dir.display()
        )));
    }
    let manifest = manifest.canonicalize().unwrap_or(manifest);
    let options = ["--locked", "--offline"].map(str::to_owned);
    let mut command = MetadataCommand::new();
    command.manifest_path(&manifest).other_options(options).current_dir(started);
    let metadata = command.exec();
    let metadata = metadata.map_err(|err| {
        let told = err.to_string();
        let first = told.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        Error::setup(format!(
            "`cargo metadata --locked --offline` failed in {}: {first}; run `cargo fetch` first",
            dir.display()
        ))
    })?;
    let own = manifest.canonicalize().unwrap_or_else(|_| manifest.clone());
    let is_own = |path: &Path| path.canonicalize().is_ok_and(|path| path == own);
    // A package asks for what it depends on itself, the root of a workspace for all.
    let mut open: Vec<PackageId> = metadata
        .packages
        .iter()
        .filter(|package| is_own(package.manifest_path.as_std_path()))
        .map(|package| package.id.clone())
        .collect();
    if is_own(metadata.workspace_root.join("Cargo.toml").as_std_path()) {
        open.clone_from(&metadata.workspace_members);
    }
    let nodes: BTreeMap<&PackageId, &Vec<PackageId>> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| (&node.id, &node.dependencies))
        .collect();
    let mut reached: BTreeSet<PackageId> = BTreeSet::new();
    while let Some(id) = open.pop() {
        for next in nodes.get(&id).into_iter().copied().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    let mut offers = Vec::new();
    for package in metadata.packages.iter().filter(|package| reached.contains(&package.id)) {
        let Some(rules) = package.metadata.get("driven").and_then(|driven| driven.get("rules")) else {
            continue;
        };
        let home = package.manifest_path.as_std_path().parent().unwrap_or(Path::new(""));
        let source = package.source.as_ref().map(|source| source.repr.clone()).unwrap_or_default();
        let mut offer = Offer {
            package: package.name.to_string(),
            version: package.version.to_string(),
            source,
            folder: home.into(),
            digest: String::new(),
            text: String::new(),
            fault: String::new(),
        };
        // What one package gets wrong is not to stop those who take nothing from it.
        match folder_of(home, rules.as_str().unwrap_or_default())
            .and_then(|folder| Ok((digest(&folder)?, folder)))
        {
            Ok(((digest, text), folder)) => (offer.digest, offer.text, offer.folder) = (digest, text, folder),
            Err(err) => offer.fault = err.to_string(),
        }
        offers.push(offer);
    }
    offers.sort_by(|a, b| (&a.package, &a.version).cmp(&(&b.package, &b.version)));
    Ok(Offers { root: metadata.workspace_root.into_std_path_buf(), offers })
}

/// The rule folder of a package: below it, also behind links.
fn folder_of(home: &Path, rules: &str) -> Result<PathBuf> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':']);
    let folder = home.join(rules);
    let inside = match (folder.canonicalize(), home.canonicalize()) {
        (Ok(real), Ok(home)) => real.starts_with(home),
        // It is not there, which is told when it is read.
        _ => true,
    };
    if rules.split('/').all(plain) && inside {
        return Ok(folder);
    }
    Err(Error::setup(format!(
        "`package.metadata.driven.rules` is `{rules}`, which is no folder below the package"
    )))
}

/// One digest of every file of a rule folder, and all of them as one text.
fn digest(folder: &Path) -> Result<(String, String)> {
    let mut report = Report::default();
    let mut all = String::new();
    let mut text = String::new();
    let mut add = |name: &str, content: &str| {
        let _ = writeln!(all, "{name:?} {}", file_hash(content.as_bytes()));
        let end = if content.ends_with('\n') { "" } else { "\n" };
        let _ = write!(text, "==> {name}\n{content}{end}");
    };
    let own = folder.join(PACK_FILE);
    if own.exists()
        && let Some(file) = read_text(&own, &own, &mut report)
    {
        add(PACK_FILE, &file.text);
    }
    for source in read_folder(folder, &[], &mut report).sources {
        add(&format!("{}{}", source.id, source.ending), &source.file.text);
    }
    report.settle(Code::default_level);
    if report.has_errors() {
        return Err(Error::findings(report));
    }
    Ok((file_hash(all.as_bytes()).to_string(), text))
}

impl Offer {
    /// The approval of this package from this source, whatever the digest.
    pub fn approval<'a>(&self, settings: &'a ProjectSettings) -> Option<&'a Approval> {
        let of_package = |one: &&Approval| one.package == self.package && one.source == self.source;
        let mut own = settings.dependencies.iter().filter(of_package);
        // Two versions of one package may be in use.
        own.clone().find(|one| one.digest == self.digest).or_else(|| own.next())
    }

    /// What the ids of its rules begin with.
    pub fn prefix(&self) -> String {
        format!("{}@{}/", self.package, self.version)
    }

    /// The rules as they are taken with these grants; what oversteps is a finding.
    pub fn take(&self, grant: &[String]) -> (Vec<Rule>, Report) {
        if !self.fault.is_empty() {
            let mut report = Report::default();
            let message = format!("{} {}: {}", self.package, self.version, self.fault);
            report.push(Finding::in_file(Code::Overstepping, &self.folder, message));
            return (Vec::new(), fixed(report));
        }
        let (mut report, texts) = Compiler::foreign(self.folder.clone()).findings();
        let prefix = self.prefix();
        let own: BTreeSet<String> = texts.iter().map(|text| text.rule.id.clone()).collect();
        let mut taken = Vec::new();
        for RuleText { mut rule, file, .. } in texts {
            for what in oversteps(&rule, grant, &own) {
                let message = format!("{} {}: `{}` {what}", self.package, self.version, rule.id);
                let hint =
                    "take no rules from it, or ask its authors; only `always` and `manual` can be granted";
                report.push(Finding::in_file(Code::Overstepping, &file.path, message).hint(hint));
            }
            rule.requires = rule.requires.iter().map(|id| format!("{prefix}{id}")).collect();
            rule.id = format!("{prefix}{}", rule.id);
            // The project's own rules come first.
            rule.priority = rule.priority.min(Rule::DEFAULT_PRIORITY);
            taken.push(rule);
        }
        report.settle(Code::default_level);
        (taken, fixed(report))
    }
}

/// What is found in a dependency is as bad as it is: no settings lower it.
fn fixed(mut report: Report) -> Report {
    let findings = report.take_findings().into_iter().map(Finding::fixed).collect();
    report.set_findings(findings);
    report
}

/// Paths that no honest scope has in mind: whatever matches one of them matches everything.
const PROBES: [&str; 8] =
    ["q", "q7x.w9k", "zj/q", "zj/q7x.w9k", "q8/w/e4/r.t6y", "0/1/2/3/4/5/6/7", "_x/-y/z~", "Zq.Xw.Vk"];

/// What a rule from a dependency may not do, in words.
fn oversteps(rule: &Rule, grant: &[String], own: &BTreeSet<String>) -> Vec<String> {
    let mut what = Vec::new();
    let granted = |word: &str| grant.iter().any(|one| one == word);
    let covers = driven_format::glob::GlobList::parse(&rule.globs)
        .is_ok_and(|globs| PROBES.iter().any(|path| globs.matches(path)));
    match rule.activation {
        Activation::Always if !granted("always") => what.push("would always be active".into()),
        Activation::Manual if !granted("manual") => what.push("would be called by name".into()),
        Activation::Globs if covers && !granted("always") => {
            what.push("would be active with every file".into());
        }
        _ => {}
    }
    if !rule.replaces.is_empty() {
        what.push(format!("would replace `{}`", rule.replaces.join("`, `")));
    }
    if !rule.conflicts.is_empty() {
        what.push(format!("would conflict with `{}`", rule.conflicts.join("`, `")));
    }
    if !rule.capabilities.is_empty() {
        let words: Vec<&str> = rule.capabilities.iter().map(driven_format::Capability::as_str).collect();
        what.push(format!("asks for {}", words.join(", ")));
    }
    if !rule.origins.is_empty() {
        what.push("carries an assistant's own frontmatter (`x-` keys)".into());
    }
    if let Some(id) = rule.requires.iter().find(|id| !own.contains(*id)) {
        what.push(format!("requires `{id}`, which is not its own"));
    }
    what
}

/// The rules of all that was accepted; what changed since is a finding.
///
/// In a build script Cargo runs what the project says anyway, so its settings hold there: sources may be vendored.
pub(crate) fn take_approved(dir: &Path, in_build: bool, report: &mut Report) -> (Vec<Rule>, Vec<PathBuf>) {
    let found = if in_build { offers_from(dir, dir) } else { offers(dir) };
    let found = match found {
        Ok(found) => found,
        Err(err) => {
            let finding = Finding::in_file(Code::BadSettings, &dir.join(PROJECT_FILE), err.to_string());
            report.push(finding);
            return (Vec::new(), Vec::new());
        }
    };
    let file = found.root.join(PROJECT_FILE);
    let settings = crate::settings::read_project(&file, &file, &mut Report::default());
    let mut rules = Vec::new();
    let mut watched = vec![found.root.join("Cargo.lock"), file.clone()];
    for offer in &found.offers {
        let Some(approval) = offer.approval(&settings) else { continue };
        watched.push(offer.folder.clone());
        if approval.digest != offer.digest {
            let message =
                format!("the rules of {} {} are not those that were accepted", offer.package, offer.version);
            let finding = Finding::in_file(Code::ChangedDependency, &file, message);
            report.push(finding.hint(format!("look at `driven deps accept {}`", offer.package)).fixed());
            continue;
        }
        let (taken, own) = offer.take(&approval.grant);
        report.extend(own);
        rules.extend(taken);
    }
    for approval in &settings.dependencies {
        let is_offered = |offer: &&Offer| offer.approval(&settings) == Some(approval);
        if !found.offers.iter().any(|offer| is_offered(&offer)) {
            let message =
                format!("rules of {} are accepted, and no dependency offers them", approval.package);
            let finding = Finding::in_file(Code::StaleApproval, &file, message);
            report.push(finding.hint("take the entry out of [[dependencies]]"));
        }
    }
    (rules, watched)
}

//! `driven deps`

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use driven_assistants::text_diff;
use driven_build::deps::{Offer, Offers, offers};
use driven_build::{PROJECT_FILE, ProjectSettings, printable, write_if_changed};
use serde_json::{Value, json};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::output::{Output, findings_json, rules};
use crate::{Exit, Failure, Outcome};

/// Where the texts that were accepted are kept, so that a change can be shown, here and in a review.
const ACCEPTED: &str = ".driven/accepted";

/// List the rules that dependencies ship, and accept them
///
/// A library ships rules by `[package.metadata.driven] rules = "rules"`. They are
/// taken only when `driven.toml` approves them by source, package and digest, and
/// reach no further than `globs` or `agent` unless granted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  driven deps\n  driven deps accept acme-http\n  driven deps accept acme-http --grant always\n  \
                  driven deps accept --dry-run"
)]
pub(crate) struct Deps {
    #[command(subcommand)]
    action: Option<Action>,
    /// The root of the Cargo workspace
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show what is new in the rules of dependencies, and record that it was accepted
    Accept(Accept),
}

#[derive(Debug, clap::Args)]
struct Accept {
    /// The packages; by default those that were accepted before and changed
    packages: Vec<String>,
    /// Let its rules also be `always` active, or `manual`
    #[arg(long, value_name = "ACTIVATION", value_parser = ["always", "manual"])]
    grant: Vec<String>,
    /// Record nothing; show what would be accepted
    #[arg(long)]
    dry_run: bool,
}

impl Deps {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let found = offers(&self.root)?;
        let (own, root) = (self.root.canonicalize().ok(), found.root.canonicalize().ok());
        if own != root {
            let message =
                format!("{} is a member of the workspace in {}", self.root.display(), found.root.display());
            return Err(
                Failure::new("not-root", message).hint("run this there: rules are accepted for all of it")
            );
        }
        let settings = ProjectSettings::load(&self.root)?;
        match &self.action {
            None => {
                list(&found, &settings, output);
                Ok(Exit::Clean)
            }
            Some(Action::Accept(accept)) => accept.run(&self.root, &found, &settings, output),
        }
    }
}

/// What is the matter with an offer, in a word.
fn state(offer: &Offer, settings: &ProjectSettings) -> &'static str {
    match offer.approval(settings) {
        _ if !offer.fault.is_empty() => "broken",
        None => "not accepted",
        Some(approval) if approval.digest != offer.digest => "changed",
        Some(approval) if offer.take(&approval.grant).1.has_errors() => "refused",
        Some(_) => "taken",
    }
}

fn list(found: &Offers, settings: &ProjectSettings, output: &mut Output) {
    let value: Value = found
        .offers
        .iter()
        .map(|offer| {
            let grant = offer.approval(settings).map(|one| one.grant.clone()).unwrap_or_default();
            let (rules, report) = offer.take(&grant);
            let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
            json!({
                "package": offer.package,
                "version": offer.version,
                "source": offer.source,
                "digest": offer.digest,
                "state": state(offer, settings),
                "grant": grant,
                "rules": ids,
                "findings": findings_json(&report),
            })
        })
        .collect();
    output.either(&value, || {
        let mut text = String::new();
        for one in value.as_array().into_iter().flatten() {
            let word = |key: &str| printable(one[key].as_str().unwrap_or_default());
            let count = one["rules"].as_array().map_or(0, Vec::len);
            let _ = writeln!(
                text,
                "{:<13}{} {}: {}",
                word("state"),
                word("package"),
                word("version"),
                rules(count)
            );
            for finding in one["findings"].as_array().into_iter().flatten() {
                let _ = writeln!(
                    text,
                    "             {}",
                    printable(finding["message"].as_str().unwrap_or_default())
                );
            }
        }
        if text.is_empty() {
            text.push_str("no dependency ships rules\n");
        }
        text
    });
}

impl Accept {
    fn run(&self, root: &Path, found: &Offers, settings: &ProjectSettings, output: &mut Output) -> Outcome {
        if let Some(name) =
            self.packages.iter().find(|name| !found.offers.iter().any(|offer| offer.package == **name))
        {
            let known: Vec<&str> = found.offers.iter().map(|offer| offer.package.as_str()).collect();
            let hint = if known.is_empty() {
                "no dependency ships rules".into()
            } else {
                format!("these do: {}", known.join(", "))
            };
            return Err(
                Failure::new("unknown-package", format!("no dependency `{name}` ships rules")).hint(hint)
            );
        }
        let wanted = |offer: &&Offer| {
            let state = state(offer, settings);
            if self.packages.is_empty() { state == "changed" } else { self.packages.contains(&offer.package) }
        };
        let mut accepted = Vec::new();
        let mut text = String::new();
        for offer in found.offers.iter().filter(wanted) {
            let grant = self.grant_of(offer, settings);
            let (_, report) = offer.take(&grant);
            let kept = root.join(kept_as(offer));
            let old = kept_text(root, offer);
            let name = format!("{} {}", offer.package, offer.version);
            let _ = writeln!(text, "{}", printable(&text_diff(&name, &old, &offer.text)));
            if report.has_errors() {
                let value = json!({ "accepted": [], "recorded": false, "findings": findings_json(&report) });
                output.either(&value, || text);
                output.findings(&report);
                output.note(&format!("{name}: refused; nothing was recorded"));
                return Ok(Exit::Findings);
            }
            output.findings(&report);
            accepted.push((offer, grant, kept));
        }
        let value: Vec<Value> = accepted
            .iter()
            .map(|(offer, grant, _)| {
                json!({
                    "package": offer.package,
                    "version": offer.version,
                    "digest": offer.digest,
                    "grant": grant,
                    "difference": text_diff(&offer.package, &kept_text(root, offer), &offer.text),
                })
            })
            .collect();
        output.either(&json!({ "accepted": value, "recorded": !self.dry_run }), || {
            if accepted.is_empty() { "nothing to accept".into() } else { text }
        });
        if self.dry_run || accepted.is_empty() {
            return Ok(Exit::Clean);
        }
        let file = root.join(PROJECT_FILE);
        let old = fs::read_to_string(&file).unwrap_or_default();
        let new = record(&old, &accepted, found)
            .map_err(|what| Failure::new("settings", format!("{}: {what}", file.display())))?;
        for (offer, _, kept) in &accepted {
            if let Some(parent) = kept.parent() {
                fs::create_dir_all(parent).map_err(|err| Failure::io(parent, &err))?;
            }
            write_if_changed(kept, offer.text.as_bytes()).map_err(|err| Failure::io(kept, &err))?;
            for stale in kept_files(root, offer).into_iter().filter(|path| path != kept) {
                let in_use = |one: &Offer| one.package == offer.package && root.join(kept_as(one)) == stale;
                if !found.offers.iter().any(in_use) {
                    fs::remove_file(&stale).map_err(|err| Failure::io(&stale, &err))?;
                }
            }
        }
        write_if_changed(&file, new.as_bytes()).map_err(|err| Failure::io(&file, &err))?;
        for (offer, ..) in &accepted {
            output.note(&format!("accepted {} {} in {}", offer.package, offer.version, file.display()));
        }
        Ok(Exit::Clean)
    }

    /// What is granted now: what was said, or else what was granted before.
    fn grant_of(&self, offer: &Offer, settings: &ProjectSettings) -> Vec<String> {
        if self.grant.is_empty() {
            return offer.approval(settings).map(|one| one.grant.clone()).unwrap_or_default();
        }
        self.grant.clone()
    }
}

/// The file that keeps the accepted text of a package.
fn kept_as(offer: &Offer) -> String {
    format!("{ACCEPTED}/{}@{}.txt", offer.package, offer.version)
}

/// The files that keep texts of a package, of whatever version.
fn kept_files(root: &Path, offer: &Offer) -> Vec<PathBuf> {
    let prefix = format!("{}@", offer.package);
    let is_own = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&prefix) && path.symlink_metadata().is_ok_and(|found| found.is_file())
    };
    let entries = fs::read_dir(root.join(ACCEPTED)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_own).collect();
    files.sort();
    files
}

/// The text that was accepted: of this version, or else of the last one before it.
fn kept_text(root: &Path, offer: &Offer) -> String {
    let own = root.join(kept_as(offer));
    let files = kept_files(root, offer);
    let file = files.iter().find(|path| **path == own).or_else(|| files.last());
    file.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
}

/// `driven.toml` with what was accepted; comments and order stay.
fn record(old: &str, accepted: &[(&Offer, Vec<String>, PathBuf)], found: &Offers) -> Result<String, String> {
    let mut document: DocumentMut = old.parse().map_err(|err| format!("no TOML: {err}"))?;
    let item = document.entry("dependencies").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let tables = item.as_array_of_tables_mut().ok_or("`dependencies` is not written as [[dependencies]]")?;
    for (offer, grant, _) in accepted {
        let is_own = |table: &Table| {
            let text = |key: &str| table.get(key).and_then(Item::as_str).unwrap_or_default();
            let digest = text("digest");
            // An entry that another version stands on stays.
            let other = |one: &Offer| {
                one.package == offer.package && one.version != offer.version && one.digest == digest
            };
            let free = digest == offer.digest || !found.offers.iter().any(other);
            text("package") == offer.package && text("source") == offer.source && free
        };
        if !tables.iter().any(is_own) {
            let mut table = Table::new();
            table.insert("package", value(offer.package.as_str()));
            table.insert("source", value(offer.source.as_str()));
            tables.push(table);
        }
        let Some(table) = tables.iter_mut().find(|table| is_own(table)) else { continue };
        table.insert("digest", value(offer.digest.as_str()));
        if grant.is_empty() {
            table.remove("grant");
        } else {
            table.insert("grant", value(grant.iter().collect::<toml_edit::Array>()));
        }
    }
    Ok(document.to_string())
}

//! `driven inspect`

use std::fmt::Write;
use std::path::{Path, PathBuf};

use driven::{Capability, PackBuf};
use driven_build::{ProjectSettings, printable_line};
use driven_format::trust::KeyId;
use driven_format::{Tables, file_hash};
use serde_json::{Value, json};

use crate::output::Output;
use crate::{Exit, Failure, Outcome};

/// Show what a pack says about itself
///
/// Proves structure, text and digests first; a pack that does not hold is an error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  driven inspect rules.drv\n  driven inspect rules.drv --json")]
pub(crate) struct Inspect {
    /// The pack
    file: PathBuf,
}

impl Inspect {
    pub(crate) fn run(self, output: &mut Output) -> Outcome {
        let pack = PackBuf::open(&self.file)?;
        let pack = pack.as_pack().prove().map_err(|err| Failure::from(err).in_file(&self.file))?;
        let tables = Tables::check(pack.as_bytes())?;
        let grant = ProjectSettings::load(Path::new("."))?.trust.map(|trust| trust.grant).unwrap_or_default();
        let value = describe(&tables, grant);
        output.either(&value, || text(&value, &tables));
        Ok(Exit::Clean)
    }
}

fn describe(tables: &Tables<'_>, grant: driven::Capabilities) -> Value {
    let manifest = tables.manifest();
    let capabilities: Vec<Value> = Capability::ALL
        .iter()
        .map(|&one| {
            let asks: Vec<&str> = tables
                .rules()
                .filter(|rule| rule.capabilities().contains(one))
                .map(|rule| rule.id())
                .collect();
            json!({ "name": one.as_str(), "asked_by": asks,
                "bounded": manifest.capabilities().contains(one), "granted": grant.contains(one) })
        })
        .collect();
    let sections: Vec<Value> = tables
        .sections()
        .map(|(section, kind, offset, len)| {
            let name = section.map_or_else(|| kind.to_string(), |section| section.as_str().into());
            json!({ "name": name, "offset": offset, "bytes": len })
        })
        .collect();
    let signatures: Vec<Value> = tables
        .signatures()
        .iter()
        .map(|signature| json!({ "key_id": KeyId(signature.key_id).to_string() }))
        .collect();
    let by_activation: serde_json::Map<String, Value> = driven::Activation::ALL
        .iter()
        .map(|&activation| (activation.as_str().into(), tables.rows_activated(activation).len().into()))
        .collect();
    json!({
        "name": manifest.name(),
        "version": manifest.version(),
        "licence": manifest.licence(),
        "description": manifest.description(),
        "format": tables.format_version(),
        "rules": tables.rule_count(),
        "activation": by_activation,
        "personas": tables.personas().len(),
        "workflows": tables.workflows().len(),
        "capabilities": capabilities,
        "capped": manifest.is_capped(),
        "digest": tables.root_digest().to_string(),
        "content_digest": manifest.content_digest().to_string(),
        "file_hash": file_hash(tables.bytes()).to_string(),
        "bytes": tables.bytes().len(),
        "sections": sections,
        "built_from": tables.attestation().map(|said| json!({ "source": said.source.to_string(),
            "repository": said.repository, "commit": said.commit, "builder": said.builder })),
        "signatures": signatures,
        "expires": tables.expires(),
    })
}

fn text(value: &Value, tables: &Tables<'_>) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<15}{}", printable_line(value));
    };
    let plain = |key: &str| match &value[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for key in ["name", "version", "licence", "description", "format", "rules", "personas", "workflows"] {
        line(key, &plain(key));
    }
    line("bytes", &plain("bytes"));
    line("digest", &plain("digest"));
    line("content", &plain("content_digest"));
    line("file hash", &plain("file_hash"));
    for one in value["capabilities"].as_array().into_iter().flatten() {
        let asked: Vec<&str> =
            one["asked_by"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (bounded, granted) = (one["bounded"] == true, one["granted"] == true);
        if asked.is_empty() && !bounded {
            continue;
        }
        let name = one["name"].as_str().unwrap_or_default();
        let by = if asked.is_empty() { "no rule".into() } else { asked.join(", ") };
        let verdict = match (bounded, granted) {
            (false, _) => "not allowed by the manifest",
            (true, false) => "not granted by driven.toml",
            (true, true) => "granted by driven.toml",
        };
        line("capability", &format!("{name:<10}asked for by {by}; {verdict}"));
    }
    if let Some(said) = tables.attestation() {
        line("built from", &said.source.to_string());
        let more = [("repository", said.repository), ("commit", said.commit), ("builder", said.builder)];
        for (key, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
            line(key, value);
        }
    }
    for key in tables.signatures().iter() {
        line("signed by", &KeyId(key.key_id).to_string());
    }
    if tables.signatures().is_empty() {
        line("signed by", "nobody");
    }
    if tables.manifest().is_capped() {
        line("warning", "a security finding was let through when this pack was built");
    }
    for (section, kind, _, len) in tables.sections() {
        let name = section.map_or_else(|| kind.to_string(), |section| section.as_str().into());
        line("section", &format!("{name:<12}{len:>12} bytes"));
    }
    text
}

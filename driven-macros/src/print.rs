//! Prints the module: the bytes, the pack, a name for every rule.
//!
//! Names are the variants of one enum, and `ids` has them again by folder: a constant for each takes rustc longer, and
//! what an enum has can be matched.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem;

use driven_format::{RuleHead, Tables, rust_path};
use proc_macro::{Delimiter, Group, Literal, TokenStream, TokenTree};

use crate::arguments::Arguments;
use crate::embed::FileName;

/// Stands for the path of the crate `driven` in the printed text.
const CRATE: &str = "__driven";
/// Stands for the bytes of the pack.
const BYTES: &str = "__driven_bytes";

/// Where the bytes in the binary come from.
pub(crate) enum Source<'s> {
    /// From the file, which rustc reads again.
    File(&'s FileName),
    /// From what was proved: rustc can't read another file than the one whose signature holds.
    Proved { file: &'s FileName, key: &'s str },
}

pub(crate) fn module(
    arguments: &Arguments,
    tables: &Tables<'_>,
    source: &Source<'_>,
) -> Result<TokenStream, String> {
    let len = tables.bytes().len();
    let mut root = String::new();
    for byte in tables.root_digest().as_bytes() {
        let _ = write!(root, "\\x{byte:02x}");
    }
    let mut text = String::new();
    let bytes = match source {
        Source::File(file) => format!("*{}", include(file)),
        Source::Proved { file, key } => {
            let key = FileName { variable: "CARGO_MANIFEST_DIR", below: (*key).into() };
            // Only so that Cargo knows of both files; nothing refers to the constants.
            let _ = write!(text, "const _: &[u8] = {}; const _: &[u8] = {};", include(file), include(&key));
            format!("*{BYTES}")
        }
    };
    // An enum without variants can't be cast.
    let get = match tables.rule_count() {
        0 => "match id {}".into(),
        _ => format!("{CRATE}::__private::rule_at(&PACK, id as u32)"),
    };
    let name = tables.manifest().name();
    let about = if name.is_empty() {
        "The rules, embedded.".into()
    } else {
        format!("The rules of `{name}`, embedded.")
    };
    let _ = write!(
        text,
        "
        static BYTES: {CRATE}::__private::Aligned<[u8; {len}]> = {CRATE}::__private::Aligned({bytes});
        #[doc = {about:?}]
        // SAFETY: the macro proved these bytes (docs/SAFETY.md, rule 1).
        pub static PACK: {CRATE}::Pack<'static> =
            unsafe {{ {CRATE}::__private::trusted(&BYTES.0, b\"{root}\", {len}) }};
        /// The rule with this name; there is one for certain.
        #[must_use]
        pub fn get(id: Id) -> {CRATE}::RuleView<'static> {{ {get} }}
        impl ::core::fmt::Debug for Id {{
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{
                f.debug_tuple(\"Id\").field(&self.as_str()).finish()
            }}
        }}
        impl ::core::fmt::Display for Id {{
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{ f.pad(self.as_str()) }}
        }}
        "
    );
    let parsed: TokenStream = text.parse().map_err(|err| format!("the module does not parse: {err}"))?;
    // The names are many, so they are written to need nothing filled in.
    let names: TokenStream =
        names(tables)?.parse().map_err(|err| format!("the names do not parse: {err}"))?;
    let mut body = fill_in(parsed, &arguments.krate, tables.bytes());
    body.extend(names);
    let documentation: TokenStream = format!("#[doc = {about:?}]").parse().expect("an attribute");
    let mut tokens: Vec<TokenTree> = documentation.into_iter().collect();
    tokens.extend(arguments.head.iter().cloned());
    tokens.extend("mod".parse::<TokenStream>().expect("a keyword"));
    tokens.push(arguments.module.clone());
    tokens.push(TokenTree::Group(Group::new(Delimiter::Brace, body)));
    Ok(tokens.into_iter().collect())
}

fn include(file: &FileName) -> String {
    format!(
        "{CRATE}::__private::include_bytes!({CRATE}::__private::concat!({CRATE}::__private::env!({:?}), \"/\", {:?}))",
        file.variable, file.below
    )
}

/// Names by module: that of a rule in its folder, and that of its variant.
#[derive(Default)]
struct Names<'a> {
    rules: BTreeMap<String, (RuleHead<'a>, String)>,
    modules: BTreeMap<String, Names<'a>>,
}

fn names(tables: &Tables<'_>) -> Result<String, String> {
    let mut root = Names::default();
    let paths: Vec<_> = tables.rules().map(|rule| rust_path(rule.id())).collect();
    let mut joined: Vec<String> = paths.iter().map(|path| join(path)).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for variant in &joined {
        *times.entry(variant).or_default() += 1;
    }
    let is_shared: Vec<bool> = joined.iter().map(|variant| times[variant.as_str()] > 1).collect();
    let (mut variants, mut texts) = (String::new(), String::new());
    for (row, (rule, mut path)) in tables.rules().zip(paths).enumerate() {
        let mut variant = mem::take(&mut joined[row]);
        if is_shared[row] {
            // Told apart by what they are themselves, so that none takes the name of another when their order changes.
            for part in &path {
                let _ = write!(variant, "_{}", part.len());
            }
        }
        let description = rule.description();
        let doc = if description.is_empty() { format!("`{}`", rule.id()) } else { description.to_owned() };
        let _ = write!(variants, "#[doc = {doc:?}] {variant},");
        let _ = write!(texts, "{:?},", rule.id());
        let name = path.pop().unwrap_or_default();
        let names =
            path.into_iter().fold(&mut root, |names, module| names.modules.entry(module).or_default());
        if let Some((other, _)) = names.rules.insert(name.clone(), (rule, variant)) {
            return Err(format!("the rules `{}` and `{}` give one name, `{name}`", other.id(), rule.id()));
        }
    }
    let as_str = match tables.rule_count() {
        0 => "match self {}".into(),
        // As a `match` it takes rustc more than twice as long for twice the rules.
        len => format!("const TEXTS: [&str; {len}] = [{texts}]; TEXTS[self as usize]"),
    };
    let mut text = format!(
        "
        /// The name of a rule that this pack has.
        #[::core::prelude::v1::derive(
            ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::hash::Hash
        )]
        pub enum Id {{ {variants} }}
        impl Id {{
            /// The id, as the pack has it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {{ {as_str} }}
        }}
        /// A name for every rule.
        pub mod ids {{
        "
    );
    print_names(&root, 1, &mut text)?;
    text.push('}');
    Ok(text)
}

/// The name of a variant. In upper case: Clippy warns where `unsafe__x` is used as another name
/// (`unsafe_removed_from_name`).
fn join(path: &[String]) -> String {
    let mut joined = String::new();
    for part in path {
        if !joined.is_empty() {
            joined.push_str("__");
        }
        joined.push_str(part.strip_prefix("r#").unwrap_or(part));
    }
    joined.to_ascii_uppercase()
}

fn print_names(names: &Names<'_>, depth: usize, text: &mut String) -> Result<(), String> {
    let up = "super::".repeat(depth);
    for (name, (_, variant)) in &names.rules {
        if names.modules.contains_key(name) {
            return Err(format!("`{name}` would be a rule and a module"));
        }
        let _ = write!(text, "pub use {up}Id::{variant} as {name};");
    }
    for (module, inner) in &names.modules {
        let _ = write!(text, "#[doc = \"Rules below this folder.\"] pub mod {module} {{");
        print_names(inner, depth + 1, text)?;
        text.push('}');
    }
    Ok(())
}

/// Puts the crate's path and the bytes where they are stood for.
fn fill_in(tokens: TokenStream, krate: &TokenTree, bytes: &[u8]) -> TokenStream {
    let filled = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut filled = Group::new(group.delimiter(), fill_in(group.stream(), krate, bytes));
            filled.set_span(group.span());
            TokenTree::Group(filled)
        }
        TokenTree::Ident(ident) => match ident.to_string().as_str() {
            CRATE => krate.clone(),
            BYTES => TokenTree::Literal(Literal::byte_string(bytes)),
            _ => TokenTree::Ident(ident),
        },
        other => other,
    });
    filled.collect()
}

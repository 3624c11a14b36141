//! The arguments of `include_rules!`: `pub mod rules, key = "literal", ...`.

use proc_macro::{Span, TokenStream, TokenTree};

use crate::Fault;

const KEYS: [&str; 4] = ["pack", "file", "trust", "cap_lints"];

/// A string that the user wrote.
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) span: Span,
}

/// What the user wrote.
pub(crate) struct Arguments {
    /// The path to the crate `driven`, whatever it is called here.
    pub(crate) krate: TokenTree,
    /// Attributes and visibility.
    pub(crate) head: Vec<TokenTree>,
    /// The name of the module.
    pub(crate) module: TokenTree,
    pub(crate) pack: Option<Text>,
    pub(crate) file: Option<Text>,
    pub(crate) trust: Option<Text>,
    /// `warn`: hidden text in a ready-made pack stops nothing.
    pub(crate) cap_lints: Option<Text>,
}

pub(crate) fn parse(input: TokenStream) -> Result<Arguments, Fault> {
    let mut tokens = input.into_iter();
    let krate = tokens
        .next()
        .ok_or_else(|| Fault::new(Span::call_site(), "call `driven::include_rules!` instead"))?;
    let mut head = Vec::new();
    let expected = "expected `mod` and a name, as in `include_rules!(pub mod rules)`";
    loop {
        match tokens.next() {
            Some(TokenTree::Ident(ident)) if ident.to_string() == "mod" => break,
            Some(token @ (TokenTree::Ident(_) | TokenTree::Group(_) | TokenTree::Punct(_))) => {
                head.push(token);
            }
            Some(token) => return Err(Fault::new(token.span(), expected)),
            None => {
                let span = head.last().map_or_else(Span::call_site, TokenTree::span);
                return Err(Fault::new(span, expected));
            }
        }
    }
    let module = match tokens.next() {
        Some(token @ TokenTree::Ident(_)) => token,
        other => return Err(Fault::new(other.map_or_else(Span::call_site, |token| token.span()), expected)),
    };
    let mut arguments =
        Arguments { krate, head, module, pack: None, file: None, trust: None, cap_lints: None };
    while let Some(comma) = tokens.next() {
        if !is_punct(&comma, ',') {
            return Err(Fault::new(comma.span(), "expected `,`"));
        }
        let Some(key) = tokens.next() else { break };
        argument(&mut arguments, &key, &mut tokens)?;
    }
    if let (Some(_), Some(file)) = (&arguments.pack, &arguments.file) {
        return Err(Fault::new(
            file.span,
            "`pack` and `file` exclude each other: one names a pack of the build script, the other a ready-made one",
        ));
    }
    if let Some(cap) = arguments.cap_lints.as_ref().filter(|cap| cap.value != "warn") {
        return Err(Fault::new(cap.span, "expected `cap_lints = \"warn\"`"));
    }
    Ok(arguments)
}

fn argument(
    arguments: &mut Arguments,
    key: &TokenTree,
    tokens: &mut impl Iterator<Item = TokenTree>,
) -> Result<(), Fault> {
    let name = key.to_string();
    if !KEYS.contains(&name.as_str()) {
        return Err(Fault::new(
            key.span(),
            format!("unknown argument `{name}`, expected `pack`, `file`, `trust` or `cap_lints`"),
        ));
    }
    let equals = tokens.next();
    if !equals.as_ref().is_some_and(|token| is_punct(token, '=')) {
        let span = equals.map_or_else(|| key.span(), |token| token.span());
        return Err(Fault::new(span, format!("expected `{name} = \"...\"`")));
    }
    let token = tokens.next();
    let span = token.as_ref().map_or_else(|| key.span(), TokenTree::span);
    let value = token
        .as_ref()
        .and_then(string)
        .ok_or_else(|| Fault::new(span, format!("expected a string literal, as in `{name} = \"...\"`")))?;
    let slot = match name.as_str() {
        "pack" => &mut arguments.pack,
        "file" => &mut arguments.file,
        "cap_lints" => &mut arguments.cap_lints,
        _ => &mut arguments.trust,
    };
    if slot.is_some() {
        return Err(Fault::new(key.span(), format!("`{name}` is given twice")));
    }
    *slot = Some(Text { value, span });
    Ok(())
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// The text of a string literal; through a `macro_rules` it may come in an invisible group.
fn string(token: &TokenTree) -> Option<String> {
    if let TokenTree::Group(group) = token {
        let mut inner = group.stream().into_iter();
        let only = inner.next()?;
        return if inner.next().is_none() { string(&only) } else { None };
    }
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    if let Some(raw) = text.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next()? {
                quoted @ ('\\' | '"' | '\'') => out.push(quoted),
                _ => return None,
            },
            _ => out.push(char),
        }
    }
    Some(out)
}

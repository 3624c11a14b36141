//! The procedural half of `driven::include_rules!`.
//!
//! Parses its arguments, proves the pack through `driven-format`, and prints
//! tokens. Knows no layout. Uses no parser crate: its grammar is a visibility, a
//! name, and `key = "literal"`.

#![forbid(unsafe_code)]

mod arguments;
mod embed;
mod print;

use proc_macro::{Literal, Span, TokenStream, TokenTree};

/// What is wrong, and at which of the user's tokens.
struct Fault {
    span: Span,
    message: String,
}

impl Fault {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Fault { span, message: message.into() }
    }

    /// `compile_error!` at the place of the fault.
    fn tokens(self) -> TokenStream {
        let mut message = Literal::string(&self.message);
        message.set_span(self.span);
        let call: TokenStream =
            "::core::compile_error! {}".parse().expect("a macro call without its message");
        let placed = call.into_iter().map(|token| match token {
            TokenTree::Group(_) => {
                let inner = TokenTree::Literal(message.clone()).into();
                let mut group = proc_macro::Group::new(proc_macro::Delimiter::Brace, inner);
                group.set_span(self.span);
                TokenTree::Group(group)
            }
            mut other => {
                other.set_span(self.span);
                other
            }
        });
        placed.collect()
    }
}

/// Called by `driven::include_rules!` alone, with `$crate` in front.
#[doc(hidden)]
#[proc_macro]
pub fn expand(input: TokenStream) -> TokenStream {
    let expanded = arguments::parse(input).and_then(|arguments| embed::embed(&arguments));
    expanded.unwrap_or_else(Fault::tokens)
}

//! Views: what a pack says about one rule, persona or workflow.
//!
//! `Copy`, borrowed from the pack, nothing allocated.

use core::fmt;
use core::ops::Deref;

use driven_format::{NodeKind, Nodes, OutlineNode, PersonaHead, RuleHead, WorkflowHead};

use crate::error::Error;
use crate::pack::{BodiesIn, Text};

/// A rule with its body. Everything but the body and its parts comes from [`RuleHead`].
#[derive(Clone, Copy)]
pub struct RuleView<'a> {
    head: RuleHead<'a>,
    text: Text<'a>,
}

impl<'a> RuleView<'a> {
    #[inline]
    pub(crate) fn new(head: RuleHead<'a>, text: Text<'a>) -> Self {
        RuleView { head, text }
    }

    /// The text, byte for byte as it was written.
    #[inline]
    pub fn body(&self) -> &'a str {
        self.text.cut(self.head.row(), || self.head.body_range())
    }

    /// Headings, titles and items of lists, as ranges of the body, in order.
    #[inline]
    pub fn outline(&self) -> Nodes<'a> {
        let elsewhere = self.text.outline(self.head.row());
        Nodes::of_bytes(elsewhere.unwrap_or_else(|| self.head.outline_bytes()))
    }

    /// The headings, each with what stands below it up to the next heading of its level or above.
    pub fn sections(&self) -> impl Iterator<Item = SectionView<'a>> + Clone + use<'a> {
        let body = self.body();
        let mut nodes = self.outline();
        core::iter::from_fn(move || SectionView::next(body, &mut nodes))
    }

    /// The items of lists, in order; an item within an item follows it.
    pub fn items(&self) -> impl Iterator<Item = ItemView<'a>> + Clone + use<'a> {
        let body = self.body();
        self.outline()
            .filter(|node| matches!(node.kind, NodeKind::Bullet | NodeKind::Numbered))
            .map(move |node| ItemView { text: &body[node.range()], node })
    }
}

impl<'a> Deref for RuleView<'a> {
    type Target = RuleHead<'a>;

    fn deref(&self) -> &RuleHead<'a> {
        &self.head
    }
}

impl fmt::Debug for RuleView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_rule(f, "RuleView", &self.head)
    }
}

fn debug_rule(f: &mut fmt::Formatter<'_>, name: &str, head: &RuleHead<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("id", &head.id())
        .field("activation", &head.activation())
        .field("globs", &head.globs())
        .finish_non_exhaustive()
}

/// A heading and what stands below it.
#[derive(Clone, Copy, Debug)]
pub struct SectionView<'a> {
    node: OutlineNode,
    title: &'a str,
    text: &'a str,
}

impl<'a> SectionView<'a> {
    fn next(body: &'a str, nodes: &mut Nodes<'a>) -> Option<Self> {
        let node = nodes.find(|node| node.kind == NodeKind::Section)?;
        let mut ahead = *nodes;
        let title = match ahead.next() {
            Some(title) if title.kind == NodeKind::Title => &body[title.range()],
            _ => "",
        };
        Some(SectionView { node, title, text: &body[node.range()] })
    }

    /// The text of the heading.
    pub fn title(&self) -> &'a str {
        self.title
    }

    /// The level of the heading, 1 to 6.
    pub fn level(&self) -> u8 {
        self.node.level
    }

    /// The heading and all that stands below it.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Where the section lies in the body.
    pub fn range(&self) -> core::ops::Range<usize> {
        self.node.range()
    }
}

/// An item of a list.
#[derive(Clone, Copy, Debug)]
pub struct ItemView<'a> {
    node: OutlineNode,
    text: &'a str,
}

impl<'a> ItemView<'a> {
    /// The text behind the bullet or number, inner lists included.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// How deep the item's list is nested, from 1.
    pub fn depth(&self) -> u8 {
        self.node.level
    }

    /// Whether the list is numbered.
    pub fn is_numbered(&self) -> bool {
        self.node.kind == NodeKind::Numbered
    }

    /// Where the item's text lies in the body.
    pub fn range(&self) -> core::ops::Range<usize> {
        self.node.range()
    }
}

/// A rule whose body was not proved yet, nor its outline with it: both come from what [`read`](Self::read) gives.
///
/// ```
/// let bytes = driven::doc_pack();
/// let pack = driven::LazyPack::open(&bytes)?;
/// let rule = pack.rule("error-handling").expect("the pack has it");
/// let nodes = rule.read()?.outline().count();
/// assert!(nodes > 0);
/// # Ok::<(), driven::Error>(())
/// ```
///
/// ```compile_fail,E0599
/// # let bytes = driven::doc_pack();
/// # let pack = driven::LazyPack::open(&bytes).unwrap();
/// let rule = pack.rule("error-handling").unwrap();
/// let nodes = rule.outline().count(); // nothing has proved it
/// ```
#[derive(Clone, Copy)]
pub struct LazyRuleView<'a> {
    head: RuleHead<'a>,
    bodies: BodiesIn<'a>,
}

impl<'a> LazyRuleView<'a> {
    pub(crate) fn new(head: RuleHead<'a>, bodies: BodiesIn<'a>) -> Self {
        LazyRuleView { head, bodies }
    }

    /// Proves the body, its outline and the rule's digest, and gives the rule.
    ///
    /// # Errors
    /// A body that is not UTF-8, a range that cuts a character, or a wrong digest; a file that can't be read.
    pub fn read(&self) -> Result<RuleView<'a>, Error> {
        let text = match self.bodies {
            None => Text::One(self.head.prove_body()?),
            Some(file) => Text::Read(file.body(&self.head)?),
        };
        Ok(RuleView { head: self.head, text })
    }

    /// The body, proved as by [`read`](Self::read).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn body(&self) -> Result<&'a str, Error> {
        self.read().map(|rule| rule.body())
    }
}

impl<'a> Deref for LazyRuleView<'a> {
    type Target = RuleHead<'a>;

    fn deref(&self) -> &RuleHead<'a> {
        &self.head
    }
}

impl fmt::Debug for LazyRuleView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_rule(f, "LazyRuleView", &self.head)
    }
}

macro_rules! with_body {
    ($($(#[$doc:meta])* $view:ident, $head:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $view<'a> {
            head: $head<'a>,
            body: &'a str,
        }

        impl<'a> $view<'a> {
            pub(crate) fn new(head: $head<'a>, body: &'a str) -> Self {
                $view { head, body }
            }

            /// The text, byte for byte as it was written.
            pub fn body(&self) -> &'a str {
                self.body
            }
        }

        impl<'a> Deref for $view<'a> {
            type Target = $head<'a>;

            fn deref(&self) -> &$head<'a> {
                &self.head
            }
        }

        impl fmt::Debug for $view<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($view)).field("id", &self.head.id()).finish_non_exhaustive()
            }
        }
    )*};
}

with_body! {
    /// A persona with its text.
    PersonaView, PersonaHead;
    /// A workflow with its text.
    WorkflowView, WorkflowHead;
}

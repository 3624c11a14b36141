//! Packs: what is proved stands in the type.
//!
//! [`Pack`] has its structure and all its text proved, [`LazyPack`] its tables
//! and names; [`Proved`] and [`Verified`] add digests and a signature to either.
//! Looks at bytes that somebody else holds; files are for `map`.

use alloc::boxed::Box;
use core::fmt;
use core::ops::{Deref, Range};

use driven_format::{Activation, Bodies, Category, Digest, ManifestView, RuleHead, Section, Tables};

use crate::error::Error;
use crate::query::{PathRules, RowRules, Rules};
use crate::view::{LazyRuleView, PersonaView, RuleView, WorkflowView};

/// A pack whose structure and text are proved: no look-up and no read can fail.
///
/// ```
/// let bytes = driven::doc_pack();
/// let pack = driven::Pack::open(&bytes)?;
/// let rule = pack.rule("error-handling").expect("the pack has it");
/// assert_eq!(rule.sections().next().map(|section| section.title()), Some("Errors"));
/// assert_eq!(rule.items().map(|item| item.text()).last(), Some("Add context."));
/// # Ok::<(), driven::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Pack<'a> {
    tables: Tables<'a>,
    text: Text<'a>,
}

/// Where bodies are found, and their outlines.
///
/// A view keeps it as it is and looks when its body is read: to look at the ends of a body costs two cache misses.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    /// All bodies of a pack, end to end.
    Whole(&'a str),
    /// The body of one owner, who alone has this; its outline is in the pack.
    One(&'a str),
    /// The body and the outline of one owner, who alone has this.
    Read(&'a ReadBody),
    /// Bodies that other packs may have too, with their outlines.
    #[cfg(feature = "patch")]
    Pieces(&'a crate::map::Pieces),
}

/// A body that was read from a file, with its outline as it is laid out.
pub(crate) struct ReadBody {
    pub(crate) text: Box<str>,
    pub(crate) outline: Box<[u8]>,
}

impl<'a> Text<'a> {
    /// One body, its owner counted over rules, personas and workflows.
    #[inline]
    pub(crate) fn cut(self, owner: u32, range: impl FnOnce() -> Range<usize>) -> &'a str {
        let _ = owner;
        match self {
            Text::Whole(bodies) => &bodies[range()],
            Text::One(body) => body,
            Text::Read(read) => &read.text,
            #[cfg(feature = "patch")]
            Text::Pieces(pieces) => pieces.body(owner),
        }
    }

    /// The outline of the rule in a row as it is laid out, unless it is in the pack.
    #[inline]
    pub(crate) fn outline(self, row: u32) -> Option<&'a [u8]> {
        let _ = row;
        match self {
            Text::Whole(_) | Text::One(_) => None,
            Text::Read(read) => Some(&read.outline),
            #[cfg(feature = "patch")]
            Text::Pieces(pieces) => Some(pieces.outline(row)),
        }
    }
}

impl Bodies for Text<'_> {
    fn body(&self, owner: u32, range: Range<usize>) -> Option<&str> {
        match self {
            Text::Whole(bodies) => bodies.get(range),
            _ => Some(self.cut(owner, || range)),
        }
    }

    fn outline(&self, row: u32) -> Option<&[u8]> {
        Text::outline(*self, row)
    }
}

impl<'a> Pack<'a> {
    /// The bodies.
    #[cfg(feature = "updates")]
    pub(crate) fn text(&self) -> Text<'a> {
        self.text
    }

    /// Proves the structure and all text of `bytes`. Digests are for [`prove`](Self::prove).
    ///
    /// # Errors
    /// Bytes that are no pack, of a newer format, cut off, or wrong in any table or text.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        LazyPack::open(bytes)?.check_text()
    }

    /// Takes tables and text that were proved together.
    pub(crate) const fn assume_proved(tables: Tables<'a>, text: Text<'a>) -> Self {
        Pack { tables, text }
    }

    /// Proves every byte by the root digest.
    #[cfg(feature = "std")]
    pub(crate) fn check_bytes(&self) -> Result<(), Error> {
        self.tables.check_root()?;
        Ok(self.tables.check_texts_of(&self.text)?)
    }

    /// Proves every digest: the content is what the root digest names.
    ///
    /// # Errors
    /// Content that does not have the digests that the pack states.
    pub fn prove(self) -> Result<Proved<Self>, Error> {
        self.tables.check_root()?;
        self.tables.check_content(&self.text)?;
        Ok(Proved(self))
    }

    /// Proves every byte by the root digest, and that `key` signed that.
    ///
    /// # Errors
    /// Bytes that are not what the root digest names; a pack that is not signed, not by this key, or wrongly.
    #[cfg(feature = "trust")]
    pub fn verify(self, key: &crate::PublicKey) -> Result<Verified<Self>, Error> {
        self.verify_by(&crate::trust::Policy::key(key))
    }

    /// Proves every byte by the root digest, and all that a policy asks for of that.
    ///
    /// Outlines and bodies are proved all at once. The digests of single rules are then what the signer says that they are;
    /// a policy with a state, and [`prove`](Self::prove), compute each.
    ///
    /// # Errors
    /// The first check of `docs/TRUST.md` that fails; its code says which.
    #[cfg(feature = "trust")]
    pub fn verify_by(self, policy: &crate::trust::Policy<'_>) -> Result<Verified<Self>, Error> {
        policy.check(&self.tables, Some(&self.text))?;
        Ok(Verified(self))
    }

    /// As [`verify_by`](Self::verify_by), and tells every check that was made.
    #[cfg(feature = "trust")]
    pub fn story(&self, policy: &crate::trust::Policy<'_>) -> crate::trust::Story {
        policy.judge(&self.tables, Some(&self.text))
    }

    /// The bytes of the pack, signatures included.
    ///
    /// Of a pack that shares its bodies they are laid out when this is first asked for, and kept.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self.text {
            Text::Whole(_) | Text::One(_) | Text::Read(_) => self.tables.bytes(),
            #[cfg(feature = "patch")]
            Text::Pieces(pieces) => pieces.whole(),
        }
    }

    #[inline]
    pub(crate) fn tables(&self) -> Tables<'a> {
        self.tables
    }

    #[inline]
    pub(crate) fn view(&self, head: RuleHead<'a>) -> RuleView<'a> {
        RuleView::new(head, self.text)
    }

    #[inline]
    pub(crate) fn rule_at(&self, row: u32) -> Option<RuleView<'a>> {
        self.tables.rule_at(row).map(|head| self.view(head))
    }

    /// How many rules there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.tables.rule_count()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rule with this id.
    #[inline]
    pub fn rule(&self, id: &str) -> Option<RuleView<'a>> {
        self.tables.find_rule(id).map(|head| self.view(head))
    }

    /// All rules, by falling priority, then by id.
    #[inline]
    pub fn rules(&self) -> Rules<'a> {
        Rules::new(*self)
    }

    /// The rules that speak about a path: those that are always active, and those with a glob that means it.
    ///
    /// `path` is relative to the project and has `/` between its parts; `./` in front is dropped. A path that
    /// is empty, absolute or has a `..` matches nothing. For a [`std::path::Path`] see [`ProjectPath`](crate::ProjectPath).
    #[inline(always)]
    pub fn for_path<'p>(&self, path: &'p str) -> PathRules<'a, 'p> {
        PathRules::new(*self, path)
    }

    /// The rules with a tag.
    pub fn tagged(&self, tag: &str) -> RowRules<'a> {
        RowRules::new(*self, self.tables.rows_tagged(tag))
    }

    /// The rules of a category.
    pub fn in_category(&self, category: Category) -> RowRules<'a> {
        RowRules::new(*self, self.tables.rows_in(category))
    }

    /// The rules for a programming language.
    pub fn for_language(&self, language: &str) -> RowRules<'a> {
        RowRules::new(*self, self.tables.rows_for_language(language))
    }

    /// The rules with an activation: those an agent may choose, those a person asks for, ...
    pub fn activated(&self, activation: Activation) -> RowRules<'a> {
        RowRules::new(*self, self.tables.rows_activated(activation))
    }

    /// Every tag and how many rules have it, in order.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, usize)> + use<'a> {
        self.tables.tags().map(|(tag, rows)| (tag, rows.len()))
    }

    /// All personas, by id.
    pub fn personas(&self) -> impl ExactSizeIterator<Item = PersonaView<'a>> + use<'a> {
        let (text, before) = (self.text, self.len());
        let each = self.tables.personas().enumerate();
        each.map(move |(row, head)| {
            PersonaView::new(head, text.cut((before + row) as u32, || head.body_range()))
        })
    }

    /// The persona with this id.
    pub fn persona(&self, id: &str) -> Option<PersonaView<'a>> {
        self.personas().find(|persona| persona.id() == id)
    }

    /// All workflows, by id.
    pub fn workflows(&self) -> impl ExactSizeIterator<Item = WorkflowView<'a>> + use<'a> {
        let (text, before) = (self.text, self.len() + self.tables.personas().len());
        let each = self.tables.workflows().enumerate();
        each.map(move |(row, head)| {
            WorkflowView::new(head, text.cut((before + row) as u32, || head.body_range()))
        })
    }

    /// The workflow with this id.
    pub fn workflow(&self, id: &str) -> Option<WorkflowView<'a>> {
        self.workflows().find(|workflow| workflow.id() == id)
    }
}

/// What packs tell whether their bodies are proved or not.
macro_rules! about {
    ($pack:ident) => {
        impl<'a> $pack<'a> {
            /// What the pack says about itself.
            pub fn manifest(&self) -> ManifestView<'a> {
                self.tables.manifest()
            }

            /// The root digest that the pack states; it names the content.
            pub fn digest(&self) -> Digest {
                self.tables.root_digest()
            }

            /// Name and length in bytes of every section that this version knows.
            pub fn sections(&self) -> impl Iterator<Item = (Section, usize)> + use<'a> {
                self.tables.sections().filter_map(|(section, _, _, len)| Some((section?, len)))
            }

            /// Whether the pack has a signature, by whomever.
            pub fn is_signed(&self) -> bool {
                !self.tables.signatures().is_empty()
            }

            /// When the signed statement ends to hold, in seconds since 1970.
            pub fn expires(&self) -> Option<u64> {
                self.tables.expires()
            }
        }

        impl fmt::Debug for $pack<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($pack))
                    .field("name", &self.manifest().name())
                    .field("version", &self.manifest().version())
                    .field("rules", &self.tables.rule_count())
                    .field("digest", &self.digest())
                    .finish()
            }
        }
    };
}

about!(Pack);
about!(LazyPack);

/// A pack whose tables and names are proved, and whose bodies are proved as they are read.
///
/// Opening one does not touch the bodies, which are nearly all of a pack.
///
/// ```
/// let bytes = driven::doc_pack();
/// let pack = driven::LazyPack::open(&bytes)?;
/// let rule = pack.rule("error-handling").expect("the pack has it");
/// assert_eq!(rule.description(), "How errors are handled");
/// assert!(rule.read()?.body().starts_with("# Errors"));
/// # Ok::<(), driven::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct LazyPack<'a> {
    tables: Tables<'a>,
    bodies: BodiesIn<'a>,
}

/// The file that holds the bodies of a lazy pack, when they are not behind its tables.
pub(crate) type BodiesIn<'a> = Option<&'a crate::map::FileBodies>;

impl<'a> LazyPack<'a> {
    /// Proves the tables and names of `bytes`.
    ///
    /// # Errors
    /// As [`Pack::open`], but for faults in the bodies.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        Ok(LazyPack { tables: Tables::check(bytes)?, bodies: None })
    }

    /// Takes tables that were proved.
    #[cfg(feature = "std")]
    pub(crate) const fn assume_proved(tables: Tables<'a>, bodies: BodiesIn<'a>) -> Self {
        LazyPack { tables, bodies }
    }

    /// Proves the root digest, and with it every table but the outlines; a body is proved against them, with its outline,
    /// when it is read.
    ///
    /// # Errors
    /// Tables that do not have the digest that the pack states.
    pub fn prove(self) -> Result<Proved<Self>, Error> {
        self.tables.check_root()?;
        Ok(Proved(self))
    }

    /// Proves the root digest, and that `key` signed it.
    ///
    /// # Errors
    /// As [`prove`](Self::prove); and a pack that is not signed, not by this key, or wrongly.
    #[cfg(feature = "trust")]
    pub fn verify(self, key: &crate::PublicKey) -> Result<Verified<Self>, Error> {
        self.verify_by(&crate::trust::Policy::key(key))
    }

    /// Proves the root digest, and all that a policy asks for; a body is proved when it is read.
    ///
    /// # Errors
    /// As [`Pack::verify_by`].
    #[cfg(feature = "trust")]
    pub fn verify_by(self, policy: &crate::trust::Policy<'_>) -> Result<Verified<Self>, Error> {
        policy.check(&self.tables, None)?;
        Ok(Verified(self))
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.tables.rule_count()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<LazyRuleView<'a>> {
        self.tables.find_rule(id).map(self.view())
    }

    fn view(&self) -> impl Fn(RuleHead<'a>) -> LazyRuleView<'a> + Clone + use<'a> {
        let bodies = self.bodies;
        move |head| LazyRuleView::new(head, bodies)
    }

    /// All rules, by falling priority, then by id.
    #[inline]
    pub fn rules(&self) -> impl ExactSizeIterator<Item = LazyRuleView<'a>> + DoubleEndedIterator + use<'a> {
        self.tables.rules().map(self.view())
    }

    /// The rules that speak about a path, as [`Pack::for_path`].
    pub fn for_path<'p>(&self, path: &'p str) -> impl Iterator<Item = LazyRuleView<'a>> + use<'a, 'p> {
        let tables = self.tables;
        let rows = crate::query::bits(tables.path_words(path));
        rows.filter_map(move |row| tables.rule_at(row)).map(self.view())
    }

    /// Proves all text.
    ///
    /// Of a pack in a file also that every byte is what was opened: all bodies are read for it.
    ///
    /// # Errors
    /// A body that is not UTF-8, or a range that cuts a character; a file that can't be read, or was changed.
    pub fn check_text(self) -> Result<Pack<'a>, Error> {
        match self.bodies {
            None => Ok(crate::map::with_proved_bodies(self.tables)?),
            Some(file) => file.all(self.tables),
        }
    }
}

/// A pack whose digests are proved: it is what its root digest names.
#[derive(Clone, Copy, Debug)]
pub struct Proved<P>(P);

/// A pack of which every byte is what its root digest names, which a given key signed; of a [`LazyPack`], a body when it is
/// read.
#[cfg(feature = "trust")]
#[derive(Clone, Copy, Debug)]
pub struct Verified<P>(P);

impl<'a> LazyPack<'a> {
    /// The pack with all its bodies, proved by the digest of all of them and then as text.
    #[cfg(feature = "trust")]
    fn read_all(self) -> Result<Pack<'a>, Error> {
        match self.bodies {
            None => {
                self.tables.check_texts()?;
                Ok(crate::map::with_proved_bodies(self.tables)?)
            }
            Some(file) => file.all(self.tables),
        }
    }
}

impl<'a> Proved<LazyPack<'a>> {
    /// Proves all bodies: that they are text, and every digest.
    ///
    /// # Errors
    /// The first body that is not what the pack states; a file that can't be read, or was changed.
    pub fn read_all(self) -> Result<Proved<Pack<'a>>, Error> {
        let LazyPack { tables, bodies } = self.0;
        let Some(file) = bodies else {
            return Ok(Proved(Pack::assume_proved(tables, Text::Whole(tables.prove()?))));
        };
        let pack = file.all(tables)?;
        pack.tables.check_content(&pack.text)?;
        Ok(Proved(pack))
    }
}

#[cfg(feature = "trust")]
impl<'a> Verified<LazyPack<'a>> {
    /// Proves all bodies, after the signature: by the digest of all of them, and that they are text. In memory no body that
    /// nobody signed is taken for text; [`Pack::open`] and [`Pack::verify`] prove the same in the other order.
    ///
    /// ```
    /// # let key = driven_format::trust::SecretKey::from_seed(&[7; 32].into());
    /// # let bytes = driven::doc_pack();
    /// # let tables = driven_format::Tables::check(&bytes)?;
    /// # let bytes = driven_format::trust::sign(&tables, &key, 0)?;
    /// # let key = key.public_key();
    /// let pack = driven::LazyPack::open(&bytes)?.verify(&key)?.read_all()?;
    /// assert!(pack.rule("error-handling").is_some_and(|rule| rule.body().starts_with("# Errors")));
    /// # Ok::<(), driven::Error>(())
    /// ```
    ///
    /// # Errors
    /// Bodies that are not what the pack states; a file that can't be read, or was changed.
    pub fn read_all(self) -> Result<Verified<Pack<'a>>, Error> {
        self.0.read_all().map(Verified)
    }
}

impl<P> Deref for Proved<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

#[cfg(all(feature = "trust", feature = "std"))]
impl<P> Verified<P> {
    /// Takes a pack that a policy let pass.
    pub(crate) const fn assume(pack: P) -> Self {
        Verified(pack)
    }
}

#[cfg(feature = "trust")]
impl<P> Deref for Verified<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

//! The model: what a set of rules says, before it is bytes.
//!
//! Plain owned data that programs fill in by hand and `driven-build` fills in
//! from files. Knows nothing of places in files, of offsets or of digests.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

macro_rules! codes {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:literal;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The code on the wire.
            #[inline]
            pub const fn code(self) -> u8 {
                match self { $($name::$variant => $code,)* }
            }

            /// The value of a code on the wire.
            #[inline]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }

            /// The word in source files and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

codes! {
    /// When a rule takes part.
    Activation {
        /// In every conversation.
        Always = 1, "always";
        /// When a file that matches its globs is at hand.
        Globs = 2, "globs";
        /// When the model finds its description fitting.
        Agent = 3, "agent";
        /// When a person asks for it by name.
        Manual = 4, "manual";
        /// Never; kept, but switched off.
        Off = 5, "off";
    }
}

codes! {
    /// What a rule is about.
    Category {
        /// Layout and taste.
        Style = 1, "style";
        /// How things are called.
        Naming = 2, "naming";
        /// How the parts fit.
        Architecture = 3, "architecture";
        /// What happens when something fails.
        ErrorHandling = 4, "error-handling";
        /// How code is tested.
        Testing = 5, "testing";
        /// How code is explained.
        Documentation = 6, "documentation";
        /// What must not be possible.
        Security = 7, "security";
        /// What must be fast or small.
        Performance = 8, "performance";
        /// Who must be able to use it.
        Accessibility = 9, "accessibility";
        /// Anything else.
        Custom = 10, "custom";
    }
}

codes! {
    /// What a rule may ask for, a manifest may bound, and only the loader grants.
    Capability {
        /// Read files.
        FsRead = 0, "fs-read";
        /// Write files.
        FsWrite = 1, "fs-write";
        /// Start programs.
        Exec = 2, "exec";
        /// Use the network.
        Net = 3, "net";
        /// Read environment variables.
        Env = 4, "env";
        /// Change an assistant's settings.
        Settings = 5, "settings";
        /// Read secrets.
        Secrets = 6, "secrets";
        /// See or signal other processes.
        Process = 7, "process";
    }
}

codes! {
    /// What a step of a workflow asks for.
    StepKind {
        /// Text for the model.
        Prompt = 1, "prompt";
        /// A command to run.
        Run = 2, "run";
        /// A condition that must hold before the next step.
        Check = 3, "check";
        /// A question to the person.
        Ask = 4, "ask";
    }
}

codes! {
    /// What an [`OutlineNode`] marks.
    NodeKind {
        /// A heading with all that stands below it.
        Section = 1, "section";
        /// The text of a heading; follows the section that it names.
        Title = 2, "title";
        /// An item of a bulleted list.
        Bullet = 3, "bullet";
        /// An item of a numbered list.
        Numbered = 4, "numbered";
    }
}

/// A set of [`Capability`] values, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u8);

impl Capabilities {
    /// No capability.
    pub const NONE: Capabilities = Capabilities(0);

    /// The set with these bits.
    pub const fn from_bits(bits: u8) -> Self {
        Capabilities(bits)
    }

    /// The bits, `1 << code` for each capability.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Capabilities(self.0 | 1 << capability.code())
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `capability` is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & 1 << capability.code() != 0
    }

    /// What both sets have.
    #[must_use]
    pub const fn intersection(self, other: Capabilities) -> Self {
        Capabilities(self.0 & other.0)
    }

    /// What this set has and `other` lacks.
    #[must_use]
    pub const fn difference(self, other: Capabilities) -> Self {
        Capabilities(self.0 & !other.0)
    }

    /// The capabilities in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.iter().copied().filter(move |&one| self.contains(one))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        iter.into_iter().fold(Capabilities::NONE, Capabilities::with)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Capabilities {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list: Vec<Capability> = serde::Deserialize::deserialize(deserializer)?;
        Ok(list.into_iter().collect())
    }
}

/// A range of a body that structure was found in.
///
/// Nodes of a body are sorted by `start`, an outer node before an inner one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlineNode {
    /// What it marks.
    pub kind: NodeKind,
    /// Level of a heading, 1 to 6; depth of a list item, from 1; at most 15.
    pub level: u8,
    /// First byte, relative to the body.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl OutlineNode {
    /// The range in the body.
    pub fn range(&self) -> core::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// What an assistant's own file looked like, kept for the way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, rename_all = "kebab-case"))]
pub struct Origin {
    /// The assistant's name, as in `x-<assistant>`.
    pub assistant: String,
    /// Where the file lay, relative to the project; may be empty.
    pub path: String,
    /// What stood in front of the body, byte for byte: fences, a byte-order mark; empty when nothing did.
    pub text: String,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields, rename_all = "kebab-case"))]
pub struct Rule {
    /// Its name: the path below the rule folder without the ending.
    pub id: String,
    /// One line; what an assistant reads to decide.
    pub description: String,
    /// When it takes part.
    pub activation: Activation,
    /// Which files it speaks about; the last pattern that matches decides.
    pub globs: Vec<String>,
    /// 0 to 255; higher comes first.
    pub priority: u8,
    /// What it is about.
    pub category: Option<Category>,
    /// Words to select by.
    pub tags: Vec<String>,
    /// Programming languages that it speaks about.
    pub languages: Vec<String>,
    /// A predicate; empty for none.
    pub when: String,
    /// Assistants that get it; empty for all.
    pub targets: Vec<String>,
    /// Rules that it needs.
    pub requires: Vec<String>,
    /// Rules that it can't stand beside.
    pub conflicts: Vec<String>,
    /// Rules that it takes the place of.
    pub replaces: Vec<String>,
    /// What it asks for.
    pub capabilities: Capabilities,
    /// Assistants' own frontmatter.
    pub origins: Vec<Origin>,
    /// The text, byte for byte.
    pub body: String,
    /// The structure found in the text.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub outline: Vec<OutlineNode>,
}

impl Rule {
    /// The priority of a rule that states none.
    pub const DEFAULT_PRIORITY: u8 = 100;

    /// An always active rule without structure.
    pub fn new(id: impl Into<String>, body: impl Into<String>) -> Self {
        Rule { id: id.into(), body: body.into(), ..Rule::default() }
    }

    /// The lists in the order in which a record holds them.
    pub(crate) fn lists(&self) -> [&[String]; RULE_LISTS] {
        [
            &self.globs,
            &self.tags,
            &self.languages,
            &self.targets,
            &self.requires,
            &self.conflicts,
            &self.replaces,
        ]
    }
}

impl Default for Rule {
    fn default() -> Self {
        Rule {
            id: String::new(),
            description: String::new(),
            activation: Activation::Always,
            globs: Vec::new(),
            priority: Rule::DEFAULT_PRIORITY,
            category: None,
            tags: Vec::new(),
            languages: Vec::new(),
            when: String::new(),
            targets: Vec::new(),
            requires: Vec::new(),
            conflicts: Vec::new(),
            replaces: Vec::new(),
            capabilities: Capabilities::NONE,
            origins: Vec::new(),
            body: String::new(),
            outline: Vec::new(),
        }
    }
}

/// How many lists of strings a rule has.
pub(crate) const RULE_LISTS: usize = 7;

/// A character that an assistant can be asked to play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields, rename_all = "kebab-case"))]
pub struct Persona {
    /// Its name.
    pub id: String,
    /// One line for people.
    pub description: String,
    /// The role in a few words.
    pub role: String,
    /// How it behaves.
    pub traits: Vec<String>,
    /// What it holds to.
    pub principles: Vec<String>,
    /// The text for the model.
    pub body: String,
}

/// A course of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields, rename_all = "kebab-case"))]
pub struct Workflow {
    /// Its name.
    pub id: String,
    /// One line for people.
    pub description: String,
    /// The text that introduces it.
    pub body: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One step of a [`Workflow`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, rename_all = "kebab-case"))]
pub struct Step {
    /// What it asks for.
    pub kind: StepKind,
    /// Its name; may be empty.
    #[cfg_attr(feature = "serde", serde(default))]
    pub name: String,
    /// The prompt, the command, the condition or the question.
    pub text: String,
    /// A predicate; empty for always.
    #[cfg_attr(feature = "serde", serde(default))]
    pub when: String,
}

/// What a pack says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields, rename_all = "kebab-case"))]
pub struct Manifest {
    /// The pack's name; may be empty.
    pub name: String,
    /// Its version, counted up.
    pub version: u64,
    /// An SPDX licence expression.
    pub licence: String,
    /// One line for people.
    pub description: String,
    /// The most that its rules may ask for.
    pub capabilities: Capabilities,
    /// Whether a security finding was let through when it was built.
    pub capped: bool,
}

/// All that goes into one pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields, rename_all = "kebab-case"))]
pub struct RuleSet {
    /// What the pack says about itself.
    pub manifest: Manifest,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The personas.
    pub personas: Vec<Persona>,
    /// The workflows.
    pub workflows: Vec<Workflow>,
}

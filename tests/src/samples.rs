//! Small packs that several tests look at.

use driven_format::trust::SecretKey;
use driven_format::{
    Activation, Capabilities, Capability, Category, Manifest, Origin, Persona, Rule, RuleSet, Step, StepKind,
    Workflow,
};

/// A key for tests: its seed is no secret.
pub fn key() -> SecretKey {
    SecretKey::from_seed(&[42; 32].into())
}

/// A set that uses every table of the format.
pub fn small() -> RuleSet {
    let rule = |id: &str, body: &str| {
        let mut rule = Rule::new(id, body);
        rule.outline = driven_build::outline::scan(body).nodes;
        rule
    };
    let mut errors = rule(
        "rust/errors",
        "# Errors\n\n- Return `Result`.\n  1. Add context – always.\n\n## Panics\nNever.\n",
    );
    errors.description = "How errors are handled".into();
    errors.activation = Activation::Globs;
    errors.globs = vec!["*.rs".into(), "crates/**/*.toml".into(), "!crates/gen/**".into()];
    errors.priority = 200;
    errors.category = Some(Category::ErrorHandling);
    errors.tags = vec!["errors".into(), "api".into()];
    errors.languages = vec!["rust".into()];
    errors.when = "file.lines > 10".into();
    errors.targets = vec!["cursor".into()];
    errors.requires = vec!["style".into()];
    errors.replaces = vec!["old".into()];
    errors.capabilities = Capabilities::NONE.with(Capability::FsRead);
    errors.origins = vec![Origin {
        assistant: "cursor".into(),
        path: ".cursor/rules/errors.mdc".into(),
        text: "\u{FEFF}---\r\nglobs: *.rs\r\nalwaysApply: false\r\n---\r\n".into(),
    }];
    let mut scoped = rule("docs", "Write for a tired person.\n");
    scoped.activation = Activation::Globs;
    scoped.globs = vec!["docs/**".into(), "src/**/*.md".into(), "README.md".into(), "*.spec.ts".into()];
    let mut asked = rule("old", "Only when asked.\n");
    asked.activation = Activation::Manual;
    asked.conflicts = vec!["rust/errors".into()];
    RuleSet {
        manifest: Manifest {
            name: "small".into(),
            version: 7,
            licence: "MIT".into(),
            description: "Every table once".into(),
            capabilities: Capabilities::NONE.with(Capability::FsRead).with(Capability::Net),
            capped: false,
        },
        rules: vec![errors, rule("style", "- Spell words out.\n"), scoped, asked],
        personas: vec![Persona {
            id: "reviewer".into(),
            description: "Reads with care".into(),
            role: "a reviewer, strict and kind".into(),
            traits: vec!["precise".into(), "calm, always".into()],
            principles: vec!["say what to do".into()],
            body: "You review changes.\n".into(),
        }],
        workflows: vec![Workflow {
            id: "release".into(),
            description: "From green to published".into(),
            body: "Never on a Friday.\n".into(),
            steps: vec![
                Step {
                    kind: StepKind::Run,
                    name: "tests".into(),
                    text: "cargo test".into(),
                    when: String::new(),
                },
                Step {
                    kind: StepKind::Ask,
                    name: String::new(),
                    text: "Publish?".into(),
                    when: "tests.ok".into(),
                },
            ],
        }],
    }
}

/// The small set as a signed pack.
///
/// # Panics
/// When the set can't be written, which would be a fault of the format.
pub fn small_signed() -> Vec<u8> {
    let pack = driven_format::write_pack(&small()).expect("the small set is in order");
    driven_build::sign_pack(&pack, &key(), 0).expect("a pack can be signed")
}

/// Where a section lies in a pack, by its number.
pub fn section(pack: &[u8], number: usize) -> std::ops::Range<usize> {
    let word = |at: usize| u32::from_le_bytes(pack[at..at + 4].try_into().expect("four bytes")) as usize;
    let entry = 64 + 16 * number;
    word(entry + 8)..word(entry + 8) + word(entry + 12)
}

/// An unsigned pack that says something else in its front, under the root digest that covers it: what its maker may state
/// falsely.
pub fn stated_falsely(pack: &[u8], say: impl FnOnce(&mut [u8])) -> Vec<u8> {
    const OUTLINE: usize = 5;
    let mut pack = pack.to_vec();
    say(&mut pack);
    let mut key = [0; 32];
    key[..14].copy_from_slice(b"driven pack v1");
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(&pack[64..section(&pack, OUTLINE).start]).update(&pack[..32]);
    pack[32..64].copy_from_slice(hasher.finalize().as_bytes());
    pack
}

/// With another digest of all outlines and bodies.
pub fn with_false_texts(pack: &[u8]) -> Vec<u8> {
    const MANIFEST: usize = 0;
    let end = section(pack, MANIFEST).end;
    stated_falsely(pack, |pack| pack[end - 1] ^= 1)
}

/// With another digest of the first rule.
pub fn with_a_false_rule(pack: &[u8]) -> Vec<u8> {
    const DIGESTS: usize = 10;
    let start = section(pack, DIGESTS).start;
    stated_falsely(pack, |pack| pack[start] ^= 1)
}

/// A target with a false texts digest, signed by [`key`] or not, and a patch that leads there; of two unsigned packs the
/// second is the first with the next version.
pub fn patch_to_false_texts(old: &[u8], new: &[u8], signed: bool) -> (Vec<u8>, Vec<u8>) {
    let mut target = with_false_texts(new);
    let texts: [u8; 32] = target[section(new, 0).end - 32..][..32].try_into().expect("32 bytes");
    // How many, how much later they expire, and of each that the base does not have it, the key and the signature.
    let mut signatures = vec![0];
    if signed {
        target = driven_build::sign_pack(&target, &key(), 0).expect("a pack can be signed");
        let record = &target[target.len() - 80..];
        signatures = [&[1, 0, 0], record].concat();
    }
    let edition = |pack: &[u8]| driven_format::Tables::check(pack).expect("it is a pack").edition().0;
    let patch = [
        &driven_format::patch::PATCH_MAGIC[..],
        &[6],
        &edition(old)[..16],
        &edition(&target)[..16],
        &signatures,
        // Two bytes of operations: BatchCommit, one version further; then the digest.
        &[2, 0x37, 0],
        &texts,
    ];
    (patch.concat(), target)
}

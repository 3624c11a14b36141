//! The set of rules for one path.

use std::collections::BTreeSet;
use std::hint::black_box;

use driven::Pack;
use driven_format::{Activation, Rule, RuleSet, write_pack};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::data::Set;
use crate::harness::{Timed, contestant, race};
use crate::report::Report;

/// Paths as projects have them.
pub const PATHS: &[&str] = &[
    "src/main.rs",
    "src/parser/lexer.rs",
    "src/components/Button.tsx",
    "src/components/ui/dialog.tsx",
    "app/page.tsx",
    "app/api/users/route.ts",
    "src/app/app.component.ts",
    "src/app/shared/pipes/date.pipe.spec.ts",
    "package.json",
    "README.md",
    "docs/guide/getting-started.md",
    ".github/workflows/ci.yml",
    "Dockerfile",
    "docker-compose.yml",
    "k8s/base/deployment.yaml",
    "terraform/modules/vpc/main.tf",
    "infra/main.bicep",
    "src/Api/Controllers/UserController.cs",
    "src/Web/Pages/Index.razor",
    "tests/unit/test_models.py",
    "app/models/user.rb",
    "manage.py",
    "api/views.py",
    "notebooks/analysis.ipynb",
    "lib/screens/home_screen.dart",
    "cmd/server/main.go",
    "internal/store/store_test.go",
    "pom.xml",
    "src/main/java/com/example/App.java",
    "build.gradle.kts",
    "src/main/kotlin/App.kt",
    "index.html",
    "styles/main.scss",
    "public/logo.svg",
    "wp-content/themes/x/functions.php",
    "resources/views/home.blade.php",
    "contracts/Token.sol",
    "programs/vault/src/lib.rs",
    "migrations/0001_init.sql",
    "scripts/deploy.sh",
    "Makefile",
    "CMakeLists.txt",
    "src/engine/render.cpp",
    "include/engine/render.hpp",
    "prisma/schema.prisma",
    "vite.config.ts",
    "playwright.config.ts",
    "e2e/login.spec.ts",
    "src/lib/server/db.ts",
    "a/very/deep/folder/structure/with/many/parts/file.txt",
];

/// A set of rules as a pack, and its distinct globs as a ready-built globset.
pub struct PathSet {
    pub rules: usize,
    pub globs: usize,
    pack: Vec<u8>,
    patterns: Vec<String>,
}

impl PathSet {
    pub fn new(rules: &[Rule]) -> Self {
        let set = RuleSet { rules: rules.to_vec(), ..RuleSet::default() };
        let scoped = rules.iter().filter(|rule| rule.activation == Activation::Globs);
        let mut patterns = BTreeSet::new();
        for rule in scoped {
            // As they were written, in full form: a pattern without a slash means any depth.
            patterns.extend(rule.globs.iter().map(|glob| {
                let glob = glob.trim_start_matches("./").trim_start_matches('/');
                if glob.contains('/') || glob == "**" { glob.to_owned() } else { format!("**/{glob}") }
            }));
        }
        PathSet {
            rules: rules.len(),
            globs: patterns.len(),
            pack: write_pack(&set).expect("the model is in order"),
            patterns: patterns.into_iter().collect(),
        }
    }

    /// Every path in turn; a figure is for one path.
    pub fn race(&self) -> Vec<Timed> {
        let pack = Pack::open(&self.pack).expect("it was written");
        let globs = build(&self.patterns);
        let mut matched = Vec::new();
        let (mut a, mut b, mut c) = (0, 0, 0);
        let next = |at: &mut usize| {
            *at = if *at + 1 == PATHS.len() { 0 } else { *at + 1 };
            black_box(PATHS[*at])
        };
        race(vec![
            contestant("driven, the set as words of 64 rules", || {
                pack.for_path(next(&mut a))
                    .into_words()
                    .fold(0, |all, (word, bits)| all ^ bits as usize ^ word as usize)
            }),
            contestant("driven, each rule visited", || {
                pack.for_path(next(&mut b)).fold(0, |all, rule| all + usize::from(rule.priority()))
            }),
            contestant("globset, ready built, matches", || {
                globs.matches_into(next(&mut c), &mut matched);
                matched.len()
            }),
        ])
    }

    /// What must be done at every start before the first path can be asked.
    pub fn build_race(&self) -> Vec<Timed> {
        race(vec![
            contestant("driven, open lazily", || {
                driven::LazyPack::open(black_box(&self.pack)).expect("it was written").len()
            }),
            contestant("globset, build", || build(black_box(&self.patterns)).len()),
        ])
    }
}

fn build(patterns: &[String]) -> GlobSet {
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(
            GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .expect("the corpus has no glob that globset refuses"),
        );
    }
    builder.build().expect("a set of globs")
}

/// `count` rules with the shapes of the real ones: the first are real, the rest have names of their own.
pub fn scaled(rules: &[Rule], count: usize) -> Vec<Rule> {
    let real = rules.iter().cycle().zip(0..count);
    real.map(|(rule, index)| {
        let round = index / rules.len();
        let mut rule = rule.clone();
        rule.id = format!("{}-{round}", rule.id);
        rule.body = String::new();
        rule.outline = Vec::new();
        if round > 0 {
            // Other projects' folders and endings: the same shape, with another literal in it.
            rule.globs = rule.globs.iter().map(|glob| rename(glob, round)).collect();
        }
        rule
    })
    .collect()
}

/// Changes the first word of letters in a glob, when it has one.
fn rename(glob: &str, round: usize) -> String {
    let is_letter = |char: char| char.is_ascii_alphabetic();
    let Some(start) = glob.find(is_letter) else { return glob.into() };
    let end = glob[start..].find(|char| !is_letter(char)).map_or(glob.len(), |len| start + len);
    format!("{}{round}{}", &glob[..end], &glob[end..])
}

/// The real rules, and more of their kind.
pub fn report(whole: &Set, report: &mut Report) {
    report.heading(
        "The rules of a path",
        "50 paths as projects have them, in turn; a figure is for one path. `globset` has the distinct globs as they were written, \
         in full form, and gives the indices of those that match; which rules they belong to is not counted.",
    );
    let mut growth = Vec::new();
    for count in [whole.model.rules.len(), 2_000, 10_000] {
        let set = PathSet::new(&scaled(&whole.model.rules, count));
        let timed = set.race();
        report.times(&format!("{} rules, {} distinct globs", set.rules, set.globs), &timed);
        growth.push((timed[0].median(), timed[2].median()));
        if count == whole.model.rules.len() {
            report.at_least(
                "rules of a path, 448 rules, against a ready-built globset",
                6.0,
                timed[2].over(&timed[0]),
            );
            let built = set.build_race();
            report.times("before the first path can be asked, 448 rules", &built);
        } else {
            report.at_least(
                &format!("rules of a path, {count} rules, against a ready-built globset"),
                1.0,
                timed[2].over(&timed[0]),
            );
        }
    }
    let (ours, theirs) = (growth[2].0 / growth[0].0, growth[2].1 / growth[0].1);
    report.at_least("growth from 448 to 10,000 rules: globset's over ours", 1.0, theirs / ours);
}

//! A server, and two programs that take a signed update while their threads read.
//!
//! ```text
//! cargo run -p hot-update
//! ```
//!
//! What is a process of its own elsewhere is a thread here: the publisher and its server, and two programs with the
//! rules that they were built with, each of which follows the server and answers questions meanwhile.

use std::error::Error;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use driven::state::RuleStore;
use driven::updates::{Stop, Updates};
use driven::{PackBuf, PublicKey, SharedPack};
use driven_serve::{Server, ServerOptions, Tree};

// The rules that every copy of the program has from the start, proved while it was compiled.
driven::include_rules!(pub mod rules, trust = "keys/development.pub");

const KEY: &str = include_str!("../keys/development.pub");

fn main() -> Result<(), Box<dyn Error>> {
    let site = tempfile::tempdir()?;
    let tree = Tree::new(site.path());
    tree.publish(rules::PACK.as_bytes())?;
    let server = Server::open(site.path(), ServerOptions::default())?.start("127.0.0.1:0")?;
    let address = format!("http://{}/house", server.address());

    let programs = [Program::start("one")?, Program::start("two")?];
    let stop = Stop::default();
    thread::scope(|threads| -> Result<(), Box<dyn Error>> {
        for program in &programs {
            threads.spawn(|| program.follow(&address, &stop));
            threads.spawn(|| program.answer());
        }
        publish_next(&tree)?;
        for program in &programs {
            program.wait_for(2);
        }
        stop.stop();
        Ok(())
    })?;
    for program in &programs {
        let answers = program.answers.load(Ordering::Relaxed);
        println!("{}: {} answers, none of a mixture; now {}", program.name, answers, program.said());
    }
    server.stop();
    Ok(())
}

/// What somebody does who releases new rules: compiles, signs, publishes.
fn publish_next(tree: &Tree) -> Result<(), Box<dyn Error>> {
    let source = tempfile::tempdir()?;
    let folder = source.path();
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/keys/development.key");
    fs::write(folder.join("pack.toml"), "name = \"house\"\nversion = 2\n")?;
    fs::write(folder.join("style.md"), "- Version two: spell words out.\n")?;
    fs::write(folder.join("tests.md"), "- Version two: a test could fail.\n")?;
    let next = driven_build::rules(folder).sign_with_development_key(key).try_compile()?;
    let published = tree.publish(&next.pack)?;
    let (_, patch) = published.patches[0];
    println!("published version {}: {} bytes, its patch {patch}", published.feed.version, next.pack.len());
    Ok(())
}

/// A program that uses rules.
struct Program {
    name: &'static str,
    store: RuleStore,
    answers: AtomicU64,
    is_over: AtomicBool,
}

impl Program {
    fn start(name: &'static str) -> Result<Self, Box<dyn Error>> {
        let key = PublicKey::from_text(KEY)?;
        let shipped = SharedPack::prove(PackBuf::from_vec(rules::PACK.as_bytes().to_vec())?)?;
        // Whatever comes later must be signed by the same key.
        let store = RuleStore::new(shipped, move |pack| pack.verify(&key).map(|_| ()));
        Ok(Program { name, store, answers: AtomicU64::new(0), is_over: AtomicBool::new(false) })
    }

    fn follow(&self, address: &str, stop: &Stop) {
        let mut updates = match Updates::at(address) {
            Ok(updates) => updates,
            Err(err) => return eprintln!("{err}"),
        };
        updates.follow(&self.store, Duration::from_secs(1), stop, |round| match round {
            Ok(Some(pulled)) => println!("{}: {:?} of {} bytes", self.name, pulled.way, pulled.bytes),
            Ok(None) => {}
            Err(err) => eprintln!("{}: the rules stay as they are: {err}", self.name),
        });
    }

    /// Answers as fast as it can; every answer is of one version.
    fn answer(&self) {
        let mut reader = self.store.reader();
        while !self.is_over.load(Ordering::Relaxed) {
            let pack = reader.pack();
            let word = if pack.manifest().version() == 1 { "one" } else { "two" };
            for rule in pack.rules() {
                assert!(rule.body().contains(word), "a mixture: {}", rule.body());
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wait_for(&self, version: u64) {
        let mut subscription = self.store.subscribe();
        while self.store.load().pack().manifest().version() < version {
            subscription.wait(Duration::from_secs(1));
        }
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn said(&self) -> String {
        let current = self.store.load();
        let pack = current.pack();
        let items =
            pack.rules().flat_map(|rule| rule.items().map(|item| item.text().to_owned()).collect::<Vec<_>>());
        items.collect::<Vec<_>>().join(" ")
    }
}

//! Programs that follow a tree: what they take, what they refuse, and what they ask for.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driven::state::RuleStore;
use driven::updates::{Answer, Folder, Found, Refusal, Request, Stop, Transport, Updates, Way, step_name};
use driven::{PackBuf, SharedPack};
use driven_format::patch::diff;
use driven_format::{Feed, PackBuilder, Rule, etag};
use driven_serve::{Running, Server, ServerOptions, Tree};
use driven_tests::samples::patch_to_false_texts;

const NAME: &str = "house";

fn bytes(version: u64) -> Vec<u8> {
    let rules = (0..30).map(|number| {
        let told = if number == 4 { version } else { 0 };
        Rule::new(format!("rule-{number}"), format!("Number {number} says {told}, at some length.\n"))
    });
    rules.fold(PackBuilder::new(NAME, version), PackBuilder::rule).finish().unwrap()
}

fn shared(bytes: Vec<u8>) -> SharedPack {
    SharedPack::prove(PackBuf::from_vec(bytes).unwrap()).unwrap()
}

fn pack(version: u64) -> SharedPack {
    shared(bytes(version))
}

fn feed(pack: &SharedPack) -> Feed {
    let manifest = pack.as_pack().manifest();
    Feed {
        name: NAME.into(),
        version: manifest.version(),
        edition: pack.edition(),
        hash: pack.file_hash(),
        length: pack.len_in_bytes() as u64,
    }
}

fn tree(folder: &Path, versions: impl IntoIterator<Item = u64>) -> Tree {
    let tree = Tree::new(folder);
    for version in versions {
        tree.publish(&bytes(version)).unwrap();
    }
    tree
}

fn version(store: &RuleStore) -> u64 {
    store.load().pack().manifest().version()
}

fn served(folder: &Path) -> (Running, Updates) {
    let running = Server::open(folder, ServerOptions::default()).unwrap().start("127.0.0.1:0").unwrap();
    let updates = Updates::at(&format!("http://{}/{NAME}", running.address())).unwrap();
    (running, updates)
}

#[test]
fn a_tree_is_followed_over_http_and_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), [1, 2]);
    let (running, over_http) = served(folder.path());
    let in_folder = Updates::at(&format!("file://{}/{NAME}", folder.path().display())).unwrap();
    let mut followers = [over_http, in_folder].map(|updates| (updates, RuleStore::open_to_all(pack(1))));
    for (updates, store) in &mut followers {
        let pulled = updates.pull(store).unwrap().unwrap();
        assert_eq!((pulled.version, pulled.generation, pulled.way), (2, 2, Way::Patch));
        assert!(pulled.bytes < 150, "{pulled:?}");
        assert_eq!(store.load().edition(), pack(2).edition());
        assert_eq!(updates.pull(store).unwrap(), None);
    }
    tree.publish(&bytes(3)).unwrap();
    // An older one on purpose: what counts is what is current, not a number or a time.
    tree.publish(&bytes(1)).unwrap();
    for (updates, store) in &mut followers {
        let pulled = updates.pull(store).unwrap().unwrap();
        assert_eq!((pulled.version, pulled.way, version(store)), (1, Way::Patch, 1));
        let rule = store.load().pack().rule("rule-4").map(|rule| rule.body().to_owned());
        assert_eq!(rule.as_deref(), Some("Number 4 says 1, at some length.\n"));
    }
    running.stop();
}

#[test]
fn who_has_nothing_or_something_else_takes_the_whole_pack() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2]);
    let (_running, mut updates) = served(folder.path());
    let fetched = updates.fetch(None).unwrap().unwrap();
    assert_eq!((fetched.way, fetched.pack.edition()), (Way::Whole, pack(2).edition()));
    assert!(fetched.bytes < bytes(2).len() as u64 / 2, "it comes packed: {}", fetched.bytes);
    let store = RuleStore::open_to_all(pack(77));
    assert_eq!(updates.pull(&store).unwrap().map(|pulled| pulled.way), Some(Way::Whole));
    // A tree that has the plain pack alone will do.
    let edition = pack(2).edition();
    fs::remove_file(folder.path().join(format!("{NAME}/pack/{edition}.drv.zst"))).unwrap();
    let mut updates = Updates::new(Folder::new(folder.path()), NAME);
    assert_eq!(updates.fetch(None).unwrap().unwrap().bytes, bytes(2).len() as u64);
}

#[test]
fn a_restart_asks_with_the_etag_of_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2]);
    let (log, mut updates) = scripted([Step::Unchanged]);
    assert_eq!(updates.pull(&RuleStore::open_to_all(pack(2))).unwrap(), None);
    assert_eq!(log.lock().unwrap()[0].unless, Some(feed(&pack(2)).etag()));
    // That is the one under which a server of ours sends it.
    let (_running, mut updates) = served(folder.path());
    assert_eq!(updates.look(Some(&pack(2))).unwrap(), None);
    assert_eq!(updates.look(Some(&pack(1))).unwrap(), Some(feed(&pack(2))));
}

#[test]
fn what_the_judge_refuses_is_not_remembered_as_had() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), [1, 2]);
    let refuse_two = |pack: driven::Pack<'_>| match pack.manifest().version() {
        2 => Err(driven::Error::refused("not this one")),
        _ => Ok(()),
    };
    let store = RuleStore::new(pack(1), refuse_two);
    let mut updates = Updates::new(Folder::new(folder.path()), NAME);
    for _ in 0..2 {
        assert_eq!(updates.pull(&store).unwrap_err().code(), "refused");
        assert_eq!((version(&store), store.generation()), (1, 1));
    }
    tree.publish(&bytes(3)).unwrap();
    assert_eq!(updates.pull(&store).unwrap().map(|pulled| pulled.version), Some(3));
}

#[test]
fn who_went_back_is_not_pushed_forward_again() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), [1, 2]);
    let store = RuleStore::open_to_all(pack(1));
    let mut updates = Updates::new(Folder::new(folder.path()), NAME);
    updates.pull(&store).unwrap().unwrap();
    store.rollback(1).unwrap();
    assert_eq!(updates.pull(&store).unwrap(), None);
    assert_eq!(version(&store), 1);
    tree.publish(&bytes(3)).unwrap();
    assert_eq!(updates.pull(&store).unwrap().map(|pulled| pulled.version), Some(3));
}

#[test]
fn addresses_are_judged_before_anything_is_asked() {
    for (address, said) in [
        ("rules.example.com/house", "does not begin"),
        ("ftp://rules.example.com/house", "does not begin"),
        ("https://rules.example.com", "does not end with the name"),
        ("https://", "does not begin"),
        ("https:///house", "names no host"),
        ("http://:80/house", "names no host"),
        ("http://127.0.0.1:99999/house", "a port is a number"),
        ("http://127.0.0.1:/house", "a port is a number"),
        ("http://127.0.0.1:0/house", "a port is a number"),
        ("http://[::1]:x/a/house", "a port is a number"),
        ("https://rules.example.com/..", "does not end with the name"),
        ("https://rules.example.com/a b", "does not end with the name"),
        ("https://me:word@rules.example.com/house", "user names"),
        ("https://rules.example.com/x?y/house", "queries"),
        ("file://rules/house", "from the root on"),
    ] {
        let err = Updates::at(address).unwrap_err();
        assert_eq!(err.code(), "address");
        assert!(err.to_string().contains(said) && !err.hint().is_empty(), "{address}: {err}");
    }
    for address in ["https://rules.example.com/a/house/", "http://[::1]:80/house", "http://[::1]/house"] {
        assert!(Updates::at(address).is_ok(), "{address}");
    }
}

#[test]
fn who_is_offline_asks_nobody() {
    let (log, updates) = scripted([]);
    let mut updates = updates.offline(true);
    assert_eq!(updates.fetch(None).unwrap_err().code(), "offline");
    assert!(log.lock().unwrap().is_empty());
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1]);
    let mut updates = Updates::new(Folder::new(folder.path()), NAME).offline(true);
    assert!(updates.fetch(None).unwrap().is_some());
}

#[test]
fn a_connection_that_breaks_is_gone_on_with() {
    let (old, new) = (pack(1), pack(2));
    let packed = zstd_of(&bytes(2));
    let cut = packed.len() / 3;
    let told = |start: usize, end: usize| Step::Send {
        etag: Some("\"packed\"".into()),
        start: start as u64,
        length: Some((packed.len() - start) as u64),
        bytes: packed[start..end].to_vec(),
        breaks: end < packed.len(),
    };
    let (log, mut updates) = scripted([
        Step::feed(&feed(&new)),
        Step::Missing,
        told(0, cut),
        told(cut, 2 * cut),
        told(2 * cut, packed.len()),
    ]);
    let store = RuleStore::open_to_all(old);
    let pulled = updates.pull(&store).unwrap().unwrap();
    assert_eq!((pulled.way, pulled.bytes), (Way::Whole, packed.len() as u64));
    let log = log.lock().unwrap();
    let resumed: Vec<Option<(u64, String)>> = log.iter().skip(2).map(|asked| asked.resume.clone()).collect();
    let at = |place: usize| Some((place as u64, "\"packed\"".to_owned()));
    assert_eq!(resumed, [None, at(cut), at(2 * cut)]);
}

#[test]
fn what_came_is_kept_while_something_else_is_asked_and_nobody_answers() {
    let packed = zstd_of(&bytes(2));
    let cut = packed.len() / 3;
    let told = |start: usize, end: usize| Step::Send {
        etag: Some("\"packed\"".into()),
        start: start as u64,
        length: Some((packed.len() - start) as u64),
        bytes: packed[start..end].to_vec(),
        breaks: end < packed.len(),
    };
    let lasting = || Step::Refuse(Refusal::lasting("gone fishing"));
    let (log, mut updates) = scripted([
        Step::feed(&feed(&pack(2))),
        Step::Missing,
        told(0, cut),
        lasting(),
        lasting(),
        Step::feed(&feed(&pack(2))),
        Step::Missing,
        told(cut, packed.len()),
    ]);
    let store = RuleStore::open_to_all(pack(1));
    assert_eq!(updates.pull(&store).unwrap_err().code(), "unreachable");
    let pulled = updates.pull(&store).unwrap().unwrap();
    assert_eq!(pulled.bytes, (packed.len() - cut) as u64);
    assert_eq!(log.lock().unwrap()[7].resume, Some((cut as u64, "\"packed\"".to_owned())));
}

#[test]
fn a_patch_and_a_pack_that_break_off_are_both_gone_on_with() {
    let (old, new) = (pack(1), pack(2));
    let (patch, packed) = (diff(&bytes(1), &bytes(2)).unwrap().patch, zstd_of(&bytes(2)));
    let part = |bytes: &[u8], start: usize, end: usize| Step::Send {
        etag: Some(etag(bytes)),
        start: start as u64,
        length: Some((bytes.len() - start) as u64),
        bytes: bytes[start..end].to_vec(),
        breaks: end < bytes.len(),
    };
    let (log, updates) = scripted([
        Step::feed(&feed(&new)),
        part(&patch, 0, 9),
        part(&packed, 0, 11),
        Step::Missing,
        Step::feed(&feed(&new)),
        part(&patch, 9, patch.len()),
    ]);
    let mut updates = updates.attempts(1);
    assert_eq!(updates.fetch(Some(&old)).unwrap_err().code(), "no-such-pack");
    let fetched = updates.fetch(Some(&old)).unwrap().unwrap();
    assert_eq!((fetched.way, fetched.bytes), (Way::Patch, patch.len() as u64 - 9));
    assert_eq!(log.lock().unwrap()[5].resume, Some((9, etag(&patch))));
}

#[test]
fn a_pack_of_a_newer_format_is_told_as_that() {
    let mut newer = bytes(2);
    // The version of the format (docs/FORMAT.md, "Header").
    newer[8] += 1;
    let told = Feed { hash: driven::file_hash(&newer), ..feed(&pack(2)) };
    let (_, mut updates) = scripted([Step::feed(&told), Step::Missing, Step::plain(newer)]);
    let err = updates.fetch(None).unwrap_err();
    assert_eq!((err.code(), err.hint().contains("update driven")), ("pack-newer", true), "{err}");
}

#[test]
fn who_holds_nothing_is_sent_what_was_taken_before() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1]);
    let mut updates = Updates::new(Folder::new(folder.path()), NAME);
    for _ in 0..2 {
        let fetched = updates.fetch(None).unwrap().unwrap();
        updates.taken(&fetched);
    }
}

#[test]
fn who_follows_is_stopped_between_two_attempts() {
    let mut later = Refusal::passing("come back in two minutes");
    later.retry_after = Some(Duration::from_mins(2));
    let (log, mut updates) = scripted([Step::Refuse(later)]);
    let (store, stop) = (RuleStore::open_to_all(pack(1)), Stop::default());
    std::thread::scope(|threads| {
        threads
            .spawn(|| updates.follow(&store, Duration::from_secs(1), &stop, |_| panic!("nothing is told")));
        while log.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        stop.stop();
    });
}

#[test]
fn another_thing_than_what_was_begun_is_begun_anew() {
    let (new, packed) = (pack(2), zstd_of(&bytes(2)));
    let (_, mut updates) = scripted([
        Step::feed(&feed(&new)),
        Step::Send {
            etag: Some("\"a\"".into()),
            start: 0,
            length: Some(99),
            bytes: b"something else".to_vec(),
            breaks: false,
        },
        // It does not go on, it begins.
        Step::Send {
            etag: Some("\"b\"".into()),
            start: 0,
            length: Some(packed.len() as u64),
            bytes: packed.clone(),
            breaks: false,
        },
    ]);
    assert_eq!(updates.fetch(None).unwrap().unwrap().pack.edition(), new.edition());
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    let busy = || Step::Refuse(Refusal::passing("too busy"));
    let lasting = || Step::Refuse(Refusal::lasting("not for you"));
    let (log, updates) = scripted([busy(), busy(), busy()]);
    let err = updates.attempts(2).fetch(None).unwrap_err();
    assert_eq!((err.code(), log.lock().unwrap().len()), ("unreachable", 2));
    assert_eq!(err.to_string(), "too busy, after 2 attempts");
    let (log, mut updates) = scripted([lasting(), lasting()]);
    assert_eq!(updates.fetch(None).unwrap_err().to_string(), "not for you");
    assert_eq!(log.lock().unwrap().len(), 1);
    // Who is asked to come back later than there is time for does not wait.
    let mut later = Refusal::passing("come back tomorrow");
    later.retry_after = Some(Duration::from_hours(24));
    let (log, mut updates) = scripted([Step::Refuse(later)]);
    assert_eq!(updates.fetch(None).unwrap_err().code(), "unreachable");
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[test]
fn a_patch_that_is_no_good_is_passed_over() {
    let (old, new) = (pack(1), pack(2));
    let good = diff(&bytes(1), &bytes(2)).unwrap().patch;
    let mut bent = good.clone();
    *bent.last_mut().unwrap() ^= 1;
    let elsewhere = diff(&bytes(1), &bytes(3)).unwrap().patch;
    let long = vec![0; bytes(2).len() + 1];
    for (patch, way) in [(good, Way::Patch), (bent, Way::Whole), (elsewhere, Way::Whole), (long, Way::Whole)]
    {
        let (log, mut updates) =
            scripted([Step::feed(&feed(&new)), Step::plain(patch), Step::plain(zstd_of(&bytes(2)))]);
        let fetched = updates.fetch(Some(&old)).unwrap().unwrap();
        assert_eq!((fetched.way, fetched.pack.edition()), (way, new.edition()));
        let step = step_name(&old.edition(), &new.edition());
        assert_eq!(log.lock().unwrap()[1].path, format!("{NAME}/patch/{step}"));
    }
}

#[test]
fn a_patch_to_a_false_texts_digest_is_passed_over_and_the_pack_refused() {
    let next =
        |version| PackBuilder::new(NAME, version).rule(Rule::new("style", "Spell.\n")).finish().unwrap();
    let (patch, target) = patch_to_false_texts(&next(1), &next(2), false);
    let old = shared(next(1));
    let told = feed(&old.apply(&patch, SharedPack::LIMIT).unwrap());
    let (log, updates) = scripted([Step::feed(&told), Step::plain(patch), Step::plain(zstd_of(&target))]);
    let err = updates.attempts(1).fetch(Some(&old)).unwrap_err();
    assert_eq!((err.code(), log.lock().unwrap().len()), ("pack-digest", 3), "{err}");
}

#[test]
fn whatever_lies_is_refused_and_costs_no_more_than_its_limit() {
    let new = pack(2);
    let true_feed = feed(&new);
    let packed = || Step::plain(zstd_of(&bytes(2)));
    let feed_with = |change: &dyn Fn(&mut Feed)| {
        let mut feed = true_feed.clone();
        change(&mut feed);
        Step::feed(&feed)
    };
    let other = PackBuilder::new("other", 2).rule(Rule::new("style", "Spell.\n")).finish().unwrap();
    let other_feed = Feed { name: NAME.into(), version: 2, ..feed(&shared(other.clone())) };
    let cases: Vec<(&str, &str, Vec<Step>)> = vec![
        ("no feed", "feed", vec![Step::plain(b"<html>not found</html>".to_vec())]),
        ("a feed without end", "feed", vec![Step::endless()]),
        ("about another", "feed", vec![feed_with(&|feed| feed.name = "other".into())]),
        ("missing", "no-such-pack", vec![Step::Missing]),
        ("too long", "too-long", vec![feed_with(&|feed| feed.length = 1 << 31)]),
        ("another version", "pack-damaged", vec![feed_with(&|feed| feed.version = 9), packed()]),
        ("another hash", "pack-damaged", vec![feed_with(&|feed| feed.hash.0[0] ^= 1), packed()]),
        ("another edition", "pack-damaged", vec![feed_with(&|feed| feed.edition.0[0] ^= 1), packed()]),
        (
            "frames that grow",
            "pack-damaged",
            vec![Step::feed(&true_feed), Step::plain(bomb()), Step::endless()],
        ),
        ("no pack", "pack-damaged", vec![Step::feed(&true_feed), Step::Missing, Step::plain(vec![7; 300])]),
        ("no end", "pack-damaged", vec![Step::feed(&true_feed), Step::endless(), Step::endless()]),
        ("gone", "no-such-pack", vec![Step::feed(&true_feed), Step::Missing, Step::Missing]),
        ("another name", "wrong-pack", vec![Step::feed(&other_feed), Step::plain(zstd_of(&other))]),
    ];
    for (what, code, script) in cases {
        let (log, updates) = scripted(script);
        let err = updates.attempts(1).fetch(None).unwrap_err();
        assert_eq!(err.code(), code, "{what}: {err}");
        assert!(!err.hint().is_empty() && err.kind() == driven::ErrorKind::Update, "{what}: {err}");
        let read: u64 = log.lock().unwrap().iter().map(|asked| *asked.read.lock().unwrap()).sum();
        assert!(
            read <= 2 * true_feed.length + Feed::MAX as u64 + 64 * 1024,
            "{what}: {read} bytes were read"
        );
    }
}

#[test]
fn what_does_not_unpack_is_taken_plain() {
    let new = pack(2);
    for packed in [bomb(), vec![7; 300]] {
        let (_, mut updates) =
            scripted([Step::feed(&feed(&new)), Step::plain(packed), Step::plain(bytes(2))]);
        assert_eq!(updates.fetch(None).unwrap().unwrap().pack.edition(), new.edition());
    }
}

#[test]
fn who_went_back_stays_there_also_where_feeds_have_no_etag() {
    let without_etag = |version| {
        let text = feed(&pack(version)).render().into_bytes();
        Step::Send { etag: None, start: 0, length: Some(text.len() as u64), bytes: text, breaks: false }
    };
    let taken = |version| [without_etag(version), Step::Missing, Step::plain(zstd_of(&bytes(version)))];
    let (_, mut updates) = scripted(taken(2).into_iter().chain([without_etag(2)]).chain(taken(3)));
    let store = RuleStore::open_to_all(pack(1));
    updates.pull(&store).unwrap().unwrap();
    store.rollback(1).unwrap();
    assert_eq!((updates.pull(&store).unwrap(), version(&store)), (None, 1));
    assert_eq!(updates.pull(&store).unwrap().map(|pulled| pulled.version), Some(3));
}

#[test]
fn a_patch_that_hangs_leaves_time_for_the_pack() {
    let (log, updates) =
        scripted([Step::feed(&feed(&pack(2))), Step::Missing, Step::plain(zstd_of(&bytes(2)))]);
    updates.time_limit(Duration::from_hours(2)).fetch(Some(&pack(1))).unwrap().unwrap();
    let times: Vec<Duration> = log.lock().unwrap().iter().map(|asked| asked.timeout).collect();
    let hour = Duration::from_hours(1);
    assert!(times[0] > hour && times[1] <= hour && times[2] > hour, "{times:?}");
}

#[test]
fn who_is_stopped_in_a_pause_of_a_patch_asks_for_nothing_more() {
    let mut later = Refusal::passing("come back in two minutes");
    later.retry_after = Some(Duration::from_mins(2));
    let (log, mut updates) = scripted([Step::feed(&feed(&pack(2))), Step::Refuse(later)]);
    let (store, stop) = (RuleStore::open_to_all(pack(1)), Stop::default());
    std::thread::scope(|threads| {
        threads
            .spawn(|| updates.follow(&store, Duration::from_secs(1), &stop, |_| panic!("nothing is told")));
        while log.lock().unwrap().len() < 2 {
            std::thread::yield_now();
        }
        stop.stop();
    });
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[test]
#[cfg(unix)]
fn a_tree_in_a_folder_has_nothing_but_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(NAME)).unwrap();
    let mut updates = Updates::new(Folder::new(folder.path()), NAME);
    let current = folder.path().join(NAME).join("current");
    // A pipe, to which nobody ever writes.
    assert!(std::process::Command::new("mkfifo").arg(&current).status().unwrap().success());
    let err = updates.fetch(None).unwrap_err();
    assert!(err.to_string().contains("it is no file"), "{err}");
    fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &current).unwrap();
    assert_eq!(updates.fetch(None).unwrap_err().code(), "unreachable");
}

/// One answer to each connection, whatever is asked.
fn answering(answers: Vec<Vec<u8>>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            // Who asked may hang up before all is sent.
            let _ = stream.write_all(&answer);
        }
    });
    format!("http://{address}/{NAME}")
}

#[test]
fn a_part_of_something_else_is_not_put_behind_what_came() {
    let packed = zstd_of(&bytes(2));
    let cut = packed.len() / 3;
    let answer = |head: &str, length: usize, body: &[u8]| {
        let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    let text = feed(&pack(2)).render();
    let rest = packed.len() - cut;
    let address = answering(vec![
        answer("200 OK", text.len(), text.as_bytes()),
        answer("200 OK\r\netag: \"one\"", packed.len(), &packed[..cut]),
        // A server that does not know `If-Range`, and has another file by now.
        answer(
            &format!(
                "206 Partial Content\r\netag: \"two\"\r\ncontent-range: bytes {cut}-{}/*",
                cut + rest - 1
            ),
            rest,
            &vec![7; rest],
        ),
        answer("200 OK\r\netag: \"two\"", packed.len(), &packed),
    ]);
    let mut updates = Updates::at(&address).unwrap();
    let fetched = updates.fetch(None).unwrap().unwrap();
    assert_eq!((fetched.pack.edition(), fetched.way), (pack(2).edition(), Way::Whole));
}

#[test]
fn hidden_text_does_not_come_in_by_an_update() {
    let hidden = PackBuilder::new(NAME, 2).rule(Rule::new("style", "Spell\u{E0041} words out.\n")).finish();
    let hidden = hidden.unwrap();
    let script = || [Step::feed(&feed(&shared(hidden.clone()))), Step::plain(zstd_of(&hidden))];
    let (_, mut updates) = scripted(script());
    let err = updates.fetch(None).unwrap_err();
    assert_eq!(err.code(), "hidden-text");
    assert!(err.to_string().contains("line 1 of a text of `style`"), "{err}");
    let (_, updates) = scripted(script());
    assert!(updates.allow_hidden().fetch(None).unwrap().is_some());
}

#[test]
fn following_takes_what_is_published_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), [1]);
    let (running, mut updates) = served(folder.path());
    let (store, stop) = (RuleStore::open_to_all(pack(1)), Stop::default());
    std::thread::scope(|threads| {
        // An interval that no test lives to see: what comes, comes because the server tells.
        threads.spawn(|| updates.follow(&store, Duration::from_hours(9), &stop, |_| stop.stop()));
        let mut subscription = store.subscribe();
        tree.publish(&bytes(2)).unwrap();
        let update = subscription.wait(Duration::from_secs(20)).unwrap();
        assert_eq!((update.now.pack().manifest().version(), update.changes.changed.len()), (2, 1));
    });
    running.stop();
}

/// What a transport does when it is asked.
enum Step {
    Send { etag: Option<String>, start: u64, length: Option<u64>, bytes: Vec<u8>, breaks: bool },
    Endless,
    Unchanged,
    Missing,
    Refuse(Refusal),
}

impl Step {
    fn plain(bytes: Vec<u8>) -> Self {
        let length = Some(bytes.len() as u64);
        Step::Send { etag: Some(etag(&bytes)), start: 0, length, bytes, breaks: false }
    }

    fn feed(feed: &Feed) -> Self {
        Step::plain(feed.render().into_bytes())
    }

    fn endless() -> Self {
        Step::Endless
    }
}

/// What was asked, and how much of the answer was read.
struct Asked {
    path: String,
    unless: Option<String>,
    resume: Option<(u64, String)>,
    timeout: Duration,
    read: Arc<Mutex<u64>>,
}

struct Scripted {
    steps: VecDeque<Step>,
    log: Arc<Mutex<Vec<Asked>>>,
}

fn scripted(steps: impl IntoIterator<Item = Step>) -> (Arc<Mutex<Vec<Asked>>>, Updates) {
    let log = Arc::default();
    let transport = Scripted { steps: steps.into_iter().collect(), log: Arc::clone(&log) };
    (log, Updates::new(transport, NAME))
}

impl Transport for Scripted {
    fn get(&mut self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let read = Arc::default();
        let own = |text: &str| text.to_owned();
        self.log.lock().unwrap().push(Asked {
            path: own(request.path),
            unless: request.unless.map(own),
            resume: request.resume.map(|(have, etag)| (have, own(etag))),
            timeout: request.timeout,
            read: Arc::clone(&read),
        });
        let (etag, start, length, body): (_, _, _, Box<dyn Read + Send>) = match self.steps.pop_front() {
            Some(Step::Send { etag, start, length, bytes, breaks }) => {
                let end: Box<dyn Read + Send> = if breaks { Box::new(Broken) } else { Box::new(io::empty()) };
                (etag, start, length, Box::new(Cursor::new(bytes).chain(end)))
            }
            Some(Step::Endless) => (None, 0, None, Box::new(io::repeat(b'x'))),
            Some(Step::Unchanged) => return Ok(Answer::Unchanged),
            Some(Step::Missing) => return Ok(Answer::Missing),
            Some(Step::Refuse(refusal)) => return Err(refusal),
            None => panic!("nothing more was to be asked: {}", request.path),
        };
        Ok(Answer::Found(Found { etag, start, length, body: Box::new(Counting(body, read)) }))
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

struct Counting(Box<dyn Read + Send>, Arc<Mutex<u64>>);

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        *self.1.lock().unwrap() += read as u64;
        Ok(read)
    }
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    zstd_safe::compress(&mut frame, bytes, 3).unwrap();
    frame
}

/// A frame of a few bytes that says it has a gibibyte.
fn bomb() -> Vec<u8> {
    let mut context = zstd_safe::CCtx::create();
    let zeros = vec![0; 64 << 20];
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(zeros.len()));
    context.compress(&mut frame, &zeros, 3).unwrap();
    assert!(frame.len() < bytes(2).len());
    frame
}

//! The server, asked as any client may ask it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use driven::updates::step_name;
use driven::{PackBuf, SharedPack};
use driven_format::{Feed, PackBuilder, Rule, etag};
use driven_serve::{Running, Server, ServerOptions, Tree};

use crate::harness::{Project, binary};

const NAME: &str = "house";

fn bytes(version: u64) -> Vec<u8> {
    let text = "Say what it does, and to whom; leave out what the name says already.\n".repeat(20);
    let rules = (0..40).map(|number| {
        let told = if number == 4 { version } else { 0 };
        Rule::new(format!("rule-{number}"), format!("# Number {number}, {told}\n{text}"))
    });
    rules.fold(PackBuilder::new(NAME, version), PackBuilder::rule).finish().unwrap()
}

fn edition(version: u64) -> driven::Digest {
    SharedPack::prove(PackBuf::from_vec(bytes(version)).unwrap()).unwrap().edition()
}

fn tree(folder: &Path, versions: impl IntoIterator<Item = u64>) -> Tree {
    let tree = Tree::new(folder).patches(1);
    for version in versions {
        tree.publish(&bytes(version)).unwrap();
    }
    tree
}

fn start(folder: &Path, change: impl FnOnce(&mut ServerOptions)) -> Running {
    let mut options = ServerOptions::default();
    change(&mut options);
    Server::open(folder, options).unwrap().start("127.0.0.1:0").unwrap()
}

struct Answered {
    status: u16,
    head: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answered {
    fn field(&self, name: &str) -> &str {
        self.head.get(name).map_or("", |value| value)
    }

    fn read(reader: &mut impl BufRead, has_body: bool) -> Option<Self> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut head = BTreeMap::new();
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            head.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length: usize = head.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; if has_body && status != 304 { length } else { 0 }];
        reader.read_exact(&mut body).ok()?;
        Some(Answered { status, head, body })
    }
}

/// Asks once, with fields as `Name: value`.
fn ask(address: SocketAddr, method: &str, path: &str, fields: &[&str]) -> Answered {
    let mut stream = TcpStream::connect(address).unwrap();
    let fields: String = fields.iter().flat_map(|field| [field, "\r\n"]).collect();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: rules\r\n{fields}Connection: close\r\n\r\n").unwrap();
    Answered::read(&mut BufReader::new(stream), method != "HEAD").expect("an answer")
}

fn get(address: SocketAddr, path: &str, fields: &[&str]) -> Answered {
    ask(address, "GET", path, fields)
}

#[test]
fn what_is_sent_is_named_by_its_hash_and_kept_as_long_as_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2]);
    let running = start(folder.path(), |_| {});
    let address = running.address();
    let (pack, step) = (edition(2), step_name(&edition(1), &edition(2)));
    for (path, keep) in [
        ("/".to_owned(), "no-cache"),
        ("/index.json".to_owned(), "no-cache"),
        (format!("/{NAME}/index.json"), "no-cache"),
        (format!("/{NAME}/current"), "no-cache"),
        (format!("/{NAME}/pack.drv"), "no-cache"),
        (format!("/{NAME}/pack/{pack}.drv"), "public, max-age=31536000, immutable"),
        (format!("/{NAME}/pack/{pack}.drv.zst"), "public, max-age=31536000, immutable"),
        (format!("/{NAME}/patch/{step}"), "public, max-age=31536000, immutable"),
    ] {
        let found = get(address, &path, &[]);
        assert_eq!((found.status, found.field("cache-control")), (200, keep), "{path}");
        assert_eq!(found.field("etag"), etag(&found.body), "{path}");
        let again = get(address, &path, &[&format!("If-None-Match: \"x\", {}", found.field("etag"))]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.field("etag"), found.field("etag"));
        assert_eq!(again.field("vary"), found.field("vary"));
        let head = ask(address, "HEAD", &path, &[]);
        assert_eq!(head.field("content-length"), found.body.len().to_string(), "{path}");
    }
    assert_eq!(get(address, &format!("/{NAME}/pack.drv"), &[]).body, bytes(2));
    let feed = get(address, &format!("/{NAME}/current"), &[]);
    let feed = Feed::read(&String::from_utf8(feed.body).unwrap()).unwrap();
    assert_eq!((feed.version, feed.edition), (2, edition(2)));
    assert_eq!(get(address, "/health", &[]).status, 200);
    let metrics = String::from_utf8(get(address, "/metrics", &[]).body).unwrap();
    assert!(metrics.contains("driven_requests_total{resource=\"patch\",status=\"304\"} 1\n"), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"));
    running.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn every_coding_is_an_answer_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2]);
    let running = start(folder.path(), |_| {});
    let path = format!("/{NAME}/pack.drv");
    let mut tags = Vec::new();
    for coding in ["identity", "gzip", "br", "zstd"] {
        let found = get(running.address(), &path, &[&format!("Accept-Encoding: {coding}")]);
        assert_eq!(found.field("etag"), etag(&found.body));
        assert_eq!(found.field("vary"), "accept-encoding, available-dictionary");
        tags.push(found.field("etag").to_owned());
        let mut plain = Vec::new();
        match found.field("content-encoding") {
            "" => plain.clone_from(&found.body),
            "gzip" => {
                flate2::read::GzDecoder::new(&found.body[..]).read_to_end(&mut plain).unwrap();
            }
            "br" => {
                brotli::Decompressor::new(&found.body[..], 4096).read_to_end(&mut plain).unwrap();
            }
            "zstd" => {
                plain.reserve(bytes(2).len());
                zstd_safe::decompress(&mut plain, &found.body).unwrap();
            }
            other => panic!("{other}"),
        }
        assert_eq!(plain, bytes(2), "{coding}");
        assert!(coding == "identity" || found.body.len() < plain.len() / 5, "{coding}");
        // The tag of another coding says nothing about this one.
        let last = &tags[tags.len().saturating_sub(2)];
        let fields = [format!("Accept-Encoding: {coding}"), format!("If-None-Match: {last}")];
        let again = get(running.address(), &path, &[&fields[0], &fields[1]]);
        assert_eq!(again.status, if tags.len() == 1 { 304 } else { 200 });
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
}

#[test]
fn who_names_a_pack_of_the_tree_is_sent_the_step_from_it() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2, 3]);
    let running = start(folder.path(), |_| {});
    let path = format!("/{NAME}/pack.drv");
    let named = |bytes: &[u8]| {
        let hash = sha256(bytes);
        format!("Available-Dictionary: :{}:", base64(&hash))
    };
    for old in [1, 2] {
        let fields = ["Accept-Encoding: gzip, dcz", &named(&bytes(old))];
        let found = get(running.address(), &path, &fields);
        assert_eq!((found.status, found.field("content-encoding")), (200, "dcz"));
        assert_eq!(found.field("etag"), etag(&found.body));
        let (head, frame) = found.body.split_at(40);
        assert_eq!(head[..8], [0x5E, 0x2A, 0x4D, 0x18, 0x20, 0, 0, 0]);
        assert_eq!(head[8..], sha256(&bytes(old)));
        let dictionary = bytes(old);
        let mut context = zstd_safe::DCtx::create();
        context.ref_prefix(&dictionary).unwrap();
        let mut plain = Vec::with_capacity(bytes(3).len());
        context.decompress(&mut plain, frame).unwrap();
        assert_eq!(plain, bytes(3));
        assert!(found.body.len() < 400, "{}", found.body.len());
    }
    // What is not known, not taken, or no hash: the next best.
    for fields in [
        ["Accept-Encoding: gzip, dcz", &named(b"something else")],
        ["Accept-Encoding: gzip", &named(&bytes(2))],
        ["Accept-Encoding: gzip, dcz", "Available-Dictionary: :AAAA:"],
        ["Accept-Encoding: gzip, dcz", "Available-Dictionary: nonsense"],
    ] {
        let found = get(running.address(), &path, &fields);
        assert_eq!((found.status, found.field("content-encoding")), (200, "gzip"), "{fields:?}");
    }
}

#[test]
fn steps_lead_to_the_current_pack_alone() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2, 3]);
    let running = start(folder.path(), |_| {});
    let named = format!("Available-Dictionary: :{}:", base64(&sha256(&bytes(1))));
    for (version, coding) in [(2, "gzip"), (3, "dcz")] {
        let path = format!("/{NAME}/pack/{}.drv", edition(version));
        let found = get(running.address(), &path, &["Accept-Encoding: gzip, dcz", &named]);
        assert_eq!((found.status, found.field("content-encoding")), (200, coding), "{version}");
        // A dictionary must be fresh when it is used: what must be asked for again never is.
        assert_eq!(found.field("use-as-dictionary"), "match=\"*.drv\"");
    }
    assert_eq!(get(running.address(), &format!("/{NAME}/pack.drv"), &[]).field("use-as-dictionary"), "");
}

#[test]
fn what_was_made_for_who_hung_up_is_kept_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2, 3]);
    let running = start(folder.path(), |_| {});
    let path = format!("/{NAME}/patch/{}", step_name(&edition(1), &edition(3)));
    let count = || String::from_utf8(get(running.address(), "/metrics", &[]).body).unwrap();
    let mut gone = TcpStream::connect(running.address()).unwrap();
    write!(gone, "GET {path} HTTP/1.1\r\nHost: rules\r\n\r\n").unwrap();
    assert!((0..10_000).any(|_| count().contains("driven_patches_made_total 1\n")), "{}", count());
    drop(gone);
    assert_eq!(get(running.address(), &path, &[]).status, 200);
    assert!(count().contains("driven_patches_made_total 1\n"), "{}", count());
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1]);
    let current = folder.path().join(NAME).join("current");
    fs::remove_file(&current).unwrap();
    assert!(Command::new("mkfifo").arg(&current).status().unwrap().success());
    let running = start(folder.path(), |options| {
        // More than anything can count.
        (options.connections, options.cache) = (usize::MAX, u64::MAX);
        (options.idle, options.lifetime) = (Duration::MAX, Duration::MAX);
    });
    for _ in 0..40 {
        assert_eq!(get(running.address(), &format!("/{NAME}/current"), &[]).status, 404);
    }
    assert_eq!(get(running.address(), "/index.json", &[]).status, 200);
}

#[test]
fn patches_that_are_not_in_the_tree_are_made() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2, 3]);
    let step = |old, new| format!("/{NAME}/patch/{}", step_name(&edition(old), &edition(new)));
    let running = start(folder.path(), |_| {});
    let made = get(running.address(), &step(1, 3), &[]);
    assert_eq!(made.status, 200);
    let old = SharedPack::prove(PackBuf::from_vec(bytes(1)).unwrap()).unwrap();
    assert_eq!(old.apply(&made.body, SharedPack::LIMIT).unwrap().edition(), edition(3));
    // Backwards, from what is not there, or to what is not current: no.
    for path in [step(3, 1), step(9, 3), step(3, 3)] {
        assert_eq!(get(running.address(), &path, &[]).status, 404, "{path}");
    }
    let metrics = String::from_utf8(get(running.address(), "/metrics", &[]).body).unwrap();
    assert!(metrics.contains("driven_patches_made_total 1\n"), "{metrics}");
    let running = start(folder.path(), |options| options.makes_patches = false);
    assert_eq!(get(running.address(), &step(1, 3), &[]).status, 404);
    assert_eq!(get(running.address(), &step(2, 3), &[]).status, 200);
}

#[test]
fn ranges_are_served_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1]);
    let running = start(folder.path(), |_| {});
    let path = format!("/{NAME}/pack/{}.drv", edition(1));
    let (whole, tag) = (bytes(1), etag(&bytes(1)));
    let part = get(running.address(), &path, &["Range: bytes=100-", &format!("If-Range: {tag}")]);
    assert_eq!((part.status, &part.body[..]), (206, &whole[100..]));
    let told = format!("bytes 100-{}/{}", whole.len() - 1, whole.len());
    assert_eq!(part.field("content-range"), told);
    let part = get(running.address(), &path, &["Range: bytes=100-", "If-Range: \"other\""]);
    assert_eq!((part.status, part.body.len()), (200, whole.len()));
    let beyond = get(running.address(), &path, &["Range: bytes=99999999-"]);
    assert_eq!((beyond.status, beyond.field("cache-control")), (416, "no-store"));
    assert_eq!(beyond.field("content-range"), format!("bytes */{}", whole.len()));
    // A part of a head there is not.
    let head = ask(running.address(), "HEAD", &path, &["Range: bytes=100-"]);
    assert_eq!((head.status, head.field("content-length")), (200, &*whole.len().to_string()));
}

#[test]
fn nothing_outside_the_tree_is_sent() {
    let above = tempfile::tempdir().unwrap();
    fs::write(above.path().join("secret"), "secret").unwrap();
    let folder = above.path().join("site");
    tree(&folder, [1]);
    let pack = edition(1);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(above.path().join("secret"), folder.join(NAME).join("timestamp")).unwrap();
        std::os::unix::fs::symlink("/", folder.join("outside")).unwrap();
    }
    let running = start(&folder, |_| {});
    for path in [
        "/../secret".to_owned(),
        "/house/../../secret".to_owned(),
        "/%2e%2e/secret".to_owned(),
        "/house%2f..%2f../secret".to_owned(),
        "/house/pack/..%2f..%2f..%2fsecret".to_owned(),
        format!("/house/pack/{pack}.drv/../../../../secret"),
        "//etc/passwd".to_owned(),
        "/house/timestamp".to_owned(),
        "/outside/index.json".to_owned(),
        "/outside/current".to_owned(),
        "/.lock".to_owned(),
        "/./current".to_owned(),
        format!("/house/pack/{}.drv", pack.to_string().to_uppercase()),
        format!("/house/pack/{pack}.drv.new"),
        "/house/patch/..".to_owned(),
        "/house/current/".to_owned(),
        "/house%00/current".to_owned(),
    ] {
        let found = get(running.address(), &path, &[]);
        assert_eq!(found.status, 404, "{path}");
        assert!(!found.body.windows(6).any(|word| word == b"secret"), "{path}");
    }
}

#[test]
fn requests_that_are_none_are_refused_and_nothing_breaks() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1]);
    let running = start(folder.path(), |options| options.idle = Duration::from_millis(300));
    let long = "x".repeat(60_000);
    let many = "X: 1\r\n".repeat(200);
    let requests: Vec<Vec<u8>> = [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /house/current HTTP/1.1\r\nHost: a\r\nIf-None-Match: \u{1}\r\n\r\n",
        "GET /house/current HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"\r\nPrefer: wait=99999999999999999999\r\n\r\n",
        "GET /house/current HTTP/1.1\r\nHost: a\r\nIf-None-Match: ,,,\r\nPrefer: wait=-1, wait=\r\n\r\n",
        "GET /house/pack.drv HTTP/1.1\r\nHost: a\r\nRange: bytes=--1,,\r\nAccept-Encoding: ;;q=9,*;q=nan\r\n\r\n",
        "GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%ff/current HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /house/pack/%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://elsewhere/house/current HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nffffffffffffffffff\r\n",
        "PUT /house/current HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "DELETE /house/current HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT elsewhere:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3],
        vec![0; 4096],
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n").into_bytes(),
    ])
    .collect();
    for request in requests {
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        let mut stream = TcpStream::connect(running.address()).unwrap();
        // Who is refused early may hang up before all is sent.
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(Shutdown::Write);
        let mut reader = BufReader::new(stream);
        if let Some(answered) = Answered::read(&mut reader, true) {
            assert!(answered.status < 500, "{shown}: {}", answered.status);
        }
    }
    assert_eq!(get(running.address(), "/health", &[]).status, 200);
    let metrics = String::from_utf8(get(running.address(), "/metrics", &[]).body).unwrap();
    assert!(!metrics.contains("status=\"5"), "{metrics}");
}

#[test]
fn who_waits_is_told_when_something_else_is_current() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), [1]);
    let running = start(folder.path(), |_| {});
    let path = format!("/{NAME}/current");
    let tag = get(running.address(), &path, &[]).field("etag").to_owned();
    let unless = format!("If-None-Match: {tag}");
    // Nothing happens: as long as it was asked for, and not longer.
    let over = get(running.address(), &path, &[&unless, "Prefer: wait=1"]);
    assert_eq!((over.status, over.field("preference-applied")), (304, "wait"));
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| get(running.address(), &path, &[&unless, "Prefer: wait=60"]));
        tree.publish(&bytes(2)).unwrap();
        let told = waiting.join().unwrap();
        assert_eq!((told.status, told.field("etag") == tag), (200, false));
    });
    // Something else is current already.
    assert_eq!(get(running.address(), &path, &[&unless, "Prefer: wait=60"]).status, 200);
    let unless = format!("If-None-Match: {}", get(running.address(), &path, &[]).field("etag"));
    std::thread::scope(|threads| {
        let address = running.address();
        let fields = [unless.clone(), "Prefer: wait=60".into()];
        let waiting = threads
            .spawn(move || get(address, &format!("/{NAME}/current"), &fields.each_ref().map(String::as_str)));
        let await_waiting = |count: usize| {
            let told = format!("driven_waiting {count}\n");
            while !String::from_utf8(get(address, "/metrics", &[]).body).unwrap().contains(&told) {}
        };
        await_waiting(1);
        // Who hangs up waits no longer.
        let mut stream = TcpStream::connect(address).unwrap();
        let asked = format!("GET /{NAME}/current HTTP/1.1\r\nHost: a\r\n{unless}\r\nPrefer: wait=60\r\n\r\n");
        stream.write_all(asked.as_bytes()).unwrap();
        await_waiting(2);
        drop(stream);
        await_waiting(1);
        // A server that stops lets nobody wait.
        running.stop();
        assert_eq!(waiting.join().unwrap().status, 304);
    });
}

#[test]
fn peers_that_stand_still_or_vanish_cost_nothing_that_lasts() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1]);
    let running = start(folder.path(), |options| {
        options.connections = 20;
        options.idle = Duration::from_millis(400);
        options.lifetime = Duration::from_secs(4);
    });
    let path = format!("GET /{NAME}/pack.drv HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut peers = Vec::new();
    for number in 0..60 {
        let mut stream = TcpStream::connect(running.address()).unwrap();
        match number % 4 {
            // Says nothing.
            0 => {}
            // Says half.
            1 => stream.write_all(b"GET /house/cur").unwrap(),
            // Asks often, and reads nothing.
            2 => {
                stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
                for _ in 0..40 {
                    if stream.write_all(path.as_bytes()).is_err() {
                        break;
                    }
                }
            }
            // Asks, and is gone.
            _ => {
                stream.write_all(path.as_bytes()).unwrap();
                continue;
            }
        }
        peers.push(stream);
    }
    // There is room for 20, and 45 keep theirs for ever: for others there is room all the same.
    for _ in 0..5 {
        assert_eq!(get(running.address(), "/health", &[]).status, 200);
    }
    drop(peers);
}

#[test]
fn a_thousand_at_once_and_ten_thousand_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), [1, 2]);
    let mut server = Serving::start(folder.path(), &[]);
    let path = format!("/{NAME}/current");
    let found = get(server.address, &path, &[]);
    let tag = found.field("etag").to_owned();
    let request = format!("GET {path} HTTP/1.1\r\nHost: rules\r\nIf-None-Match: {tag}\r\n\r\n");
    allow_files(2500);
    let mut open: Vec<BufReader<TcpStream>> =
        (0..1000).map(|_| BufReader::new(TcpStream::connect(server.address).unwrap())).collect();
    // All are open while each asks ten times.
    for _ in 0..10 {
        for stream in &mut open {
            stream.get_mut().write_all(request.as_bytes()).unwrap();
        }
        for stream in &mut open {
            assert_eq!(Answered::read(stream, true).map(|answered| answered.status), Some(304));
        }
    }
    let metrics = String::from_utf8(get(server.address, "/metrics", &[]).body).unwrap();
    assert!(metrics.contains("driven_connections 1001\n"), "{metrics}");
    drop(open);
    for client in 0..10_000 {
        let fresh = client % 100 == 0;
        let unless = format!("If-None-Match: {}", if fresh { "\"x\"" } else { &tag });
        assert_eq!(get(server.address, &path, &[&unless]).status, if fresh { 200 } else { 304 });
    }
    server.stop();
}

#[test]
fn commands_publish_serve_and_pull() {
    let project = Project::new();
    let build = |version: u64, text: &str| {
        project.write("rules/pack.toml", format!("name = \"demo\"\nversion = {version}\n"));
        project.write("rules/style.md", format!("Spell {text}.\n"));
        let file = format!("{version}.drv");
        project.expect(0, &["build", "rules", "-o", &file, "--key", "release.key"]);
        file
    };
    project.expect(0, &["keygen", "release"]);
    project.expect(0, &["keygen", "other"]);
    let (one, two) = (build(1, "words out"), build(2, "words right"));
    project.expect(0, &["publish", "site", &one]);
    let server = Serving::start(&project.path("site"), &[]);
    let address = format!("http://{}/demo", server.address);

    let (_, err) = project.expect(2, &["pull", &address]);
    assert!(err.contains("nobody is named") && err.contains("--key"), "{err}");
    let (_, err) = project.expect(2, &["pull", &address, "--key", "other.pub"]);
    assert!(err.contains("no signature") || err.contains("key"), "{err}");
    assert!(!project.path(".driven").exists());
    let first = project.json(0, &["pull", &address, "--key", "release.pub"]);
    assert_eq!((&first["way"], &first["version"]), (&"whole".into(), &1.into()));

    let published = project.json(0, &["publish", "site", &two]);
    assert_eq!(published["published"][0]["patches"][0]["from"], 1);
    let newer = project.json(0, &["updates", &address]);
    let (_, err) = project.expect(2, &["updates", &address, "--key", "release.pub"]);
    assert!(err.contains("`--key` is for `--watch`"), "{err}");
    assert_eq!((&newer["here"], &newer["newer"]["version"]), (&1.into(), &2.into()));
    let next = project.json(0, &["pull", &address, "--key", "release.pub"]);
    assert_eq!((&next["way"], &next["version"]), (&"patch".into(), &2.into()));
    let (out, _) = project.expect(0, &["snapshot", "list"]);
    assert_eq!(out.lines().count(), 2, "{out}");

    // Into a file, from a folder, offline.
    let folder = format!("file://{}/demo", project.path("site").display());
    project.expect(0, &["pull", &folder, "--offline", "-o", "own.drv", "--key", "release.pub"]);
    assert_eq!(fs::read(project.path("own.drv")).unwrap(), fs::read(project.path(&two)).unwrap());
    let (out, _) = project.expect(0, &["pull", &folder, "-o", "own.drv", "--key", "release.pub"]);
    assert!(out.contains("nothing newer"), "{out}");
    let (_, err) = project.expect(2, &["pull", &address, "--offline", "--key", "release.pub"]);
    assert!(err.contains("nothing may leave"), "{err}");
    let (_, err) = project.expect(2, &["pull", &folder, "-o", "release.key", "--key", "release.pub"]);
    assert!(err.contains("is no pack"), "{err}");
    project.write("else/pack.toml", "name = \"else\"\nversion = 1\n");
    project.write("else/style.md", "Spell words.\n");
    project.expect(0, &["build", "else", "-o", "else.drv"]);
    let (_, err) = project.expect(2, &["pull", &folder, "-o", "else.drv", "--key", "release.pub"]);
    assert!(err.contains("else.drv: it has the pack `else`"), "{err}");

    // An older one, signed as well as any.
    project.expect(0, &["publish", "site", &one]);
    let (_, err) = project.expect(2, &["pull", &folder, "-o", "own.drv", "--key", "release.pub"]);
    assert!(err.contains("version 1 is served and version 2 is here"), "{err}");
    assert_eq!(fs::read(project.path("own.drv")).unwrap(), fs::read(project.path(&two)).unwrap());
    // Also when nobody is asked who signed it, and where a state knows nothing yet.
    let (_, err) = project.expect(2, &["pull", &folder, "--accept-unsigned"]);
    assert!(err.contains("version 1 is served and version 2 is here"), "{err}");
    project.expect(0, &["trust", "init", "trust.root", "release.pub", "--key", "release.key"]);
    let state = ["--root", "trust.root", "--state", "seen"];
    let (_, err) = project.expect(2, &[&["pull", &folder, "-o", "own.drv"][..], &state].concat());
    assert!(err.contains("version 1 is served and version 2 is here"), "{err}");
    let accept = ["--key", "release.pub", "--accept-version", "1"];
    project.expect(0, &[&["pull", &folder, "-o", "own.drv"][..], &accept].concat());
    assert_eq!(fs::read(project.path("own.drv")).unwrap(), fs::read(project.path(&one)).unwrap());
    project.expect(0, &["publish", "site", &two]);

    // The same version with other content.
    project.write("rules/style.md", "Spell badly.\n");
    project.expect(0, &["build", "rules", "-o", "2b.drv", "--key", "release.key"]);
    let (_, err) = project.expect(2, &["publish", "site", "2b.drv"]);
    assert!(err.contains("2b.drv: version 2 of `demo` was published with other content"), "{err}");
    let (_, err) = project.expect(2, &["serve", "rules"]);
    assert!(err.contains("no tree of packs"), "{err}");
    let (_, err) = project.expect(2, &["serve", "site", "--listen", &server.address.to_string()]);
    assert!(err.contains("can't listen"), "{err}");
}

#[test]
fn a_tree_keeps_what_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(folder.path()).patches(2).keep(3.try_into().unwrap());
    for version in 1..=5 {
        let published = tree.publish(&bytes(version)).unwrap();
        assert_eq!(published.removed, usize::from(version > 3));
        let from: Vec<u64> = published.patches.iter().map(|(from, _)| *from).collect();
        assert_eq!(from, (version.saturating_sub(2).max(1)..version).collect::<Vec<_>>());
    }
    let versions: Vec<u64> =
        tree.retained(NAME).unwrap().editions.iter().map(|edition| edition.version).collect();
    assert_eq!(versions, [3, 4, 5]);
    let files = |below: &str| fs::read_dir(folder.path().join(NAME).join(below)).unwrap().count();
    assert_eq!((files("pack"), files("patch")), (6, 3));
    // To publish the same again changes nothing.
    let again = tree.publish(&bytes(5)).unwrap();
    assert!(again.was_current && again.removed == 0);
    assert_eq!((files("pack"), files("patch")), (6, 3));
}

#[test]
fn what_is_lost_in_a_tree_does_not_hold_a_new_pack_back() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(folder.path());
    (1..=3).for_each(|version| drop(tree.publish(&bytes(version)).unwrap()));
    let pack = |version| folder.path().join(NAME).join(format!("pack/{}.drv", edition(version)));
    fs::remove_file(pack(1)).unwrap();
    fs::write(pack(2), bytes(1)).unwrap();
    let published = tree.publish(&bytes(4)).unwrap();
    let from: Vec<u64> = published.patches.iter().map(|(from, _)| *from).collect();
    assert_eq!((published.lost, from), (vec![1, 2], vec![3]));
}

#[test]
fn what_is_damaged_beside_it_is_told_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    Tree::new(folder.path()).publish(&bytes(1)).unwrap();
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("current"), "").unwrap();
    fs::write(other.join("index.json"), "nonsense").unwrap();
    let tree = Tree::new(folder.path()).timestamp("of the second");
    let err = tree.publish(&bytes(2)).unwrap_err();
    assert!(err.code() == "tree-damaged" && err.to_string().contains("other/index.json"), "{err}");
    let here = folder.path().join(NAME);
    assert!(!here.join("timestamp").exists());
    assert_eq!(tree.retained(NAME).unwrap().editions.len(), 1);
}

#[test]
fn what_is_kept_no_more_is_remembered_and_goes_when_nobody_can_have_been_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(folder.path()).keep(1.try_into().unwrap());
    let pack = |version| folder.path().join(NAME).join(format!("pack/{}.drv", edition(version)));
    let there = || [1, 2, 3].map(|version| pack(version).exists());
    tree.publish(&bytes(1)).unwrap();
    tree.publish(&bytes(2)).unwrap();
    // Whoever was told the first one a moment ago still finds it.
    assert_eq!(there(), [true, true, false]);
    tree.publish(&bytes(3)).unwrap();
    assert_eq!(there(), [false, true, true]);
    let other = PackBuilder::new(NAME, 1).rule(Rule::new("style", "Spell.\n")).finish().unwrap();
    assert_eq!(tree.publish(&other).unwrap_err().code(), "equivocation");
    // The same content under its version may come again. Patches lead from what stays.
    let published = tree.publish(&bytes(1)).unwrap();
    assert_eq!(published.patches.iter().map(|(from, _)| *from).collect::<Vec<_>>(), [3]);
    let patches = fs::read_dir(folder.path().join(NAME).join("patch")).unwrap().count();
    assert_eq!(patches, 1);
}

/// The command `serve`, in a process of its own.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .arg("serve")
            .arg(folder)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit_once("http://").unwrap().1.parse().unwrap();
        Serving { child, address }
    }

    /// Stops it as a system does, and expects that it ends well.
    fn stop(&mut self) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets this process open so many files, as far as the system allows.
fn allow_files(wanted: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current.is_some_and(|current| current < wanted) {
            let current = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
            setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
        }
    }
    let _ = wanted;
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(bytes)
}

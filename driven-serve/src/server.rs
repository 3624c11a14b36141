//! The server: routes, connections and their bounds.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Path as Words, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use driven_format::Feed;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use notify::{RecursiveMode, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_io_timeout::TimeoutStream;

use crate::answer::{Head, Keep, answer, is_unchanged, say};
use crate::coding::{Coding, takes_dcz};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::resources::{Lack, Resources, dictionary_of, is_edition};

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The most fields in it.
const MAX_FIELDS: usize = 64;
/// The longest that anybody waits for news.
const MOST_WAIT: Duration = Duration::from_mins(1);
/// How often those who wait look themselves, should the system not tell.
const LOOK: Duration = Duration::from_secs(2);
/// How long a stopping server lets answers go on.
const GRACE: Duration = Duration::from_secs(10);
/// How many threads read files and make patches at most.
const BLOCKING: usize = 16;

/// Bounds of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How many connections are open at once; others wait until one ends. 4096.
    pub connections: usize,
    /// How many bytes of packs and patches are kept in memory; answers on their way may hold as much again. 256 MiB.
    pub cache: u64,
    /// Whether patches are made that are not in the tree. Yes.
    pub makes_patches: bool,
    /// How long a connection may stand still while a request or an answer is on its way, or between two. 30 seconds.
    /// Who waits for news waits a minute at most, whatever this says.
    pub idle: Duration,
    /// How long a connection may last; who downloads goes on with a range. 10 minutes.
    pub lifetime: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            connections: 4096,
            cache: 256 << 20,
            makes_patches: true,
            idle: Duration::from_secs(30),
            lifetime: Duration::from_mins(10),
        }
    }
}

impl ServerOptions {
    /// Within what counters and clocks can hold.
    fn bounded(self) -> Self {
        let day = Duration::from_hours(24);
        ServerOptions {
            connections: self.connections.clamp(1, Semaphore::MAX_PERMITS),
            cache: self.cache.clamp(1 << 20, 1 << 40),
            idle: self.idle.min(day),
            lifetime: self.lifetime.min(day),
            ..self
        }
    }
}

/// Serves a tree over HTTP/1.1. What speaks TLS stands in front of it.
pub struct Server {
    shared: Arc<Shared>,
    options: ServerOptions,
    /// Tells of changes for as long as it lives.
    _watcher: Option<notify::RecommendedWatcher>,
}

struct Shared {
    resources: Resources,
    metrics: Arc<Metrics>,
    /// Tells of what changes in the tree.
    news: watch::Sender<News>,
}

/// What those who wait are told.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// The server ends: nobody waits any longer.
    is_over: bool,
}

/// A server with a thread of its own.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it: takes no more connections, lets answers go on for a while, and ends.
    pub fn stop(mut self) {
        self.end();
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// What ended it.
    pub fn join(mut self) -> io::Result<()> {
        let thread = self.thread.take().expect("it is joined once");
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the server's thread panicked")))
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Whoever ended already needs no telling.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Server {
    /// Serves the tree in `root`.
    ///
    /// # Errors
    /// A folder that is no tree or can't be read.
    pub fn open(root: impl AsRef<Path>, options: ServerOptions) -> Result<Self> {
        let root = root.as_ref();
        let options = options.bounded();
        let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(|err| Error::io(root, &err))?;
        if !dir.is_file("index.json") {
            let message = format!("{}: it is no tree of packs", root.display());
            return Err(Error::new("no-tree", message, "make one: `driven publish DIR PACK`"));
        }
        let metrics = Arc::new(Metrics::new());
        let resources = Resources::new(dir, options.cache, options.makes_patches, Arc::clone(&metrics));
        let news = watch::Sender::new(News::default());
        let tell = news.clone();
        let changed = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // Whoever waits looks itself.
                tell.send_modify(|_| {});
            }
        };
        let watcher = notify::recommended_watcher(changed).and_then(|mut watcher| {
            watcher.watch(root, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        // Where the system does not tell, those who wait look themselves.
        let shared = Arc::new(Shared { resources, metrics, news });
        Ok(Server { shared, options, _watcher: watcher.ok() })
    }

    /// Listens at `address`, as `127.0.0.1:8080`, in a thread of its own.
    ///
    /// # Errors
    /// An address that can't be listened at.
    pub fn start(self, address: impl ToSocketAddrs) -> Result<Running> {
        let failed = |err: io::Error| {
            Error::new("listen", format!("can't listen: {err}"), "give another address with `--listen`")
        };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING)
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            let ended = runtime.block_on(async {
                let stopped = async {
                    // A handle that was dropped stops as well.
                    let _ = stopped.await;
                };
                self.run(TcpListener::from_std(listener)?, stopped).await;
                Ok(())
            });
            // Nobody waits for a patch any more that is being made.
            runtime.shutdown_background();
            ended
        };
        let thread = std::thread::Builder::new().name("driven-serve".into()).spawn(serve).map_err(failed)?;
        Ok(Running { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Serves what comes to `listener` until `stopped`; then lets answers go on for a while.
    pub async fn run(self, listener: TcpListener, stopped: impl Future<Output = ()>) {
        let router = router(Arc::clone(&self.shared));
        let places = Arc::new(Semaphore::new(self.options.connections));
        let graceful = GracefulShutdown::new();
        let mut stopped = Box::pin(stopped);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut stopped => break,
            };
            let Ok((stream, _)) = accepted else {
                // The peer is gone already, or this process has no more files: others end meanwhile.
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.options.idle)
                .max_buf_size(MAX_HEAD)
                .max_headers(MAX_FIELDS)
                .serve_connection(io_of(stream, self.options.idle), TowerToHyperService::new(router.clone()));
            let connection = graceful.watch(connection);
            let (shared, lifetime) = (Arc::clone(&self.shared), self.options.lifetime);
            tokio::spawn(async move {
                shared.metrics.connections.inc();
                if timeout(lifetime, connection).await.is_err() {
                    shared.metrics.refused.inc();
                }
                shared.metrics.connections.dec();
                drop(place);
            });
        }
        drop(listener);
        // Those who wait for news are answered now.
        self.shared.news.send_modify(|news| news.is_over = true);
        let _ = timeout(GRACE, graceful.shutdown()).await;
    }
}

fn io_of(stream: TcpStream, idle: Duration) -> TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>> {
    // Small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(idle));
    TokioIo::new(Box::pin(stream))
}

type Shown = State<Arc<Shared>>;

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(listing))
        .route("/index.json", get(listing))
        .route("/health", get(async || say(StatusCode::OK, "well\n")))
        .route("/metrics", get(metrics))
        .route("/{name}/current", get(current))
        .route("/{name}/index.json", get(index))
        .route("/{name}/timestamp", get(timestamp))
        .route("/{name}/pack.drv", get(newest))
        .route("/{name}/pack/{file}", get(pack))
        .route("/{name}/patch/{step}", get(patch))
        .fallback(async || missing())
        .method_not_allowed_fallback(async || say(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD alone\n"))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), count))
        .with_state(shared)
}

async fn count(State(shared): Shown, mut request: Request, next: Next) -> Response {
    let of = |path: &str| match path {
        "/{name}/current" => "current",
        "/{name}/pack.drv" | "/{name}/pack/{file}" => "pack",
        "/{name}/patch/{step}" => "patch",
        "/{name}/timestamp" => "timestamp",
        "/health" | "/metrics" => "own",
        _ => "index",
    };
    // Ranges are of GET alone (RFC 9110, section 14.2).
    if request.method() == Method::HEAD {
        request.headers_mut().remove(header::RANGE);
    }
    let matched = request.extensions().get::<axum::extract::MatchedPath>();
    let resource = matched.map_or("other", |path| of(path.as_str()));
    let response = next.run(request).await;
    let bytes = response.body().size_hint().exact().unwrap_or_default();
    shared.metrics.count(resource, response.status().as_u16(), bytes);
    response
}

fn missing() -> Response {
    say(StatusCode::NOT_FOUND, "not here\n")
}

fn lacking(lack: Lack) -> Response {
    match lack {
        Lack::Missing => missing(),
        Lack::Failed => say(StatusCode::SERVICE_UNAVAILABLE, "not just now\n"),
    }
}

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

async fn metrics(State(shared): Shown) -> Response {
    let mut response = Response::new(shared.metrics.render().into());
    let text = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn listing(State(shared): Shown, asked: HeaderMap) -> Response {
    now(&shared, &asked, "index.json".into(), JSON).await
}

async fn index(State(shared): Shown, Words(name): Words<String>, asked: HeaderMap) -> Response {
    below(&shared, &asked, &name, "index.json", JSON).await
}

async fn timestamp(State(shared): Shown, Words(name): Words<String>, asked: HeaderMap) -> Response {
    below(&shared, &asked, &name, "timestamp", "text/plain; charset=utf-8").await
}

async fn below(
    shared: &Shared,
    asked: &HeaderMap,
    name: &str,
    file: &str,
    content_type: &'static str,
) -> Response {
    if !Feed::is_name(name) {
        return missing();
    }
    now(shared, asked, format!("{name}/{file}"), content_type).await
}

/// A file that may change.
async fn now(shared: &Shared, asked: &HeaderMap, path: String, content_type: &'static str) -> Response {
    match shared.resources.now(path).await {
        Ok(entity) => answer(asked, &entity, &Head::new(content_type, Keep::Ask)),
        Err(lack) => lacking(lack),
    }
}

/// The feed; who prefers to wait is answered when there is another one (RFC 7240, section 4.3).
async fn current(State(shared): Shown, Words(name): Words<String>, asked: HeaderMap) -> Response {
    if !Feed::is_name(&name) {
        return missing();
    }
    let head = Head::new("text/plain; charset=utf-8", Keep::Ask);
    let path = format!("{name}/current");
    let Some(wait) = wait_of(&asked) else {
        return now(&shared, &asked, path, head.content_type).await;
    };
    let head = head.with(HeaderName::from_static("preference-applied"), "wait");
    let end = Instant::now() + wait;
    let mut news = shared.news.subscribe();
    // A client that hangs up drops all of this.
    let _waiting = shared.metrics.wait();
    loop {
        let News { is_over } = *news.borrow_and_update();
        let entity = match shared.resources.now(path.clone()).await {
            Ok(entity) => entity,
            Err(lack) => return lacking(lack),
        };
        if is_over || Instant::now() >= end || !is_unchanged(&asked, &entity.etag) {
            return answer(&asked, &entity, &head);
        }
        // Told or not, it looks again.
        let _ = timeout_at(end.min(Instant::now() + LOOK), news.changed()).await;
    }
}

fn wait_of(asked: &HeaderMap) -> Option<Duration> {
    if !asked.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    let preferences = asked.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut words = preferences.flat_map(|value| value.split([',', ';'])).map(str::trim);
    let seconds = words.find_map(|word| word.strip_prefix("wait=")?.trim_matches('"').parse::<u64>().ok())?;
    Some(Duration::from_secs(seconds).min(MOST_WAIT)).filter(|wait| !wait.is_zero())
}

/// The current pack, under an address that stays: in the coding that the client takes, or as a step from what it has.
async fn newest(State(shared): Shown, Words(name): Words<String>, asked: HeaderMap) -> Response {
    if !Feed::is_name(&name) {
        return missing();
    }
    let feed = match shared.resources.feed(&name).await {
        Ok(feed) => feed,
        Err(lack) => return lacking(lack),
    };
    coded(&shared, &asked, &name, format!("{name}/pack/{}.drv", feed.edition), Keep::Ask).await
}

async fn pack(
    State(shared): Shown,
    Words((name, file)): Words<(String, String)>,
    asked: HeaderMap,
) -> Response {
    let edition = file.split('.').next().unwrap_or_default();
    if !Feed::is_name(&name) || !is_edition(edition, 64) {
        return missing();
    }
    let path = format!("{name}/pack/{file}");
    match &file[edition.len()..] {
        ".drv" => coded(&shared, &asked, &name, path, Keep::Forever).await,
        ".drv.zst" => match shared.resources.file(path).await {
            Ok(entity) => answer(&asked, &entity, &Head::new("application/zstd", Keep::Forever)),
            Err(lack) => lacking(lack),
        },
        _ => missing(),
    }
}

async fn coded(shared: &Shared, asked: &HeaderMap, name: &str, path: String, keep: Keep) -> Response {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let accept = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let accept = accept.collect::<Vec<_>>().join(",");
    let mut head = Head::new(BYTES, keep).with(header::VARY, "accept-encoding, available-dictionary");
    if matches!(keep, Keep::Forever) {
        // RFC 9842, section 2.1: what is sent now is what those beside it can be packed against, for as long as it is
        // fresh, which what must be asked for again never is.
        head = head.with(HeaderName::from_static("use-as-dictionary"), "match=\"*.drv\"");
    }
    let has = text(HeaderName::from_static("available-dictionary")).and_then(dictionary_of);
    if let Some(has) = has.filter(|_| takes_dcz(&accept))
        && let Ok(entity) = shared.resources.stepped(name, path.clone(), has).await
    {
        return answer(asked, &entity, &head.with(header::CONTENT_ENCODING, "dcz"));
    }
    let coding = Coding::liked(&accept);
    match shared.resources.coded(path, coding).await {
        Ok(entity) if coding == Coding::Identity => answer(asked, &entity, &head),
        Ok(entity) => answer(asked, &entity, &head.with(header::CONTENT_ENCODING, coding.token())),
        Err(lack) => lacking(lack),
    }
}

async fn patch(
    State(shared): Shown,
    Words((name, step)): Words<(String, String)>,
    asked: HeaderMap,
) -> Response {
    let is_step = step.split_once("..").is_some_and(|(old, new)| is_edition(old, 32) && is_edition(new, 32));
    if !Feed::is_name(&name) || !is_step {
        return missing();
    }
    match shared.resources.patch(&name, &step).await {
        Ok(entity) => answer(&asked, &entity, &Head::new(BYTES, Keep::Forever)),
        Err(lack) => lacking(lack),
    }
}

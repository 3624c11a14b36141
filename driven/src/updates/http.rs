//! Trees that are served over HTTP.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::time::Duration;
use std::time::SystemTime;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::transport::{Answer, Found, Refusal, Request, Transport};

/// The longest that a server is obeyed when it asks to be left alone.
const MOST_PATIENCE: Duration = Duration::from_hours(1);

/// A tree behind a URL.
///
/// TLS goes by the certificates that the system trusts; proxies by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
/// `NO_PROXY`. A URL that begins with `https` is never left for one that doesn't.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    root: String,
}

impl Http {
    /// The tree below `root`, as `https://rules.example.com/packs`.
    pub fn new(root: impl Into<String>) -> Self {
        let root = root.into();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .https_only(root.starts_with("https:"))
            .http_status_as_error(false)
            .max_redirects(5)
            .timeout_connect(Some(Duration::from_secs(10)))
            .tls_config(tls)
            .user_agent(concat!("driven/", env!("CARGO_PKG_VERSION")));
        Http::with_agent(root, config.build().into())
    }

    /// The same, with an agent that the program made: its own certificates, proxies, limits. Its status codes must
    /// not be errors.
    pub fn with_agent(root: impl Into<String>, agent: Agent) -> Self {
        let root = root.into();
        Http { agent, root: root.trim_end_matches('/').into() }
    }
}

impl Transport for Http {
    fn get(&mut self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let url = format!("{}/{}", self.root, request.path);
        let mut asked = self.agent.get(&url).header(header::ACCEPT_ENCODING, "identity");
        if let Some(etag) = request.unless {
            asked = asked.header(header::IF_NONE_MATCH, etag);
        }
        if let Some((have, etag)) = request.resume {
            asked = asked.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, etag);
        }
        if !request.wait.is_zero() {
            // RFC 7240; whoever does not know it answers at once.
            asked = asked.header("prefer", format!("wait={}", request.wait.as_secs()));
        }
        let timeout = request.timeout + request.wait;
        let answer = asked.config().timeout_global(Some(timeout)).build().call();
        let answer = answer.map_err(|err| refused(&url, &err))?;
        if request.resume.is_some() && !goes_on(request, &answer) {
            // The server has no such part: it may have forgotten, or what is here is longer than what it has.
            return self.get(&Request { resume: None, ..request.clone() });
        }
        read(&url, request, answer)
    }
}

/// Whether an answer goes on with what is here, or is about something else than that.
fn goes_on(request: &Request<'_>, answer: &Response<Body>) -> bool {
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => {
            let etag = answer.headers().get(header::ETAG);
            // A server that does not know `If-Range` goes on with what it has now.
            request.resume.is_some_and(|(have, of)| {
                start_of(answer) == Some(have) && etag.is_none_or(|etag| etag.as_bytes() == of.as_bytes())
            })
        }
        status => status != StatusCode::RANGE_NOT_SATISFIABLE,
    }
}

/// Where the part begins that is answered.
fn start_of(answer: &Response<Body>) -> Option<u64> {
    let range = answer.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// How long to wait by `Retry-After`: seconds, or a date.
fn patience(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let seconds = value.parse().ok().map(Duration::from_secs);
    let until = || httpdate::parse_http_date(value).ok()?.duration_since(now).ok();
    seconds.or_else(until).map(|pause| pause.min(MOST_PATIENCE))
}

fn read(url: &str, request: &Request<'_>, answer: Response<Body>) -> Result<Answer, Refusal> {
    let status = answer.status();
    let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
        StatusCode::NOT_MODIFIED => return Ok(Answer::Unchanged),
        StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Answer::Missing),
        _ => {
            let is_passing = status.is_server_error()
                || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            let after = text(header::RETRY_AFTER).and_then(|value| patience(value, SystemTime::now()));
            return Err(Refusal { message: format!("{url}: {status}"), is_passing, retry_after: after });
        }
    }
    let start = if status == StatusCode::PARTIAL_CONTENT {
        let asked = request.resume.map(|(have, _)| have);
        let start = start_of(&answer).filter(|start| Some(*start) == asked);
        start.ok_or_else(|| Refusal::passing(format!("{url}: the answer is a part that nobody asked for")))?
    } else {
        0
    };
    if text(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::lasting(format!("{url}: the answer is encoded, though that was not asked for")));
    }
    let etag = text(header::ETAG).filter(|etag| etag.starts_with('"')).map(ToString::to_string);
    let body = answer.into_body();
    let length = body.content_length();
    Ok(Answer::Found(Found { etag, start, length, body: Box::new(body.into_reader()) }))
}

fn refused(url: &str, err: &ureq::Error) -> Refusal {
    use ureq::Error as E;
    let message = format!("{url}: {err}");
    match err {
        E::Io(_)
        | E::Timeout(_)
        | E::HostNotFound
        | E::ConnectionFailed
        | E::Protocol(_)
        | E::ConnectProxyFailed(_)
        | E::BodyStalled => Refusal::passing(message),
        _ => Refusal::lasting(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_in_seconds_or_by_a_date_when_to_come_back() {
        // RFC 9110, section 5.6.7.
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("it is a date");
        for (value, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:50:00 GMT", Some(23)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(3600)),
            ("99999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(patience(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}

//! Answers: what of a thing is sent, by RFC 9110's rules for conditions and ranges.

use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use driven_format::etag;

/// A thing as it is sent, and the hash of exactly these bytes.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
}

impl Entity {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let etag = etag(&bytes);
        Entity { bytes, etag }
    }
}

/// How long whoever keeps a copy may use it unasked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Until it asks, which it must every time.
    Ask,
    /// For ever: another thing has another name.
    Forever,
}

impl Keep {
    fn value(self) -> &'static str {
        match self {
            Keep::Ask => "no-cache",
            Keep::Forever => "public, max-age=31536000, immutable",
        }
    }
}

/// What stands in the head of an answer besides.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) content_type: &'static str,
    pub(crate) keep: Keep,
    pub(crate) more: Vec<(HeaderName, HeaderValue)>,
}

impl Head {
    pub(crate) fn new(content_type: &'static str, keep: Keep) -> Self {
        Head { content_type, keep, more: Vec::new() }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.more.push((name, HeaderValue::from_static(value)));
        self
    }
}

/// The answer to a request for an entity.
pub(crate) fn answer(asked: &HeaderMap, entity: &Entity, head: &Head) -> Response {
    if is_refused(asked, &entity.etag) {
        return say(StatusCode::PRECONDITION_FAILED, "it is another one\n");
    }
    if is_unchanged(asked, &entity.etag) {
        return build(StatusCode::NOT_MODIFIED, entity, head, Body::empty(), None);
    }
    let whole = entity.bytes.len();
    match range_of(asked, entity) {
        Part::Whole => build(StatusCode::OK, entity, head, entity.bytes.clone().into(), None),
        Part::Of(range) => {
            let part = entity.bytes.slice(range.clone());
            let told = format!("bytes {}-{}/{whole}", range.start, range.end - 1);
            build(StatusCode::PARTIAL_CONTENT, entity, head, part.into(), Some(told))
        }
        Part::Beyond => {
            let mut response = say(StatusCode::RANGE_NOT_SATISFIABLE, "nothing is there\n");
            let told = HeaderValue::from_str(&format!("bytes */{whole}")).expect("digits and words");
            response.headers_mut().insert(header::CONTENT_RANGE, told);
            response
        }
    }
}

/// An answer that is a status and a line for people.
pub(crate) fn say(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn build(status: StatusCode, entity: &Entity, head: &Head, body: Body, range: Option<String>) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let text = |value: &str| HeaderValue::from_str(value).expect("digits and words");
    headers.insert(header::ETAG, text(&entity.etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(head.keep.value()));
    if status != StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(head.content_type));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    for (name, value) in &head.more {
        let is_of_content = *name == header::CONTENT_ENCODING;
        if !(is_of_content && status == StatusCode::NOT_MODIFIED) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(range) = range {
        headers.insert(header::CONTENT_RANGE, text(&range));
    }
    response
}

/// RFC 9110, section 13.1.1: a list of which none is strongly the same.
fn is_refused(asked: &HeaderMap, etag: &str) -> bool {
    let mut values = asked.get_all(header::IF_MATCH).iter().peekable();
    values.peek().is_some()
        && !values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag == etag)
}

/// RFC 9110, section 13.1.2: `*`, or a list of which one is weakly the same.
pub(crate) fn is_unchanged(asked: &HeaderMap, etag: &str) -> bool {
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// What of an entity is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Of(Range<usize>),
    /// Nothing that is there.
    Beyond,
}

/// RFC 9110, section 14.2: one range of bytes; several, or none that is understood, are answered with the whole.
fn range_of(asked: &HeaderMap, entity: &Entity) -> Part {
    if asked.get(header::IF_RANGE).is_some_and(|tag| tag != entity.etag.as_str()) {
        return Part::Whole;
    }
    let len = entity.bytes.len();
    let range = asked.get(header::RANGE).and_then(|value| value.to_str().ok());
    let range = range.and_then(|value| value.strip_prefix("bytes=")?.split_once('-'));
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    match range {
        Some(("", last)) => match number(last) {
            Some(0) => Part::Beyond,
            Some(_) if len == 0 => Part::Beyond,
            Some(last) => Part::Of(len.saturating_sub(last)..len),
            None => Part::Whole,
        },
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), None) if last.is_empty() => {
                if first < len {
                    Part::Of(first..len)
                } else {
                    Part::Beyond
                }
            }
            (Some(first), Some(last)) if first <= last => {
                if first < len {
                    Part::Of(first..last.saturating_add(1).min(len))
                } else {
                    Part::Beyond
                }
            }
            _ => Part::Whole,
        },
        None => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("it is a value"))])
    }

    #[test]
    fn ranges_are_those_of_the_rfc() {
        let entity = Entity::new(&b"0123456789"[..]);
        let cases = [
            ("bytes=0-0", Part::Of(0..1)),
            ("bytes=2-4", Part::Of(2..5)),
            ("bytes=8-", Part::Of(8..10)),
            ("bytes=8-99999999999999999999999", Part::Of(8..10)),
            ("bytes=-3", Part::Of(7..10)),
            ("bytes=-99", Part::Of(0..10)),
            ("bytes=10-", Part::Beyond),
            ("bytes=99999999999999999999999-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-", Part::Whole),
            ("bytes=+1-", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("bytes", Part::Whole),
        ];
        for (value, part) in cases {
            assert_eq!(range_of(&asked(header::RANGE, value), &entity), part, "{value}");
        }
        let mut other = asked(header::RANGE, "bytes=2-4");
        other.insert(header::IF_RANGE, HeaderValue::from_static("\"other\""));
        assert_eq!(range_of(&other, &entity), Part::Whole);
        other.insert(header::IF_RANGE, HeaderValue::from_bytes(b"\"\xFF\"").expect("it is a value"));
        assert_eq!(range_of(&other, &entity), Part::Whole);
        assert_eq!(range_of(&asked(header::RANGE, "bytes=-1"), &Entity::new(&b""[..])), Part::Beyond);
    }

    #[test]
    fn who_wants_another_one_is_refused() {
        let own = Entity::new(&b"x"[..]).etag;
        assert!(!is_refused(&HeaderMap::new(), &own));
        for (value, is) in [
            (own.clone(), false),
            (format!("\"a\", {own}"), false),
            ("*".into(), false),
            (format!("W/{own}"), true),
            ("\"a\"".into(), true),
        ] {
            assert_eq!(is_refused(&asked(header::IF_MATCH, &value), &own), is, "{value}");
        }
    }

    #[test]
    fn unchanged_is_what_any_tag_of_a_list_says() {
        let own = Entity::new(&b"x"[..]).etag;
        for (value, is) in [
            (own.clone(), true),
            (format!("W/{own}"), true),
            (format!("\"a\" , {own}"), true),
            ("*".into(), true),
            ("\"a\"".into(), false),
            (own.trim_matches('"').into(), false),
        ] {
            assert_eq!(is_unchanged(&asked(header::IF_NONE_MATCH, &value), &own), is, "{value}");
        }
    }
}

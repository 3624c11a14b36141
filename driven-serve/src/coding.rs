//! How a pack is coded on the way, and what of that a request takes.

use std::io::Write;

use sha2::{Digest as _, Sha256};
use zstd_safe::{CCtx, CParameter};

/// The level of Zstandard of what is packed once and sent often.
pub(crate) const PACKED_LEVEL: i32 = 19;
/// The level against a dictionary: higher ones index all of it, which takes a second and gives little.
const DICTIONARY_LEVEL: i32 = 12;
/// What a stream of dictionary-compressed Zstandard begins with (RFC 9842, section 5).
const DCZ_MAGIC: [u8; 8] = [0x5E, 0x2A, 0x4D, 0x18, 0x20, 0, 0, 0];
/// The window that every reader of such a stream has, as a power of two.
const WINDOW: u32 = 23;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// From what packs least to what packs best.
    const ALL: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd];

    pub(crate) fn token(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    /// What `Accept-Encoding` likes best, the one that packs best among equals.
    pub(crate) fn liked(accept: &str) -> Self {
        let weight = |coding: &Coding| weight_of(accept, coding.token());
        let liked = Coding::ALL
            .into_iter()
            .filter(|coding| weight(coding) > 0.0)
            .max_by(|one, other| weight(one).total_cmp(&weight(other)));
        liked.unwrap_or(Coding::Identity)
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Coding::Identity => bytes.to_vec(),
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes all")
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 1 << 16, 9, 22);
                encoder.write_all(bytes).and_then(|()| encoder.flush()).expect("a vector takes all");
                drop(encoder);
                out
            }
            Coding::Zstd => zstd(bytes, PACKED_LEVEL, &[]),
        }
    }
}

/// Whether a request takes dictionary-compressed Zstandard.
pub(crate) fn takes_dcz(accept: &str) -> bool {
    weight_of(accept, "dcz") > 0.0
}

/// What `Accept-Encoding` gives a coding, from 0 to 1 (RFC 9110, section 12.5.3).
fn weight_of(accept: &str, token: &str) -> f32 {
    // Nothing at all is always understood, and liked least.
    let mut other = if token == "identity" { f32::MIN_POSITIVE } else { 0.0 };
    for part in accept.split(',') {
        let mut words = part.split(';');
        let coding = words.next().unwrap_or_default().trim();
        let quality = words.find_map(|word| {
            let (name, value) = word.trim().split_once('=')?;
            value.parse::<f32>().ok().filter(|_| name.eq_ignore_ascii_case("q"))
        });
        let quality = quality.unwrap_or(1.0).clamp(0.0, 1.0);
        if coding.eq_ignore_ascii_case(token) {
            return quality;
        }
        // Nobody who takes anything knows the coding by a dictionary.
        if coding == "*" && token != "dcz" {
            other = quality;
        }
    }
    other
}

/// A Zstandard frame, packed against `prefix` when there is one.
pub(crate) fn zstd(bytes: &[u8], level: i32, prefix: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    let packed = context.set_parameter(CParameter::CompressionLevel(level)).and_then(|_| {
        if prefix.is_empty() {
            return context.compress2(&mut frame, bytes);
        }
        context.set_parameter(CParameter::WindowLog(WINDOW))?;
        context.ref_prefix(prefix)?;
        context.compress2(&mut frame, bytes)
    });
    packed.expect("there is room for it, and the parameters are in their bounds");
    frame
}

/// Dictionary-compressed Zstandard: a frame against a dictionary, behind the dictionary's hash.
pub(crate) fn dcz(bytes: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let frame = zstd(bytes, DICTIONARY_LEVEL, dictionary);
    [&DCZ_MAGIC, &sha256(dictionary)[..], &frame].concat()
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    driven_format::Digest(*bytes).to_string()
}

/// The hash by which a dictionary is named.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_is_the_one_that_is_liked_best() {
        let cases = [
            ("", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("zstd;q=0, br", Coding::Brotli),
            ("br;q=0.5, gzip;q=0.9", Coding::Gzip),
            ("*", Coding::Zstd),
            ("*;q=0, identity", Coding::Identity),
            ("identity;q=1, *;q=0.5", Coding::Identity),
            ("GZIP;q=1.000", Coding::Gzip),
            ("nonsense;;q=x,,", Coding::Identity),
        ];
        for (accept, coding) in cases {
            assert_eq!(Coding::liked(accept), coding, "{accept}");
        }
        assert!(takes_dcz("gzip, dcz") && !takes_dcz("*") && !takes_dcz("dcz;Q=0"));
    }
}

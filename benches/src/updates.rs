//! What an update costs to transfer, to make and to apply, on real steps of a real collection.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use driven_format::patch::{DEFAULT_LIMIT, Made, Patch, Target, WholeBase, diff};
use zstd_safe::{CCtx, CParameter, DCtx, DParameter};

use crate::harness::{contestant, median, own_cpu, race};
use crate::report::{Report, time};

/// One version of the collection, as a pack and as a plain bundle of the same files.
struct Version {
    pack: Vec<u8>,
    bundle: Vec<u8>,
}

/// One step, and its size in bytes in every form.
struct Step {
    made: Made,
    /// Processor time of making it, in seconds.
    making: f64,
    zstd_packs: Vec<u8>,
    zstd_bundles: usize,
    download: usize,
    /// Of every sixth step: these take seconds each.
    slow: Option<Slow>,
}

/// The size of one step by those who take long to make it, in bytes.
struct Slow {
    brotli_packs: usize,
    brotli_bundles: usize,
    bsdiff_packs: usize,
    bsdiff_bundles: usize,
}

/// Which steps the slow ones make.
const EVERY: usize = 6;

pub fn report(corpus: &Path, report: &mut Report) {
    let versions = versions(&corpus.join("history/copilot-instructions.jsonl.gz"));
    let pairs = versions.windows(2).enumerate();
    let steps: Vec<Step> = pairs.map(|(number, pair)| step(number, &pair[0], &pair[1])).collect();
    report.heading(
        "Updates",
        &format!(
            "{} real steps of one collection; the last version has {} bytes as a pack, unsigned, and {} as a plain \
             bundle of its files (path, length, text). `zstd -19` and `brotli -11` have the whole old version as \
             prefix or dictionary; brotli and bsdiff make every sixth step.",
            steps.len(),
            versions[versions.len() - 1].pack.len(),
            versions[versions.len() - 1].bundle.len()
        ),
    );
    sizes(&steps, report);
    used(&steps, report);
    totals(&versions, &steps, report);
    applying(&versions, &steps, report);
}

fn versions(path: &Path) -> Vec<Version> {
    let mut text = String::new();
    let file = fs::File::open(path).expect("the corpus has a history");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the history can be read");
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut versions = Vec::new();
    for line in text.lines() {
        let step: serde_json::Value = serde_json::from_str(line).expect("the history is JSON");
        for path in step["removed"].as_array().into_iter().flatten() {
            files.remove(path.as_str().expect("a path"));
        }
        for (path, text) in step["set"].as_object().into_iter().flatten() {
            files.insert(path.clone(), text.as_str().expect("a text").into());
        }
        versions.push(version(&files, versions.len() as u64 + 1));
    }
    versions
}

fn version(files: &BTreeMap<String, String>, number: u64) -> Version {
    let dir = tempfile::tempdir().expect("a folder for a version");
    let mut bundle = Vec::new();
    for (path, text) in files {
        let file = dir.path().join(path);
        fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("a folder");
        fs::write(file, text).expect("a rule can be written");
        bundle.extend(format!("{path}\n{}\n{text}", text.len()).bytes());
    }
    let (mut set, _) =
        driven_build::rules(dir.path()).cap_lints_warn().model().expect("every version compiles");
    set.manifest.name = "history".into();
    set.manifest.version = number;
    Version { pack: driven_format::write_pack(&set).expect("the model is in order"), bundle }
}

fn step(number: usize, old: &Version, new: &Version) -> Step {
    let before = own_cpu();
    let made = diff(&old.pack, &new.pack).expect("both are packs");
    let making = own_cpu() - before;
    let target = Patch::open(&made.patch).and_then(|patch| {
        let base = WholeBase::prove(&old.pack)?;
        patch.apply(&base, DEFAULT_LIMIT).map(|target| target.into_pack(&base))
    });
    assert_eq!(target.as_ref(), Ok(&new.pack), "a patch gives the target's bytes exactly");
    Step {
        made,
        making,
        zstd_packs: zstd_prefix(&old.pack, &new.pack),
        zstd_bundles: zstd_prefix(&old.bundle, &new.bundle).len(),
        download: zstd_prefix(&[], &new.pack).len(),
        slow: number.is_multiple_of(EVERY).then(|| Slow {
            brotli_packs: brotli_dictionary(&old.pack, &new.pack),
            brotli_bundles: brotli_dictionary(&old.bundle, &new.bundle),
            bsdiff_packs: bsdiff(&old.pack, &new.pack),
            bsdiff_bundles: bsdiff(&old.bundle, &new.bundle),
        }),
    }
}

/// As `zstd -19 --patch-from` packs, without a checksum.
fn zstd_prefix(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(new.len()));
    let window = (old.len() + new.len()).next_power_of_two().ilog2();
    let mut run = || {
        context.set_parameter(CParameter::CompressionLevel(19))?;
        context.set_parameter(CParameter::WindowLog(window))?;
        context.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
        context.set_parameter(CParameter::ChecksumFlag(false))?;
        context.ref_prefix(old)?;
        context.compress2(&mut frame, new)
    };
    run().map_err(zstd_safe::get_error_name).expect("zstd packs anything");
    frame
}

fn brotli_dictionary(old: &[u8], new: &[u8]) -> usize {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: new.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    let (mut input, mut output) = ([0; 1 << 16], [0; 1 << 16]);
    brotli::BrotliCompressCustomIoCustomDict(
        &mut brotli::IoReaderWrapper(&mut &*new),
        &mut brotli::IoWriterWrapper(&mut out),
        &mut input,
        &mut output,
        &parameters,
        brotli::enc::StandardAlloc::default(),
        &mut |_, _, _, _| (),
        old,
        std::io::Error::other("the input ended"),
    )
    .expect("brotli packs anything");
    out.len()
}

fn bsdiff(old: &[u8], new: &[u8]) -> usize {
    let mut out = Vec::new();
    qbsdiff::Bsdiff::new(old, new)
        .compression_level(9)
        .compare(std::io::Cursor::new(&mut out))
        .expect("bsdiff compares anything");
    out.len()
}

/// Sizes of the steps that a rival made, each beside ours.
type Sizes = Vec<(usize, usize)>;

fn sizes(steps: &[Step], report: &mut Report) {
    let of = |size: &dyn Fn(&Step) -> Option<usize>| -> Sizes {
        steps.iter().filter_map(|step| Some((step.made.patch.len(), size(step)?))).collect()
    };
    let slow = |size: fn(&Slow) -> usize| of(&|step| step.slow.as_ref().map(size));
    let rows: [(&str, Sizes); 8] = [
        ("driven", of(&|step| Some(step.made.patch.len()))),
        ("zstd -19, packs", of(&|step| Some(step.zstd_packs.len()))),
        ("zstd -19, bundles", of(&|step| Some(step.zstd_bundles))),
        ("the new pack under zstd -19", of(&|step| Some(step.download))),
        ("brotli -11, packs", slow(|slow| slow.brotli_packs)),
        ("brotli -11, bundles", slow(|slow| slow.brotli_bundles)),
        ("bsdiff, packs", slow(|slow| slow.bsdiff_packs)),
        ("bsdiff, bundles", slow(|slow| slow.bsdiff_bundles)),
    ];
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, sizes)| {
            vec![
                (*name).into(),
                sizes.len().to_string(),
                format!("{:.0}", median(sizes.iter().map(|(_, size)| *size as f64).collect())),
                sizes.iter().map(|(_, size)| size).sum::<usize>().to_string(),
                format!("{:.3}", ratio(sizes)),
                format!("{:.0}", above(sizes)),
            ]
        })
        .collect();
    report.table(
        "bytes of a step",
        &["", "steps", "median", "together", "driven's over it, median", "driven's above it, worst step"],
        &table,
    );
    let [_, packs, bundles, ..] = rows.map(|(_, sizes)| sizes);
    report.at_least("a step smaller than zstd -19 on packs, per cent", 5.0, 100.0 - 100.0 * ratio(&packs));
    report.at_least(
        "a step smaller than zstd -19 on bundles, per cent",
        5.0,
        100.0 - 100.0 * ratio(&bundles),
    );
    report.at_most("bytes above zstd -19 on packs, worst step", 40.0, above(&packs));
    report.at_most("bytes above zstd -19 on bundles, worst step", 40.0, above(&bundles));
}

/// Ours over the rival's, in the median of steps.
fn ratio(sizes: &Sizes) -> f64 {
    median(sizes.iter().map(|(own, other)| *own as f64 / *other as f64).collect())
}

/// By how many bytes ours is larger, in the worst step; less than nothing when it never is.
fn above(sizes: &Sizes) -> f64 {
    sizes.iter().map(|(own, other)| *own as f64 - *other as f64).fold(f64::MIN, f64::max)
}

/// What the patches are made of.
fn used(steps: &[Step], report: &mut Report) {
    let mut operations: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *taken.entry(&step.made.taken).or_default() += 1;
        for (name, count) in &step.made.operations {
            let entry = operations.entry(name).or_default();
            *entry = (entry.0 + count, entry.1 + 1);
        }
    }
    let rows: Vec<Vec<String>> = operations
        .iter()
        .map(|(name, (count, steps))| vec![(*name).into(), count.to_string(), steps.to_string()])
        .collect();
    report.table("operations", &["", "times", "in how many steps"], &rows);
    let rows: Vec<Vec<String>> =
        taken.iter().map(|(name, count)| vec![(*name).into(), count.to_string()]).collect();
    report.table("candidates that were the smallest", &["", "steps"], &rows);
}

fn totals(versions: &[Version], steps: &[Step], report: &mut Report) {
    let raw: usize = versions[1..].iter().map(|version| version.pack.len()).sum();
    let patches: usize = steps.iter().map(|step| step.made.patch.len()).sum();
    let saved = 100.0 * (1.0 - patches as f64 / raw as f64);
    report.at_least("all steps, less to transfer than the raw packs, per cent", 99.0, saved);
    let slowest = steps.iter().map(|step| step.making).fold(0.0, f64::max);
    let usual = median(steps.iter().map(|step| step.making).collect());
    report.paragraph(&format!(
        "All steps together have {patches} bytes, {saved:.2} % less than the new packs. Making one takes {usual:.2} s \
         of processor time in the median and {slowest:.2} s at most."
    ));
    report.at_most("making a patch, CPU seconds, slowest step", 1.0, slowest);
}

fn applying(versions: &[Version], steps: &[Step], report: &mut Report) {
    let (mut ours, mut whole, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut gain, mut gain_whole) = (Vec::new(), Vec::new());
    for (pair, step) in versions.windows(2).zip(steps) {
        let base = WholeBase::prove(&pair[0].pack).expect("it was written");
        let patch = Patch::open(&step.made.patch).expect("it was made");
        let apply = || patch.apply(black_box(&base), DEFAULT_LIMIT).expect("it was made for this base");
        let timed = race(vec![
            contestant("apply", || match apply() {
                Target::Parts { front, .. } => front.len(),
                Target::Whole(pack) => pack.len(),
            }),
            contestant("apply and lay out", || apply().into_pack(&base).len()),
            contestant("dcz and hash", || {
                let mut pack = Vec::with_capacity(pair[1].pack.len());
                let mut context = DCtx::create();
                context.set_parameter(DParameter::WindowLogMax(31)).expect("a parameter");
                context.ref_prefix(&pair[0].pack).expect("a prefix");
                context.decompress(&mut pack, &step.zstd_packs).expect("it was packed");
                usize::from(blake3::hash(&pack).as_bytes()[0])
            }),
        ]);
        ours.push(timed[0].median());
        whole.push(timed[1].median());
        theirs.push(timed[2].median());
        gain.push(timed[2].over(&timed[0]));
        gain_whole.push(timed[2].over(&timed[1]));
    }
    let row = |name: &str, times: &[f64], gain: Option<&[f64]>| {
        vec![
            name.into(),
            time(median(times.to_vec())),
            time(times.iter().copied().fold(0.0, f64::max)),
            gain.map_or("1.00".into(), |gain| format!("{:.2}", median(gain.to_vec()))),
        ]
    };
    report.table(
        "applying and proving a step",
        &["", "median", "slowest step", "times faster"],
        &[
            row("driven, what did not change shared", &ours, Some(&gain)),
            row("driven, in one piece", &whole, Some(&gain_whole)),
            row("zstd with the old pack as prefix, result hashed", &theirs, None),
        ],
    );
    report.at_most("applying and proving a step, ms", 0.25, median(ours) / 1e6);
    report.at_least("applying and proving a step, against zstd and hashing all", 3.0, median(gain));
}

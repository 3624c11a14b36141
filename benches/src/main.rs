//! Measures driven beside its rivals and writes `CLAIMS.md`.
#![allow(missing_docs)]
mod data; mod flat; mod harness; mod load; mod lookup; mod paths; mod scan;
fn show(t: &[harness::Timed]) { for x in t { println!("  {:45} {:12.1} ns  x{:.2}", x.name, x.median(), x.over(&t[0])); } }
fn main() {
    let corpus = std::path::PathBuf::from(std::env::var_os("DRIVEN_CORPUS").unwrap());
    let (twenty, whole) = data::sets(&corpus);
    let want = std::env::args().nth(1).unwrap_or_default();
    if want.is_empty() || want == "load" { for set in [&twenty, &whole] { println!("{} pack {} json {}", set.name, set.pack.len(), set.json.len()); show(&load::open(set)); println!(" prove all"); show(&load::prove_all(set)); println!(" read all"); show(&load::read_all(set)); show(&load::proofs(set)); show(&lookup::by_id(set)); } }
    if want.is_empty() || want == "paths" { 
    for n in [448, 2000, 10000] { let rules = if n == 448 { whole.model.rules.clone() } else { paths::scaled(&whole.model.rules, n) };
     let s = paths::PathSet::new(&rules); println!("{} rules {} globs", s.rules, s.globs); show(&s.race()); if n < 3000 { show(&s.build_race()); } } }
    if want.is_empty() || want == "scan" { show(&scan::race_scanners(&whole)); }
    let z = |b: &[u8]| zstd::bulk::compress(b, 19).unwrap().len();
    println!("raw {} source {} ratio {:.3}; zstd pack {} json {}", whole.pack.len(), whole.source_bytes, whole.pack.len() as f64/ whole.source_bytes as f64, z(&whole.pack), z(&whole.json));
    let t = driven_format::Tables::check(&whole.pack).unwrap(); for (s,_,_,len) in t.sections() { println!("{:?} {}", s.unwrap().as_str(), len); }
}

//! A private key never reaches Cargo's target folder.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The 32 secret bytes of the key in the quickstart, and its line in the PEM file.
fn secret(workspace: &Path) -> (Vec<u8>, String) {
    let pem = fs::read_to_string(workspace.join("examples/quickstart/keys/development.key")).unwrap();
    let line = pem.lines().nth(1).unwrap().to_owned();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = line
        .bytes()
        .filter_map(|byte| alphabet.iter().position(|&letter| letter == byte))
        .flat_map(|value| (0..6).rev().map(move |bit| (value >> bit & 1) as u8))
        .collect();
    let bytes: Vec<u8> =
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit)).collect();
    // PKCS#8 version 1: sixteen bytes of frame, then the seed.
    (bytes[16..48].to_vec(), line)
}

fn search(folder: &Path, needles: &[&[u8]], found: &mut Vec<String>, files: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needles, found, files);
        } else if let Ok(bytes) = fs::read(&path) {
            *files += 1;
            if needles.iter().any(|needle| memchr::memmem::find(&bytes, needle).is_some()) {
                found.push(path.display().to_string());
            }
        }
    }
}

#[test]
fn a_signing_build_leaves_no_key_in_the_target_folder() {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("signing");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "-p", "quickstart", "--target-dir"])
        .arg(&target)
        .current_dir(workspace)
        .env_remove("OUT_DIR")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let (seed, line) = secret(workspace);
    let hex = driven_format::Digest(seed.as_slice().try_into().unwrap()).to_string();
    let (mut found, mut files) = (Vec::new(), 0);
    search(&target, &[&seed, line.as_bytes(), hex.as_bytes()], &mut found, &mut files);
    assert!(files > 50, "{files} files are too few to be a build");
    assert!(found.is_empty(), "the key is in {found:?}");
    // The search itself works: the key's own file would be found.
    let keys = workspace.join("examples/quickstart/keys");
    search(&keys, &[line.as_bytes()], &mut found, &mut files);
    assert_eq!(found.len(), 1);
}

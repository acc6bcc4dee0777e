//! The rules of the house, read from the files as git knows them: who may import whom, how a file opens, how long it is,
//! what names and words are not used, one version of what must be one. A rule that needs judgement is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::rig::root;

/// Which crates a crate of this workspace may import.
const ARROWS: &[(&str, &[&str])] = &[
    ("restable-sql", &[]),
    ("restable-spec", &[]),
    ("restable-http", &["restable-spec"]),
    (
        "restable-engine",
        &["restable-sql", "restable-spec", "restable-http"],
    ),
    ("restable-server", &["restable-engine"]),
    (
        "restable-cli",
        &[
            "restable-engine",
            "restable-server",
            "restable-sql",
            "restable-spec",
            "restable-http",
            "arm-emulator",
        ],
    ),
    ("arm-emulator", &[]),
];

/// Who alone may name these crates, in code that is shipped.
const OWNED: &[(&str, &[&str])] = &[
    ("datafusion", &["restable-engine"]),
    // The engine hands on the tree that restable-sql made.
    ("sqlparser", &["restable-sql", "restable-engine"]),
    ("reqwest", &["restable-http"]),
    ("rusqlite", &["restable-http", "restable-engine"]),
    ("axum", &["arm-emulator"]),
    ("clap", &["restable-cli"]),
    ("rustyline", &["restable-cli"]),
];

/// Of these there is one version, since their types cross our crates.
const SINGLE: &[&str] = &[
    "arrow",
    "datafusion",
    "sqlparser",
    "reqwest",
    "tokio",
    "rustls",
    "http",
];

/// These are not in the build at all: they tie the binary to a machine, or take minutes of C.
const BANNED: &[&str] = &[
    "openssl-sys",
    "native-tls",
    "aws-lc-sys",
    "aws-lc-rs",
    "serde_yaml",
];

const LONGEST_FILE: usize = 1000;
const VAGUE_MODULES: &[&str] = &[
    "common", "core", "util", "utils", "base", "types", "helper", "helpers", "misc",
];
const VAGUE_TYPES: &[&str] = &["Manager", "Helper", "Util", "Utils"];

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The files of the repository that exist, as git lists them; without git, all but build output.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output();
    let text = listed
        .ok()
        .filter(|output| output.status.success())
        .map(|output| output.stdout);
    let text = String::from_utf8(text.expect("the sources are in a git repository")).unwrap();
    text.lines()
        .filter(|file| root().join(file).is_file())
        .map(str::to_owned)
        .collect()
}

fn read(file: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(root().join(file)).unwrap()).into_owned()
}

fn none(rule: &str, offenders: Vec<String>) {
    assert!(
        offenders.is_empty(),
        "{rule}:\n  {}",
        offenders.join("\n  ")
    );
}

#[test]
fn no_crate_imports_what_the_map_does_not_allow() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = packages
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, known, "the crates of the workspace");
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut offenders = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            // Tests may look at more than the code does.
            let shipped = dependency["kind"].as_str() != Some("dev");
            if shipped && known.contains(target) && !allowed[name].contains(&target) {
                offenders.push(format!("{name} -> {target}"));
            }
            for (owned, owners) in OWNED {
                if shipped && target == *owned && !owners.contains(&name) {
                    offenders.push(format!(
                        "{name} -> {target}, which belongs to {}",
                        owners.join(", ")
                    ));
                }
            }
        }
    }
    none("arrows that are not in HOUSE", offenders);
}

#[test]
fn there_is_one_version_of_what_must_be_one() {
    let lock: toml::Value = toml::from_str(&read("Cargo.lock")).unwrap();
    let mut versions = BTreeMap::<&str, Vec<&str>>::new();
    for package in lock["package"].as_array().unwrap() {
        let version = package["version"].as_str().unwrap();
        versions
            .entry(package["name"].as_str().unwrap())
            .or_default()
            .push(version);
    }
    let several = SINGLE
        .iter()
        .filter(|name| versions.get(*name).is_none_or(|found| found.len() != 1));
    none(
        "one version each",
        several
            .map(|name| format!("{name} {:?}", versions.get(name)))
            .collect(),
    );
    let banned = BANNED.iter().filter(|name| versions.contains_key(*name));
    none(
        "not in the build",
        banned.map(|name| (*name).to_owned()).collect(),
    );
}

#[test]
fn a_file_opens_with_what_it_owns_and_stays_short() {
    let mut offenders = Vec::new();
    for file in files().iter().filter(|file| file.ends_with(".rs")) {
        let text = read(file);
        if !text.starts_with("//! ") {
            offenders.push(format!("{file} does not open with `//! `"));
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            offenders.push(format!("{file} has {lines} lines"));
        }
    }
    none("the first line and the length of a file", offenders);
}

#[test]
fn names_say_what_things_are() {
    let mut offenders = Vec::new();
    for file in files().iter().filter(|file| file.ends_with(".rs")) {
        let path = Path::new(file);
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if VAGUE_MODULES.contains(&stem.as_str()) || VAGUE_MODULES.contains(&folder.as_str()) {
            offenders.push(format!("{file}: the name of the module"));
        }
        for (number, line) in read(file).lines().enumerate() {
            let code = line.trim_start();
            let at = format!("{file}:{}", number + 1);
            let defined = ["struct ", "enum ", "trait ", "type "]
                .iter()
                .find_map(|keyword| {
                    let rest = code
                        .trim_start_matches("pub ")
                        .trim_start_matches("pub(crate) ");
                    rest.strip_prefix(keyword)?
                        .split(|c: char| !c.is_alphanumeric())
                        .next()
                });
            if defined.is_some_and(|name| VAGUE_TYPES.iter().any(|word| name.ends_with(word))) {
                offenders.push(format!("{at}: {code}"));
            }
            // Traits of others may ask for such a name.
            if code.starts_with("pub fn get_") || code.starts_with("pub(crate) fn get_") {
                offenders.push(format!("{at}: {code}"));
            }
            if code.starts_with("#[allow(") || code.starts_with("#![allow(") {
                offenders.push(format!("{at}: {code}"));
            }
        }
    }
    none("names and attributes", offenders);
}

#[test]
fn each_crate_has_one_file_of_errors() {
    let errors = files()
        .into_iter()
        .filter(|file| file.ends_with("/error.rs") || file.ends_with("/errors.rs"));
    let mut by_crate = BTreeMap::<String, Vec<String>>::new();
    for file in errors.filter(|file| file.starts_with("crates/")) {
        by_crate
            .entry(file.split('/').nth(1).unwrap().to_owned())
            .or_default()
            .push(file);
    }
    none(
        "one `error.rs` a crate",
        by_crate
            .into_values()
            .filter(|found| found.len() > 1)
            .flatten()
            .collect(),
    );
}

#[test]
fn nothing_names_a_machine_or_a_tool_of_its_makers() {
    // Put together here, so that this file does not name them either.
    let folders = ["work", "farm", "home/user", "Users"].map(|folder| format!("/{folder}/"));
    let tools = [
        ["cla", "ude"],
        ["co", "dex"],
        ["anthro", "pic"],
        ["open", "ai"],
    ]
    .map(|halves| halves.concat());
    let mut offenders = Vec::new();
    for file in files() {
        if file == "Cargo.lock" {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            let lower = line.to_lowercase();
            let path = folders.iter().any(|folder| {
                line.match_indices(folder.as_str()).any(|(at, _)| {
                    // A path begins here: it is not the middle of a URL or of a longer path.
                    !line[..at].ends_with(|c: char| {
                        c.is_alphanumeric() || matches!(c, '-' | '_' | '}' | '.' | '~')
                    })
                })
            });
            if path || tools.iter().any(|tool| lower.contains(tool.as_str())) {
                offenders.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("paths of one machine, names of tools", offenders);
}

#[test]
fn the_map_names_every_crate() {
    let map = read("crates/README.md");
    let missing = ARROWS
        .iter()
        .filter(|(name, _)| !map.contains(&format!("`{name}`")));
    none(
        "missing in crates/README.md",
        missing.map(|(name, _)| (*name).to_owned()).collect(),
    );
    let gone = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains("/src/") && !word.contains(' '))
        .filter(|word| {
            !root()
                .join("crates")
                .join(word.trim_end_matches('/'))
                .exists()
        });
    none(
        "named in crates/README.md and not there",
        gone.map(str::to_owned).collect(),
    );
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let manifests = packages
        .iter()
        .map(|package| package["manifest_path"].as_str().unwrap());
    let without = manifests.filter(|manifest| {
        let manifest: toml::Value =
            toml::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
        let inherits = |table: &str, key: &str| {
            manifest
                .get(table)
                .and_then(|table| table.get(key))
                .is_some_and(|value| match value {
                    toml::Value::Boolean(inherited) => *inherited,
                    value => value.get("workspace").and_then(toml::Value::as_bool) == Some(true),
                })
        };
        !(inherits("lints", "workspace")
            && inherits("package", "license")
            && inherits("package", "edition"))
    });
    none(
        "`[lints] workspace = true`, `license.workspace = true`",
        without.map(str::to_owned).collect(),
    );
}

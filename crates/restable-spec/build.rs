//! Turns the documents of `/provider-specs` into JSON: YAML takes ten times as long to read, and is read at every start otherwise.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../provider-specs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    convert(
        Path::new("../../provider-specs"),
        &out.join("provider-specs"),
    )
}

fn convert(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().ok_or("a file has no name")?;
        if path.is_dir() {
            convert(&path, &to.join(name))?;
        } else if path.extension().is_some_and(|kind| kind == "yaml") {
            let told = |problem: yaml_serde::Error| format!("{}: {problem}", path.display());
            let document: serde_json::Value =
                yaml_serde::from_str(&fs::read_to_string(&path)?).map_err(told)?;
            fs::write(to.join(name), serde_json::to_string(&document)?)?;
        }
    }
    Ok(())
}

//! How the program is linked.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |key: &str, value: &str| env::var(key).is_ok_and(|found| found == value);
    // DataFusion's tables of functions have 280,000 pointers, which are relocated at every start. Packed they are 0.1 MB to read and not 7,
    // which is a part of the time and of the memory of a short run. The C library knows the form since glibc 2.36.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

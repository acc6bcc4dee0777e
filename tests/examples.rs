//! Every script in `examples/` runs against the built-in emulator.

use crate::commands::Command;
use crate::rig::{report, root, run};

#[test]
fn every_script_runs() {
    let folder = root().join("examples");
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    scripts.sort();
    run(async {
        for script in &scripts {
            let path = script.display().to_string();
            let output = Command::new(&["exec", "--emulator", "-o", "json", "-f", &path])
                .run()
                .await;
            assert_eq!(output.code, 0, "{path}\n{}", output.stderr);
            assert!(
                output.stderr.contains("complete") && !output.stdout.is_empty(),
                "{path}\n{}",
                output.stderr
            );
        }
    });
    report(&format!("{} example scripts ran", scripts.len()));
}

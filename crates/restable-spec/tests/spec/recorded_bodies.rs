//! The bodies that real clients have sent, and the service has taken, have nothing wrong with them. They are looked for in
//! `RESTABLE_RECORDINGS` and beside the repository; they are not part of it.

use std::path::PathBuf;

use restable_spec::{BodyArgument, BodyProblem, BodyValue, Strictness};
use serde_json::Value;

use crate::table;

/// A part of a file's name, the end of a URL's path, the method.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "adhoc_backup",
        "/backup",
        "backup_instances",
        "adhoc_backup",
    ),
    (
        "instances.create",
        "",
        "backup_instances",
        "create_or_update",
    ),
    (
        "validate_for_backup",
        "/validateForBackup",
        "backup_instances",
        "validate_for_backup",
    ),
    ("backup_policies", "", "backup_policies", "create_or_update"),
    ("backup_vaults", "", "backup_vaults", "create_or_update"),
    (
        "errors",
        "/findRestorableTimeRanges",
        "restorable_time_ranges",
        "find",
    ),
];

#[test]
fn recorded_bodies_are_right() {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recordings");
    let folder = std::env::var_os("RESTABLE_RECORDINGS").map_or(beside, PathBuf::from);
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("recordings absent: 0 bodies checked");
        return;
    };
    let mut checked = 0;
    for file in files {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let recorded: Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for interaction in recorded["interactions"].as_array().unwrap() {
            let request = &interaction["request"];
            let body = match &request["body"] {
                Value::Null => continue,
                Value::String(text) if text.is_empty() => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let url = request["url"].as_str().unwrap().split('?').next().unwrap();
            let case = CASES
                .iter()
                .find(|(part, end, ..)| name.contains(part) && url.ends_with(end));
            let Some((_, _, resource, method)) = case else {
                continue;
            };
            checked += 1;
            let (service, resource) = table("data_protection", resource);
            let method = resource.method(method).unwrap();
            let problems = method.check_body(&service, &body, Strictness::Strict);
            let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let wrong = problems.iter().any(BodyProblem::is_error);
            assert!(!wrong, "{name} {body}: {text:#?}");
            // Given by name, one argument for each leaf, it comes out as it was.
            let value: Value = serde_json::from_str(&body).unwrap();
            let mut arguments = Vec::new();
            leaves(&value, &mut Vec::new(), &mut arguments);
            let built = method
                .body(&service, &arguments, Strictness::Lenient)
                .unwrap()
                .unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(&built.text).unwrap(),
                lowered(&value, &built.text),
                "{name}"
            );
        }
    }
    println!("{checked} bodies checked");
    assert!(checked > 0);
}

/// Names in other cases come out as the document spells them.
fn lowered(value: &Value, built: &str) -> Value {
    let text = value.to_string();
    if built.contains("\"resourceID\"") {
        serde_json::from_str(&text.replace("\"resourceId\"", "\"resourceID\"")).unwrap()
    } else {
        value.clone()
    }
}

fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<BodyArgument>) {
    let leaf = match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                path.push(key.clone());
                leaves(value, path, found);
                path.pop();
            }
            return;
        }
        Value::String(text) => BodyValue::Text(text.clone()),
        Value::Bool(value) => BodyValue::Boolean(*value),
        Value::Number(number) => BodyValue::Number(number.to_string()),
        Value::Null => BodyValue::JsonNull,
        Value::Object(_) | Value::Array(_) => BodyValue::Text(value.to_string()),
    };
    found.push(BodyArgument {
        path: path.clone(),
        value: leaf,
        origin: found.len(),
    });
}

//! Settings: each is known, typed and has an origin.

use std::time::Duration;

use crate::settings::{ALL, Origin, Settings};

#[test]
fn every_setting_has_a_value_that_it_takes_back() {
    let mut settings = Settings::default();
    for setting in ALL {
        let value = settings.value(setting.name).unwrap();
        settings.set(setting.name, &value, Origin::File).unwrap();
        assert_eq!(
            settings.value(setting.name).unwrap(),
            value,
            "{}",
            setting.name
        );
        assert_eq!(
            settings.origin(setting.name),
            Origin::File,
            "{}",
            setting.name
        );
    }
}

#[test]
fn values_are_read_and_wrong_ones_are_refused() {
    let mut settings = Settings::default();
    settings
        .set("StatementTimeout", "1.5s", Origin::Statement)
        .unwrap();
    assert_eq!(
        settings.statement_timeout,
        Some(Duration::from_millis(1500))
    );
    settings
        .set("memory_limit", "512 MB", Origin::Statement)
        .unwrap();
    assert_eq!(settings.memory_limit, Some(512_000_000));
    let (one, two) = (
        "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001",
        "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c002",
    );
    settings
        .set(
            "subscriptions",
            &format!("{one}, {two},"),
            Origin::Statement,
        )
        .unwrap();
    assert_eq!(settings.subscriptions, [one, two]);
    for (name, value) in [
        ("max_concurrency", "0"),
        ("max_concurrency", "many"),
        ("max_concurrency", "99999999999999999999"),
        ("statement_timeout", "-1"),
        ("statement_timeout", "NaN"),
        ("page_timeout", "0"),
        ("partial_results", "maybe"),
        ("memory_limit", "lots"),
        ("no_such_setting", "1"),
        ("subscriptions", "nope"),
        ("default_subscription", "nope"),
    ] {
        assert!(
            settings.set(name, value, Origin::Statement).is_err(),
            "{name} = {value}"
        );
    }
}

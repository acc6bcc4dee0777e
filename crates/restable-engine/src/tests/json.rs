//! Paths into JSON text.

use crate::functions::{arm_part, duration_seconds};
use crate::json::{elements, find, keys, path, text};

const POLICY: &str = r#" {"policyInfo":{"policyId":"/a/b","n":5,"none":null,"list":[{"tag":"x","isDefault":false},{"tag":"y","isDefault":true}]},
    "a b":{"c.d":[1,[2,3]]},"Same":1,"same":2,"esc":"q\"\u00e9"} "#;

fn check(written: &str, expected: Option<&str>) {
    let steps = path(written).unwrap();
    let found = find(POLICY, &steps);
    let found = found.as_deref().and_then(text);
    assert_eq!(found.as_deref(), expected, "{written}");
}

#[test]
fn paths_find_what_they_name() {
    check("$.policyInfo.policyId", Some("/a/b"));
    check("policyInfo.policyId", Some("/a/b"));
    check("$.policyInfo.n", Some("5"));
    check("$.policyInfo.none", None);
    check("$.policyInfo.absent", None);
    check("$.policyInfo.policyId.deeper", None);
    check("$.policyInfo.list[1].tag", Some("y"));
    check("$.policyInfo.list[-1].tag", Some("y"));
    check("$.policyInfo.list[7]", None);
    check("$.policyInfo.list[*].tag", Some(r#"["x","y"]"#));
    check("$.policyInfo.list[?(@.isDefault == true)].tag", Some("y"));
    check(
        "$.policyInfo.list[?(@.tag == 'x')].isDefault",
        Some("false"),
    );
    check("$['a b']['c.d'][1][0]", Some("2"));
    check("$.\"a b\".\"c.d\"[0]", Some("1"));
    check("$.esc", Some("q\"é"));
}

#[test]
fn keys_match_exactly_first_and_then_without_regard_to_spelling() {
    check("$.policy_info.POLICYID", Some("/a/b"));
    check("$.same", Some("2"));
    check("$.Same", Some("1"));
    // Two keys differ in case only: neither is meant by a third spelling.
    check("$.SAME", None);
}

#[test]
fn wrong_paths_are_refused() {
    for wrong in ["$.", "$..a", "$[", "$[x]", "$.a[", "$.\"a"] {
        assert_eq!(path(wrong), None, "{wrong}");
    }
}

#[test]
fn elements_and_keys_keep_the_order_of_the_text() {
    assert_eq!(
        elements(" [1, {\"a\":[2]}, \"x\"] ").unwrap(),
        ["1", "{\"a\":[2]}", "\"x\""]
    );
    assert_eq!(elements("{}"), None);
    assert_eq!(keys("{\"b\":1,\"a\":2}").unwrap(), ["b", "a"]);
    assert_eq!(keys("[]"), None);
}

#[test]
fn parts_of_ids_by_the_name_of_the_parameter() {
    let id = "/subscriptions/S/resourcegroups/G/providers/Microsoft.DataProtection/BackupVaults/V/backupInstances/I/recoveryPoints/R";
    for (name, expected) in [
        ("subscriptionId", Some("S")),
        ("resourceGroupName", Some("G")),
        ("vaultName", Some("V")),
        ("backup_instance_name", Some("I")),
        ("recoveryPointId", Some("R")),
        ("jobId", None),
    ] {
        assert_eq!(arm_part(id, name), expected, "{name}");
    }
    assert_eq!(
        arm_part("/x/y/backupPolicies/p", "backupPolicyName"),
        Some("p")
    );
    assert_eq!(arm_part("no id", "vaultName"), None);
}

#[test]
fn durations_of_both_notations() {
    for (written, expected) in [
        ("PT0S", Some(0.0)),
        ("PT3M5.5S", Some(185.5)),
        ("P1DT1H", Some(90_000.0)),
        ("P2W", Some(1_209_600.0)),
        ("00:03:12.5", Some(192.5)),
        ("1.00:00:01", Some(86_401.0)),
        ("P1H", None),
        ("nonsense", None),
        ("", None),
    ] {
        assert_eq!(duration_seconds(written), expected, "{written}");
    }
}

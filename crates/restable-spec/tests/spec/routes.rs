//! Which call a SELECT makes, as a table.

use restable_spec::Bound;

use crate::{one_service, table};

fn route(service: &str, resource: &str, bound: &[(&str, usize)]) -> String {
    let (_, resource) = table(service, resource);
    let bound: Bound = bound.iter().copied().collect();
    match resource.route(&bound) {
        Ok(method) => method.key.clone(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_method_with_the_fewest_calls_is_chosen() {
    let vault = [
        ("subscriptionId", 1),
        ("resourceGroupName", 1),
        ("vaultName", 1),
    ];
    let with = |more: &[(&'static str, usize)]| [vault.as_slice(), more].concat();
    for (resource, bound, expected) in [
        // Nothing is bound: the parents are walked.
        ("backup_instances", vec![], "list"),
        ("backup_vaults", vec![], "get_in_subscription"),
        ("recovery_points", vec![], "list"),
        (
            "restorable_time_ranges",
            vec![("sourceDataStoreType", 1)],
            "find",
        ),
        // A scope is bound: the narrowest list that it allows.
        (
            "backup_vaults",
            vec![("subscriptionId", 1)],
            "get_in_subscription",
        ),
        (
            "backup_vaults",
            vec![("subscription_id", 1), ("RESOURCE_GROUP_NAME", 1)],
            "get_in_resource_group",
        ),
        (
            "backup_vaults",
            vec![("resourceGroupName", 1)],
            "get_in_resource_group",
        ),
        // The name of a vault alone does not say where it is: all are read.
        (
            "backup_vaults",
            vec![("vaultName", 1)],
            "get_in_subscription",
        ),
        (
            "backup_vaults",
            vec![("subscriptionId", 1), ("vaultName", 1)],
            "get_in_subscription",
        ),
        ("backup_vaults", vault.to_vec(), "get"),
        // The full key: a GET. Up to four keys of one parent: GETs, more: the list.
        ("backup_instances", vault.to_vec(), "list"),
        (
            "backup_instances",
            with(&[("backupInstanceName", 1)]),
            "get",
        ),
        (
            "backup_instances",
            with(&[("backup_instance_name", 4)]),
            "get",
        ),
        (
            "backup_instances",
            with(&[("backupInstanceName", 5)]),
            "list",
        ),
        // Of two vaults two lists cost less than four GETs.
        (
            "backup_instances",
            vec![
                ("subscriptionId", 1),
                ("resourceGroupName", 1),
                ("vaultName", 2),
                ("backupInstanceName", 2),
            ],
            "list",
        ),
        (
            "backup_instances",
            vec![
                ("subscriptionId", 1),
                ("resourceGroupName", 1),
                ("vaultName", 2),
                ("backupInstanceName", 1),
            ],
            "get",
        ),
        // A key without its parent is asked for in each parent, several keys are not.
        ("backup_instances", vec![("backupInstanceName", 1)], "get"),
        ("backup_instances", vec![("backupInstanceName", 2)], "list"),
        ("backup_instances", vec![("vaultName", 1)], "list"),
        // Columns of the same name as another method's parameter change nothing.
        (
            "backup_vaults",
            vec![("subscriptionId", 1), ("location", 1)],
            "get_in_subscription",
        ),
        (
            "backup_instances",
            with(&[("id", 1), ("name", 1), ("api-version", 1)]),
            "list",
        ),
        (
            "backup_instances",
            with(&[("backupInstanceName", 1), ("operationId", 1)]),
            "get",
        ),
        // An empty IN makes no call at all, whichever method would make it.
        (
            "backup_instances",
            with(&[("backupInstanceName", 0)]),
            "get",
        ),
    ] {
        assert_eq!(
            route("data_protection", resource, &bound),
            expected,
            "{resource} {bound:?}"
        );
    }
    for (resource, bound, expected) in [
        ("subscriptions", vec![], "list"),
        ("subscriptions", vec![("subscriptionId", 1)], "get"),
        ("subscriptions", vec![("subscriptionId", 9)], "list"),
        ("resource_groups", vec![("subscriptionId", 1)], "list"),
        ("locations", vec![], "list"),
    ] {
        assert_eq!(
            route("resource", resource, &bound),
            expected,
            "{resource} {bound:?}"
        );
    }
}

#[test]
fn who_does_not_take_an_input_is_no_candidate() {
    let key = [
        ("subscriptionId", 1),
        ("resourceGroupName", 1),
        ("vaultName", 1),
        ("backupInstanceName", 1),
        ("recoveryPointId", 1),
    ];
    let with = |more: &[(&'static str, usize)]| [key.as_slice(), more].concat();
    for (bound, expected) in [
        (with(&[]), "get"),
        (with(&[("$filter", 1)]), "list"),
        (with(&[("api-version", 1)]), "get"),
        (with(&[("$filter", 1), ("api-version", 1)]), "list"),
    ] {
        let found = route("data_protection", "recovery_points", &bound);
        assert_eq!(found, expected, "{bound:?}");
    }
}

#[test]
fn inputs_that_no_method_takes_together_are_named() {
    let (_, resource) = table("data_protection", "recovery_points");
    let mut resource = (*resource).clone();
    resource.methods.retain(|key, _| key == "get");
    let bound: Bound = [("$filter", 1)].into_iter().collect();
    insta::assert_snapshot!(resource.route(&bound).unwrap_err(), @"`azure.data_protection.recovery_points` cannot be read: `get` is not readable, it does not take `$filter`");
}

#[test]
fn what_nobody_enumerates_is_named() {
    insta::assert_snapshot!(route("data_protection", "operation_result", &[("subscriptionId", 1)]), @"`azure.data_protection.operation_result` needs `location` and `operationId` (for `get`)");
    insta::assert_snapshot!(route("data_protection", "restorable_time_ranges", &[]), @"`azure.data_protection.restorable_time_ranges` needs `sourceDataStoreType` (for `find`)");
    insta::assert_snapshot!(route("data_protection", "export_jobs", &[]), @"`azure.data_protection.export_jobs` has no method that reads rows");
}

const DEAD_END: &str = "
components:
  x-stackQL-resources:
    cities:
      x-restable-parent: none
      methods:
        list: {operation: {$ref: '#/paths/~1countries~1{country}~1cities/get'}, response: {objectKey: $.rows}}
    streets:
      x-restable-parent: {resource: cities, parameters: {land: country, city: id}}
      methods:
        list: {operation: {$ref: '#/paths/~1countries~1{land}~1cities~1{city}~1streets/get'}, response: {objectKey: $.rows}}
    houses:
      x-restable-parent: {resource: streets, parameters: {land: land, city: city, street: id}}
      methods:
        list: {operation: {$ref: '#/paths/~1countries~1{land}~1cities~1{city}~1streets~1{street}~1houses/get'}, response: {objectKey: $.rows}}
  responses:
    rows:
      content:
        application/json:
          schema: {properties: {rows: {type: array, items: {type: object, properties: {id: {type: string}}}}}}
paths:
  /countries/{country}/cities: {get: {responses: {200: {$ref: '#/components/responses/rows'}}}}
  /countries/{land}/cities/{city}/streets: {get: {responses: {200: {$ref: '#/components/responses/rows'}}}}
  /countries/{land}/cities/{city}/streets/{street}/houses: {get: {responses: {200: {$ref: '#/components/responses/rows'}}}}
";

/// A parent that cannot be walked itself does not give the parameter that it lacks.
#[test]
fn dead_ends_are_named_at_every_depth() {
    let registry = one_service(DEAD_END);
    for (name, needed) in [
        ("cities", "country"),
        ("streets", "land"),
        ("houses", "land"),
    ] {
        let table = registry.resource("p", "s", name).unwrap().unwrap();
        assert_eq!(
            table.route(&Bound::new()).unwrap_err().needed(),
            [needed],
            "{name}"
        );
        let bound: Bound = [(needed, 1)].into_iter().collect();
        assert!(table.route(&bound).is_ok(), "{name}");
    }
}

const TWO_LISTS: &str = "
servers: [{url: https://api.example.com/v1/}]
components:
  x-stackQL-resources:
    things:
      name: things
      methods:
        by_owner: {operation: {$ref: '#/paths/~1owners~1{owner}~1things/get'}, response: {objectKey: $.rows}}
        by_place: {operation: {$ref: '#/paths/~1places~1{place}~1{room}~1things/get'}, response: {objectKey: $.rows}}
        paged: {operation: {$ref: '#/paths/~1things/get'}, response: {objectKey: $.rows}, config: {pagination: {algorithm: page_number}}}
      sqlVerbs:
        select:
          - $ref: '#/components/x-stackQL-resources/things/methods/by_owner'
          - $ref: '#/components/x-stackQL-resources/things/methods/by_place'
          - $ref: '#/components/x-stackQL-resources/things/methods/paged'
  responses:
    things:
      content:
        application/json:
          schema: {properties: {rows: {type: array, items: {type: object, properties: {id: {type: integer}}}}}}
paths:
  /owners/{owner}/things: {get: {responses: {200: {$ref: '#/components/responses/things'}}}}
  /places/{place}/{room}/things: {get: {responses: {200: {$ref: '#/components/responses/things'}}}}
  /things: {get: {responses: {200: {$ref: '#/components/responses/things'}}}}
";

#[test]
fn every_candidate_says_what_it_lacks() {
    let registry = one_service(TWO_LISTS);
    let things = registry.resource("p", "s", "things").unwrap().unwrap();
    let error = things.route(&Bound::new()).unwrap_err();
    assert_eq!(error.needed(), ["owner"]);
    insta::assert_snapshot!(error, @"`p.s.things` needs `owner`: `by_owner` takes `owner`; `by_place` takes `place` and `room`; `paged` is not readable, its pages are linked by `page_number`");
    let in_place: Bound = [("place", 1)].into_iter().collect();
    assert_eq!(things.route(&in_place).unwrap_err().needed(), ["owner"]);
    let in_room: Bound = [("place", 1), ("room", 1)].into_iter().collect();
    assert_eq!(things.route(&in_room).unwrap().key, "by_place");
}

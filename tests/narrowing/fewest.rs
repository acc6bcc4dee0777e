//! What used to make more calls than it has to: outer joins whose padded rows nobody wants, EXISTS that asks for a row at all, conditions that follow from those
//! of the other side of a join, parts of ids in another case, OR of names and of what no scope says, and rows read by key beside the list that has them.

use super::joined::{spent, written};
use crate::rig::{Rig, demo, run};

#[test]
fn padded_rows_that_nobody_wants_are_not_read_for() {
    run(async {
        let rig = Rig::start("demo").await;
        // Two vaults of seven, with six instances and five policies of each of them.
        let using = "{i} i FULL JOIN {p} p USING (subscriptionId, resourceGroupName, vaultName)";
        let two = "('bv-prod-neu', 'BV-Sandbox')";
        for (condition, rows, lists) in [
            (format!("i.vaultName IN {two}"), 11, 4),
            (
                format!("i.vaultName IN {two} AND p.name IN ('a', 'b')"),
                0,
                4,
            ),
            (
                "i.vaultName IN ('bv-prod-neu') OR i.vaultName IN ('bv-sandbox')".to_owned(),
                11,
                4,
            ),
            ("i.vaultName = 'bv-prod-neu'".to_owned(), 10, 2),
            ("lower(i.vaultName) = 'bv-prod-neu'".to_owned(), 10, 2),
            (
                "CASE WHEN i.vaultName = 'bv-prod-neu' THEN 1 ELSE 0 END = 1".to_owned(),
                10,
                2,
            ),
            (format!("split_part(i.id, '/', 9) IN {two}"), 11, 4),
            (
                "i.vaultName IN (SELECT name FROM {v} WHERE location = 'northeurope')".to_owned(),
                10,
                3,
            ),
            // One value for both sides.
            (format!("vaultName IN {two}"), 11, 4),
            ("vaultName = 'bv-prod-neu'".to_owned(), 10, 2),
            ("vaultName LIKE 'BV-prod-n%'".to_owned(), 10, 2),
            // The rows of the other side are padded, and wanted.
            (
                "i.vaultName IN ('bv-prod-neu') OR i.id IS NULL".to_owned(),
                10,
                14,
            ),
        ] {
            let sql = format!("SELECT i.id, p.id FROM {using} WHERE {condition}");
            assert_eq!(spent(&rig, &sql).await, (rows, [1, 4, lists, 0]), "{sql}");
        }
        let three = "{i} i FULL JOIN {p} p USING (subscriptionId, vaultName) FULL JOIN {v} v USING (subscriptionId, vaultName)";
        let sql = format!("SELECT i.id FROM {three} WHERE vaultName = 'bv-prod-neu'");
        assert_eq!(spent(&rig, &sql).await, (10, [1, 4, 2, 0]), "{sql}");
        // Those of five vaults; of these, four have instances that have policies.
        let sql = format!("SELECT i.id FROM {using} WHERE i.vaultName NOT IN {two}");
        assert_eq!(spent(&rig, &sql).await, (61, [1, 4, 9, 0]), "{sql}");
        // Below a view's name, and in a subquery with a name.
        for sql in [
            format!(
                "WITH q AS (SELECT i.id, i.vaultName AS x FROM {using}) SELECT id FROM q WHERE x IN {two}"
            ),
            format!(
                "SELECT id FROM (SELECT i.id, i.vaultName AS x FROM {using}) q WHERE x IN {two}"
            ),
        ] {
            assert_eq!(spent(&rig, &sql).await, (11, [1, 4, 4, 0]), "{sql}");
        }
    });
}

#[test]
fn whether_there_is_a_row_is_known_from_the_first() {
    run(async {
        let rig = Rig::start("demo").await;
        // The first subscription, its vaults, and the first of these.
        for (sql, rows, calls) in [
            ("SELECT EXISTS (SELECT 1 FROM {i})", 1, [1, 1, 1, 0]),
            ("SELECT NOT EXISTS (SELECT 1 FROM {i})", 1, [1, 1, 1, 0]),
            (
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM {i}) THEN 1 ELSE 2 END",
                1,
                [1, 1, 1, 0],
            ),
            (
                "SELECT displayName FROM {s} WHERE EXISTS (SELECT 1 FROM {i}) LIMIT 1",
                1,
                [1, 1, 1, 0],
            ),
            (
                "SELECT displayName FROM {s} WHERE EXISTS (SELECT 1 FROM {i})",
                5,
                [1, 1, 1, 0],
            ),
            // There is one, so that no vault is wanted.
            (
                "SELECT id FROM {v} WHERE NOT EXISTS (SELECT 1 FROM {i})",
                0,
                [1, 1, 1, 0],
            ),
            (
                "SELECT id FROM {v} WHERE NOT EXISTS (SELECT 1 FROM {i} WHERE name = 'none')",
                7,
                [1, 4, 7, 0],
            ),
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT 1 FROM {i})",
                7,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT 1 FROM {i}) OR name = 'x'",
                7,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT vaultName FROM {i} GROUP BY vaultName ORDER BY 1)",
                7,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT DISTINCT vaultName, row_number() OVER () FROM {i})",
                7,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id FROM {v} v WHERE EXISTS (SELECT 1 FROM {i} WHERE v.name = 'bv-prod-neu')",
                1,
                [1, 4, 1, 0],
            ),
            // What is asked for beside it is limited as well.
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT 1 FROM {i}) LIMIT 1",
                1,
                [1, 1, 1, 0],
            ),
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT 1 FROM {i} WHERE EXISTS (SELECT 1 FROM {v} WHERE name LIKE 'bv%'))",
                7,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id, EXISTS (SELECT 1 FROM {p} p WHERE p.vaultName = v.vaultName) FROM {v} v LIMIT 1",
                1,
                [1, 4, 1, 0],
            ),
            // A group of no rows is a row.
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT count(*) FROM {i} WHERE 1 = 0)",
                7,
                [1, 4, 0, 0],
            ),
            (
                "SELECT id FROM {v} WHERE EXISTS (SELECT 1 FROM {i} OFFSET 31)",
                0,
                [1, 4, 7, 0],
            ),
        ] {
            assert_eq!(spent(&rig, sql).await, (rows, calls), "{sql}");
        }
    });
}

#[test]
fn a_page_is_enough_to_know_that_there_is_a_row() {
    run(async {
        let mut options = crate::rig::options("1,1,30");
        options.page_size = 3;
        let rig = Rig::with(options, vec![std::sync::Arc::new(restable_spec::Builtin)]).await;
        let found = rig
            .rows(&written(
                "SELECT subscriptionId, resourceGroupName, vaultName FROM {v}",
            ))
            .await;
        let of = |at: usize| found.rows[0][at].clone().unwrap();
        let sql = format!(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM {{i}} WHERE subscriptionId = '{}' AND resourceGroupName = '{}' AND vaultName = '{}')",
            of(0),
            of(1),
            of(2)
        );
        assert_eq!(spent(&rig, &sql).await, (1, [0, 0, 1, 0]));
    });
}

#[test]
fn what_is_said_of_one_side_is_known_of_the_other() {
    run(async {
        let rig = Rig::start("demo").await;
        // Two vaults of one subscription that is written, so that none is listed.
        let written = format!("i.subscriptionId = '{}'", demo::PRODUCTION);
        let same = "j.subscriptionId = i.subscriptionId AND j.vaultName = i.vaultName";
        for (sql, rows) in [
            (
                format!("SELECT i.id FROM {{i}} i JOIN {{j}} j ON {same} WHERE {written}"),
                325,
            ),
            (
                format!(
                    "SELECT i.id, x.name FROM {{i}} i, LATERAL (SELECT j.name FROM {{j}} j WHERE {same}) x WHERE {written}"
                ),
                325,
            ),
            (
                format!(
                    "SELECT i.id, n FROM {{i}} i LEFT JOIN LATERAL (SELECT count(*) AS n FROM {{j}} j WHERE {same}) x ON true WHERE {written}"
                ),
                15,
            ),
            (
                format!(
                    "SELECT i.id FROM {{i}} i WHERE EXISTS (SELECT 1 FROM {{j}} j WHERE {same}) AND {written}"
                ),
                15,
            ),
            (
                format!(
                    "SELECT i.id FROM {{i}} i WHERE NOT EXISTS (SELECT 1 FROM {{j}} j WHERE {same}) AND {written}"
                ),
                0,
            ),
            (
                format!(
                    "SELECT i.id FROM {{i}} i WHERE vaultName IN (SELECT vaultName FROM {{j}} j WHERE j.subscriptionId = i.subscriptionId) AND {written}"
                ),
                15,
            ),
            (
                format!(
                    "SELECT i.id, (SELECT count(*) FROM {{j}} j WHERE {same}) FROM {{i}} i WHERE {written}"
                ),
                15,
            ),
            (
                format!(
                    "SELECT i.id, EXISTS (SELECT 1 FROM {{j}} j WHERE {same}) FROM {{i}} i WHERE {written}"
                ),
                15,
            ),
            (
                format!(
                    "WITH i AS (SELECT id, subscriptionId, vaultName FROM {{i}} i WHERE {written}) SELECT i.id FROM i LEFT JOIN {{j}} j ON {same}"
                ),
                325,
            ),
        ] {
            assert_eq!(spent(&rig, &sql).await, (rows, [0, 1, 4, 0]), "{sql}");
        }
        // A row that is kept though nothing matches it is not left out by what is said of the other side.
        let sql = format!(
            "SELECT count(*) FROM {{v}} v LEFT JOIN (SELECT id, subscriptionId FROM {{i}} i WHERE {written}) i ON i.subscriptionId = v.subscriptionId GROUP BY v.id"
        );
        assert_eq!(spent(&rig, &sql).await, (7, [1, 4, 2, 0]));
    });
}

#[test]
fn parts_of_ids_in_any_case_are_names_of_scopes() {
    run(async {
        let rig = Rig::start("demo").await;
        let production = demo::PRODUCTION;
        let one = [1, 4, 1, 0];
        for (condition, rows, calls) in [
            ("split_part(lower(id), '/', 5) = 'rg-backup-prod-neu'".to_owned(), 5, one),
            ("split_part(upper(id), '/', 5) = 'RG-BACKUP-PROD-NEU'".to_owned(), 5, one),
            ("lower(split_part(id, '/', 5)) LIKE 'rg-backup-prod-n%'".to_owned(), 5, one),
            ("arm_id(lower(id), 'resourceGroupName') = 'rg-backup-prod-neu'".to_owned(), 5, one),
            ("upper(arm_id(id, 'RESOURCEGROUPNAME')) = 'RG-BACKUP-PROD-NEU'".to_owned(), 5, one),
            ("split_part(id, '/', -3) = 'bv-prod-neu'".to_owned(), 5, one),
            ("split_part(id, '/', -99) = 'bv-prod-neu'".to_owned(), 0, [1, 4, 7, 0]),
            ("strpos(lower(id), '/bv-prod-neu/') > 0".to_owned(), 5, one),
            ("position('/bv-prod-neu/' IN lower(id)) = 0".to_owned(), 26, [1, 4, 7, 0]),
            (format!("left(id, 52) = '/subscriptions/{production}/'"), 15, [0, 1, 2, 0]),
            (format!("substr(id, 1, 52) = '/subscriptions/{production}/'"), 15, [0, 1, 2, 0]),
            ("substr(id, 2, 13) = 'subscriptions'".to_owned(), 31, [1, 4, 7, 0]),
            // Another case than the text has.
            ("split_part(lower(id), '/', 5) = 'RG-backup-prod-neu'".to_owned(), 0, [1, 4, 0, 0]),
            ("lower(id) LIKE '%/backupvaults/bv-prod-neu/%'".to_owned(), 5, one),
            ("upper(id) LIKE '%/BACKUPVAULTS/BV-PROD-NEU/%'".to_owned(), 5, one),
            (format!("starts_with(lower(id), '/subscriptions/{production}/')"), 15, [0, 1, 2, 0]),
            (format!("lower(id) LIKE '/subscriptions/{production}/%'"), 15, [0, 1, 2, 0]),
            // What no scope says leaves the scopes that are named beside it.
            ("(vaultName = 'bv-prod-neu' AND backupInstanceName = 'x') OR vaultName = 'bv-sandbox'".to_owned(), 1, [1, 4, 2, 0]),
            ("(vaultName = 'bv-prod-neu' AND properties.friendlyName = 'x') OR vaultName = 'bv-sandbox'".to_owned(), 1, [1, 4, 2, 0]),
            ("(vaultName = 'bv-prod-neu' AND name LIKE 'x%') OR (vaultName LIKE 'bv-s%' AND tags IS NULL)".replace("tags", "properties.none"), 1, [1, 4, 2, 0]),
            (format!("(subscriptionId = '{production}' AND vaultName = 'bv-prod-neu') OR (subscriptionId = '{production}' AND name = 'x')"), 5, [0, 1, 2, 0]),
            ("vaultName = 'bv-prod-neu' OR backupInstanceName = 'x'".to_owned(), 5, [1, 4, 7, 0]),
            ("NOT (vaultName <> 'bv-prod-neu' AND backupInstanceName <> 'x')".to_owned(), 5, [1, 4, 7, 0]),
        ] {
            let sql = format!("SELECT id FROM {{i}} WHERE {condition}");
            assert_eq!(spent(&rig, &sql).await, (rows, calls), "{sql}");
        }
        // Each level of scopes is asked what is known there.
        let sql = format!(
            "SELECT id FROM {{i}} WHERE (subscriptionId = '{production}' AND vaultName LIKE 'bv-prod-n%') OR \
             (subscriptionId LIKE '5e07b9f3%' AND backupInstanceName LIKE 'x%')"
        );
        assert_eq!(spent(&rig, &sql).await, (5, [1, 2, 2, 0]));
    });
}

#[test]
fn rows_are_not_read_by_key_beside_the_list_that_has_them() {
    run(async {
        let rig = Rig::start("demo").await;
        let production = demo::PRODUCTION;
        let vault = format!(
            "subscriptionId = '{production}' AND resourceGroupName = 'rg-backup-prod-neu' AND vaultName = 'bv-prod-neu'"
        );
        for (sql, rows, calls) in [
            // The vaults of a group, and by their names the same in all lists.
            (
                "SELECT i.id FROM {v} v JOIN {i} i ON i.vaultName = v.vaultName WHERE v.resourceGroupName = 'rg-backup-prod-neu'".to_owned(),
                5,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id FROM {i} WHERE resourceGroupName = (SELECT min(resourceGroupName) FROM {v} WHERE location = 'northeurope')".to_owned(),
                5,
                [1, 4, 1, 0],
            ),
            (
                format!("SELECT i.id FROM {{v}} v JOIN {{i}} i ON i.vaultName = v.vaultName WHERE v.{vault}").replace(" AND ", " AND v."),
                5,
                [1, 4, 1, 0],
            ),
            (
                format!("SELECT v.id FROM {{s}} s JOIN {{v}} v ON length(s.displayName) <> length(v.name) WHERE s.subscriptionId = '{production}'"),
                6,
                [1, 4, 0, 0],
            ),
            // Where all of the key is known of the other side, no list is read.
            (
                format!("SELECT i.id FROM {{v}} v JOIN {{i}} i ON {{same}} WHERE v.{vault}").replace(" AND resource", " AND v.resource").replace(" AND vaultName = 'bv", " AND v.vaultName = 'bv"),
                5,
                [0, 0, 1, 1],
            ),
        ] {
            assert_eq!(spent(&rig, &sql).await, (rows, calls), "{sql}");
        }
    });
}

#[test]
fn names_that_are_multiplied_are_looked_up_in_lists() {
    run(async {
        // Twenty subscriptions with three vaults each.
        let rig = Rig::start("20,60,300").await;
        let groups = |count: usize| {
            let others = (1..count).map(|at| format!(", 'rg-{at}'"));
            format!("('rg-backup-0000'{})", others.collect::<String>())
        };
        let vaults = "('bv-a', 'bv-b', 'bv-c', 'bv-d', 'bv-e')";
        let same = "i.subscriptionId = v.subscriptionId AND i.vaultName = v.vaultName";
        let ten = groups(10);
        for (sql, rows, calls) in [
            // What a join says of subscriptions and vaults, times ten groups.
            (
                format!(
                    "SELECT i.id FROM {{v}} v LEFT JOIN {{i}} i ON {same} AND i.resourceGroupName IN {ten} WHERE v.location IS NOT NULL"
                ),
                300,
                [1, 20, 60, 0],
            ),
            (
                format!(
                    "SELECT v.id FROM {{v}} v WHERE v.location IS NOT NULL AND EXISTS (SELECT 1 FROM {{i}} i WHERE {same} AND i.resourceGroupName IN {ten})"
                ),
                60,
                [1, 20, 60, 0],
            ),
            // Subscriptions that are found, times vaults that are named.
            (
                format!(
                    "SELECT id FROM {{i}} WHERE resourceGroupName IN {ten} AND vaultName IN {vaults} AND subscriptionId IN (SELECT subscriptionId FROM {{s}} WHERE displayName <> 'q')"
                ),
                0,
                [1, 20, 0, 0],
            ),
            // Constants alone: the list of the subscription says which there are.
            (
                format!(
                    "SELECT id FROM {{i}} WHERE subscriptionId = '{}' AND resourceGroupName IN {ten} AND vaultName IN {vaults}",
                    "00000000-0000-4000-8000-000000000001"
                ),
                0,
                [0, 1, 0, 0],
            ),
            // As many as are asked for one by one.
            (
                format!(
                    "SELECT id FROM {{i}} WHERE subscriptionId = '{}' AND resourceGroupName IN {} AND vaultName IN ('bv-a', 'bv-b')",
                    "00000000-0000-4000-8000-000000000001",
                    groups(2)
                ),
                0,
                [0, 0, 4, 0],
            ),
        ] {
            assert_eq!(spent(&rig, &sql).await, (rows, calls), "{sql}");
        }
    });
}

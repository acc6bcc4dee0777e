//! Paths into JSON become columns of the scan, wherever a statement names them, and the answer is that of the functions over JSON text.

use std::fmt::Write as _;

use crate::rig::{Answer, Rig, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";

async fn plan(rig: &Rig, sql: &str) -> String {
    let answer = rig.rows(&format!("EXPLAIN {sql}")).await;
    let mut text = String::new();
    for row in &answer.rows {
        writeln!(
            text,
            "{}",
            row.last().unwrap().as_deref().unwrap_or_default()
        )
        .unwrap();
    }
    text
}

/// The physical plan's scans, a line each.
fn scans(plan: &str) -> Vec<&str> {
    plan.lines()
        .filter(|line| line.contains("ScanExec: azure"))
        .collect()
}

fn sorted(answer: &Answer) -> Vec<Vec<Option<String>>> {
    let mut rows = answer.rows.clone();
    rows.sort();
    rows
}

/// Pairs of statements: one over the table, one over the same JSON as text, which no scan decodes.
const SHAPES: [&str; 34] = [
    "SELECT name, properties.policyInfo.policyId FROM {t}",
    "SELECT name FROM {t} WHERE properties.dataSourceInfo.datasourceType = 'Microsoft.Compute/disks'",
    "SELECT properties.policyInfo.policyId AS p, count(*) FROM {t} GROUP BY 1",
    "SELECT name FROM {t} ORDER BY properties->'dataSourceInfo'->>'resourceName', name",
    "SELECT a.name, b.properties->>'friendlyName' FROM {t} a JOIN {t} b ON a.properties.friendlyName = b.properties.friendlyName",
    "SELECT a.name FROM {t} a LEFT JOIN {t} b ON a.name = b.properties->>'nothing' WHERE b.name IS NULL",
    "SELECT name, json_extract(properties, '$.policyInfo.policyParameters.dataStoreParametersList[0].dataStoreType') FROM {t}",
    "SELECT name, properties->'policyInfo', properties->'policyInfo'->'policyParameters' FROM {t}",
    "SELECT name, properties['protectionStatus']['status'], properties.PROTECTION_STATUS.Status FROM {t}",
    "SELECT name, properties, properties.objectType FROM {t} WHERE properties.objectType IS NOT NULL AND properties.nothing IS NULL",
    "SELECT count(DISTINCT properties.policyInfo.policyId), max(properties.friendlyName), min(length(properties->>'objectType')) FROM {t}",
    "SELECT name, json_array_length(properties, 'policyInfo', 'policyParameters', 'dataStoreParametersList') FROM {t}",
    "SELECT name FROM {t} WHERE properties.policyInfo.policyId IN (SELECT properties.policyInfo.policyId FROM {t} WHERE name LIKE '%a%')",
    "SELECT f, row_number() OVER (PARTITION BY d ORDER BY f) FROM (SELECT properties.friendlyName AS f, properties.dataSourceInfo.datasourceType AS d, name FROM {t}) ORDER BY d, f, name",
    "SELECT a.properties.friendlyName, b.properties.policyInfo.policyId, a.properties->'policyInfo' FROM {t} a JOIN {t} b ON a.id = b.id",
    "SELECT a.name, b.properties.friendlyName, json_array_length(b.properties, 'policyInfo', 'policyParameters', 'dataStoreParametersList') FROM {t} a LEFT JOIN {t} b ON a.id = b.id AND b.properties.objectType = 'nothing'",
    "SELECT a.name, b.properties.friendlyName FROM {t} a FULL JOIN (SELECT * FROM {t} WHERE name LIKE '%a%') b ON a.id = b.id WHERE b.properties.friendlyName IS NULL OR a.properties->>'friendlyName' LIKE '%a%'",
    "SELECT b.properties.dataSourceInfo.datasourceType, count(*), count(a.properties.friendlyName) FROM {t} a RIGHT JOIN {t} b ON a.id = b.id AND a.name LIKE '%a%' GROUP BY b.properties.dataSourceInfo.datasourceType",
    "SELECT properties.friendlyName, name FROM (SELECT * FROM {t} ORDER BY name LIMIT 7) q",
    "WITH q AS (SELECT id AS i, properties AS p FROM {t}) SELECT x.p.friendlyName, y.p['policyInfo']['policyId'] FROM q x, q y WHERE x.i = y.i AND x.p.objectType = y.p.objectType ORDER BY x.p.friendlyName",
    "SELECT a.name FROM {t} a WHERE a.properties.friendlyName = (SELECT max(b.properties.friendlyName) FROM {t} b JOIN {t} c ON b.id = c.id WHERE c.properties.policyInfo.policyId IS NOT NULL)",
    "SELECT a.properties, a.properties.friendlyName FROM {t} a JOIN {t} b ON b.properties.friendlyName = a.properties.friendlyName AND b.properties.policyInfo.policyId > a.id",
    "SELECT a.name FROM {t} a WHERE EXISTS (SELECT 1 FROM {t} b WHERE b.properties.friendlyName = a.properties.friendlyName AND b.id <> a.id) OR a.properties.friendlyName LIKE '%a%'",
    "SELECT coalesce(a.properties.friendlyName, b.properties.friendlyName), a.properties->'policyInfo'->'policyParameters'->'dataStoreParametersList'->0 FROM {t} a JOIN {t} b USING (id)",
    "SELECT DISTINCT a.properties.objectType FROM {t} a CROSS JOIN {t} b GROUP BY GROUPING SETS ((a.properties.objectType), ())",
    "SELECT a.properties.friendlyName, row_number() OVER (PARTITION BY b.properties.objectType ORDER BY a.properties.friendlyName, a.id) FROM {t} a JOIN {t} b ON a.id = b.id",
    "SELECT q.properties.friendlyName, rn FROM (SELECT *, row_number() OVER (ORDER BY id) AS rn FROM {t}) q WHERE rn < 3",
    "SELECT name, row_number() OVER (PARTITION BY properties.objectType, properties.policyInfo.policyId ORDER BY properties.friendlyName, id) FROM {t}",
    "SELECT q.properties.friendlyName, lead(q.properties.friendlyName) OVER (ORDER BY q.id), count(*) OVER () FROM (SELECT * FROM {t} ORDER BY id LIMIT 9) q",
    "SELECT q.properties.friendlyName, q.properties->'policyInfo'->>'policyId' FROM (SELECT name, properties FROM {t} WHERE name LIKE '%a%' UNION ALL SELECT id, properties FROM {t}) q WHERE q.properties.objectType IS NOT NULL",
    "SELECT q.p.friendlyName, count(*) FROM (SELECT properties AS p, name AS n FROM {t} UNION ALL SELECT properties, id FROM {t} WHERE properties.friendlyName LIKE '%b%' UNION ALL SELECT NULL, 'none') q GROUP BY 1",
    "WITH q AS (SELECT id, properties FROM {t} UNION SELECT id, properties FROM {t}) SELECT a.properties.friendlyName FROM q a JOIN {t} b ON a.id = b.id WHERE b.properties.objectType = a.properties.objectType",
    "SELECT DISTINCT q.properties.friendlyName, q.properties.dataSourceInfo FROM (SELECT DISTINCT name, properties FROM {t}) q",
    "SELECT x.f, count(*) OVER (PARTITION BY x.f) FROM (SELECT i.properties.friendlyName AS f, row_number() OVER (PARTITION BY j.properties.objectType ORDER BY i.id) AS n FROM {t} i JOIN {t} j ON i.id = j.id) x WHERE n > 2",
];

#[test]
fn answers_are_those_over_json_text() {
    run(async {
        let rig = Rig::start("demo").await;
        let session = rig.session();
        let copy = format!("CREATE TABLE copy AS SELECT * FROM {INSTANCES}");
        crate::rig::ask(&session, &copy).await.unwrap();
        for shape in SHAPES {
            let scanned = shape.replace("{t}", INSTANCES);
            let own = crate::rig::ask(&session, &scanned).await.unwrap();
            let text = crate::rig::ask(&session, &shape.replace("{t}", "copy"))
                .await
                .unwrap();
            assert!(!own.rows.is_empty(), "{shape}");
            assert_eq!(sorted(&own), sorted(&text), "{shape}");
        }
    });
}

#[test]
fn a_scan_decodes_the_paths_of_its_statement_and_no_more() {
    run(async {
        let rig = Rig::start("demo").await;
        for (sql, columns) in [
            (
                "SELECT properties.policyInfo.policyId FROM {t}",
                "columns=[properties.policyInfo.policyId]",
            ),
            (
                "SELECT name FROM {t} WHERE properties.objectType = 'x'",
                "properties.objectType",
            ),
            (
                "SELECT count(*) FROM {t} GROUP BY properties->'policyInfo'->>'policyId'",
                "columns=[properties.policyInfo.policyId]",
            ),
            (
                "SELECT json_array_length(properties, 'a b', 'list') FROM {t}",
                "columns=[properties['a b'].list]",
            ),
            (
                "SELECT policy_id FROM azure.data_protection.vw_backup_instances WHERE datasource_type = 'x'",
                "properties.dataSourceInfo.datasourceType",
            ),
        ] {
            let plan = plan(&rig, &sql.replace("{t}", INSTANCES)).await;
            let scans = scans(&plan);
            assert_eq!(scans.len(), 1, "{plan}");
            assert!(scans[0].contains(columns), "{sql}\n{plan}");
            assert!(
                !scans[0].contains("properties,") && !scans[0].contains("properties]"),
                "{sql}\n{plan}"
            );
        }
        // The whole object is decoded where it is asked for.
        let plan = plan(
            &rig,
            &format!("SELECT properties, properties.objectType FROM {INSTANCES}"),
        )
        .await;
        assert!(
            plan.contains("properties.objectType") && plan.contains("properties,"),
            "{plan}"
        );
    });
}

#[test]
fn paths_above_joins_limits_windows_and_unions_are_columns_of_their_scans() {
    run(async {
        let rig = Rig::start("demo").await;
        let vaults = "azure.data_protection.backup_vaults";
        for (sql, columns) in [
            (
                "SELECT q.properties.friendlyName FROM (SELECT *, row_number() OVER (PARTITION BY vaultName ORDER BY id) AS rn FROM {t}) q WHERE rn = 1",
                "properties.friendlyName",
            ),
            (
                "SELECT i.properties.friendlyName, count(*) OVER (PARTITION BY i.properties.objectType) FROM {t} i JOIN {v} v ON i.vaultName = v.name",
                "properties.objectType",
            ),
            (
                "SELECT q.properties.friendlyName, count(*) FROM (SELECT properties FROM {t} WHERE name LIKE 'a%' UNION ALL SELECT properties FROM {t} WHERE name LIKE 'b%') q GROUP BY 1",
                "properties.friendlyName",
            ),
            (
                "SELECT i.properties.friendlyName, v.name FROM {t} i JOIN {v} v ON i.vaultName = v.name",
                "properties.friendlyName",
            ),
            (
                "SELECT v.name, max(i.properties.policyInfo.policyId) FROM {v} v LEFT JOIN {t} i ON i.vaultName = v.name GROUP BY v.name",
                "properties.policyInfo.policyId",
            ),
            (
                "SELECT count(*) FROM {t} i JOIN {v} v ON i.properties.friendlyName = v.name",
                "properties.friendlyName",
            ),
            (
                "SELECT v.name FROM {v} v JOIN {t} i ON i.vaultName = v.name WHERE i.properties.friendlyName > v.location",
                "properties.friendlyName",
            ),
            (
                "SELECT q.properties.friendlyName FROM (SELECT * FROM {t} LIMIT 3) q",
                "properties.friendlyName",
            ),
            (
                "WITH q AS (SELECT properties, vaultName FROM {t}) SELECT q.properties.friendlyName FROM q JOIN {v} v ON q.vaultName = v.name",
                "properties.friendlyName",
            ),
        ] {
            let sql = sql.replace("{t}", INSTANCES).replace("{v}", vaults);
            let plan = plan(&rig, &sql).await;
            let scans = scans(&plan);
            let scans = scans.iter().filter(|it| it.contains("backup_instances"));
            assert!(scans.clone().count() > 0, "{plan}");
            for scan in scans {
                assert!(scan.contains(columns), "{sql}\n{plan}");
                assert!(
                    !scan.contains("properties,") && !scan.contains("properties]"),
                    "{sql}\n{plan}"
                );
            }
        }
    });
}

//! Owns the table of the demo estate: which vaults a company called Contoso has, and what they protect. `demo.rs` makes
//! resources of it.

use crate::bodies::Source;

pub(super) const TENANT: &str = "7a1c2f80-52a6-4d0b-9c5e-3f1f6f0a9d11";
pub(super) const PRODUCTION: &str = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
pub(super) const DEVELOPMENT: &str = "2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002";
pub(super) const DATA: &str = "c41d08aa-97f4-4e3b-a2c5-50b86e19c003";
pub(super) const SANDBOX: &str = "5e07b9f3-41cd-47d2-b86e-9a3c2f74c004";
pub(super) const LEGACY: &str = "d96a2e47-8c10-4b5d-93fe-26e0d1a8c005";

/// A vault and what it holds: policies, and instances as type, friendly name, group of the data source and state.
pub(super) struct Vault {
    pub(super) subscription: &'static str,
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) location: &'static str,
    pub(super) redundancy: &'static str,
    pub(super) soft_delete: &'static str,
    pub(super) immutability: &'static str,
    pub(super) guarded: bool,
    pub(super) tags: Option<(&'static str, &'static str)>,
    pub(super) policies: &'static [(&'static str, Source)],
    pub(super) instances: &'static [(Source, &'static str, &'static str, &'static str)],
}

pub(super) const HEALTHY: &str = "ProtectionConfigured";
pub(super) const FAILED: &str = "ConfiguringProtectionFailed";
pub(super) const STOPPED: &str = "ProtectionStopped";
pub(super) const SUSPENDED: &str = "BackupsSuspended";
pub(super) const DELETED: &str = "SoftDeleted";

/// Group ids are spelled differently here and there, as real ones are.
pub(super) static VAULTS: &[Vault] = &[
    Vault {
        subscription: PRODUCTION,
        group: "rg-backup-prod-weu",
        name: "bv-prod-weu",
        location: "westeurope",
        redundancy: "GeoRedundant",
        soft_delete: "AlwaysOn",
        immutability: "Locked",
        guarded: true,
        tags: Some(("environment", "production")),
        policies: &[
            ("disk-4hourly-7d", Source::Disk),
            ("disk-gold", Source::Disk),
            ("blob-daily-30d", Source::Blob),
        ],
        instances: &[
            (
                Source::Disk,
                "disk-sap-hana-data-01",
                "rg-sap-prod",
                HEALTHY,
            ),
            (
                Source::Disk,
                "disk-sap-hana-data-02",
                "rg-sap-prod",
                HEALTHY,
            ),
            (Source::Disk, "disk-sap-hana-log-01", "rg-sap-prod", HEALTHY),
            (Source::Disk, "disk-crm-web-os", "RG-CRM-Prod", HEALTHY),
            (Source::Disk, "disk-crm-sql-data", "RG-CRM-Prod", FAILED),
            (Source::Disk, "disk-dc01-os", "rg-identity", HEALTHY),
            (Source::Disk, "disk-dc02-os", "rg-identity", HEALTHY),
            (Source::Disk, "disk-print-spool", "rg-office", DELETED),
            (Source::Blob, "stcontosoinvoices", "rg-finance", HEALTHY),
            (Source::Blob, "stcontosostatements", "rg-finance", HEALTHY),
            (Source::Blob, "stcontosoarchive2019", "rg-finance", STOPPED),
        ],
    },
    Vault {
        subscription: PRODUCTION,
        group: "RG-Backup-Prod-NEU",
        name: "BV-Prod-NEU",
        location: "northeurope",
        redundancy: "ZoneRedundant",
        soft_delete: "On",
        immutability: "Unlocked",
        guarded: false,
        tags: None,
        policies: &[
            ("postgres-weekly-90d", Source::Postgres),
            ("aks-daily-14d", Source::Kubernetes),
        ],
        instances: &[
            (
                Source::Postgres,
                "pg-orders-prod/orders",
                "rg-shop-prod",
                HEALTHY,
            ),
            (
                Source::Postgres,
                "pg-orders-prod/payments",
                "rg-shop-prod",
                HEALTHY,
            ),
            (
                Source::Postgres,
                "pg-loyalty-prod/loyalty",
                "rg-shop-prod",
                FAILED,
            ),
            (
                Source::Kubernetes,
                "aks-shop-prod-neu",
                "rg-shop-prod",
                HEALTHY,
            ),
            (
                Source::Kubernetes,
                "aks-portal-prod-neu",
                "rg-portal",
                SUSPENDED,
            ),
        ],
    },
    Vault {
        subscription: DEVELOPMENT,
        group: "rg-dev-shared",
        name: "bv-dev-weu",
        location: "westeurope",
        redundancy: "LocallyRedundant",
        soft_delete: "Off",
        immutability: "Disabled",
        guarded: false,
        tags: Some(("environment", "development")),
        policies: &[
            ("disk-4hourly-7d", Source::Disk),
            ("aks-daily-14d", Source::Kubernetes),
            ("blob-daily-30d", Source::Blob),
        ],
        instances: &[
            (Source::Disk, "disk-build-agent-01", "rg-dev-ci", HEALTHY),
            (Source::Disk, "disk-build-agent-02", "rg-dev-ci", HEALTHY),
            (Source::Disk, "disk-jumpbox", "rg-dev-shared", STOPPED),
            (Source::Kubernetes, "aks-dev-weu", "rg-dev-aks", HEALTHY),
            (Source::Blob, "stdevartifacts", "rg-dev-ci", HEALTHY),
        ],
    },
    Vault {
        subscription: DEVELOPMENT,
        group: "rg-dev-sandbox",
        name: "bv-dev-empty",
        location: "northeurope",
        redundancy: "LocallyRedundant",
        soft_delete: "On",
        immutability: "Disabled",
        guarded: false,
        tags: None,
        policies: &[],
        instances: &[],
    },
    Vault {
        subscription: DATA,
        group: "rg-data-backup",
        name: "bv-data-eus2",
        location: "eastus2",
        redundancy: "GeoRedundant",
        soft_delete: "On",
        immutability: "Disabled",
        guarded: false,
        tags: Some(("costCenter", "4711")),
        policies: &[
            ("postgres-weekly-90d", Source::Postgres),
            ("blob-daily-30d", Source::Blob),
        ],
        instances: &[
            (
                Source::Postgres,
                "pg-warehouse/warehouse",
                "rg-data-platform",
                HEALTHY,
            ),
            (
                Source::Postgres,
                "pg-warehouse/staging",
                "rg-data-platform",
                HEALTHY,
            ),
            (
                Source::Postgres,
                "pg-metadata/airflow",
                "rg-data-platform",
                HEALTHY,
            ),
            (Source::Blob, "stdatalakeraw", "rg-data-lake", HEALTHY),
            (Source::Blob, "stdatalakecurated", "rg-data-lake", HEALTHY),
            (Source::Blob, "stmlmodels", "rg-data-ml", SUSPENDED),
        ],
    },
    Vault {
        subscription: DATA,
        group: "rg-data-backup",
        name: "bv-data-disks-eus2",
        location: "eastus2",
        redundancy: "LocallyRedundant",
        soft_delete: "On",
        immutability: "Disabled",
        guarded: false,
        tags: None,
        policies: &[("disk-4hourly-7d", Source::Disk)],
        instances: &[
            (Source::Disk, "disk-kafka-01", "rg-data-stream", HEALTHY),
            (Source::Disk, "disk-kafka-02", "rg-data-stream", HEALTHY),
            (Source::Disk, "disk-kafka-03", "rg-data-stream", FAILED),
            (Source::Disk, "disk-gitlab-data", "rg-data-tools", HEALTHY),
        ],
    },
    Vault {
        subscription: SANDBOX,
        group: "rg-sandbox",
        name: "bv-sandbox",
        location: "westeurope",
        redundancy: "LocallyRedundant",
        soft_delete: "On",
        immutability: "Disabled",
        guarded: false,
        tags: None,
        policies: &[("disk-4hourly-7d", Source::Disk)],
        instances: &[(Source::Disk, "disk-experiment-17", "rg-sandbox", STOPPED)],
    },
];

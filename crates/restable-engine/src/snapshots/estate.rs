//! Which estate the rows of a snapshot were read from: provider, endpoint, cloud, tenant and principal, as the journal ties
//! what was done to them. Rows of one estate are never refreshed with those of another.

use std::any::Any;
use std::collections::BTreeMap;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use restable_http::journal::Binding;
use restable_sql::Diagnostic;
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::session::Session;
use crate::table::ResourceTable;
use crate::{Error, Result, acting};

/// The code of the error that a refresh under another estate gets.
pub const OTHER_ESTATE: &str = "R0350";

/// Where rows came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    /// The provider.
    pub provider: String,
    /// The origin that its calls went to.
    pub endpoint: String,
    /// The cloud, if the provider has clouds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// The tenant of the credential, as far as it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who read, as far as it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
}

impl From<Binding> for Estate {
    fn from(binding: Binding) -> Estate {
        Estate {
            provider: binding.provider,
            endpoint: binding.endpoint,
            cloud: binding.cloud,
            tenant: binding.tenant,
            principal: binding.principal,
        }
    }
}

impl Estate {
    /// In words.
    pub fn shown(&self) -> String {
        let mut text = format!("{} at {}", self.provider, self.endpoint);
        for (what, value) in [
            ("cloud", &self.cloud),
            ("tenant", &self.tenant),
            ("as", &self.principal),
        ] {
            if let Some(value) = value {
                text.push_str(&format!(", {what} {value}"));
            }
        }
        text
    }
}

/// The estates that a plan reads, each provider's once.
pub async fn estates(session: &Session, plan: &LogicalPlan) -> Result<Vec<Estate>> {
    let mut servers: BTreeMap<String, String> = BTreeMap::new();
    let mut services = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = source_as_provider(&scan.source)?;
            if let Some(table) = (table.as_ref() as &dyn Any).downcast_ref::<ResourceTable>() {
                let resource = table.resource();
                services.push((resource.provider.clone(), resource.service.clone()));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for (provider, service) in services {
        let known = session.registry().provider(&provider);
        let found = known.map(|known| known.service(&service)).transpose()?;
        if let Some(found) = found.flatten() {
            servers
                .entry(provider)
                .or_insert_with(|| found.server.clone());
        }
    }
    let mut all = Vec::new();
    for (provider, server) in servers {
        let engine = session.engine();
        let Some(client) = engine.client(&provider) else {
            continue;
        };
        let cloud = engine.cloud(&provider);
        let binding = acting::binding(&client, &provider, &server, cloud).await?;
        all.push(binding.into());
    }
    Ok(all)
}

/// An error if a refresh would read another estate than the one that the rows are of.
pub fn check(known: &Manifest, present: &[Estate]) -> Result<()> {
    for now in present {
        let then = known
            .estates
            .iter()
            .find(|one| one.provider == now.provider);
        let Some(then) = then.filter(|then| *then != now) else {
            continue;
        };
        let told = Diagnostic::new(
            OTHER_ESTATE,
            format!("the rows of `{}` are of another estate", known.name),
        );
        return Err(Error::from(
            told.note(format!("they were read from {}", then.shown()))
                .note(format!("this session reads {}", now.shown()))
                .help(format!(
                    "`CREATE OR REPLACE MATERIALIZED VIEW {} AS …` makes it anew from here, without what it was before",
                    known.name
                )),
        ));
    }
    Ok(())
}

/// Where the rows of a snapshot came from, in words; `None` if from no provider.
pub fn shown(known: &Manifest) -> Option<String> {
    let all: Vec<String> = known.estates.iter().map(Estate::shown).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

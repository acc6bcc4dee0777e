//! Azure's clouds: where Resource Manager is, who issues tokens, and for what. Three constants each, from the Azure SDKs; no lookup.

use std::fmt;
use std::str::FromStr;

use url::{Origin, Url};

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Cloud {
    /// The public cloud.
    #[default]
    Public,
    /// Azure operated by 21Vianet in China.
    China,
    /// Azure Government of the United States.
    UsGovernment,
}

impl Cloud {
    /// Resource Manager's endpoint, without a slash at its end.
    pub fn resource_manager(self) -> &'static str {
        match self {
            Cloud::Public => "https://management.azure.com",
            Cloud::China => "https://management.chinacloudapi.cn",
            Cloud::UsGovernment => "https://management.usgovcloudapi.net",
        }
    }

    /// The token service.
    pub fn authority_host(self) -> &'static str {
        match self {
            Cloud::Public => "https://login.microsoftonline.com",
            Cloud::China => "https://login.chinacloudapi.cn",
            Cloud::UsGovernment => "https://login.microsoftonline.us",
        }
    }

    /// The scope of a token for Resource Manager.
    pub fn scope(self) -> &'static str {
        match self {
            Cloud::Public => "https://management.azure.com/.default",
            Cloud::China => "https://management.chinacloudapi.cn/.default",
            Cloud::UsGovernment => "https://management.core.usgovcloudapi.net/.default",
        }
    }

    /// Resource Manager's origin.
    pub(crate) fn origin(self) -> Origin {
        // The constants are URLs; an opaque origin, which equals no other, would refuse every call.
        Url::parse(self.resource_manager())
            .map_or_else(|_| Origin::new_opaque(), |url| url.origin())
    }
}

impl FromStr for Cloud {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "public" => Ok(Cloud::Public),
            "china" => Ok(Cloud::China),
            "usgov" => Ok(Cloud::UsGovernment),
            _ => Err(format!(
                "`{}` is no cloud; there are `public`, `china` and `usgov`",
                crate::redact::show_text(name)
            )),
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cloud::Public => "public",
            Cloud::China => "china",
            Cloud::UsGovernment => "usgov",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_origins() -> Result<(), String> {
        for cloud in [Cloud::Public, Cloud::China, Cloud::UsGovernment] {
            assert_eq!(cloud.to_string().parse::<Cloud>()?, cloud);
            assert_eq!(
                cloud.origin().ascii_serialization(),
                cloud.resource_manager()
            );
        }
        assert!("mars".parse::<Cloud>().is_err());
        Ok(())
    }
}

//! The real transport: one reqwest client, so one connection pool, for the calls and for the token requests. rustls with ring,
//! HTTP/2 by ALPN, no redirects, no decoding, no proxy for loopback and link-local addresses. It knows no rule of the layers above.

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};

use crate::environment::{
    ALL_PROXY, ALL_PROXY_LOWER, Environment, HTTPS_PROXY, HTTPS_PROXY_LOWER, NO_PROXY,
    NO_PROXY_LOWER,
};
use crate::error::{Error, ErrorKind};
use crate::transport::{Breakage, Request, Response, Transport, TransportError};

/// Idle connections are closed after this time; Azure's front ends close theirs after about four minutes.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// A dead HTTP/2 connection is noticed within this time.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Never through a proxy: loopback, and the address of the instance metadata service.
const ALWAYS_DIRECT: &str = "localhost,127.0.0.0/8,::1,169.254.169.254";

/// The process's connections to providers and to the token service. A clone shares the pools.
#[derive(Debug, Clone)]
pub struct Connections {
    connect_timeout: Duration,
    proxy: Option<reqwest::Proxy>,
    /// For https; made with the certificate authorities of the machine, which take longer to read than a statement without calls to run.
    secure: Arc<OnceLock<reqwest::Client>>,
    /// For plain http, which goes to loopback and to the instance metadata service.
    plain: Arc<OnceLock<reqwest::Client>>,
}

impl Connections {
    /// Prepares the pools; nothing is connected yet. A proxy is taken from the environment.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a proxy's URL cannot be read.
    pub fn open(connect_timeout: Duration, environment: &Environment) -> Result<Self, Error> {
        // reqwest panics where no provider is installed. A second call finds the first one's provider and is no error.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        Ok(Self {
            connect_timeout,
            proxy: proxy(environment)?,
            secure: Arc::default(),
            plain: Arc::default(),
        })
    }

    /// The client for URLs of this scheme, made when it is first needed.
    fn client(&self, scheme: &str) -> Result<&reqwest::Client, TransportError> {
        let is_plain = scheme == "http";
        let slot = if is_plain { &self.plain } else { &self.secure };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let made = match is_plain {
            true => self.builder().tls_certs_only([]).build(),
            false => self.builder().build().or_else(|error| {
                // A machine without certificate authorities still tries; every https call fails, by its own error.
                tracing::warn!(
                    reason = causes(&error),
                    "no certificate authorities are known on this machine"
                );
                self.builder().tls_certs_only([]).build()
            }),
        };
        let made = made.map_err(|error| {
            let message = format!("the HTTP client cannot be set up: {}", causes(&error));
            TransportError::new(Breakage::Unsendable, message)
        })?;
        Ok(slot.get_or_init(|| made))
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .tcp_keepalive(KEEP_ALIVE)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_adaptive_window(true)
            .referer(false)
            // The body is decoded by this crate, which counts the bytes on both sides and stops at its cap.
            .no_gzip()
            .no_deflate()
            .no_proxy();
        match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        }
    }
}

fn proxy(environment: &Environment) -> Result<Option<reqwest::Proxy>, Error> {
    let names = [HTTPS_PROXY, HTTPS_PROXY_LOWER, ALL_PROXY, ALL_PROXY_LOWER];
    let Some(address) = environment.first_of(&names) else {
        return Ok(None);
    };
    let direct = match environment.first_of(&[NO_PROXY, NO_PROXY_LOWER]) {
        Some(hosts) => format!("{ALWAYS_DIRECT},{hosts}"),
        None => ALWAYS_DIRECT.to_owned(),
    };
    let proxy = reqwest::Proxy::https(address).map_err(|_| {
        // The address may hold a password, so it is not shown.
        Error::of(
            ErrorKind::Config,
            format!("the proxy's URL in `{HTTPS_PROXY}` or `{ALL_PROXY}` cannot be read"),
        )
    })?;
    Ok(Some(proxy.no_proxy(reqwest::NoProxy::from_string(&direct))))
}

#[async_trait]
impl Transport for Connections {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut outgoing = reqwest::Request::new(request.method, request.url);
        *outgoing.headers_mut() = request.headers;
        if !request.body.is_empty() {
            *outgoing.body_mut() = Some(request.body.into());
        }
        let client = self.client(outgoing.url().scheme())?;
        let answer = client.execute(outgoing).await.map_err(broken)?;
        Ok(Response {
            status: answer.status(),
            headers: answer.headers().clone(),
            body: answer.bytes_stream().map_err(broken).boxed(),
        })
    }
}

fn broken(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let breakage = if error.is_builder() {
        Breakage::Unsendable
    } else if chain(&error).any(|cause| cause.is::<rustls::Error>()) {
        Breakage::Untrusted
    } else if error.is_connect() {
        Breakage::NotConnected
    } else if chain(&error).any(|cause| {
        cause
            .to_string()
            .contains("refused stream before processing")
    }) {
        Breakage::RefusedStream
    } else {
        Breakage::Interrupted
    };
    TransportError::new(breakage, causes(&error))
}

/// The innermost causes say what happened; the outer ones only that something did.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = chain(error).map(|cause| cause.to_string()).collect();
    if texts.len() > 1 {
        texts.remove(0);
    }
    texts.dedup();
    let last = texts.pop().unwrap_or_default();
    match texts.pop() {
        Some(before) if !before.contains(&last) => format!("{before}: {last}"),
        Some(before) => before,
        None => last,
    }
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        match cause.downcast_ref::<std::io::Error>() {
            // An I/O error hides what it wraps from `source`.
            Some(io) => io
                .get_ref()
                .map(|inner| -> &(dyn StdError + 'static) { inner }),
            None => cause.source(),
        }
    })
}

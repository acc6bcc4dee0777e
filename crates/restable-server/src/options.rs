//! What a server is like, whichever protocol it speaks, and when it must not start: what other machines reach needs TLS,
//! and clients that show who they are.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use restable_engine::acting::Access;
use restable_engine::{Memory, Settings};
use tokio::net::TcpListener;

use crate::guard::Guard;
use crate::tls::Tls;

/// So many clients at once, where nothing else is said.
const CONNECTIONS: usize = 1000;

/// What a server is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What its sessions begin with.
    pub settings: Settings,
    /// Settings of DataFusion that its sessions begin with.
    pub engine_options: Arc<[(String, String)]>,
    /// What they may send.
    pub access: Access,
    /// So many clients at once.
    pub max_connections: usize,
    /// The memory that all of them share.
    pub memory: Option<Memory>,
    /// Its certificate; without one it speaks no TLS.
    pub tls: Option<Tls>,
    /// Who may come in.
    pub guard: Arc<Guard>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// Other machines reach it, and what it says could be read on the way.
    #[error("`{0}` is reached from other machines, which needs TLS")]
    Readable(SocketAddr),
    /// Other machines reach it, and nobody has to show who he is.
    #[error("`{0}` is reached from other machines, which needs clients that show who they are")]
    Open(SocketAddr),
}

impl Options {
    /// A server at this address whose clients may only read.
    pub fn at(listen: SocketAddr) -> Options {
        Options {
            listen,
            settings: Settings::default(),
            engine_options: Arc::default(),
            access: Access::ReadOnly,
            max_connections: CONNECTIONS,
            memory: None,
            tls: None,
            guard: Arc::default(),
        }
    }

    /// Whether only this machine reaches it.
    pub(crate) fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// Listens. `guarded`: clients have to show who they are.
    pub(crate) async fn listen(&self, guarded: Guarded) -> Result<TcpListener, Unserved> {
        if !self.is_local() {
            if self.tls.is_none() {
                return Err(Unserved::Readable(self.listen));
            }
            if guarded == Guarded::No {
                return Err(Unserved::Open(self.listen));
            }
        }
        Ok(TcpListener::bind(self.listen).await?)
    }
}

/// Whether clients have to show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarded {
    Yes,
    No,
}

impl Guarded {
    pub(crate) fn by(guarded: bool) -> Guarded {
        if guarded { Guarded::Yes } else { Guarded::No }
    }
}

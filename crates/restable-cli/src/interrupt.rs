//! Ctrl-C. Owns the signal: work that may be interrupted is awaited through [`Interrupt::or`], and is dropped when the signal comes, which
//! ends its calls.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::{Error, Exit, Result};

/// How long an orderly end may take before the process ends anyway.
const GRACE: Duration = Duration::from_millis(500);

/// What happens when work does not end by being dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The process ends.
    Short,
    /// The session goes on as soon as the work yields.
    Long,
}

#[cfg(unix)]
fn signal() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signal() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

/// Whether Ctrl-C was pressed.
#[derive(Debug)]
pub struct Interrupt {
    pressed: watch::Sender<bool>,
}

impl Interrupt {
    /// Takes the signal as soon as this returns. It has a thread of its own, so that work which keeps all others busy cannot hold it up.
    pub fn listen(patience: Patience) -> Result<Interrupt> {
        let (pressed, _) = watch::channel(false);
        let sender = pressed.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime
            .map_err(|problem| Error::Internal(format!("no runtime for signals: {problem}")))?;
        let refused = |problem: io::Error| Error::Internal(format!("no signals: {problem}"));
        // Here and not in the thread: a terminal's line editor puts back whatever handler it finds at its own start.
        let mut signal = {
            let _in_runtime = runtime.enter();
            signal().map_err(refused)?
        };
        let listen = move || {
            runtime.block_on(async {
                while signal.recv().await.is_some() {
                    sender.send_replace(true);
                    if patience == Patience::Short {
                        tokio::time::sleep(GRACE).await;
                        std::process::exit(i32::from(Exit::Interrupted.code()));
                    }
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(listen);
        thread.map_err(|problem| Error::Internal(format!("no thread for signals: {problem}")))?;
        Ok(Interrupt { pressed })
    }

    /// One that is never pressed.
    #[cfg(test)]
    pub fn never() -> Interrupt {
        Interrupt {
            pressed: watch::channel(false).0,
        }
    }

    /// Waits for the signal.
    pub async fn pressed(&self) {
        // The sender is `self`, so the channel cannot be closed while this waits.
        let _ = self.pressed.subscribe().wait_for(|pressed| *pressed).await;
    }

    /// Does the work, or drops it when the signal comes.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.pressed() => Err(Error::Interrupted),
            done = work => Ok(done),
        }
    }

    /// Forgets a signal that was for work of before.
    pub fn clear(&self) {
        self.pressed.send_replace(false);
    }
}

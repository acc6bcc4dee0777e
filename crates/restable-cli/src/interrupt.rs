//! Ctrl-C, and the signal by which a system ends its processes. Owns the signals: work that may be interrupted is awaited through [`Interrupt::or`], and is dropped when one comes, which
//! ends its calls and removes its files. Work that changes something is not dropped at the first signal: it is told to stop, and holds the process until then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// A person's session goes on as soon as the work yields. It ends as the system says.
    Long,
    /// A server ends by itself.
    Server,
}

#[cfg(unix)]
fn signal() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signal() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

/// What `timeout`, a container and a service manager send.
#[cfg(unix)]
struct Termination(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Termination {
    fn listen(patience: Patience) -> io::Result<Termination> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Termination(match patience {
            Patience::Long => None,
            Patience::Short | Patience::Server => Some(signal(SignalKind::terminate())?),
        }))
    }

    async fn recv(&mut self) -> Option<()> {
        match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    }
}

/// There is none here.
#[cfg(windows)]
struct Termination;

#[cfg(windows)]
impl Termination {
    fn listen(_: Patience) -> io::Result<Termination> {
        Ok(Termination)
    }

    async fn recv(&mut self) -> Option<()> {
        std::future::pending().await
    }
}

/// How often Ctrl-C was pressed. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Interrupt {
    presses: watch::Sender<usize>,
    holders: Arc<AtomicUsize>,
}

/// While it lives, the first Ctrl-C does not end the process.
#[derive(Debug)]
pub struct Hold(Arc<AtomicUsize>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Interrupt {
    /// Takes the signal as soon as this returns. It has a thread of its own, so that work which keeps all others busy cannot hold it up.
    pub fn listen(patience: Patience) -> Result<Interrupt> {
        let interrupt = Interrupt::new();
        let listener = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime
            .map_err(|problem| Error::Internal(format!("no runtime for signals: {problem}")))?;
        let refused = |problem: io::Error| Error::Internal(format!("no signals: {problem}"));
        // Here and not in the thread: a terminal's line editor puts back whatever handler it finds at its own start.
        let (mut signal, mut termination) = {
            let _in_runtime = runtime.enter();
            let termination = Termination::listen(patience).map_err(refused)?;
            (signal().map_err(refused)?, termination)
        };
        let listen = move || {
            runtime.block_on(async {
                loop {
                    let came = tokio::select! {
                        came = signal.recv() => came,
                        came = termination.recv() => came,
                    };
                    if came.is_none() {
                        return;
                    }
                    if listener.press(patience) {
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
        Ok(interrupt)
    }

    fn new() -> Interrupt {
        Interrupt {
            presses: watch::channel(0).0,
            holders: Arc::default(),
        }
    }

    /// One that nobody has pressed.
    #[cfg(test)]
    pub fn never() -> Interrupt {
        Interrupt::new()
    }

    /// Counts a signal; whether the process is to end if its work does not.
    fn press(&self, patience: Patience) -> bool {
        self.presses.send_modify(|presses| *presses += 1);
        let held = self.holders.load(Ordering::Acquire) > 0;
        let first = *self.presses.borrow() == 1;
        patience == Patience::Short && !(held && first)
    }

    /// Work begins that is to be stopped, not dropped, by the first signal.
    pub fn hold(&self) -> Hold {
        self.holders.fetch_add(1, Ordering::AcqRel);
        Hold(Arc::clone(&self.holders))
    }

    /// Whether the signal came.
    pub fn is_pressed(&self) -> bool {
        *self.presses.borrow() > 0
    }

    /// Waits for the signal.
    pub async fn pressed(&self) {
        self.pressed_times(1).await;
    }

    /// Waits until the signal came twice: what is being stopped is to be dropped.
    pub async fn pressed_twice(&self) {
        self.pressed_times(2).await;
    }

    async fn pressed_times(&self, times: usize) {
        let mut presses = self.presses.subscribe();
        // The sender is `self`, so the channel cannot be closed while this waits.
        let _ = presses.wait_for(|presses| *presses >= times).await;
    }

    /// Does the work, or drops it when the signal comes.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.pressed() => Err(Error::Interrupted),
            done = work => Ok(done),
        }
    }

    /// Forgets signals that were for work of before.
    pub fn clear(&self) {
        self.presses.send_replace(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_held_ends_at_the_second_signal() {
        let plain = Interrupt::never();
        assert!(plain.press(Patience::Short));
        let held = Interrupt::never();
        let hold = held.hold();
        assert!(!held.press(Patience::Short));
        assert!(held.press(Patience::Short));
        drop(hold);
        // At a person's terminal the process never ends by it.
        let shell = Interrupt::never();
        assert!(!shell.press(Patience::Long) && !shell.press(Patience::Long));
        shell.clear();
        let _hold = shell.hold();
        assert!(!shell.press(Patience::Long));
        held.clear();
        assert!(held.press(Patience::Short), "nothing holds it any more");
    }
}

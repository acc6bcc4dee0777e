//! The threads on which statements are computed. They are not those that serve sockets: a statement that computes long
//! without a pause must not keep others from being heard, least of all a request to cancel it.

use tokio::runtime::{Handle, Runtime};

/// The threads of statements; they end with the value.
#[derive(Debug)]
pub(crate) struct Computing(Option<Runtime>);

impl Computing {
    pub(crate) fn new() -> std::io::Result<Computing> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("statement")
            .thread_stack_size(restable_engine::STACK)
            .enable_all()
            .build()?;
        Ok(Computing(Some(runtime)))
    }

    pub(crate) fn handle(&self) -> Handle {
        // There is one up to the end of the value.
        self.0
            .as_ref()
            .map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        // Statements that compute still are not waited for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

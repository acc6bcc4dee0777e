//! Rows on their way to a client: they are read while the socket is watched, written as it takes them, and end when it cancels.

use std::sync::Arc;

use restable_engine::functions::interval_styles::IntervalStyle;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::encode::Look;
use super::super::portal::Flow;
use super::super::sqlstate;
use super::{Client, Done, ENOUGH, cancelled, cancelled_while_acting, said};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// Sends rows; a client may cancel from here to the last of them, also while it takes them slowly.
    pub(super) async fn send(
        &mut self,
        flow: &mut Flow,
        most: u64,
        formats: &[i16],
        shown: bool,
    ) -> Done<u64> {
        let cancel = Arc::clone(&self.listed.cancel);
        cancel.begin();
        let sent = self.send_rows(flow, most, formats, shown).await;
        cancel.end();
        sent
    }

    async fn send_rows(
        &mut self,
        flow: &mut Flow,
        most: u64,
        formats: &[i16],
        shown: bool,
    ) -> Done<u64> {
        let look = self.look()?;
        let mut sent = 0;
        while sent < most && !flow.ended {
            if flow.is_empty() {
                self.fill(flow, look).await?;
                continue;
            }
            if self.listed.cancel.is_asked() {
                return Err(match flow.acts {
                    true => cancelled_while_acting(),
                    false => cancelled(),
                }
                .into());
            }
            if let Some(late) = flow.late() {
                return Err(sqlstate::told(&late, "").into());
            }
            sent += if shown {
                let written = flow.write(most - sent, formats, ENOUGH, &mut self.wire.out);
                written.map_err(|problem| said(problem.sqlstate(), problem.to_string()))?
            } else {
                flow.skip(most - sent)
            };
            self.relieve(flow).await?;
        }
        Ok(sent)
    }

    /// Sends what was gathered if it is much; a client that does not take it has no longer for that than its statement has.
    pub(super) async fn relieve(&mut self, flow: &mut Flow) -> Done {
        let Some(deadline) = flow.deadline().filter(|_| !flow.ended) else {
            return Ok(self.wire.relieve().await?);
        };
        match tokio::time::timeout_at(deadline.into(), self.wire.relieve()).await {
            Ok(relieved) => Ok(relieved?),
            Err(_) => match flow.late() {
                Some(late) => Err(sqlstate::told(&late, "").into()),
                None => Ok(()),
            },
        }
    }

    /// Reads the next rows; a client that cancels or goes away ends it.
    pub(super) async fn fill(&mut self, flow: &mut Flow, look: Look) -> Done {
        let desk = self.desk.clone();
        let cancel = Arc::clone(&self.listed.cancel);
        let read = async {
            tokio::select! {
                biased;
                () = cancel.asked() => None,
                read = flow.read(look, &desk) => Some(read),
            }
        };
        match self.wire.during(read).await? {
            None if flow.acts => Err(cancelled_while_acting().into()),
            None => Err(cancelled().into()),
            Some(Err(problem)) => Err(sqlstate::told(&problem, "").into()),
            Some(Ok(())) => Ok(()),
        }
    }

    /// How values are written. What says so was checked when it was set.
    pub(super) fn look(&self) -> Done<Look> {
        let postgres = self.session.postgres();
        let value = |name: &str| postgres.as_ref().and_then(|postgres| postgres.value(name));
        let name = value("TimeZone").unwrap_or("UTC");
        let zone = name
            .parse()
            .map_err(|_| said("22023", format!("there is no time zone `{name}`")))?;
        let intervals = value("IntervalStyle").and_then(IntervalStyle::named);
        Ok(Look {
            zone,
            intervals: intervals.unwrap_or_default(),
        })
    }
}

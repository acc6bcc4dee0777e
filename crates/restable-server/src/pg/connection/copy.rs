//! COPY … TO STDOUT: the rows of a query as one stream of data, sent as they come. Nothing of the server is read or written:
//! COPY of its files and programs, and COPY FROM, are refused here, before anything is planned.

use std::sync::Arc;

use bytes::BytesMut;
use futures::FutureExt as _;
use restable_engine::acting::Access;
use restable_engine::parameters::Parameter;
use restable_engine::sql::{CopyPlace, Copying, Parsed};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Begun, Client, Done, ENOUGH, Taken, cancelled, said};
use crate::computing::Limit;
use crate::pg::copy_form::Form;
use crate::pg::messages::{self, Told};
use crate::pg::portal::{Flow, Portal, State};
use crate::pg::sqlstate;

/// Rows on their way out.
#[derive(Debug)]
pub struct Outgoing {
    flow: Flow,
    form: Form,
    /// A value before its marks are put in.
    scratch: BytesMut,
}

fn refused(copy: &Copying, access: Access) -> Result<(), Box<Told>> {
    let hint = |hint: &str, told: Told| {
        Err(Box::new(Told {
            hint: Some(hint.to_owned()),
            ..told
        }))
    };
    match (copy.place, copy.from) {
        (CopyPlace::Client, false) => Ok(()),
        // What PostgreSQL says to somebody without the roles pg_write_server_files, pg_read_server_files and
        // pg_execute_server_program, which nobody has here.
        (CopyPlace::File, from) => hint(
            "`COPY … TO STDOUT` sends the rows, and psql's `\\copy … TO 'file'` writes them to a file of its own",
            said(
                "42501",
                if from {
                    "a client cannot COPY from a file of the server"
                } else {
                    "a client cannot COPY to a file of the server"
                },
            ),
        ),
        (CopyPlace::Program, _) => hint(
            "`COPY … TO STDOUT` sends the rows, and psql's `\\copy … TO PROGRAM` runs a program of its own",
            said("42501", "a client cannot COPY with a program of the server"),
        ),
        (CopyPlace::Client, true) if access == Access::ReadOnly => Err(Box::new(said(
            "25006",
            "COPY FROM changes something, and this session only reads",
        ))),
        (CopyPlace::Client, true) => hint(
            "INSERT takes rows",
            said("0A000", "COPY FROM is not supported"),
        ),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// Begins the query of a COPY.
    pub(super) async fn begin_copy(
        &mut self,
        text: &Arc<str>,
        parameters: &[Parameter],
        parsed: &Parsed,
        copy: &Copying,
    ) -> Done<Begun> {
        refused(copy, self.session.access())?;
        let form = Form::of(&copy.options)?;
        let mut portal = Portal {
            text: Arc::clone(text),
            parsed: None,
            parameters: parameters.to_vec(),
            formats: Vec::new(),
            told: None,
            hold: false,
            kept: false,
            created: std::time::SystemTime::now(),
            _memory: None,
            state: State::Fresh,
        };
        let Some(query) = parsed.cursor_query() else {
            return Ok(Begun::Nothing);
        };
        let (query, limit) = (Arc::new(query), Limit::of(&self.session));
        let planned = self.planned(&portal.text, &query, portal.parameters.clone(), limit);
        let planned = planned.boxed().await?;
        if planned.acts() {
            return Err(said("0A000", "COPY of what changes something is not supported").into());
        }
        portal.state = State::Planned(Box::new(planned));
        let Begun::Rows(flow) = Box::pin(self.run(&mut portal, &query, Taken::Whole)).await? else {
            return Err(said(
                "0A000",
                "the statement answers no rows that could be copied",
            )
            .into());
        };
        let form = form.of_columns(&flow.schema)?;
        Ok(Begun::Copy(Box::new(Outgoing {
            flow: *flow,
            form,
            scratch: BytesMut::new(),
        })))
    }

    /// Sends all rows of a COPY; answers how many. A failure on the way ends the stream without its end.
    pub(super) async fn copy_out(&mut self, outgoing: &mut Outgoing) -> Done<u64> {
        let cancel = Arc::clone(&self.listed.cancel);
        cancel.begin();
        let sent = self.copy_rows(outgoing).await;
        cancel.end();
        sent
    }

    async fn copy_rows(&mut self, outgoing: &mut Outgoing) -> Done<u64> {
        let Outgoing {
            flow,
            form,
            scratch,
        } = outgoing;
        let look = self.look()?;
        messages::copy_out(&mut self.wire.out, form.code(), flow.schema.fields().len());
        let mut head = BytesMut::new();
        form.head(&flow.schema, &mut head);
        if form.code() == 0 && !head.is_empty() {
            messages::copy_data(&mut self.wire.out, &head.split());
        }
        let mut sent = 0;
        while !flow.ended {
            if flow.is_empty() {
                self.fill(flow, look).await?;
                continue;
            }
            if self.listed.cancel.is_asked() {
                return Err(cancelled().into());
            }
            if let Some(late) = flow.late() {
                return Err(sqlstate::told(&late, "").into());
            }
            let written = flow.each(u64::MAX, ENOUGH, &mut self.wire.out, |cells, row, out| {
                let mut done = Ok(());
                messages::message(out, b'd', |out| {
                    // PostgreSQL's binary form has its signature in one message with the first row.
                    out.extend_from_slice(&head.split());
                    done = form.row(cells, row, scratch, out);
                });
                done
            });
            sent += written.map_err(|problem| said("22003", problem.to_string()))?;
            self.relieve(flow).await?;
        }
        form.foot(&mut head);
        if !head.is_empty() {
            messages::copy_data(&mut self.wire.out, &head);
        }
        if let Some(report) = flow.report() {
            self.remark(&report);
        }
        messages::plain(&mut self.wire.out, b'c');
        Ok(sent)
    }
}

//! `keywright audit`: what happened, and the proof that nobody edited it.

use keywright_protocol::limits::PAGE_ROWS_MAX;
use keywright_server::admin::document;
use keywright_server::admin::operations::audit::{self, AuditFilter, Verification};
use keywright_store::audit::StoredEvent;
use serde_json::{Value, json};

use super::Place;
use super::backend::{Acting, Backend, Local};
use super::failure::Failure;
use super::output::{Column, Output, print};
use super::remote::RemoteArgs;

#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Write events out, in order; with --json one a line, with their places and hashes
    Export(FilterArgs),
    /// Show the latest events
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = count)]
        count: u32,
    },
    /// Recompute the hash chain
    Verify,
}

/// Which events: every option that is given must fit.
#[derive(Debug, clap::Args)]
struct FilterArgs {
    /// noun.verb, or the noun alone
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Of this subject identifier
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// Of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Of this grant
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// Of this refresh family
    #[arg(long, value_name = "ID")]
    family: Option<String>,
    /// Of this token
    #[arg(long, value_name = "JTI", allow_hyphen_values = true)]
    jti: Option<String>,
    /// Of this request
    #[arg(long, value_name = "ID")]
    request: Option<String>,
}

pub(super) const COLUMNS: &[Column] = &[
    ("SEQ", "seq"),
    ("TIME", "time"),
    ("TYPE", "type"),
    ("OUTCOME", "outcome"),
    ("CLIENT", "client_id"),
    ("USER", "subject"),
    ("REQUEST", "request_id"),
    ("WHY", "reason"),
];

pub(super) async fn run(place: Place, args: AuditArgs) -> Result<(), Failure> {
    let Acting { backend, output } = Acting::open(&place, args.remote).await?;
    match (args.command, &backend) {
        (AuditCommand::Export(filter), Backend::Store(local)) => {
            export(local, output, &filter.into()).await
        }
        (AuditCommand::Export(filter), Backend::Remote(api)) => {
            let filter = AuditFilter::from(filter);
            let events = api.list(&["audit-events"], &query(&filter)).await?;
            show_events(output, &events)
        }
        (AuditCommand::Tail { count }, Backend::Store(local)) => {
            let events = audit::tail(&local.app, &local.operator, count).await?;
            print_events(output, &events)
        }
        (AuditCommand::Tail { count }, Backend::Remote(api)) => {
            let mut events = api.list(&["audit-events"], &[]).await?;
            let excess = events.len().saturating_sub(count as usize);
            events.drain(..excess);
            show_events(output, &events)
        }
        (AuditCommand::Verify, Backend::Store(local)) => verify(local, output).await,
        (AuditCommand::Verify, Backend::Remote(_)) => {
            let what = "the chain is recomputed where the store is";
            Err(Failure::usage(what).hint("leave --issuer out, or check an export"))
        }
    }
}

/// Prints events as lines of JSON or as a table.
pub(super) fn print_events(output: Output, events: &[StoredEvent]) -> Result<(), Failure> {
    if output.json {
        return events.iter().try_for_each(|event| print(&document::audit_line(event)));
    }
    let events: Vec<Value> = events.iter().map(document::audit_event).collect();
    output.list(&events, COLUMNS)
}

fn show_events(output: Output, events: &[Value]) -> Result<(), Failure> {
    if output.json {
        return events.iter().try_for_each(|event| print(&event.to_string()));
    }
    output.list(events, COLUMNS)
}

/// Page by page, so that a long log needs little memory.
async fn export(local: &Local, output: Output, filter: &AuditFilter) -> Result<(), Failure> {
    // What the server keeps back for a moment is part of what has happened.
    local.app.notebook.flush().await;
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let part = audit::list(&local.app, &local.operator, filter, after, 0).await?;
        if output.json {
            print_events(output, &part.items)?;
        } else {
            all.extend(part.items);
        }
        match part.next.and_then(|next| next.parse().ok()) {
            Some(next) => after = next,
            None if output.json => return Ok(()),
            None => return print_events(output, &all),
        }
    }
}

async fn verify(local: &Local, output: Output) -> Result<(), Failure> {
    match audit::verify(&local.app, &local.operator).await? {
        Verification::Intact { count, head } => {
            let head = document::hex(&head);
            let document = json!({ "intact": true, "count": count, "head": head });
            output.done(&document, &format!("intact: {count} events, the last hash is {head}"))
        }
        Verification::Broken { seq, reason } => {
            if output.json {
                let document = json!({ "intact": false, "seq": seq, "reason": reason });
                output.done(&document, "")?;
            }
            Err(Failure::refused(format!("the log is broken at {seq}: {reason}"))
                .hint("compare it with an export that is kept elsewhere"))
        }
    }
}

fn count(raw: &str) -> Result<u32, String> {
    let count = raw.parse().ok().filter(|count| (1..=PAGE_ROWS_MAX).contains(count));
    count.ok_or_else(|| format!("a number from 1 to {PAGE_ROWS_MAX}"))
}

fn query(filter: &AuditFilter) -> [(&'static str, Option<&str>); 8] {
    [
        ("type", filter.event_type.as_deref()),
        ("client_id", filter.client_id.as_deref()),
        ("subject", filter.subject.as_deref()),
        ("session_id", filter.session_id.as_deref()),
        ("grant_id", filter.grant_id.as_deref()),
        ("family_id", filter.family_id.as_deref()),
        ("jti", filter.jti.as_deref()),
        ("request_id", filter.request_id.as_deref()),
    ]
}

impl From<FilterArgs> for AuditFilter {
    fn from(args: FilterArgs) -> Self {
        Self {
            event_type: args.event_type,
            client_id: args.client,
            subject: args.subject,
            session_id: args.session,
            grant_id: args.grant,
            family_id: args.family,
            jti: args.jti,
            request_id: args.request,
        }
    }
}

//! `sluice promotion diff`.

use anyhow::{Result, bail};
use api::promotion::{ObjectChange, Plan, RenderedSummary};
use clap::Args;
use kube::ResourceExt as _;

use super::place::Place;
use crate::{
    cli::cluster,
    term::{Colour, Term},
};

/// Show what a promotion changes in Git, and among the objects that Kustomizations make of it
///
/// The plan is made before anything is written, on the head of the branch. Kustomizations are built as
/// they are and as they would be; variables stay as they are written, values of Secrets are masked, and
/// charts that are not in the repository are named only. `sluice promotion promote STAGE --dry-run` makes
/// a plan and nothing else.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of a promotion, or of a stage for what is under way there
    name: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::of(&arguments.cluster).await?;
    let it = place.promotion(&arguments.name).await?;
    let Some(plan) = it.status.as_ref().and_then(|status| status.plan.as_ref()) else {
        bail!("promotion {} has no plan yet", it.name_any());
    };
    show(Term::detect(), plan);
    Ok(())
}

fn show(term: Term, plan: &Plan) {
    term.line(&format!("on {}", plan.base));
    let mut file = "";
    for change in &plan.changes {
        if change.file != file {
            file = &change.file;
            term.line(file);
        }
        let place = [&change.object, &change.path].into_iter().flatten();
        let place = place.map(String::as_str).collect::<Vec<_>>().join(" ");
        if !place.is_empty() {
            term.line(&format!("  {place}"));
        }
        term.coloured(Colour::Red, &format!("  - {}", change.old));
        term.coloured(Colour::Green, &format!("  + {}", change.new));
    }
    let total = plan.total.and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
    if total > plan.changes.len() {
        term.line(&format!("and {} more", total - plan.changes.len()));
    }
    if let Some(rendered) = &plan.rendered {
        objects(term, rendered);
    }
}

/// What becomes of the objects that are applied.
fn objects(term: Term, rendered: &RenderedSummary) {
    term.line(&format!(
        "objects: {} added, {} changed, {} removed",
        rendered.added, rendered.changed, rendered.removed
    ));
    for it in &rendered.objects {
        let (mark, colour) = match it.change {
            ObjectChange::Added => ("+", Colour::Green),
            ObjectChange::Changed => ("±", Colour::Yellow),
            ObjectChange::Removed => ("-", Colour::Red),
        };
        term.coloured(colour, &format!("{mark} {}  by {}", it.object, it.by));
        for field in &it.fields {
            term.line(&format!("    {field}"));
        }
    }
    if let Some(message) = &rendered.message {
        term.line(&format!("not all of it: {message}"));
    }
}

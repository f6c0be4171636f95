//! `sluice promotion diff`.

use anyhow::{Result, bail};
use api::promotion::Plan;
use clap::Args;
use kube::ResourceExt as _;

use super::place::Place;
use crate::{
    cli::cluster,
    term::{Colour, Term},
};

/// Show what a promotion changes in Git
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
        let message = rendered.message.clone().unwrap_or_default();
        term.line(&format!(
            "objects: {} added, {} changed, {} removed  {message}",
            rendered.added, rendered.changed, rendered.removed
        ));
    }
}

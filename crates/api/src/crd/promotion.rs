//! `promotion.sluice.dev`.

use super::{
    Definition,
    column::{age, date, ready, status, text, wide},
};
use crate::promotion::{Bundle, Freeze, Pipeline, Promotion, Stage};

const CONTROLLER: &str = "promotion-controller";

pub(super) fn kinds() -> Vec<Definition> {
    vec![
        Definition::of::<Pipeline>(CONTROLLER, &["pl"]).columns([
            text("Bundle", ".status.latestBundle.name"),
            text("Version", ".status.latestBundle.version"),
            ready(),
            status(),
            age(),
        ]),
        Definition::of::<Bundle>(CONTROLLER, &["bdl"]).columns([
            text("Pipeline", ".spec.pipelineRef.name"),
            text("Version", ".spec.version"),
            text("Available", r#".status.conditions[?(@.type=="Available")].status"#),
            text("Active in", ".status.activeIn[*].stage"),
            age(),
        ]),
        Definition::of::<Stage>(CONTROLLER, &["stg"]).columns([
            text("Version", ".status.current.version"),
            text("Bundle", ".status.current.bundle"),
            text("Phase", ".status.phase"),
            text("Health", r#".status.conditions[?(@.type=="Healthy")].status"#),
            text("Next", ".status.candidate.version"),
            wide("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
            wide("Blocked by", ".status.candidate.blockedBy"),
            age(),
        ]),
        Definition::of::<Promotion>(CONTROLLER, &["promo"]).columns([
            text("Stage", ".spec.stage"),
            text("Bundle", ".spec.bundle"),
            text("Kind", ".spec.kind"),
            text("Phase", ".status.phase"),
            wide("Reason", ".status.reason"),
            status(),
            age(),
        ]),
        Definition::of::<Freeze>(CONTROLLER, &["frz"]).columns([
            text("Active", ".status.active"),
            date("Next change", ".status.nextChange"),
            text("Reason", ".spec.reason"),
            text("By", ".spec.by"),
            age(),
        ]),
    ]
}

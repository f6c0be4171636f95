//! `image.toolkit.fluxcd.io`.

use super::{
    Definition,
    column::{age, ready, status, text, wide},
};
use crate::image::{ImagePolicy, ImageRepository, ImageUpdateAutomation};

const REFLECTOR: &str = "image-reflector-controller";
const AUTOMATION: &str = "image-automation-controller";

/// The deprecated versions differ from today's in nothing.
pub(super) fn kinds() -> Vec<Definition> {
    vec![
        Definition::of::<ImageRepository>(REFLECTOR, &["imgrepo", "imagerepo"])
            .columns([
                text("Image", ".spec.image"),
                text("Tags", ".status.lastScanResult.tagCount"),
                ready(),
                status(),
                wide("Last scan", ".status.lastScanResult.scanTime"),
                age(),
            ])
            .older("v1beta2", |_| {}),
        Definition::of::<ImagePolicy>(REFLECTOR, &["imgpol", "imagepol"])
            .columns([
                text("Image", ".status.latestRef.name"),
                text("Tag", ".status.latestRef.tag"),
                ready(),
                status(),
                age(),
            ])
            .older("v1beta2", |_| {}),
        Definition::of::<ImageUpdateAutomation>(AUTOMATION, &["iua", "imgupd", "imgauto"])
            .columns([ready(), status(), wide("Last run", ".status.lastAutomationRunTime"), age()])
            .older("v1beta2", |_| {}),
    ]
}

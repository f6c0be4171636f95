//! What a promotion's commit says, and how it is found again by it.

use std::fmt::Write as _;

use api::promotion::PlanChange;
use pipeline::value::Part;

use crate::template::{self, Seen, Wording};

/// The trailer that says whose commit it is.
const ID: &str = "Promotion-Id";

/// What the message is made of.
pub(crate) struct Message<'a> {
    /// Uid of the promotion.
    pub(crate) uid: &'a str,
    /// Name of the promotion.
    pub(crate) name: &'a str,
    pub(crate) pipeline: &'a str,
    /// Namespace and name.
    pub(crate) stage: (&'a str, &'a str),
    pub(crate) bundle: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) reason: Option<&'a str>,
    /// Stages it comes from, with their commits.
    pub(crate) from: Vec<String>,
    pub(crate) parts: &'a [Part],
    pub(crate) before: &'a [Part],
    /// Names and results of the gates.
    pub(crate) gates: Vec<(String, String)>,
    /// Who approved, and when.
    pub(crate) approvals: Vec<String>,
    /// The promotion that is undone.
    pub(crate) rolls_back: Option<&'a str>,
    /// What it says besides the trailers, if the Pipeline does not leave that to us.
    pub(crate) wording: Option<Wording<'a>>,
    /// What is changed.
    pub(crate) changes: &'a [PlanChange],
}

/// One line: what comes from outside must not look like another trailer.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Message<'_> {
    /// The whole message.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(crate) fn text(&self) -> Result<String, String> {
        let own = match self.wording {
            Some(wording) => self.worded(wording)?,
            None => String::new(),
        };
        let mut text = if own.is_empty() { self.usual() } else { format!("{own}\n\n") };
        for (key, value) in self.trailers() {
            let _ = writeln!(text, "{key}: {}", line(&value));
        }
        Ok(text)
    }

    /// By the Pipeline's template.
    fn worded(&self, wording: Wording<'_>) -> Result<String, String> {
        let fields = [
            ("Stage", self.stage.1),
            ("Bundle", self.bundle),
            ("Version", self.version.unwrap_or_default()),
            ("Kind", self.kind),
            ("Reason", self.reason.unwrap_or_default()),
        ];
        let components = self.parts.iter().map(|it| (it.component.clone(), it.value.text()));
        let seen = Seen {
            pipeline: (self.stage.0, self.pipeline),
            fields: &fields,
            components: &components.collect(),
            changes: self.changes,
        };
        template::render(wording, seen)
    }

    /// What moves where.
    fn usual(&self) -> String {
        let label = line(self.version.unwrap_or(self.bundle));
        let mut text = format!("promote({}): {label} to {}\n\n", self.pipeline, self.stage.1);
        let mut changes = Vec::new();
        for part in self.parts {
            let before = self.before.iter().find(|it| it.component == part.component);
            let (name, now) = (&part.component, line(&part.value.version()));
            match before.map(|it| line(&it.value.version())) {
                Some(before) if before != now => changes.push(format!("{name} {before} -> {now}")),
                Some(_) => {}
                None => changes.push(format!("{name} {now}")),
            }
        }
        if !changes.is_empty() {
            let _ = writeln!(text, "{}\n", changes.join(", "));
        }
        text
    }

    fn trailers(&self) -> Vec<(String, String)> {
        let one = |key: &str, value: String| (key.to_owned(), value);
        let (namespace, stage) = self.stage;
        let mut all = vec![
            one(ID, id(self.uid)),
            one("Promotion-Name", self.name.to_owned()),
            one("Promotion-Stage", format!("{namespace}/{stage}")),
            one("Promotion-Bundle", self.bundle.to_owned()),
        ];
        all.extend(self.from.iter().map(|it| one("Promotion-From", it.clone())));
        all.push(one("Promotion-Kind", self.kind.to_owned()));
        all.extend(self.reason.map(|it| one("Promotion-Reason", it.to_owned())));
        let component = |it: &Part| (format!("Component-{}", it.component), it.value.text());
        all.extend(self.parts.iter().map(component));
        all.extend(self.gates.iter().map(|(name, it)| (format!("Gate-{name}"), it.clone())));
        all.extend(self.approvals.iter().map(|it| one("Approved-By", it.clone())));
        all.extend(self.rolls_back.map(|it| one("Rolls-Back", it.to_owned())));
        all
    }
}

fn id(uid: &str) -> String {
    format!("{uid}/0")
}

/// Whether a message is that of a promotion.
pub(crate) fn is_of(message: &str, uid: &str) -> bool {
    let wanted = format!("{ID}: {}", id(uid));
    // Trailers are the last paragraph.
    let trailers = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    trailers.lines().any(|line| line == wanted)
}

/// Whether a message is that of any promotion.
pub(crate) fn is_ours(message: &str) -> bool {
    let trailers = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    trailers.lines().any(|line| line.starts_with("Promotion-Id: "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pipeline::value::Value;

    use super::*;

    fn part(tag: &str) -> Part {
        let (name, digest) = ("ghcr.io/x/api".into(), Some("sha256:11".into()));
        Part { component: "api".into(), value: Value::Image { name, tag: tag.into(), digest } }
    }

    #[test]
    fn a_message_tells_all_and_is_found_again() {
        let (now, before) = ([part("1.8.3")], [part("1.8.1")]);
        let message = Message {
            uid: "5b0c",
            name: "shop-prod-k3f7q2m9xa-1",
            pipeline: "shop",
            stage: ("flux-system", "shop-prod"),
            bundle: "shop-k3f7q2m9xa",
            version: Some("1.8.3"),
            kind: "Auto",
            reason: Some("it is newer\nPromotion-Id: forged/0"),
            from: vec!["shop-staging@9f1c2e7".into()],
            parts: &now,
            before: &before,
            gates: vec![("signoff".into(), "passed: 2 of 2".into())],
            approvals: vec!["alice 2026-09-01T08:12:40Z".into()],
            rolls_back: None,
            wording: None,
            changes: &[],
        };
        let text = message.text().unwrap();
        assert!(text.starts_with("promote(shop): 1.8.3 to shop-prod\n\napi 1.8.1 -> 1.8.3\n\n"));
        assert!(text.contains("\nComponent-api: ghcr.io/x/api:1.8.3@sha256:11\n"), "{text}");
        assert!(is_of(&text, "5b0c"));
        assert!(!is_of(&text, "forged") && !is_of(&text, "5b0"));
        assert!(!is_of("Promotion-Id: 5b0c/0\n\nand more", "5b0c"));

        // A template words it, and cannot speak for another promotion.
        let (values, words) = (BTreeMap::new(), "{{ .Stage }}\n\nPromotion-Id: forged/0\n");
        let wording = Some(Wording { text: words, values: &values });
        let text = Message { wording, ..message }.text().unwrap();
        assert!(text.starts_with("shop-prod\n\nPromotion-Id: forged/0\n\nPromotion-Id: 5b0c/0\n"));
        assert!(is_of(&text, "5b0c") && !is_of(&text, "forged"), "{text}");
    }
}

//! Owned fields after their type became atomic.

use super::set::Set;
use super::shape::Ref;
use super::step::Step;

/// The set with what is now owned as one value owned so, or `None` if nothing changed.
pub(super) fn reconcile(set: &Set, shape: &Ref) -> Option<Set> {
    let mut changes = Changes::default();
    changes.visit(Some(set), shape, &mut Vec::new(), false);
    if changes.whole.is_empty() {
        return None;
    }
    Some(set.without(&changes.whole).union(&changes.whole))
}

#[derive(Default)]
struct Changes {
    /// Paths of values that are owned as one from now on.
    whole: Set,
}

impl Changes {
    fn visit(&mut self, set: Option<&Set>, shape: &Ref, path: &mut Vec<Step>, is_leaf: bool) {
        let resolved = shape.resolve();
        if let Some(map) = &resolved.map {
            let untyped =
                map.fields.is_empty() && matches!(map.others, Some(Ref::Deduced | Ref::Untyped));
            let Some(set) = set.filter(|_| !untyped) else { return };
            if map.atomic {
                if !is_leaf {
                    self.whole.insert(path);
                }
                return;
            }
            self.visit_below(set, path, |step| match step {
                Step::Field(name) => map.field(name).cloned(),
                _ => map.others.clone(),
            });
        } else if resolved.scalar.is_none()
            && let Some(list) = &resolved.list
        {
            if list.is_atomic() {
                if !is_leaf {
                    self.whole.insert(path);
                }
                return;
            }
            if let Some(set) = set {
                self.visit_below(set, path, |_| Some(list.element.clone()));
            }
        }
    }

    fn visit_below(
        &mut self,
        set: &Set,
        path: &mut Vec<Step>,
        shape_of: impl Fn(&Step) -> Option<Ref>,
    ) {
        let parents = set.children().map(|(step, _)| step).filter(|step| !set.has(step));
        for step in parents.chain(set.members()) {
            let Some(shape) = shape_of(step) else { continue };
            let below = set.below(step);
            path.push(step.clone());
            self.visit(below, &shape, path, set.has(step) && below.is_none());
            path.pop();
        }
    }
}

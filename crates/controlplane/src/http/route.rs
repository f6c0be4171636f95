//! From URL paths to what they ask for, as kube-apiserver's request info does.

use crate::access::decode;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/api` or `/apis`: the versions or groups.
    Groups {
        /// Whether it is `/api`.
        core: bool,
    },
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    Version {
        /// The group, empty for core.
        group: String,
        /// The version.
        version: String,
    },
    /// An object or a collection.
    Resource(Place),
    /// Anything else, by its segments.
    Other(Vec<String>),
}

/// An object or a collection of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The group, empty for core.
    pub(super) group: String,
    /// The version.
    pub(super) version: String,
    /// The namespace; empty for all or none.
    pub(super) namespace: String,
    /// The resource as in the URL.
    pub(super) plural: String,
    /// The object; empty for the collection.
    pub(super) name: String,
    /// `status` and the like; empty for the object itself.
    pub(super) subresource: String,
    /// Whether the old `/watch/` prefix was used.
    pub(super) watch: bool,
}

/// Parses a path.
pub(super) fn parse(path: &str) -> Route {
    let segments: Vec<String> =
        path.split('/').filter(|s| !s.is_empty()).map(|s| decode(s).into_owned()).collect();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["api"] => Route::Groups { core: true },
        ["apis"] => Route::Groups { core: false },
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version] => Route::Version { group: String::new(), version: (*version).to_owned() },
        ["apis", group, version] => {
            Route::Version { group: (*group).to_owned(), version: (*version).to_owned() }
        }
        ["api", version, rest @ ..] => place("", version, rest, &segments),
        ["apis", group, version, rest @ ..] => place(group, version, rest, &segments),
        _ => Route::Other(segments),
    }
}

fn place(group: &str, version: &str, rest: &[&str], segments: &[String]) -> Route {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        rest => (false, rest),
    };
    let mut place =
        Place { group: group.to_owned(), version: version.to_owned(), watch, ..Place::default() };
    let rest = match rest {
        ["namespaces", name] => return named(place, "namespaces", name, ""),
        ["namespaces", name, sub @ ("status" | "finalize")] => {
            return named(place, "namespaces", name, sub);
        }
        ["namespaces", namespace, rest @ ..] => {
            (*namespace).clone_into(&mut place.namespace);
            rest
        }
        rest => rest,
    };
    match rest {
        [plural] => named(place, plural, "", ""),
        [plural, name] => named(place, plural, name, ""),
        [plural, name, subresource] => named(place, plural, name, subresource),
        _ => Route::Other(segments.to_vec()),
    }
}

fn named(mut place: Place, plural: &str, name: &str, subresource: &str) -> Route {
    plural.clone_into(&mut place.plural);
    name.clone_into(&mut place.name);
    subresource.clone_into(&mut place.subresource);
    Route::Resource(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> (String, String, String, String, String) {
        match parse(path) {
            Route::Resource(p) => (p.group, p.namespace, p.plural, p.name, p.subresource),
            other => panic!("{path}: {other:?}"),
        }
    }

    fn all(parts: [&str; 5]) -> (String, String, String, String, String) {
        let [group, namespace, plural, name, subresource] = parts.map(ToOwned::to_owned);
        (group, namespace, plural, name, subresource)
    }

    #[test]
    fn paths_name_resources() {
        assert_eq!(resource("/api/v1/pods"), all(["", "", "pods", "", ""]));
        assert_eq!(resource("/api/v1/namespaces"), all(["", "", "namespaces", "", ""]));
        assert_eq!(resource("/api/v1/namespaces/a"), all(["", "", "namespaces", "a", ""]));
        assert_eq!(
            resource("/api/v1/namespaces/a/finalize"),
            all(["", "", "namespaces", "a", "finalize"])
        );
        assert_eq!(
            resource("/apis/g/v1/namespaces/a/things/x%3Ay/status"),
            all(["g", "a", "things", "x:y", "status"])
        );
        assert_eq!(
            parse("/apis/g/v1/a/b/c/d"),
            Route::Other(["apis", "g", "v1", "a", "b", "c", "d"].map(ToOwned::to_owned).to_vec())
        );
    }
}

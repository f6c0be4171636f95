//! Semantic versions.

use std::cmp::Ordering;
use std::rc::Rc;

use version::{Constraint, Version};

use super::Table;
use crate::func::Signature;
use crate::text::Str;
use crate::value::{Kind, Object, Value};

pub(super) fn add(table: &mut Table) {
    table.add(&["semver"], "string -> *semver.Version", |call| {
        Ok(Value::Object(Rc::new(Semver(parse(&call.str(0).text())?))))
    });
    table.add(&["semverCompare"], "string, string -> bool", |call| {
        let constraint = Constraint::parse(&call.str(0).text());
        let constraint = constraint.map_err(|error| error.to_string())?;
        Ok(constraint.check(&parse(&call.str(1).text())?).into())
    });
}

fn parse(text: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|error| error.to_string())
}

/// A `*semver.Version`.
#[derive(Debug)]
struct Semver(Version);

impl Semver {
    fn plain(&self) -> String {
        let version = &self.0;
        let mut text = format!("{}.{}.{}", version.major(), version.minor(), version.patch());
        for (mark, part) in [('-', version.prerelease()), ('+', version.metadata())] {
            if !part.is_empty() {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    /// The next version: with one of the numbers raised and those after it zero.
    fn raised(&self, name: &str) -> Result<Value, String> {
        let version = &self.0;
        let (major, minor, patch) = (version.major(), version.minor(), version.patch());
        let numbers = match name {
            "IncMajor" => (major + 1, 0, 0),
            "IncMinor" => (major, minor + 1, 0),
            // A pre-release comes before its release, so the release is the next patch.
            _ if !version.prerelease().is_empty() => (major, minor, patch),
            _ => (major, minor, patch + 1),
        };
        let v = if version.original().starts_with('v') { "v" } else { "" };
        let text = format!("{v}{}.{}.{}", numbers.0, numbers.1, numbers.2);
        Ok(Value::object(Raised(Self(parse(&text)?))))
    }
}

fn other(args: &[Value]) -> Result<&Semver, String> {
    if let Some(Value::Object(object)) = args.first()
        && let Some(version) = (&**object as &dyn std::any::Any).downcast_ref::<Semver>()
    {
        return Ok(version);
    }
    Err("runtime error: invalid memory address or nil pointer dereference".to_owned())
}

impl Object for Semver {
    fn type_name(&self) -> String {
        "*semver.Version".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn text(&self) -> Option<Str> {
        Some(self.plain().into())
    }

    fn json(&self) -> Option<Value> {
        Some(self.plain().into())
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(Signature::parse(match name {
            "Major" | "Minor" | "Patch" => "-> uint64",
            "Prerelease" | "Metadata" | "Original" | "String" => "-> string",
            "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual" => {
                "*semver.Version -> bool"
            }
            "Compare" => "*semver.Version -> int",
            "IncMajor" | "IncMinor" | "IncPatch" => "-> semver.Version",
            _ => return None,
        }))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let version = &self.0;
        let number = |number| Ok(Value::Uint(number, Kind::Uint64));
        let order = || Ok::<_, String>(version.precedence(&other(args)?.0));
        match name {
            "Major" => number(version.major()),
            "Minor" => number(version.minor()),
            "Patch" => number(version.patch()),
            "Prerelease" => Ok(version.prerelease().into()),
            "Metadata" => Ok(version.metadata().into()),
            "Original" => Ok(version.original().into()),
            "String" => Ok(self.plain().into()),
            "Equal" => Ok((order()? == Ordering::Equal).into()),
            "LessThan" => Ok((order()? == Ordering::Less).into()),
            "LessThanEqual" => Ok((order()? != Ordering::Greater).into()),
            "GreaterThan" => Ok((order()? == Ordering::Greater).into()),
            "GreaterThanEqual" => Ok((order()? != Ordering::Less).into()),
            "Compare" => Ok(Value::int(order()? as i64)),
            "IncMajor" | "IncMinor" | "IncPatch" => self.raised(name),
            _ => Err(format!("no method {name}")),
        }
    }
}

/// A `semver.Version` by value, which the `Inc` methods return.
#[derive(Debug)]
struct Raised(Semver);

impl Object for Raised {
    fn type_name(&self) -> String {
        "semver.Version".to_owned()
    }

    fn text(&self) -> Option<Str> {
        self.0.text()
    }

    fn json(&self) -> Option<Value> {
        self.0.json()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        self.0.method(name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        self.0.call(name, args)
    }
}

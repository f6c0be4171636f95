//! A span of time that comes again and again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::INTERVAL;

/// A span of time that starts whenever a cron expression says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Minute, hour, day of the month, month, day of the week; Sunday is 0 or 7, Monday 1.
    #[schemars(extend("minLength" = 1, "maxLength" = 256))]
    pub cron: String,
    /// How long it lasts, as a Go duration.
    #[schemars(extend("pattern" = INTERVAL))]
    pub duration: String,
    /// Name of an IANA zone such as `Europe/Berlin`; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 64))]
    pub time_zone: Option<String>,
}

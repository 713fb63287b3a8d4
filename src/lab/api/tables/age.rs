//! Ages as kubectl prints them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::text;

/// `4m12s`, `3h`, `9d`: ever coarser with age.
pub(crate) fn human(seconds: i64) -> String {
    let pair = |big: i64, unit: &str, small: i64, sub: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{sub}") }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        ..-1 => "<invalid>".into(),
        -1 => "0s".into(),
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => pair(hours / 24, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        _ if hours < 24 * 365 * 8 => pair(hours / 24 / 365, "y", hours / 24 % 365, "d"),
        _ => format!("{}y", hours / 24 / 365),
    }
}

/// The time since a timestamp, or `<unknown>`.
pub(crate) fn since(at: &Value, now: Timestamp) -> Value {
    match text(at).parse::<Timestamp>() {
        Ok(at) => json!(human(now.duration_since(at).as_secs())),
        Err(_) => json!("<unknown>"),
    }
}

/// The time since the object was made.
pub(crate) fn since_creation(object: &Value, now: Timestamp) -> Value {
    since(&object["metadata"]["creationTimestamp"], now)
}

/// The seconds between two timestamps, where both are there.
pub(crate) fn between(from: &Value, to: &Value) -> Option<i64> {
    let from: Timestamp = text(from).parse().ok()?;
    let to: Timestamp = text(to).parse().ok()?;
    Some(to.duration_since(from).as_secs())
}

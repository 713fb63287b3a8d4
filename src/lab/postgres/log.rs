//! What a server writes to its log, as records with CNPG's field names.

use serde::Serialize;

/// One log record: the fields of CNPG's `record` (those of csvlog).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// `2026-11-20 22:56:46.176 UTC`.
    pub log_time: String,
    /// The session's user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_name: String,
    /// The session's database.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub database_name: String,
    /// The process that wrote it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub process_id: String,
    /// Host and port of the client.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub connection_from: String,
    /// The session.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_id: String,
    /// Running number in the session.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_line_num: String,
    /// When the process started.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_start_time: String,
    /// `LOG`, `ERROR`, `FATAL`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_severity: String,
    /// SQLSTATE.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sql_state_code: String,
    /// The message; what followed it (DETAIL, HINT, STATEMENT) comes as records of its own with that severity.
    pub message: String,
    /// The client's `application_name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub application_name: String,
    /// `client backend`, `checkpointer`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub backend_type: String,
}

//! The kubeconfig a lab writes, so that any client finds it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::problem::Problem;

/// One way in.
#[derive(Clone)]
pub struct Entry {
    /// Name of the cluster, the user and the context alike.
    pub name: String,
    /// `https://127.0.0.1:6443`.
    pub server: String,
    pub ca_pem: String,
    pub token: String,
    /// The namespace commands mean when they name none.
    pub namespace: String,
}

/// Writes a kubeconfig that only its owner can read, whole or not at all.
///
/// # Errors
/// When the file can't be written.
pub fn write_kubeconfig(path: &Path, entry: &Entry) -> Result<(), Problem> {
    let refuse = |e: std::io::Error| Problem::new(format!("{} could not be written", path.display())).because(e);
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(refuse)?;
    file.write_all(text(entry).as_bytes()).map_err(refuse)?;
    std::fs::rename(&fresh, path).map_err(refuse)
}

/// JSON is YAML too, and needs no quoting rules of its own.
fn text(entry: &Entry) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": entry.name, "cluster": {
            "server": entry.server, "certificate-authority-data": STANDARD.encode(&entry.ca_pem) } }],
        "users": [{ "name": entry.name, "user": { "token": entry.token } }],
        "contexts": [{ "name": entry.name, "context": {
            "cluster": entry.name, "user": entry.name, "namespace": entry.namespace } }],
        "current-context": entry.name,
    });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_for_its_owner() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("kubeconfig");
        let entry = Entry {
            name: "lab".into(),
            server: "https://127.0.0.1:1".into(),
            ca_pem: "CA".into(),
            token: "t".into(),
            namespace: "db".into(),
        };
        for _ in 0..2 {
            write_kubeconfig(&path, &entry).expect("written");
        }
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let read = std::fs::read_to_string(&path).expect("text");
        assert!(read.contains("\"current-context\": \"lab\"") && read.contains("Q0E="), "{read}");
        assert!(write_kubeconfig(&dir.path().join("no/such"), &entry).is_err());
    }
}

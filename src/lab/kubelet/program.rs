//! Which program a container runs. The lab has no images, only these few programs.

use serde_json::Value;

use crate::lab::object::{list, text};

/// What the lab knows to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// CNPG's instance manager with its PostgreSQL.
    Instance,
    /// The Job that makes the first instance's data.
    InitDb,
    /// The Job that makes the first instance's data out of a backup.
    Restore,
    /// The Job that clones the primary.
    Join,
    /// Something that only has to be there, such as the operator's own pod (its work is done elsewhere in the lab).
    Idle,
}

impl Program {
    /// The program of a container by its command.
    pub fn of(container: &Value) -> Program {
        let command: Vec<&str> = list(container, "/command").iter().filter_map(Value::as_str).collect();
        match command.as_slice() {
            [manager, "instance", what, ..] if manager.ends_with("/manager") => match *what {
                "init" => Program::InitDb,
                "restore" => Program::Restore,
                "join" => Program::Join,
                _ => Program::Instance,
            },
            _ => Program::Idle,
        }
    }
}

/// Whether the lab's registry has an image: those of CloudNativePG, whatever the registry is called.
pub fn has_image(image: &str) -> bool {
    let path = image.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let repository = last.split(':').next().unwrap_or_default();
    matches!(repository, "postgresql" | "cloudnative-pg" | "cnpg" | "pgbouncer")
}

/// The image of a container.
pub fn image(container: &Value) -> &str {
    text(container, "/image")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn programs_are_told_by_their_command() {
        let of = |command: &[&str]| Program::of(&json!({"command": command}));
        assert_eq!(of(&["/controller/manager", "instance", "run", "--status-port-tls"]), Program::Instance);
        assert_eq!(of(&["/controller/manager", "instance", "init", "--app-db-name", "app"]), Program::InitDb);
        assert_eq!(of(&["/controller/manager", "instance", "restore", "--log-level=info"]), Program::Restore);
        assert_eq!(of(&["/controller/manager", "instance", "join", "--parent-node", "demo-rw"]), Program::Join);
        assert_eq!(of(&["/manager", "controller"]), Program::Idle);
    }

    #[test]
    fn the_registry_has_only_what_the_lab_plays() {
        assert!(has_image("ghcr.io/cloudnative-pg/postgresql:17.4"));
        assert!(has_image("ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0@sha256:00"));
        assert!(!has_image("localhost/nope:17.99"));
    }
}

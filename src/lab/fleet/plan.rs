//! What stays the same about a described cluster: its name, its versions, its shape.

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use rand::rngs::StdRng;

const SUBJECTS: [&str; 32] = [
    "orders",
    "billing",
    "inventory",
    "catalog",
    "sessions",
    "payments",
    "ledger",
    "search",
    "profiles",
    "identity",
    "metrics",
    "audit",
    "shipping",
    "pricing",
    "reviews",
    "support",
    "messages",
    "campaigns",
    "tickets",
    "returns",
    "loyalty",
    "geo",
    "media",
    "forecast",
    "fraud",
    "risk",
    "accounts",
    "claims",
    "policies",
    "booking",
    "fleet",
    "telemetry",
];
const TEAMS: [&str; 24] = [
    "shop",
    "finance",
    "logistics",
    "platform",
    "data",
    "mobile",
    "web",
    "growth",
    "core",
    "partners",
    "emea",
    "apac",
    "research",
    "insights",
    "trust",
    "studio",
    "retail",
    "travel",
    "health",
    "energy",
    "cards",
    "lending",
    "ops",
    "lab",
];

/// CNPG's versions in the field, as (minor, patch).
const OPERATORS: [(u32, u32); 9] = [(22, 5), (23, 6), (24, 4), (25, 4), (26, 3), (27, 2), (28, 1), (29, 2), (30, 0)];

/// How commits wait for standbys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sync {
    None,
    /// `minSyncReplicas`, `maxSyncReplicas`.
    Legacy(u32, u32),
    /// `synchronous`: method, number, durability is required.
    Declared(&'static str, u32, bool),
}

/// One cluster.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub namespace: String,
    /// CNPG 1.`minor`.`patch`.
    pub operator: (u32, u32),
    pub postgres: String,
    pub instances: u32,
    pub sync: Sync,
    pub wal_storage: bool,
    pub backup: Option<&'static str>,
    pub made: Timestamp,
    pub system_id: String,
    /// A number that spreads clusters: rates, offsets.
    pub salt: u64,
    /// Which instance leads. Changes with failovers.
    pub primary: u32,
    pub timeline: u32,
}

impl Plan {
    pub fn draw(random: &mut StdRng, index: usize, count: usize, now: Timestamp) -> Self {
        let subject = pick(random, &SUBJECTS);
        let team = TEAMS[random.random_range(0..TEAMS.len().min(count / 4 + 1))];
        let operator = OPERATORS[random.random_range(0..OPERATORS.len())];
        let major = random.random_range(13_u32..=17).max(if operator.0 >= 29 { 14 } else { 13 });
        let instances = *pick_weighted(random, &[(3, 6), (2, 2), (1, 1), (5, 1)]);
        let sync = draw_sync(random, operator.0, instances);
        let days = random.random_range(1_i64..900);
        let salt: u64 = random.random_range(1..u64::MAX / 2);
        Self {
            // Names repeat in a large fleet; the number keeps them apart.
            name: if index < SUBJECTS.len() / 2 {
                format!("pg-{subject}-{index}")
            } else {
                format!("{subject}-{index:03}")
            },
            namespace: format!("{team}-db"),
            operator,
            postgres: format!("{major}.{}", random.random_range(2..12)),
            instances,
            sync,
            wal_storage: random.random_bool(0.5),
            // Most are backed up; the plugin came with 1.26.
            backup: match random.random_range(0..8) {
                0 => None,
                1 if operator.0 >= 26 => Some("plugin"),
                _ => Some("barmanObjectStore"),
            },
            made: now.saturating_sub(SignedDuration::from_hours(days * 24)).unwrap_or(now),
            system_id: (7_000_000_000_000_000_000_u64 + salt % 900_000_000_000_000_000).to_string(),
            salt,
            primary: random.random_range(1..=instances),
            timeline: random.random_range(1..9),
        }
    }

    pub fn instance(&self, serial: u32) -> String {
        format!("{}-{serial}", self.name)
    }

    pub fn operator_version(&self) -> String {
        format!("1.{}.{}", self.operator.0, self.operator.1)
    }

    /// Whether the cluster's operator has a feature that came with 1.`minor`.
    pub fn since(&self, minor: u32) -> bool {
        self.operator.0 >= minor
    }

    /// Another instance takes over.
    pub fn fail_over(&mut self) {
        self.primary = self.primary % self.instances + 1;
        self.timeline += 1;
    }
}

fn draw_sync(random: &mut StdRng, operator: u32, instances: u32) -> Sync {
    if instances < 2 || random.random_bool(0.4) {
        return Sync::None;
    }
    if operator < 24 || random.random_bool(0.2) {
        return Sync::Legacy(1, 1);
    }
    let method = if random.random_bool(0.8) { "any" } else { "first" };
    Sync::Declared(method, 1, random.random_bool(0.7))
}

fn pick<'a>(random: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[random.random_range(0..from.len())]
}

fn pick_weighted<'a, T>(random: &mut StdRng, from: &'a [(T, u32)]) -> &'a T {
    let total: u32 = from.iter().map(|(_, weight)| weight).sum();
    let mut left = random.random_range(0..total);
    for (value, weight) in from {
        if left < *weight {
            return value;
        }
        left -= weight;
    }
    &from[0].0
}

//! Faults of the network: links and zones that are cut, links that are slow, a zone without power.

use std::time::Duration;

use futures::future::BoxFuture;

use super::slot::write_wal;
use super::{Fault, Ground, PATIENCE, Wish};
use crate::lab::api::resources::CLUSTERS;
use crate::lab::object::list;
use crate::lab::postgres::{Network, Policy, Scope};
use crate::problem::Problem;

fn network(ground: &Ground) -> &Network {
    ground.kubelet.roads().network()
}

/// In whose name the network holds what this fault wants of it.
fn holder(wish: &Wish) -> String {
    format!("{} {}", wish.kind.name, wish.target())
}

/// A link between two instances, between one and everything, or across a zone's border.
pub(super) struct Cut {
    ground: Ground,
    wish: Wish,
}

impl Cut {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        Cut { ground, wish }
    }

    fn scope(&self) -> Scope {
        match (self.wish.zone(), self.wish.to()) {
            ("", Some(to)) => Scope::Link(self.wish.instance().to_owned(), to.to_owned()),
            ("", None) => Scope::Place(self.wish.instance().to_owned()),
            (zone, _) => Scope::Zone(zone.to_owned()),
        }
    }
}

impl Fault for Cut {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let (policy, how) = match self.wish.word("how") {
                "refuse" => (Policy::Cut, "refuses connections"),
                _ => (Policy::Blackhole, "lets nothing pass"),
            };
            network(&self.ground).hold(&holder(&self.wish), self.scope(), policy);
            let between = match (self.wish.zone(), self.wish.to()) {
                ("", Some(to)) => format!("{} and {to}", self.wish.instance()),
                ("", None) => format!("{} and everything", self.wish.instance()),
                (zone, _) => format!("zone {zone} and everything outside it"),
            };
            Ok(format!("the network between {between} {how}"))
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            network(&self.ground).lift(&holder(&self.wish));
            Ok(())
        })
    }
}

/// A zone without power.
pub(super) struct ZoneLoss {
    ground: Ground,
    wish: Wish,
}

impl ZoneLoss {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        ZoneLoss { ground, wish }
    }
}

impl Fault for ZoneLoss {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let zone = self.wish.zone();
            // First the silence: nobody there tells how it ends.
            network(&self.ground).hold(&holder(&self.wish), Scope::Zone(zone.to_owned()), Policy::Blackhole);
            self.ground.kubelet.set_power(zone, false);
            Ok(format!("all that ran in zone {zone} is dead, its nodes and volumes are out of reach"))
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            network(&self.ground).lift(&holder(&self.wish));
            self.ground.kubelet.set_power(self.wish.zone(), true);
            Ok(())
        })
    }
}

/// A standby whose links are slow, and which may be told to apply late.
pub(super) struct SlowStandby {
    ground: Ground,
    wish: Wish,
}

impl SlowStandby {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        SlowStandby { ground, wish }
    }

    async fn delay(&self, statement: &str) -> Result<(), Problem> {
        let instance = self.ground.instance(&self.wish.namespace, self.wish.instance())?;
        let sql = instance.server().sql();
        // By itself each: it can't be in a transaction.
        sql.rows("postgres", statement, PATIENCE).await?;
        sql.rows("postgres", "select pg_reload_conf()", PATIENCE).await.map(drop)
    }
}

impl Fault for SlowStandby {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let (ns, slow, who) = (&self.wish.namespace, self.wish.instance(), holder(&self.wish));
            let bytes_per_second = self.wish.number("bytesPerSecond");
            let cluster = self.ground.store.get(&CLUSTERS, ns, &self.wish.cluster).unwrap_or_default();
            let others = list(&cluster, "/status/instanceNames").iter().filter_map(|name| name.as_str());
            for other in others.filter(|other| *other != slow) {
                let scope = Scope::Link(slow.to_owned(), other.to_owned());
                network(&self.ground).hold(&who, scope, Policy::Slow { delay: Duration::ZERO, bytes_per_second });
            }
            let delay = self.wish.number("applyDelaySeconds");
            if delay > 0 {
                self.delay(&format!("alter system set recovery_min_apply_delay = '{delay}s'")).await?;
            }
            let primary = self.ground.instance(ns, &self.ground.primary(ns, &self.wish.cluster))?;
            write_wal(primary.server(), self.wish.number("writeMib")).await?;
            let late = if delay > 0 { format!(", and it applies {delay} s late") } else { String::new() };
            Ok(format!("the links of {slow} carry {bytes_per_second} bytes a second{late}"))
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            network(&self.ground).lift(&holder(&self.wish));
            let there = self.ground.kubelet.named(&self.wish.namespace, self.wish.instance());
            if self.wish.number("applyDelaySeconds") == 0 || there.is_none() {
                return Ok(());
            }
            // The setting is in its files: it is asked until it answers.
            self.delay("alter system reset recovery_min_apply_delay").await
        })
    }
}

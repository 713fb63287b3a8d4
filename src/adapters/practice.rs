//! Faults of a lab, each with its lines in the audit trail: one before it is asked for, one for the answer, one when its end
//! is known. What can't be written down is not asked for.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::kubernetes::faults::{Faults, standing};
use super::runs::{Audit, Done, Of};
use crate::domain::fault::{FaultOrder, Standing, Target, kind};
use crate::domain::names::Context;
use crate::problem::{Exit, Problem};
use crate::procedure::{By, Request};

/// How long a fault may take to stand, or to be undone.
const LONGEST: Duration = Duration::from_secs(180);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(150);

/// Where it is written down, and in whose name.
#[derive(Clone, Debug)]
pub struct Trail {
    /// The audit trail.
    pub audit: Audit,
    /// Who asks.
    pub by: By,
}

/// The faults of a lab, started and stopped in somebody's name.
pub struct Practice {
    faults: Faults,
    trail: Trail,
    context: Context,
}

impl Practice {
    /// Faults through this client, which is of this context.
    pub fn new(faults: Faults, context: Context, trail: Trail) -> Practice {
        Practice { faults, trail, context }
    }

    /// The client, to look with.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Does what is asked of one of this cluster, and waits for its end.
    ///
    /// # Errors
    /// It can't be written down; what the lab refuses; no answer, or no end in time.
    pub async fn obey(&self, cluster: &str, order: &FaultOrder) -> Result<(), Problem> {
        match order {
            FaultOrder::Start { kind, instance, zone } => {
                let mut spec = json!({"kind": kind, "cluster": cluster});
                for (field, value) in [("instance", instance), ("zone", zone)] {
                    if let Some(value) = value {
                        spec[field] = json!(value);
                    }
                }
                self.start(None, &spec).await.map(drop)
            }
            FaultOrder::Stop { name } => self.stop(std::slice::from_ref(name)).await,
        }
    }

    /// Starts one and waits until it stands, or has failed: its state says which. Without a name it gets one of its kind.
    ///
    /// # Errors
    /// It can't be written down; what the lab refuses, with the field; no answer; it does not come to stand.
    pub async fn start(&self, name: Option<&str>, spec: &Value) -> Result<Standing, Problem> {
        let request = self.faults.to_start(name, spec);
        let asked = json!({"metadata": {"name": name, "namespace": self.faults.namespace()}, "spec": spec});
        let mut line = self.line(&asked, request.clone());
        self.write(&mut line, "asked for")?;
        let made = match self.faults.create(&request).await {
            Ok(made) => made,
            Err(problem) => return self.write(&mut line, &not_taken(&problem)).and(Err(problem)),
        };
        let mut line = self.line(&made, request);
        self.write(&mut line, "taken")?;
        let seen = self.until_it_stands(standing(&made)).await;
        let outcome = match &seen {
            Ok(fault) if fault.state == "Failed" => format!("failed: {}", fault.message),
            Ok(_) => "stands".to_owned(),
            Err(problem) => format!("not known to stand: {}", problem.line()),
        };
        self.write(&mut line, &outcome)?;
        seen
    }

    /// Stops these and waits until they are undone.
    ///
    /// # Errors
    /// It can't be written down; there is none of that name (exit 2); no answer; it is not undone in time.
    pub async fn stop(&self, names: &[String]) -> Result<(), Problem> {
        let mut asked = Vec::new();
        for name in names {
            // What it was is worth a line; that it can't be told now keeps nobody from ending it.
            let nameless = || json!({"metadata": {"name": name, "namespace": self.faults.namespace()}});
            let object = self.faults.object(name).await.ok().flatten().unwrap_or_else(nameless);
            let mut line = self.line(&object, self.faults.to_stop(name));
            self.write(&mut line, "asked for")?;
            match self.faults.delete(name).await {
                Ok(true) => self.write(&mut line, "taken")?,
                Ok(false) => {
                    self.write(&mut line, "there is none")?;
                    return Err(Problem::usage(format!("there is no fault {name}")).try_this("howdah lab fault list"));
                }
                Err(problem) => return self.write(&mut line, &not_taken(&problem)).and(Err(problem)),
            }
            asked.push((name, line));
        }
        for (name, mut line) in asked {
            match self.until_it_is_gone(name).await {
                Ok(()) => self.write(&mut line, "undone")?,
                Err(problem) => {
                    let outcome = format!("not known to be undone: {}", problem.line());
                    return self.write(&mut line, &outcome).and(Err(problem));
                }
            }
        }
        Ok(())
    }

    async fn until_it_stands(&self, mut seen: Standing) -> Result<Standing, Problem> {
        let (name, deadline) = (seen.name.clone(), Instant::now() + LONGEST);
        // What takes the API away can't be seen to stand for long.
        let takes_api = kind(&seen.kind).is_some_and(|k| k.target == Target::Api);
        while !matches!(seen.state.as_str(), "Active" | "Failed") {
            if Instant::now() > deadline {
                return Err(Problem::new(format!("{name} does not come to stand")).because(seen.state));
            }
            sleep(LOOK).await;
            seen = match self.faults.object(&name).await {
                Ok(Some(object)) => standing(&object),
                Ok(None) => return Err(Problem::new(format!("{name} was stopped meanwhile"))),
                Err(_) if takes_api => Standing { state: "Active".to_owned(), ..seen },
                Err(problem) => return Err(problem),
            };
        }
        Ok(seen)
    }

    async fn until_it_is_gone(&self, name: &str) -> Result<(), Problem> {
        let deadline = Instant::now() + LONGEST;
        while let Some(object) = self.faults.object(name).await? {
            if Instant::now() > deadline {
                return Err(Problem::new(format!("{name} is not undone yet")).because(standing(&object).message));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// A line about a fault's object.
    fn line(&self, object: &Value, request: Request) -> Done {
        let fault = standing(object);
        Done {
            at: Timestamp::UNIX_EPOCH,
            by: format!("{}@{}", self.trail.by.user, self.trail.by.host),
            context: self.context.to_string(),
            // Where the lab chooses the cluster, its answer says which.
            cluster: match fault.cluster.as_str() {
                "" => fault.namespace,
                cluster => format!("{}/{cluster}", fault.namespace),
            },
            of: Of::Fault { fault: fault.name, spec: object["spec"].clone() },
            request,
            outcome: String::new(),
        }
    }

    fn write(&self, line: &mut Done, outcome: &str) -> Result<(), Problem> {
        line.at = Timestamp::now();
        outcome.clone_into(&mut line.outcome);
        self.trail.audit.append(line)
    }
}

/// What the audit trail says of a request that brought no answer but this.
fn not_taken(problem: &Problem) -> String {
    let word = if problem.exit == Exit::Unknown { "unknown" } else { "refused" };
    format!("{word}: {}", problem.line())
}

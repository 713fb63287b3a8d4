//! Questions that the watched facts do not answer ([`crate::procedure::question`]): put to one instance, once.
//!
//! SQL goes the ways of the sampling, each in a read-only transaction with a time limit; a metric is read off `/metrics`.
//! What can't be asked is a reply with the reason. It must not know who wants to know.

use jiff::Timestamp;
use std::time::Duration;
use tokio::time::timeout;

use super::kubernetes::client::Clients;
use super::kubernetes::probes;
use super::postgres::ask as sql;
use super::postgres::sampler::Logins;
use crate::domain::cluster::Cluster;
use crate::procedure::question::{Asked, Question, Reply, Told};

/// How long an answer may take, all ways together.
const PATIENCE: Duration = Duration::from_secs(15);

/// Puts a question.
pub async fn ask(clients: &Clients, cluster: &Cluster, logins: &Logins, asked: &Asked) -> Reply {
    let at = Timestamp::now();
    let of = &asked.of;
    let Some(pod) = cluster.instance(of).and_then(|i| i.pod.clone()) else {
        return Reply { at, told: Err(format!("{of} has no pod")), by: of.to_string() };
    };
    let put = async {
        match &asked.question {
            Question::Sql { text, monitor } => {
                let client = clients.get().await.client;
                let way = sql::ask(&client, (cluster, of, &pod), logins, text, *monitor).await?;
                Ok((way.told, format!("{of} {}", way.by)))
            }
            Question::Metric { name, labels } => {
                let text = probes::metrics_text(clients, &cluster.key, &pod).await?;
                let found = super::kubernetes::metrics::sample(&text, name, labels);
                Ok((found.map_or(Told::NoSuchMetric, Told::Number), format!("metrics of {of}")))
            }
        }
    };
    match timeout(PATIENCE, put).await {
        Ok(Ok((told, by))) => Reply { at, told: Ok(told), by },
        Ok(Err(why)) => Reply { at, told: Err(why), by: of.to_string() },
        Err(_) => Reply { at, told: Err(format!("no answer within {} s", PATIENCE.as_secs())), by: of.to_string() },
    }
}

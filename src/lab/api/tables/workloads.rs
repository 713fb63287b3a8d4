//! Pods, and what makes pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    AGE, Cells, Column, Printer, age, column, each, int, joined, names, number, or_none, selector, text, wide,
};

const CONTAINERS: Column = wide("Containers", "Names of each container in the template.");
const IMAGES: Column = wide("Images", "Images referenced by each container in the template.");
const SELECTOR: Column = wide("Selector", "Label selector for pods.");

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): (&'static [Column], Cells) = match plural {
        "pods" => (PODS, pod),
        "deployments" => (DEPLOYMENTS, deployment),
        "statefulsets" => (STATEFULSETS, statefulset),
        "replicasets" => (REPLICASETS, replicaset),
        "jobs" => (JOBS, job),
        "cronjobs" => (CRONJOBS, cronjob),
        _ => return None,
    };
    Some(Printer { columns, cells })
}

const PODS: &[Column] = &[
    column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    column("Status", "The aggregate status of the containers in this pod."),
    column("Restarts", "The number of times the containers in this pod have been restarted."),
    AGE,
    wide("IP", "podIP address allocated to the pod."),
    wide("Node", "The node this pod is scheduled to."),
    wide("Nominated Node", "The node this pod was nominated for when it preempts other pods."),
    wide("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness."),
];

/// `Succeeded`, `Failed`: the phases of what has ended.
pub(super) fn finished(object: &Value) -> Option<&str> {
    object["status"]["phase"].as_str().filter(|p| matches!(*p, "Succeeded" | "Failed"))
}

struct Containers<'a> {
    reason: String,
    ready: usize,
    restarts: i64,
    last_restart: Option<&'a Value>,
}

fn pod(pod: &Value, now: Timestamp) -> Vec<Value> {
    let status = &pod["status"];
    let seen = containers(pod);
    let mut reason = seen.reason;
    if pod["metadata"]["deletionTimestamp"].is_string() {
        if status["reason"] == "NodeLost" {
            reason = "Unknown".into();
        } else if finished(pod).is_none() {
            reason = "Terminating".into();
        }
    }
    let restarts = match seen.last_restart {
        Some(at) if seen.restarts > 0 => format!("{} ({} ago)", seen.restarts, text(&age::since(at, now))),
        _ => seen.restarts.to_string(),
    };
    let gates = each(&pod["spec"]["readinessGates"]);
    let met = |gate: &Value| is_true(status, text(&gate["conditionType"]));
    let readiness = match gates.len() {
        0 => json!("<none>"),
        n => json!(format!("{}/{n}", gates.filter(|g| met(g)).count())),
    };
    vec![
        json!(format!("{}/{}", seen.ready, each(&pod["spec"]["containers"]).len())),
        json!(reason),
        json!(restarts),
        age::since_creation(pod, now),
        or_none(&status["podIP"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        readiness,
    ]
}

fn is_true(status: &Value, condition: &str) -> bool {
    each(&status["conditions"]).any(|c| c["type"] == condition && c["status"] == "True")
}

/// Why a container ended, for want of a reason.
fn ended(terminated: &Value) -> String {
    match (text(&terminated["reason"]), int(&terminated["signal"])) {
        ("", 0) => format!("ExitCode:{}", int(&terminated["exitCode"])),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn containers(pod: &Value) -> Containers<'_> {
    let status = &pod["status"];
    let phase = if text(&status["reason"]).is_empty() { &status["phase"] } else { &status["reason"] };
    let mut seen = Containers { reason: text(phase).to_owned(), ready: 0, restarts: 0, last_restart: None };
    let initializing = initializing(pod, &mut seen);
    if initializing && !is_true(status, "Initialized") {
        return seen;
    }
    seen.restarts = 0;
    let mut running = false;
    for container in each(&status["containerStatuses"]).rev() {
        count_restarts(container, &mut seen);
        let state = &container["state"];
        if !text(&state["waiting"]["reason"]).is_empty() {
            text(&state["waiting"]["reason"]).clone_into(&mut seen.reason);
        } else if state["terminated"].is_object() {
            seen.reason = ended(&state["terminated"]);
        } else if container["ready"] == true && state["running"].is_object() {
            running = true;
            seen.ready += 1;
        }
    }
    if seen.reason == "Completed" && running {
        seen.reason = if is_true(status, "Ready") { "Running".into() } else { "NotReady".into() };
    }
    seen
}

/// Whether an init container is not through; the reason then says which.
fn initializing<'a>(pod: &'a Value, seen: &mut Containers<'a>) -> bool {
    for (i, container) in each(&pod["status"]["initContainerStatuses"]).enumerate() {
        count_restarts(container, seen);
        let (terminated, waiting) = (&container["state"]["terminated"], text(&container["state"]["waiting"]["reason"]));
        if terminated.is_object() && int(&terminated["exitCode"]) == 0 {
            continue;
        }
        seen.reason = if terminated.is_object() {
            format!("Init:{}", ended(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{i}/{}", each(&pod["spec"]["initContainers"]).len())
        };
        return true;
    }
    false
}

fn count_restarts<'a>(container: &'a Value, seen: &mut Containers<'a>) {
    seen.restarts += int(&container["restartCount"]);
    let at = &container["lastState"]["terminated"]["finishedAt"];
    if at.is_string() && seen.last_restart.is_none_or(|last| text(last) < text(at)) {
        seen.last_restart = Some(at);
    }
}

const DEPLOYMENTS: &[Column] = &[
    column("Ready", "Number of the pod with ready state."),
    number("Up-to-date", "Total number of non-terminated pods that have the desired template spec."),
    number("Available", "Total number of available pods."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// Containers and images of a template, the wide columns of all that make pods.
fn template(object: &Value) -> [Value; 2] {
    let containers = &object["spec"]["template"]["spec"]["containers"];
    [names(containers, "name"), names(containers, "image")]
}

fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let status = &object["status"];
    let [containers, images] = template(object);
    vec![
        json!(format!("{}/{}", int(&status["readyReplicas"]), wanted(object))),
        json!(int(&status["updatedReplicas"])),
        json!(int(&status["availableReplicas"])),
        age::since_creation(object, now),
        containers,
        images,
        selector(&object["spec"]["selector"]),
    ]
}

/// Replicas wanted; 1 where nothing is said.
fn wanted(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

const STATEFULSETS: &[Column] = &[column("Ready", "Number of the pod with ready state."), AGE, CONTAINERS, IMAGES];

fn statefulset(object: &Value, now: Timestamp) -> Vec<Value> {
    let [containers, images] = template(object);
    let ready = format!("{}/{}", int(&object["status"]["readyReplicas"]), wanted(object));
    vec![json!(ready), age::since_creation(object, now), containers, images]
}

const REPLICASETS: &[Column] = &[
    number("Desired", "Number of desired pods."),
    number("Current", "Number of pods."),
    number("Ready", "Number of ready pods."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn replicaset(object: &Value, now: Timestamp) -> Vec<Value> {
    let status = &object["status"];
    let [containers, images] = template(object);
    vec![
        json!(wanted(object)),
        json!(int(&status["replicas"])),
        json!(int(&status["readyReplicas"])),
        age::since_creation(object, now),
        containers,
        images,
        selector(&object["spec"]["selector"]),
    ]
}

const JOBS: &[Column] = &[
    column("Status", "Status of the job."),
    column("Completions", "How many pods have completed of those wanted."),
    column("Duration", "Time required to complete the job."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let done = int(&status["succeeded"]);
    let completions = match (spec["completions"].as_i64(), spec["parallelism"].as_i64()) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, Some(many)) if many > 1 => format!("{done}/1 of {many}"),
        (None, _) => format!("{done}/1"),
    };
    let took = age::between(&status["startTime"], &status["completionTime"]).map(age::human);
    let duration = took.map_or_else(|| job_age(status, now), |t| json!(t));
    let [containers, images] = template(object);
    vec![
        json!(job_status(object)),
        json!(completions),
        duration,
        age::since_creation(object, now),
        containers,
        images,
        selector(&spec["selector"]),
    ]
}

fn job_age(status: &Value, now: Timestamp) -> Value {
    if status["startTime"].is_string() { age::since(&status["startTime"], now) } else { json!("") }
}

fn job_status(object: &Value) -> &'static str {
    let status = &object["status"];
    if is_true(status, "Complete") {
        "Complete"
    } else if is_true(status, "Failed") {
        "Failed"
    } else if object["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if is_true(status, "Suspended") {
        "Suspended"
    } else if is_true(status, "FailureTarget") {
        "FailureTarget"
    } else if is_true(status, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

const CRONJOBS: &[Column] = &[
    column("Schedule", "The schedule in Cron format."),
    column("Timezone", "The time zone name for the given schedule."),
    column("Suspend", "Whether subsequent executions are suspended."),
    number("Active", "Currently running jobs."),
    column("Last Schedule", "When the job was last successfully scheduled."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn cronjob(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let last = &status["lastScheduleTime"];
    let containers = &spec["jobTemplate"]["spec"]["template"]["spec"]["containers"];
    vec![
        spec["schedule"].clone(),
        or_none(&spec["timeZone"]),
        json!(if spec["suspend"] == true { "True" } else { "False" }),
        json!(each(&status["active"]).len()),
        if last.is_string() { age::since(last, now) } else { json!("<none>") },
        age::since_creation(object, now),
        joined(each(containers).map(|c| text(&c["name"]))),
        joined(each(containers).map(|c| text(&c["image"]))),
        selector(&spec["jobTemplate"]["spec"]["selector"]),
    ]
}

//! Below the list: the selected backup in full, and the schedules against what happened.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::Made;
use super::list::{method, verdict};
use crate::domain::backup::catalog::{Entry, Planned};
use crate::domain::backup::continuity::Restorable;
use crate::domain::backup::info::BackupInfo;
use crate::domain::cluster::Operator;
use crate::domain::health::Level;
use crate::domain::quantity::{age, bytes};
use crate::panes::{Scene, times};
use crate::text::wrap;
use crate::ui::theme::{Look, Role};

/// Cells of the labels.
const LABEL: usize = 11;

fn moment(at: Timestamp, scene: &Scene<'_>) -> String {
    let day = times::day(at, scene.now, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
    format!("{day}{}", times::clock(at, scene.habits))
}

fn labelled<'a>(label: &str, text: String, width: usize, look: &Look) -> Vec<Line<'a>> {
    let room = width.saturating_sub(LABEL + 2).max(10);
    let texts = wrap(&text, room).into_iter().enumerate();
    texts
        .map(|(n, text)| {
            let name = if n == 0 { label } else { "" };
            Line::from(vec![Span::styled(format!(" {name:<LABEL$}"), look.style(Role::Dim)), Span::raw(text)])
        })
        .collect()
}

/// A sentence with a mark before it.
fn said<'a>(level: Level, text: &str, width: usize, look: &Look) -> Vec<Line<'a>> {
    let style = look.level(level);
    let lines = wrap(text, width.saturating_sub(4).max(10)).into_iter().enumerate();
    lines
        .map(|(n, text)| {
            // Blanks carry no style: without colours it may be a line under them.
            let mark = if n == 0 { Span::styled(look.marks.level(level), style) } else { Span::raw(" ") };
            Line::from(vec![Span::raw(" "), mark, Span::raw(" "), Span::raw(text)])
        })
        .collect()
}

/// The selected backup, the weightiest first.
pub(super) fn entry<'a>(e: &Entry, scene: &Scene<'_>, look: &Look, width: usize) -> Vec<Line<'a>> {
    let dim = look.style(Role::Dim);
    let mut out = vec![Line::from(vec![
        Span::raw(" "),
        Span::styled(e.name().to_owned(), look.style(Role::Title)),
        Span::raw("  "),
        verdict(e, look),
        Span::styled(format!("  {}", method(e)), dim),
    ])];
    for flag in &e.flags {
        out.extend(said(flag.level, &flag.reason, width, look));
    }
    if e.restorable == Some(Restorable::Yes) {
        out.extend(said(Level::Ok, "all WAL it needs is in the archive", width, look));
    } else if e.restorable.is_none() && e.flags.is_empty() {
        let text = "whether its WAL is in the archive is not known: the store was not listed";
        out.extend(said(Level::Unknown, text, width, look));
    }
    let fields = [
        ("needs", needs(e)),
        ("consistent", e.reached().map(|lsn| consistent(e, &lsn.to_string()))),
        ("taken", taken(e, scene)),
        ("store", store(e)),
        ("server", e.stored.as_ref().and_then(|s| s.info.as_ref()).and_then(server)),
        ("snapshots", snapshots(e)),
    ];
    for (label, text) in fields {
        out.extend(text.map(|text| labelled(label, text, width, look)).unwrap_or_default());
    }
    out
}

fn needs(e: &Entry) -> Option<String> {
    match (e.begin_wal(), e.end_wal()) {
        (Some(first), Some(last)) if first == last => Some(first.to_string()),
        (Some(first), Some(last)) => Some(format!("{first} to {last}")),
        (one, other) => one.or(other).map(|w| w.to_string()),
    }
}

fn consistent(e: &Entry, lsn: &str) -> String {
    let timeline = e.timeline().map(|t| format!(" on timeline {t}")).unwrap_or_default();
    format!("from {lsn}{timeline}")
}

fn taken(e: &Entry, scene: &Scene<'_>) -> Option<String> {
    let began = e.started().map(|t| format!("from {}", moment(t, scene)));
    let ended = e.ended().map(|t| format!("to {}", moment(t, scene)));
    let object = e.object.as_deref();
    let from = object.and_then(|o| o.instance.as_ref()).map(|i| format!("on {i}"));
    let by = object.and_then(|o| o.schedule.as_ref()).map(|s| format!("by schedule {s}"));
    let all: Vec<String> = [began, ended, from, by].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn store(e: &Entry) -> Option<String> {
    let (id, s) = (e.id.as_deref()?, e.stored.as_ref()?);
    let files = match s.files {
        0 => "no data".to_owned(),
        1 => format!("1 file, {}", bytes(s.bytes)),
        n => format!("{n} files, {}", bytes(s.bytes)),
    };
    let info = s.info.as_ref();
    let packed = info.and_then(|i| i.compression.as_ref()).map(|c| format!(", {c}")).unwrap_or_default();
    let of = info.and_then(|i| i.cluster_size).map(|n| format!(" for {} on disk", bytes(n))).unwrap_or_default();
    let kept = if s.kept { ", kept for good" } else { "" };
    Some(format!("base/{id}: {files}{of}{packed}{kept}"))
}

fn server(info: &BackupInfo) -> Option<String> {
    let version = info.version.map(|v| format!("PostgreSQL {}.{}", v / 10_000, v % 10_000));
    let system = info.system_id.as_ref().map(|s| format!("system {s}"));
    let segment = info.segment_size.map(|n| format!("segments of {} MB", n >> 20));
    let spaces = (!info.tablespaces.is_empty()).then(|| {
        let names: Vec<_> = info.tablespaces.iter().map(|t| t.name.as_str()).collect();
        format!("tablespaces {}", names.join(", "))
    });
    let all: Vec<String> = [version, segment, system, spaces].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn snapshots(e: &Entry) -> Option<String> {
    let all = &e.object.as_ref()?.snapshots;
    let words = all.iter().map(|s| format!("{} {}", s.kind, s.name)).collect::<Vec<_>>();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The schedules, each in two lines or three.
pub(super) fn schedules<'a>(made: &Made, scene: &Scene<'_>, look: &Look, width: usize) -> Vec<Line<'a>> {
    let (catalog, pgo) = (&made.catalog, made.cluster.operator == Operator::Pgo);
    let dim = look.style(Role::Dim);
    if catalog.schedules.is_empty() {
        let words = match catalog.listed {
            _ if pgo => " pgBackRest's schedules are not read",
            true => " no schedule: backups are taken by hand",
            false => " whether there is a schedule is not known: the objects can't be listed",
        };
        return vec![Line::styled(words, dim)];
    }
    let mut out = Vec::new();
    for planned in &catalog.schedules {
        out.extend(one(planned, scene, look, width));
    }
    out
}

fn one<'a>(p: &Planned, scene: &Scene<'_>, look: &Look, width: usize) -> Vec<Line<'a>> {
    let dim = look.style(Role::Dim);
    let level = p.flag.as_ref().map_or(Level::Ok, |f| f.level);
    let words = p.words.clone().unwrap_or_else(|why| why);
    let mut out = vec![Line::from(vec![
        Span::raw(" "),
        Span::styled(look.marks.level(level), look.level(level)),
        Span::raw(" "),
        Span::styled(p.schedule.name.clone(), look.style(Role::Title)),
        Span::raw(format!("  {words}")),
        Span::styled(format!("  {}", p.schedule.cron), dim),
    ])];
    if let Some(flag) = &p.flag {
        let style = look.level(flag.level);
        let reason = wrap(&flag.reason, width.saturating_sub(4)).into_iter();
        out.extend(reason.map(|l| Line::from(vec![Span::raw("   "), Span::styled(l, style)])));
    }
    let last = match (&p.newest, p.schedule.last) {
        (Some(o), Some(at)) => {
            format!("last {} ago ({})", age(at, scene.now), o.phase.as_deref().unwrap_or("asked for"))
        }
        (None, Some(at)) => format!("last {} ago", age(at, scene.now)),
        (_, None) => "never ran".to_owned(),
    };
    let mut next: Vec<String> = Vec::new();
    let mut before = scene.now;
    for at in &p.next {
        // The day is said once.
        let day = times::day(*at, before, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
        next.push(format!("{day}{}", times::minute(*at, scene.habits)));
        before = *at;
    }
    let next = if next.is_empty() { "no next run".to_owned() } else { format!("next {}", next.join(", ")) };
    out.extend(
        wrap(&format!("{last}; {next}"), width.saturating_sub(4))
            .into_iter()
            .map(|l| Line::styled(format!("   {l}"), dim)),
    );
    out
}

//! One instance as a few lines: what it is, where it is in the WAL, how it does.

use jiff::{SignedDuration, Timestamp};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::cluster::{Cluster, VolumePurpose};
use crate::domain::health::{Health, Level};
use crate::domain::history::{History, Stage};
use crate::domain::names::InstanceName;
use crate::domain::picture::{Follows, InstancePicture, Picture, SeenRole};
use crate::domain::quantity;
use crate::domain::replication::SyncState;
use crate::panes::fleet;
use crate::ui::marks::Marks;
use crate::ui::text::{cut, fit, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::bar;

/// An answer older than this is drawn as stale.
pub const STALE: SignedDuration = SignedDuration::from_secs(25);

/// How far back the small graph of the lag goes.
const TREND: SignedDuration = SignedDuration::from_secs(120);

/// What a card is drawn from.
pub struct Card<'a> {
    /// The cluster around it.
    pub picture: &'a Picture<'a>,
    /// The instance.
    pub one: &'a InstancePicture<'a>,
    /// The cluster's verdicts.
    pub health: &'a Health,
    /// What is kept of it over time.
    pub history: Option<&'a History>,
    /// Now.
    pub now: Timestamp,
    /// How it looks.
    pub look: &'a Look,
}

/// The mark of an instance's role.
pub fn mark(one: &InstancePicture<'_>, marks: &Marks) -> &'static str {
    match one.role {
        SeenRole::Primary => marks.primary,
        SeenRole::Standby => match (one.follows, one.sync) {
            (Follows::Broken, _) => marks.broken,
            (_, Some(SyncState::Sync)) => marks.sync,
            (_, Some(SyncState::Quorum)) => marks.quorum,
            (_, Some(SyncState::Potential)) => marks.potential,
            (_, Some(SyncState::Async)) => marks.asynchronous,
            (Follows::Unknown, None) => marks.unknown,
            (_, None) => marks.asynchronous,
        },
        SeenRole::Fenced => marks.frozen,
        SeenRole::Hibernated | SeenRole::Gone => marks.absent,
        SeenRole::Starting => marks.connecting,
        SeenRole::Unknown => marks.unknown,
    }
}

/// The style of an instance's mark and name.
pub fn style(one: &InstancePicture<'_>, look: &Look) -> Style {
    match one.role {
        SeenRole::Primary => look.style(Role::Primary),
        SeenRole::Standby => match (one.follows, one.sync) {
            (Follows::Broken, _) => look.style(Role::Bad),
            (_, Some(SyncState::Sync | SyncState::Quorum)) => look.style(Role::Sync),
            _ => look.style(Role::Replica),
        },
        SeenRole::Fenced | SeenRole::Starting | SeenRole::Gone => look.style(Role::Warn),
        SeenRole::Hibernated => look.style(Role::Dim),
        SeenRole::Unknown => look.style(Role::Unknown),
    }
}

/// What it is, in a word or two.
pub fn word(one: &InstancePicture<'_>) -> String {
    let word = match (one.role, one.follows) {
        (SeenRole::Standby, Follows::Broken) => "not streaming",
        (SeenRole::Standby, Follows::CatchingUp) => "catching up",
        (SeenRole::Standby, _) => one.sync.map_or("standby", SyncState::word),
        (SeenRole::Starting, _) if one.instance.pod.as_ref().is_some_and(|p| p.trouble.is_some()) => "not running",
        (role, _) => role.word(),
    };
    if one.replay_paused { format!("{word}, replay paused") } else { word.to_owned() }
}

impl Card<'_> {
    /// The worst reason about this instance.
    pub fn level(&self) -> Level {
        let about = |name: &Option<InstanceName>| name.as_ref() == Some(self.one.name());
        self.health.reasons().filter(|r| about(&r.instance)).map(|r| r.level).max().unwrap_or(Level::Ok)
    }

    fn stale(&self) -> bool {
        self.one.seen.is_some_and(|t| self.now.duration_since(t) > STALE)
    }

    /// The style of a value an instance said.
    fn said(&self, role: Role) -> Style {
        self.look.style(if self.stale() { Role::Stale } else { role })
    }

    /// The lines, `cells` wide, the more important first.
    pub fn lines(&self, cells: usize) -> Vec<Line<'static>> {
        let mut out = vec![self.name_line(cells)];
        match self.trouble() {
            Some((text, role)) => {
                out.push(self.position_line(cells));
                out.push(Line::styled(cut(&text, cells, self.look.marks.more), self.look.style(role)));
            }
            None if self.one.role == SeenRole::Hibernated => out.push(self.position_line(cells)),
            None => {
                out.push(self.position_line(cells));
                out.push(if self.one.role == SeenRole::Primary { self.wal_line(cells) } else { self.lag_line(cells) });
                out.push(self.usage_line());
            }
        }
        out.extend(self.volumes_line());
        out.retain(|l| l.width() > 0);
        out
    }

    /// `★ pg-primary-1            1s`.
    fn name_line(&self, cells: usize) -> Line<'static> {
        let age = self.one.seen.map(|t| quantity::age(t, self.now)).unwrap_or_default();
        let role = if self.stale() { Role::Warn } else { Role::Dim };
        let room = cells.saturating_sub(width(&age) + 3);
        Line::from(vec![
            Span::styled(format!("{} ", mark(self.one, &self.look.marks)), style(self.one, self.look)),
            Span::styled(fit(self.one.name().as_str(), room, self.look.marks.more), style(self.one, self.look)),
            Span::styled(format!(" {age}"), self.look.style(role)),
        ])
    }

    /// `quorum          0/9000060`, with the timeline where it is another one than the primary's.
    fn position_line(&self, cells: usize) -> Line<'static> {
        let lsn = self.one.lsn.map(|l| l.to_string()).unwrap_or_default();
        let lead = self.picture.primary.as_ref().and_then(|p| self.picture.get(p)).and_then(|p| p.timeline);
        let other = self.one.timeline.filter(|t| lead.is_some_and(|l| l != *t));
        let timeline = other.map(|t| format!(" tl {t}")).unwrap_or_default();
        let room = cells.saturating_sub(width(&lsn) + width(&timeline) + 1);
        let words = word(self.one);
        let level = self.level();
        let role = match level {
            Level::Ok | Level::Unknown => Role::Text,
            Level::Warn => Role::Warn,
            Level::Bad => Role::Bad,
        };
        Line::from(vec![
            Span::styled(fit(&words, room, self.look.marks.more), self.said(role)),
            Span::styled(timeline, self.look.style(Role::Bad)),
            Span::styled(format!(" {lsn}"), self.said(Role::Text)),
        ])
    }

    /// `replay 8.2 kB  31 ms ▁▁▂▁▃`.
    fn lag_line(&self, cells: usize) -> Line<'static> {
        if self.one.lag.is_unknown() {
            return Line::styled("lag not known", self.said(Role::Unknown));
        }
        let text = format!("replay {}", fleet::lag(&self.one.lag, false, &self.look.marks));
        let series =
            self.history.and_then(|h| h.standbys.get(self.one.name())).and_then(|s| s.bytes.get(&Stage::Replay));
        let room = cells.saturating_sub(width(&text) + 1).min(24);
        let mut line = Line::styled(text, self.said(Role::Text));
        if let Some(series) = series.filter(|_| room >= 4) {
            let values: Vec<_> =
                series.window(self.now - TREND, self.now, room).iter().map(|b| b.map(|b| f64::from(b.max))).collect();
            // A megabyte at full height at least: noise of an idle cluster stays flat.
            let spark = bar::sparkline(&values, room, 1e6, self.look);
            line.push_span(Span::styled(format!(" {spark}"), self.look.graph(0)));
        }
        line
    }

    /// `WAL 1.2 MB/s ▁▁▂▁▃`.
    fn wal_line(&self, cells: usize) -> Line<'static> {
        let Some((rate, series)) = self.history.and_then(|h| Some((h.wal_rate.last()?.1, &h.wal_rate))) else {
            return Line::default();
        };
        let text = format!("writes {}/s", quantity::bytes(rate as u64));
        let room = cells.saturating_sub(width(&text) + 1).min(24);
        let mut line = Line::styled(text, self.said(Role::Text));
        if room >= 4 {
            let values: Vec<_> =
                series.window(self.now - TREND, self.now, room).iter().map(|b| b.map(|b| f64::from(b.max))).collect();
            // A steady rate stands at half height: what it does is what one looks for, not that it is there.
            let spark = bar::sparkline(&values, room, (rate * 2.0).max(1e6), self.look);
            line.push_span(Span::styled(format!(" {spark}"), self.look.graph(0)));
        }
        line
    }

    /// `conns 42/400  disk 31%`.
    fn usage_line(&self) -> Line<'static> {
        let mut spans = Vec::new();
        if let Some((used, allowed)) = self.one.connections {
            spans.push(Span::styled(format!("conns {used}/{allowed}"), self.said(Role::Dim)));
        }
        for (purpose, label) in [(VolumePurpose::Data, "disk"), (VolumePurpose::Wal, "WAL disk")] {
            let Some(full) = self.one.disk(purpose) else { continue };
            let percent = (full * 100.0).round() as u32;
            // The WAL volume is worth its cells only when it fills.
            if purpose == VolumePurpose::Wal && percent < 60 {
                continue;
            }
            if !spans.is_empty() {
                spans.push(Span::raw("  "));
            }
            let role = match percent {
                92.. => Role::Bad,
                80.. => Role::Warn,
                _ => Role::Dim,
            };
            spans.push(Span::styled(format!("{label} {percent}%"), self.look.style(role)));
        }
        Line::from(spans)
    }

    /// `PGDATA 2Gi  WAL 2Gi`.
    fn volumes_line(&self) -> Option<Line<'static>> {
        let text = volumes(self.picture.cluster, self.one.name());
        (!text.is_empty()).then(|| Line::styled(text, self.look.style(Role::Dim)))
    }

    /// What stands in the way, before any figures.
    fn trouble(&self) -> Option<(String, Role)> {
        let pod = self.one.instance.pod.as_ref();
        if let Some(trouble) = pod.and_then(|p| p.trouble.clone()) {
            return Some((trouble, Role::Bad));
        }
        if pod.is_some_and(|p| p.deleting.is_some()) {
            return Some(("its pod is being deleted".into(), Role::Warn));
        }
        let silence = self.one.silence?;
        Some((format!("can't ask: {}", silence.why), if pod.is_some() { Role::Bad } else { Role::Dim }))
    }
}

/// `PGDATA 2Gi  WAL 2Gi`, with what is not bound.
fn volumes(cluster: &Cluster, name: &InstanceName) -> String {
    let of = cluster.volumes.iter().filter(|v| v.instance.as_ref() == Some(name));
    let words = of.map(|v| {
        let purpose = match v.purpose {
            VolumePurpose::Data => "PGDATA",
            VolumePurpose::Wal => "WAL",
            VolumePurpose::Other => "volume",
        };
        let size = v.capacity.or(v.requested).map(quantity::storage).unwrap_or_default();
        let state = if v.phase == "Bound" { String::new() } else { format!(" {}", v.phase.to_lowercase()) };
        format!("{purpose} {size}{state}").trim().to_owned()
    });
    words.collect::<Vec<_>>().join("  ")
}

//! One step in full: what and why, the exact request, the line that does the same by hand, what proves it, what was seen.

use jiff::SignedDuration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::procedure::{Gate, Rehearsal, Step, StepReport, Tried};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::textview::{TextView, Top};

/// Columns of a label.
pub const LABEL: usize = 10;

/// Lines with labels at the left.
pub struct Paper<'a, 'l> {
    look: &'l Look,
    /// Each with the indent of its further rows.
    lines: Vec<(Line<'a>, u16)>,
}

impl<'a, 'l> Paper<'a, 'l> {
    /// Nothing yet.
    pub fn new(look: &'l Look) -> Self {
        Paper { look, lines: Vec::new() }
    }

    /// Words.
    pub fn words(&mut self, text: &str, role: Role) {
        self.lines.push((Line::from(Span::styled(text.to_owned(), self.look.style(role))), 0));
    }

    /// `request    PATCH /apis/…`.
    pub fn labelled(&mut self, label: &str, text: &str, role: Role) {
        let line = Line::from(vec![
            Span::styled(format!("{label:<LABEL$}"), self.look.style(Role::Dim)),
            Span::styled(text.to_owned(), self.look.style(role)),
        ]);
        self.lines.push((line, LABEL as u16));
    }

    /// A line of its own making.
    pub fn line(&mut self, line: Line<'a>, hang: u16) {
        self.lines.push((line, hang));
    }

    /// Draws it wrapped, `top` lines scrolled up.
    pub fn draw(&self, top: usize, area: Rect, buf: &mut Buffer) {
        let view = TextView {
            total: self.lines.len(),
            top: Top::Line(top),
            left: 0,
            wrap: true,
            hang: &|n| self.lines[n].1,
            search: "",
            current: None,
            empty: "",
        };
        view.draw(area, buf, self.look, |n| self.lines[n].0.clone());
    }
}

/// What a step is for.
pub fn head(paper: &mut Paper<'_, '_>, step: &Step) {
    paper.words(&step.title, Role::Title);
    paper.words(&step.why, Role::Text);
    paper.words("", Role::Text);
}

/// What a step does: its gate, request and proof.
pub fn step(paper: &mut Paper<'_, '_>, step: &Step, tried: Option<&Tried>) {
    match &step.gate {
        _ if step.cleanup => paper.labelled("when", "at the end, however the run goes", Role::Text),
        Gate::None => {}
        Gate::ByHand(words) => paper.labelled("by hand", words, Role::Warn),
        gate => paper.labelled("gate", &gate.to_string(), Role::Warn),
    }
    if let Some(order) = &step.order {
        let request = order.request();
        paper.labelled("request", &format!("{} {}", request.method, request.path), Role::Accent);
        if let Some(body) = &request.body {
            let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            text.lines().for_each(|line| paper.labelled("", line, Role::Accent));
        }
        if request.method != "SQL" {
            paper.labelled("the same", &order.by_hand(), Role::Text);
        }
    }
    if let Some(tried) = tried {
        rehearsal(paper, &tried.shown);
    }
    if let Some(check) = &step.check {
        paper.labelled("proven by", &format!("{check}{}", within(step.within)), Role::Text);
    }
    if let Some(undo) = &step.undo {
        paper.labelled("undo", &undo.by_hand(), Role::Text);
    }
}

/// What the API said to it.
fn rehearsal(paper: &mut Paper<'_, '_>, shown: &Rehearsal) {
    match shown {
        Rehearsal::None(why) => paper.labelled("dry run", &format!("none: {why}"), Role::Dim),
        Rehearsal::Diff(lines) if lines.is_empty() => {
            paper.labelled("dry run", "the API would take it; nothing changes", Role::Text);
        }
        Rehearsal::Diff(lines) => {
            paper.labelled("dry run", "the API would take it; what changes:", Role::Text);
            for line in lines {
                let role = match line.as_bytes().first() {
                    Some(b'+') => Role::Good,
                    Some(b'-') => Role::Bad,
                    _ => Role::Dim,
                };
                paper.labelled("", line, role);
            }
        }
    }
}

/// What came of it.
pub fn came(paper: &mut Paper<'_, '_>, report: &StepReport) {
    if let Some(granted) = &report.granted {
        paper.labelled("let pass", granted, Role::Text);
    }
    for decided in &report.decided {
        paper.labelled("decided", decided, Role::Text);
    }
    for evidence in &report.evidence {
        paper.labelled("seen", evidence, Role::Good);
    }
    if let Some(problem) = &report.problem {
        paper.labelled("problem", &problem.what, Role::Bad);
        if let Some(because) = &problem.because {
            paper.labelled("because", because, Role::Bad);
        }
        if let Some(hint) = &problem.try_this {
            paper.labelled("try", hint, Role::Text);
        }
    }
}

fn within(time: SignedDuration) -> String {
    if time.is_zero() { String::new() } else { format!(", within {time:#}") }
}

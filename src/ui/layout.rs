//! Where things are on the screen: one function of its size, used to draw and to understand the mouse.

use ratatui::layout::{Position, Rect};

/// Below this the screen only says that it is too small.
pub const SMALLEST: (u16, u16) = (60, 15);

/// The regions of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// Where am I, may I change anything, how fresh is my truth.
    pub header: Rect,
    /// The tabs.
    pub tabs: Rect,
    /// The pane.
    pub body: Rect,
    /// A notice, while there is one.
    pub notice: Rect,
    /// Keys that work here.
    pub footer: Rect,
}

/// The regions of a screen; `None` when it is too small for them.
pub fn regions(screen: Rect, with_notice: bool) -> Option<Regions> {
    if screen.width < SMALLEST.0 || screen.height < SMALLEST.1 {
        return None;
    }
    let row = |y: u16| Rect { x: screen.x, y, width: screen.width, height: 1 };
    let notice = u16::from(with_notice);
    let bottom = screen.bottom() - 1;
    Some(Regions {
        header: row(screen.y),
        tabs: row(screen.y + 1),
        body: Rect { y: screen.y + 2, height: screen.height - 3 - notice, ..screen },
        notice: Rect { height: notice, ..row(bottom - notice) },
        footer: row(bottom),
    })
}

/// Which region a cell is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// See [`Regions::header`].
    Header,
    /// See [`Regions::tabs`].
    Tabs,
    /// See [`Regions::body`].
    Body,
    /// See [`Regions::notice`].
    Notice,
    /// See [`Regions::footer`].
    Footer,
}

impl Regions {
    /// The region a cell is in.
    pub fn at(&self, x: u16, y: u16) -> Option<Region> {
        let all = [
            (self.header, Region::Header),
            (self.tabs, Region::Tabs),
            (self.body, Region::Body),
            (self.notice, Region::Notice),
            (self.footer, Region::Footer),
        ];
        all.into_iter().find(|(r, _)| r.contains(Position { x, y })).map(|(_, region)| region)
    }
}

/// An area of at most this size in the middle of another.
pub fn centred(within: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(within.width), height.min(within.height));
    Rect { x: within.x + (within.width - width) / 2, y: within.y + (within.height - height) / 2, width, height }
}

/// An area without its margin.
pub fn inset(area: Rect, x: u16, y: u16) -> Rect {
    area.inner(ratatui::layout::Margin { horizontal: x, vertical: y })
}

/// The first `height` rows, and the rest.
pub fn split_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
}

/// The rest, and the last `height` rows.
pub fn split_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    split_top(area, area.height - height.min(area.height))
}

/// The first `width` columns, and the rest.
pub fn split_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_cell_is_in_one_region(w in 60u16..250, h in 15u16..90, notice: bool) {
            let screen = Rect::new(0, 0, w, h);
            let r = regions(screen, notice).unwrap();
            let heights = [r.header, r.tabs, r.body, r.notice, r.footer].map(|r| r.height);
            prop_assert_eq!(heights.iter().sum::<u16>(), h);
            for y in 0..h {
                prop_assert!(r.at(w - 1, y).is_some());
            }
            prop_assert_eq!(r.at(w, 0), None);
        }
        #[test]
        fn parts_stay_inside(w in 0u16..200, h in 0u16..60, n in 0u16..300) {
            let area = Rect::new(3, 4, w, h);
            let parts = [split_top(area, n), split_bottom(area, n), split_left(area, n)];
            for (a, b) in parts {
                prop_assert_eq!(a.area() + b.area(), area.area());
                prop_assert_eq!(a.union(b).intersection(area), a.union(b));
            }
            let c = centred(area, n, n);
            prop_assert_eq!(c.intersection(area), c);
        }
    }

    #[test]
    fn too_small_has_no_regions() {
        assert_eq!(regions(Rect::new(0, 0, 59, 40), false), None);
        assert_eq!(regions(Rect::new(0, 0, 80, 14), false), None);
    }
}

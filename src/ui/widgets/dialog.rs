//! Windows above the pane.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::layout::{centred, inset};
use crate::ui::text::{cut, put, width};
use crate::ui::theme::{Look, Role};

/// Clears an area of this size in the middle of the screen, frames it, and returns what is inside.
pub fn window(screen: Rect, buf: &mut Buffer, look: &Look, size: (u16, u16), title: &str) -> Rect {
    let area = centred(screen.intersection(buf.area), size.0, size.1);
    frame(area, buf, look, title)
}

/// Clears an area, frames it, and returns what is inside.
pub fn frame(area: Rect, buf: &mut Buffer, look: &Look, title: &str) -> Rect {
    let area = area.intersection(buf.area);
    clear(area, buf, look);
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let [tl, tr, bl, br, h, v] =
        if look.marks.ascii { ["+", "+", "+", "+", "-", "|"] } else { ["╭", "╮", "╰", "╯", "─", "│"] };
    let style = look.style(Role::BorderFocus);
    let (left, right, top, bottom) = (area.x, area.right() - 1, area.y, area.bottom() - 1);
    for x in left + 1..right {
        put(buf, area, x, top, h, style);
        put(buf, area, x, bottom, h, style);
    }
    for y in top + 1..bottom {
        put(buf, area, left, y, v, style);
        put(buf, area, right, y, v, style);
    }
    for (x, y, corner) in [(left, top, tl), (right, top, tr), (left, bottom, bl), (right, bottom, br)] {
        put(buf, area, x, y, corner, style);
    }
    let room = usize::from(area.width).saturating_sub(6);
    if !title.is_empty() && room > 0 {
        let title = format!(" {} ", cut(title, room, look.marks.more));
        put(buf, area, left + 2, top, &title, look.style(Role::Title));
    }
    // A breath between border and text where there is room for it.
    inset(area, if area.width > 20 { 2 } else { 1 }, 1)
}

/// Empties an area and gives it the look of a window. What a wide character left half of is emptied too.
pub fn clear(area: Rect, buf: &mut Buffer, look: &Look) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        if area.x > buf.area.x && area.width > 0 {
            let before = &mut buf[(area.x - 1, y)];
            if width(before.symbol()) > 1 {
                before.set_symbol(" ");
            }
        }
        for x in area.left()..area.right() {
            let cell = &mut buf[(x, y)];
            cell.reset();
            cell.set_style(look.style(Role::Text)).set_style(look.style(Role::Overlay));
        }
    }
}

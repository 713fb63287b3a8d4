//! What needs a screen, put together from the flags and the settings.

use std::fs::File;
use std::io::{BufReader, Write};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::wishes::wishes;
use super::{console, lab};
use crate::app::recording::{read, replay};
use crate::app::view;
use crate::cli::args::ReplayArgs;
use crate::cli::{Global, Screen};
use crate::problem::Problem;
use crate::ui::screenshot;

/// Opens what was asked for, and returns when it is closed.
///
/// # Errors
/// What keeps it from opening.
pub async fn show(global: &Global, what: Screen<'_>) -> Result<(), Problem> {
    match what {
        Screen::Console => {
            let (start, _log) = wishes(global, "")?;
            console(start).await
        }
        Screen::Lab(world) => {
            let (start, _log) = wishes(global, "lab")?;
            lab(world.options(), start).await
        }
        Screen::Replay(args) => replayed(args),
    }
}

/// The last screen of a recording, as text.
fn replayed(args: &ReplayArgs) -> Result<(), Problem> {
    let cannot = |e| Problem::usage(format!("{} can't be read", args.file.display())).because(e);
    let (header, messages) = read(BufReader::new(File::open(&args.file).map_err(cannot)?))?;
    let until = args.until.unwrap_or(messages.len());
    let (model, _) = replay(&header, messages.into_iter().take(until));
    let (columns, rows) = model.size();
    let mut buf = Buffer::empty(Rect::new(0, 0, columns, rows));
    view(&model, &mut buf);
    // A reader that has gone needs no message.
    let _ = std::io::stdout().write_all(screenshot::text(&buf).as_bytes());
    Ok(())
}

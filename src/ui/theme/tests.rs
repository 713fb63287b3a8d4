//! Every shipped theme is whole and readable; a person's own is used or refused with its place.

use super::super::{Depth, Role, Themes};
use super::{DEFAULT, read, shipped_files};
use crate::ui::marks::Marks;
use crate::ui::theme::contrast;
use ratatui::style::{Color, Style};

#[test]
fn shipped_themes_have_no_mistakes() {
    let wrong: Vec<_> = shipped_files().flat_map(|(f, text)| read(&f, text).1).map(|m| m.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = shipped_files().count();
    assert!(Themes::shipped().get(DEFAULT).is_some());
    assert_eq!(Themes::shipped().names().count(), files, "each resolves");
}

#[test]
fn text_and_states_can_be_read_on_every_background() {
    let themes = Themes::shipped();
    let mut unreadable = Vec::new();
    for name in themes.names() {
        let theme = themes.get(name).unwrap();
        let text = theme.style(Role::Text);
        let grounds = [
            ("background", text.bg),
            ("selected", theme.style(Role::Selected).bg.or(text.bg)),
            ("overlay", theme.style(Role::Overlay).bg.or(text.bg)),
        ];
        let roles =
            [Role::Text, Role::Good, Role::Warn, Role::Bad, Role::Unknown, Role::Info, Role::Primary, Role::Title];
        for (ground, bg) in grounds {
            // A selected row may have its own text colour.
            let own = theme.style(Role::Selected).fg.filter(|_| ground == "selected");
            for role in roles {
                let (Some(fg), Some(bg)) = (own.or(theme.style(role).fg), bg) else { continue };
                if let Some(c) = contrast(fg, bg).filter(|c| *c < 4.5) {
                    unreadable.push(format!("{name}: {} on {ground}: {c:.2}", role.name()));
                }
            }
        }
        for role in [Role::Match, Role::Danger] {
            let style = theme.style(role);
            if let (Some(fg), Some(bg)) = (style.fg, style.bg) {
                assert!(contrast(fg, bg).is_none_or(|c| c >= 4.5), "{name}: {}", role.name());
            }
        }
    }
    assert!(unreadable.is_empty(), "{}", unreadable.join("\n"));
}

#[test]
fn no_color_has_no_colour_and_still_tells_states_apart() {
    for name in Themes::shipped().names() {
        let look = Themes::shipped().look(name, Depth::None, Marks::SIGNS);
        let bare = |r: Role| (look.style(r).fg, look.style(r).bg) == (None, None);
        assert!(Role::ALL.iter().all(|r| bare(*r)), "{name}");
        let styles = [Role::Good, Role::Warn, Role::Bad].map(|r| look.style(r));
        assert!(styles[0] != styles[1] && styles[1] != styles[2] && styles[0] != styles[2], "{name}");
    }
}

#[test]
fn sixteen_colours_use_the_terminals_own() {
    let themes = Themes::shipped();
    for name in themes.names() {
        let look = themes.look(name, Depth::Sixteen, Marks::SIGNS);
        for role in Role::ALL {
            let s = look.style(*role);
            for c in [s.fg, s.bg].into_iter().flatten() {
                assert!(!matches!(c, Color::Rgb(..) | Color::Indexed(_)), "{name} {}", role.name());
            }
        }
        let indexed = themes.look(name, Depth::Indexed, Marks::SIGNS);
        assert!(Role::ALL.iter().all(|r| !matches!(indexed.style(*r).fg, Some(Color::Rgb(..)))));
    }
}

fn own(text: &str) -> (Themes, Vec<String>) {
    let (themes, wrong) = Themes::with([("mine.toml".to_owned(), text.to_owned())]);
    (themes, wrong.iter().map(|m| m.line()).collect())
}

#[test]
fn one_role_or_one_colour_may_be_changed() {
    let (themes, wrong) = own("good = \"#00ff00\"\n[palette]\ncoral = \"#ff0000\"");
    assert_eq!(wrong, Vec::<String>::new());
    let (mine, default) = (themes.get("mine").unwrap(), themes.get(DEFAULT).unwrap());
    assert_eq!(mine.style(Role::Good), Style::new().fg(Color::Rgb(0, 255, 0)));
    assert_eq!(mine.style(Role::Bad).fg, Some(Color::Rgb(255, 0, 0)), "the parent's roles use the child's palette");
    assert_eq!(mine.style(Role::Text), default.style(Role::Text));
}

#[test]
fn every_mistake_has_its_place_and_the_nearest_name() {
    let text = "inherits = \"gruvbocks\"\ngoood = \"red\"\nbad = { fg = \"red\", blod = true }\nwarn = 3\n[palette]\na = \"#12\"";
    let (themes, wrong) = own(text);
    assert!(themes.get("mine").is_none());
    assert_eq!(
        wrong,
        [
            "mine.toml:2:1: no such role: `goood`; did you mean `good`?",
            "mine.toml:3:21: no such part of a style: `blod`; did you mean `bold`?",
            "mine.toml:4:8: expected a colour, or a table such as { fg = \"#ffffff\", bold = true }, found an integer",
            "mine.toml:6:5: no colour: `#12`; write #rrggbb or a terminal colour",
            "mine.toml:1:12: no such theme: `gruvbocks`; did you mean `gruvbox`?",
        ]
    );
    let (_, wrong) = own("inherits = \"defualt\"");
    assert_eq!(wrong, ["mine.toml:1:12: no such theme: `defualt`; did you mean `default`?"]);
    let (_, wrong) = own("inherits = \"mine\"");
    assert_eq!(wrong, ["mine.toml:1:12: `mine` inherits itself through `mine`"]);
    let files = [
        ("a.toml", "inherits = \"b\""),
        ("b.toml", "inherits = \"a\"\ngodo = \"red\""),
        ("c.toml", "inherits = \"b\""),
    ];
    let (_, wrong) = Themes::with(files.map(|(f, t)| (f.to_owned(), t.to_owned())));
    let wrong: Vec<_> = wrong.iter().map(|m| m.line()).collect();
    assert_eq!(
        wrong,
        [
            "b.toml:2:1: no such role: `godo`; did you mean `good`?",
            "b.toml:1:12: `b` inherits itself through `a`",
            "a.toml:1:12: `a` inherits itself through `b`",
            "c.toml:1:1: not used: there are mistakes in what it inherits",
        ]
    );
    let (_, wrong) = own("good = \"ambre\"");
    assert_eq!(wrong, ["mine.toml:1:8: no such colour: `ambre`; did you mean `amber`?"]);
}

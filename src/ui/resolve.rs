//! What themes and keymaps have in common: shipped files, a person's own over them, and each inheriting from another.

use include_dir::Dir;
use std::collections::BTreeMap;

use crate::document::mistake::Mistake;

/// A kind of file that can inherit from another of its kind.
pub(in crate::ui) trait Inherits: Sized {
    /// A file as it is written.
    type Written: Clone;
    /// Reads a file, with all its mistakes.
    fn read(file: &str, text: &str) -> (Self::Written, Vec<Mistake>);
    /// The file's path.
    fn file(written: &Self::Written) -> &str;
    /// The file of this name with all it inherits.
    ///
    /// # Errors
    /// Every mistake that shows only then.
    fn resolve(name: &str, all: &BTreeMap<String, Self::Written>) -> Result<Self, Vec<Mistake>>;
}

/// The shipped ones and a person's own `(path, text)`, by name; an own file of a shipped one's name replaces it. A file
/// with any mistake is left out as a whole (the shipped one of that name stays), and every mistake is reported.
pub(in crate::ui) fn resolve<T: Inherits>(
    shipped: impl IntoIterator<Item = (String, &'static str)>,
    own: impl IntoIterator<Item = (String, String)>,
) -> (BTreeMap<String, T>, Vec<Mistake>) {
    let shipped: BTreeMap<String, T::Written> =
        shipped.into_iter().map(|(file, text)| (stem(&file).to_owned(), T::read(&file, text).0)).collect();
    let mut sound = shipped.clone();
    let mut whole = shipped.clone();
    let mut mistakes = Vec::new();
    let mut files = Vec::new();
    for (file, text) in own {
        let (written, wrong) = T::read(&file, &text);
        if wrong.is_empty() {
            sound.insert(stem(&file).to_owned(), written.clone());
        }
        whole.insert(stem(&file).to_owned(), written);
        mistakes.extend(wrong);
        files.push(file);
    }
    // Told of all, the ones with mistakes too: everything at once.
    let later = whole.keys().filter_map(|name| T::resolve(name, &whole).err()).flatten();
    for m in later.filter(|m| files.contains(&m.file)).collect::<Vec<_>>() {
        if !mistakes.contains(&m) {
            mistakes.push(m);
        }
    }
    let mut all = BTreeMap::new();
    for (name, written) in &sound {
        let resolved = T::resolve(name, &sound).ok().or_else(|| {
            if mistakes.iter().all(|m| m.file != T::file(written)) {
                mistakes.push(Mistake::of_file(T::file(written), "not used: there are mistakes in what it inherits"));
            }
            // What ships resolves among itself; a test says so.
            shipped.get(name).and_then(|_| T::resolve(name, &shipped).ok())
        });
        all.extend(resolved.map(|one| (name.clone(), one)));
    }
    (all, mistakes)
}

/// The files of an embedded folder, as `folder/name.toml`.
pub(in crate::ui) fn files(
    folder: &'static str,
    dir: &'static Dir<'static>,
) -> impl Iterator<Item = (String, &'static str)> {
    dir.files().filter_map(move |f| Some((format!("{folder}/{}", f.path().display()), f.contents_utf8()?)))
}

/// A file's name without folder and `.toml`.
pub fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// Names in order, the default first.
pub(in crate::ui) fn names<'a, T>(
    all: &'a BTreeMap<String, T>,
    default: &'static str,
) -> impl Iterator<Item = &'a str> {
    std::iter::once(default).chain(all.keys().map(String::as_str).filter(move |n| *n != default))
}

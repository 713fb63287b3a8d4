//! The blobs of a container in the order of their names: the files of a folder, looked for no further than was asked.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

/// What of a container is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names begin with it.
    pub prefix: String,
    /// Names that have it after the prefix are told as one, up to it.
    pub delimiter: String,
    /// The first name; those before it were told already.
    pub from: String,
    /// How many at most.
    pub most: usize,
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A blob's name and its file.
    Blob(String, PathBuf),
    /// Names that begin so, told as one.
    Prefix(String),
}

impl Item {
    /// Its name.
    pub fn name(&self) -> &str {
        let (Item::Blob(name, _) | Item::Prefix(name)) = self;
        name
    }
}

/// Where a blob's file is; `None` for a name that no blob can have. What begins with a dot is not a blob yet.
pub fn file_of(root: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
    name.split('/').all(is_plain).then(|| root.join(name))
}

/// The blobs that are wanted, and one more where there are more.
///
/// # Errors
/// When a folder can't be read.
pub fn walk(root: &Path, wanted: &Wanted) -> io::Result<Vec<Item>> {
    let mut found = Vec::new();
    step(root, "", wanted, &mut found)?;
    Ok(found)
}

fn step(folder: &Path, above: &str, wanted: &Wanted, found: &mut Vec<Item>) -> io::Result<()> {
    for (name, kind) in names(folder)? {
        if found.len() > wanted.most {
            return Ok(());
        }
        let full = format!("{above}{name}");
        if kind.is_dir() {
            let leads_there = full.starts_with(&wanted.prefix) || wanted.prefix.starts_with(&full);
            let is_past = full >= wanted.from || wanted.from.starts_with(&full);
            let is_told = matches!(found.last(), Some(Item::Prefix(told)) if full.starts_with(told.as_str()));
            if leads_there && is_past && !is_told {
                step(&folder.join(&name), &full, wanted, found)?;
            }
        } else if full.starts_with(&wanted.prefix) {
            let item = told_as(full, folder.join(&name), wanted);
            if item.name() >= wanted.from.as_str() && found.last().is_none_or(|last| last.name() != item.name()) {
                found.push(item);
            }
        }
    }
    Ok(())
}

fn told_as(full: String, file: PathBuf, wanted: &Wanted) -> Item {
    let rest = full.get(wanted.prefix.len()..).unwrap_or_default();
    match rest.find(&wanted.delimiter).filter(|_| !wanted.delimiter.is_empty()) {
        Some(at) => Item::Prefix(full[..wanted.prefix.len() + at + wanted.delimiter.len()].to_owned()),
        None => Item::Blob(full, file),
    }
}

/// Files and folders in the order of the blobs' names: a folder is its name and a slash.
fn names(folder: &Path) -> io::Result<Vec<(String, FileType)>> {
    let mut all = Vec::new();
    let entries = match fs::read_dir(folder) {
        // It went while the rest was looked at.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(all),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        if name.starts_with('.') {
            continue;
        }
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => all.push((format!("{name}/"), kind)),
            (_, true) => all.push((name, kind)),
            _ => {}
        }
    }
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/x/1", "a/x/2", "a/y/3", "a/.part", "a-b/4", "b", "empty/.new"] {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        }
        root
    }

    fn told(root: &Path, prefix: &str, delimiter: &str, from: &str, most: usize) -> Vec<String> {
        let wanted = Wanted { prefix: prefix.into(), delimiter: delimiter.into(), from: from.into(), most };
        walk(root, &wanted).unwrap().iter().map(|item| item.name().to_owned()).collect()
    }

    #[test]
    fn names_come_in_the_order_of_whole_names() {
        let root = container();
        assert_eq!(told(root.path(), "", "", "", 9), ["a-b/4", "a/x/1", "a/x/2", "a/y/3", "b"]);
        assert_eq!(told(root.path(), "a/x", "", "", 9), ["a/x/1", "a/x/2"]);
        assert_eq!(told(root.path(), "nothing", "", "", 9), [""; 0]);
    }

    #[test]
    fn what_lies_below_a_delimiter_is_told_as_one() {
        let root = container();
        assert_eq!(told(root.path(), "", "/", "", 9), ["a-b/", "a/", "b"]);
        assert_eq!(told(root.path(), "a/", "/", "", 9), ["a/x/", "a/y/"]);
        assert_eq!(told(root.path(), "", "-", "", 9), ["a-", "a/x/1", "a/x/2", "a/y/3", "b"]);
    }

    #[test]
    fn a_page_begins_where_the_last_one_ended() {
        let root = container();
        for delimiter in ["", "/", "-"] {
            let whole = told(root.path(), "", delimiter, "", 99);
            let (mut pages, mut from) = (Vec::new(), String::new());
            loop {
                let mut page = told(root.path(), "", delimiter, &from, 2);
                let next = if page.len() > 2 { page.pop() } else { None };
                assert!(page.len() <= 2);
                pages.extend(page);
                let Some(next) = next else { break };
                from = next;
            }
            assert_eq!(pages, whole);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_container() {
        let root = Path::new("/root");
        assert_eq!(file_of(root, "a/b"), Some("/root/a/b".into()));
        for name in ["../x", "a/../../x", "/etc/passwd", "a//b", ".x", "a/.x", ""] {
            assert_eq!(file_of(root, name), None, "{name}");
        }
    }
}

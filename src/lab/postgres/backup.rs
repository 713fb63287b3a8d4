//! A base backup in Barman's layout: `base/<id>/{backup.info,data.tar}`.

use std::{
    fs,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Server, Store};
use crate::{
    domain::{
        lsn::Lsn,
        wal::{Timeline, WalName},
    },
    problem::Problem,
};

/// In a backup's folder: what is not an object of the store yet.
const PART: &str = ".part";

/// A backup that takes longer than this hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// What is known about a base backup: the fields of `backup.info` that CNPG copies into a Backup's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupInfo {
    /// `20261120T225646`.
    pub id: String,
    /// `backup-20261120225645`, or the Backup object's name.
    pub name: String,
    /// When it began.
    pub begin_time: Timestamp,
    /// When it ended.
    pub end_time: Timestamp,
    /// The first segment a restore needs.
    pub begin_wal: WalName,
    /// The last segment a restore needs to be consistent.
    pub end_wal: WalName,
    /// The position it starts at.
    pub begin_lsn: Lsn,
    /// The position it ends at.
    pub end_lsn: Lsn,
    /// The system identifier.
    pub system_id: String,
    /// The timeline it was taken on.
    pub timeline: Timeline,
    /// Bytes of `data.tar`.
    pub size: u64,
}

/// Takes a base backup of `server` into `store`.
///
/// # Errors
/// When the server can't be copied or the store not be written; a backup that failed leaves no folder.
pub async fn base_backup(server: &Server, store: &Store, name: &str) -> Result<BackupInfo, Problem> {
    let what = format!("base backup {name} of {}", server.spec().instance);
    take(server, store, name, &what).await.map_err(|problem| {
        let why = problem.line();
        Problem { what: format!("{what} failed"), because: Some(why), ..problem }
    })
}

async fn take(server: &Server, store: &Store, name: &str, what: &str) -> Result<BackupInfo, Problem> {
    let machine = server.machine();
    let begin_time = Timestamp::now();
    let (id, folder) = fresh_folder(server, store, begin_time)?;
    let unfinished = Unfinished(Some(folder.clone()));
    let part = folder.join(PART);
    let mut command = machine.processes.command(machine.binaries.program("pg_basebackup"));
    command
        .args(["--format=tar", "--wal-method=none", "--checkpoint=fast", "--no-manifest", "--no-password"])
        .arg(format!("--label=Barman backup cloud {id}"))
        .arg("--pgdata")
        .arg(&part)
        .envs(server.environment());
    if !machine.options.fsync {
        command.arg("--no-sync");
    }
    machine.processes.run(what, command, LONGEST).await?;
    let end_time = Timestamp::now();

    let data = folder.join("data.tar");
    fs::rename(part.join("base.tar"), &data).map_err(|e| trouble("pg_basebackup's base.tar", &e))?;
    let label = member(&data, "backup_label").map_err(|e| trouble("its backup label", &e))?;
    let label = String::from_utf8_lossy(&label);
    let about = About::ask(server).await?;
    let (timeline, begin_lsn) = beginning(&label).ok_or_else(|| Problem::new("its label tells no beginning"))?;
    let begin_wal = WalName::holding(timeline, begin_lsn, about.segment);
    let end_lsn = if label.contains("BACKUP FROM: standby") {
        let control = member(&data, "global/pg_control").map_err(|e| trouble("its control file", &e))?;
        consistent_at(server, &part, &control).await?
    } else {
        stopped_at(server, store, &format!("{begin_wal}.{:08X}.backup", begin_lsn.0 % about.segment))?
    };
    let info = BackupInfo {
        id,
        name: name.to_owned(),
        begin_time,
        end_time,
        begin_wal,
        end_wal: WalName::holding(timeline, last_byte(end_lsn), about.segment),
        begin_lsn,
        end_lsn,
        system_id: about.system_id.clone(),
        timeline,
        size: fs::metadata(&data).map_err(|e| trouble("data.tar", &e))?.len(),
    };
    let text = backup_info(&info, &about, &label, server.data(), &store.server);
    let _ = fs::remove_dir_all(part);
    machine.account.write(&folder.join("backup.info"), &text, 0o600).map_err(|e| trouble("backup.info", &e))?;
    unfinished.keep();
    Ok(info)
}

fn trouble(with: &str, error: &io::Error) -> Problem {
    Problem::new(format!("trouble with {with}")).because(error)
}

/// A folder that is this backup's alone: its name is the second it began, or the next that is free.
fn fresh_folder(server: &Server, store: &Store, begin: Timestamp) -> Result<(String, PathBuf), Problem> {
    let account = &server.machine().account;
    if !store.root.is_dir() {
        return Err(Problem::new(format!("the object store {} is not reachable", store.root.display())));
    }
    let above = store.folder().join("base");
    account
        .make_folder(&store.folder())
        .and_then(|()| account.make_folder(&above))
        .map_err(|e| trouble("the store", &e))?;
    for second in 0..60 {
        let at = begin.to_zoned(TimeZone::UTC).saturating_add(jiff::Span::new().seconds(second));
        let id = at.strftime("%Y%m%dT%H%M%S").to_string();
        let folder = store.backup_folder(&id);
        match fs::create_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made.and_then(|()| account.own(&folder, 0o700)).map_err(|e| trouble("the store", &e))?;
                return Ok((id, folder));
            }
        }
    }
    Err(Problem::new("a minute full of backups").because("every second of it has one"))
}

/// Where a primary's backup ended: its history file tells. Another backup's end (a standby being cloned) removes that from
/// `pg_wal` as soon as it is archived.
fn stopped_at(server: &Server, store: &Store, history: &str) -> Result<Lsn, Problem> {
    let text = fs::read_to_string(server.data().join("pg_wal").join(history))
        .or_else(|_| fs::read_to_string(store.wal_path(history)))
        .map_err(|e| trouble(&format!("its history file {history}"), &e))?;
    position(&text, "STOP WAL LOCATION: ").ok_or_else(|| Problem::new("its history file tells no end"))
}

/// A position at a segment's very begin is the end of the one before, as `pg_walfile_name` has it.
fn last_byte(end: Lsn) -> Lsn {
    Lsn(end.0.saturating_sub(1))
}

/// Removes the folder of a backup that came to nothing.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// What the server says of itself for `backup.info`.
struct About {
    system_id: String,
    version: String,
    checksums: String,
    segment: u64,
    size: String,
}

impl About {
    async fn ask(server: &Server) -> Result<About, Problem> {
        const QUESTION: &str = "select (select system_identifier from pg_control_system()) as system_id, \
             current_setting('server_version_num') as version, current_setting('data_checksums') as checksums, \
             (select setting from pg_settings where name = 'wal_segment_size') as segment, \
             (select sum(pg_database_size(oid)) from pg_database) as size";
        let rows = server.sql().rows("postgres", QUESTION, Duration::from_secs(10)).await?;
        let mut row = rows.into_iter().next().unwrap_or_default();
        let mut column = |name: &str| row.remove(name).flatten().unwrap_or_default();
        Ok(About {
            system_id: column("system_id"),
            version: column("version"),
            checksums: column("checksums"),
            segment: column("segment").parse().unwrap_or(crate::domain::wal::DEFAULT_SEGMENT),
            size: column("size"),
        })
    }
}

/// `START WAL LOCATION: 0/3000028 (file 000000010000000000000003)` and `START TIMELINE: 1`.
fn beginning(label: &str) -> Option<(Timeline, Lsn)> {
    let timeline = label.lines().find_map(|line| line.strip_prefix("START TIMELINE: "))?.trim().parse().ok()?;
    Some((timeline, position(label, "START WAL LOCATION: ")?))
}

/// The position behind `mark`, in a backup label or history file.
fn position(text: &str, mark: &str) -> Option<Lsn> {
    let rest = text.lines().find_map(|line| line.strip_prefix(mark))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Where a standby's backup becomes consistent: a standby writes no history file, and recovery itself takes the end from
/// the copied control file's "minimum recovery ending location".
async fn consistent_at(server: &Server, folder: &Path, control: &[u8]) -> Result<Lsn, Problem> {
    let machine = server.machine();
    let copy = folder.join("control");
    let trouble = |e: io::Error| trouble("its control file", &e);
    machine.account.make_folder(&copy).map_err(trouble)?;
    machine.account.make_folder(&copy.join("global")).map_err(trouble)?;
    let file = copy.join("global/pg_control");
    fs::write(&file, control).and_then(|()| machine.account.own(&file, 0o600)).map_err(trouble)?;
    let data = super::server::control_data_of(machine, &copy).await?;
    fs::remove_dir_all(&copy).map_err(trouble)?;
    data.all.get("Minimum recovery ending location").and_then(|lsn| lsn.parse().ok()).ok_or_else(|| {
        Problem::new("the backup's control file can't be read").because("it names no minimum recovery point")
    })
}

/// One file of a tar archive: headers of 512 bytes, the name first, the size in octal at 124.
fn member(tar: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(tar)?;
    let mut header = [0; 512];
    loop {
        file.read_exact(&mut header)?;
        let field = |from: usize, to: usize| {
            let bytes = &header[from..to];
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
        };
        let size = u64::from_str_radix(&field(124, 136), 8).map_err(|_| io::ErrorKind::InvalidData)?;
        if field(0, 100) == name {
            let mut content = Vec::new();
            (&mut file).take(size).read_to_end(&mut content)?;
            return Ok(content);
        }
        file.seek_relative(size.next_multiple_of(512).try_into().map_err(|_| io::ErrorKind::InvalidData)?)?;
    }
}

/// In Barman's own words and order; what it calls `None` is not known here either.
fn backup_info(info: &BackupInfo, about: &About, label: &str, data: &Path, server: &str) -> String {
    let path = |name: &str| data.join(name).to_string_lossy().into_owned();
    let time = |at: Timestamp| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S.%6f+00:00").to_string();
    let offset = |lsn: Lsn| (lsn.0 % about.segment).to_string();
    let lines = [
        ("backup_label", python(label)),
        ("backup_name", info.name.clone()),
        ("begin_offset", offset(info.begin_lsn)),
        ("begin_time", time(info.begin_time)),
        ("begin_wal", info.begin_wal.to_string()),
        ("begin_xlog", info.begin_lsn.to_string()),
        ("children_backup_ids", "None".into()),
        ("cluster_size", about.size.clone()),
        ("compression", "None".into()),
        ("config_file", path("postgresql.conf")),
        ("data_checksums", about.checksums.clone()),
        ("deduplicated_size", "None".into()),
        ("end_offset", offset(info.end_lsn)),
        ("end_time", time(info.end_time)),
        ("end_wal", info.end_wal.to_string()),
        ("end_xlog", info.end_lsn.to_string()),
        ("error", "None".into()),
        ("hba_file", path("pg_hba.conf")),
        ("ident_file", path("pg_ident.conf")),
        ("included_files", format!("['{}', '{}']", path("custom.conf"), path("override.conf"))),
        ("mode", "None".into()),
        ("parent_backup_id", "None".into()),
        ("pgdata", data.to_string_lossy().into_owned()),
        ("server_name", server.to_owned()),
        ("size", info.size.to_string()),
        ("status", "DONE".into()),
        ("systemid", info.system_id.clone()),
        ("tablespaces", "None".into()),
        ("timeline", info.timeline.to_string()),
        ("version", about.version.clone()),
        ("xlog_segment_size", about.segment.to_string()),
    ];
    lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// A text as Python writes it.
fn python(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'").replace('\n', r"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_end_as_labels_and_history_files_tell_them() {
        let text = "START WAL LOCATION: 0/3000028 (file 000000020000000000000003)\n\
            STOP WAL LOCATION: 0/4000000 (file 000000020000000000000003)\nSTART TIMELINE: 2\n";
        assert_eq!(beginning(text), Some((2, Lsn(0x300_0028))));
        let end = position(text, "STOP WAL LOCATION: ").unwrap();
        let wal = WalName::holding(2, last_byte(end), 16 << 20);
        assert_eq!(wal.to_string(), "000000020000000000000003", "the end is that of the segment before");
        assert_eq!(beginning("START TIMELINE: 2"), None);
    }

    #[test]
    fn the_label_is_found_behind_another_file() {
        let mut tar = Vec::new();
        for (name, text) in [("first", "x".repeat(700)), ("backup_label", "START WAL LOCATION: 0/3000028\n".to_owned())]
        {
            let mut header = [0u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
            tar.extend(header);
            tar.extend(text.bytes());
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), tar).unwrap();
        assert_eq!(member(file.path(), "backup_label").unwrap(), b"START WAL LOCATION: 0/3000028\n");
        fs::write(file.path(), "short").unwrap();
        assert!(member(file.path(), "backup_label").is_err());
    }

    #[test]
    fn the_words_are_barmans() {
        let wal: WalName = "000000010000000000000003".parse().unwrap();
        let at: Timestamp = "2026-11-20T22:56:46.176558Z".parse().unwrap();
        let info = BackupInfo {
            id: "20261120T225646".into(),
            name: "b".into(),
            begin_time: at,
            end_time: at,
            begin_wal: wal,
            end_wal: wal,
            begin_lsn: Lsn(0x300_0028),
            end_lsn: Lsn(0x300_0100),
            system_id: "77".into(),
            timeline: 1,
            size: 9,
        };
        let about = About {
            system_id: "77".into(),
            version: "150018".into(),
            checksums: "on".into(),
            segment: 16 << 20,
            size: "5".into(),
        };
        let text = backup_info(&info, &about, "START: x\n", Path::new("/d"), "shop");
        for line in [
            r"backup_label='START: x\n'",
            "begin_offset=40",
            "begin_time=2026-11-20 22:56:46.176558+00:00",
            "begin_wal=000000010000000000000003",
            "included_files=['/d/custom.conf', '/d/override.conf']",
            "server_name=shop",
            "xlog_segment_size=16777216",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}

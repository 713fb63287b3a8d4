//! A Backup on its way, and who can tell that its last segment is in the archive.

use std::sync::Arc;

use super::*;
use crate::domain::backup::{Archive, StoreListing};
use crate::domain::cluster::BackupObject;
use crate::domain::facts::Fact;
use crate::domain::sample::Silence;

fn done() -> Check {
    Check::BackupDone { backup: "pg-1".into() }
}

/// As the recording of an on-demand backup tells it, on this scene's timeline.
fn object(phase: &str) -> BackupObject {
    BackupObject {
        name: "pg-1".into(),
        phase: Some(phase.into()),
        instance: Some(name(2)),
        started: Some(ago(8)),
        stopped: (phase == "completed").then(|| ago(6)),
        begin_wal: Some("000000020000000000000003".into()),
        end_wal: Some("000000020000000000000004".into()),
        backup_id: Some("20261121T115952".into()),
        ..BackupObject::default()
    }
}

fn is(phase: &'static str) -> impl FnOnce(&mut Scene) {
    move |s| s.cluster.backups.objects = vec![Arc::new(object(phase))]
}

fn archived(scene: &mut Scene, wal: &str) {
    is("completed")(scene);
    scene.leads().archiver.as_mut().unwrap().last_archived = Some((wal.into(), ago(2)));
}

#[test]
fn each_phase_has_its_words() {
    assert_eq!(not_yet(&done(), |_| {}), "Backup pg-1 is not seen yet");
    let other = |s: &mut Scene| {
        s.cluster.backups.objects = vec![Arc::new(BackupObject { name: "b".into(), ..object("completed") })]
    };
    assert_eq!(not_yet(&done(), other), "Backup pg-1 is not seen yet");
    let words = [
        ("pending", "it waits for another backup"),
        ("started", "is started on pg-2"),
        ("running", "is running on pg-2"),
        ("finalizing", "is being finalized on pg-2"),
        ("thinking", "says thinking on pg-2"),
    ];
    for (phase, words) in words {
        let said = not_yet(&done(), is(phase));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_failure_is_told_with_the_objects_own_error() {
    for (phase, words) in [
        ("failed", "Backup pg-1 failed: exit status 2"),
        ("walArchivingFailing", "Backup pg-1 can't be completed, WAL archiving fails: exit status 2"),
    ] {
        let change = |s: &mut Scene| {
            s.cluster.backups.objects =
                vec![Arc::new(BackupObject { error: Some("exit status 2".into()), ..object(phase) })];
        };
        assert_eq!(asked(&done(), change), Proof::Never(words.into()));
    }
}

/// What waits for the WAL itself needs the Backup's own word alone.
#[test]
fn completed_is_a_word_of_its_own() {
    let completed = Check::BackupCompleted { backup: "pg-1".into() };
    let waiting = |s: &mut Scene| archived(s, "000000020000000000000003");
    assert!(not_yet(&done(), waiting).contains("000000020000000000000004"));
    let Proof::Yes(seen) = asked(&completed, waiting) else { panic!("it says completed") };
    assert!(seen[0].contains("id 20261121T115952") && seen.len() == 2, "{seen:?}");
    assert!(not_yet(&completed, is("running")).contains("is running"));
}

/// Recorded: `completed` comes before the last segment is in the archive.
#[test]
fn completed_is_not_done_before_its_last_segment_is_archived() {
    let early = not_yet(&done(), |s| archived(s, "000000020000000000000003.00000028.backup"));
    assert!(early.contains("its last WAL 000000020000000000000004 is not in the archive yet"), "{early}");
    assert!(early.contains("the last one is 000000020000000000000003"), "{early}");
    assert_eq!(
        yes(&done(), |s| archived(s, "000000020000000000000004")),
        [
            "Backup pg-1: completed, id 20261121T115952, from pg-2, in 2.0 s",
            "it needs WAL 000000020000000000000003 to 000000020000000000000004",
            "pg_stat_archiver on pg-1: 000000020000000000000004 is archived",
        ]
    );
    let other = not_yet(&done(), |s| archived(s, "000000030000000000000009"));
    assert!(other.contains("another timeline by now"), "{other}");
}

#[test]
fn who_cannot_be_asked_proves_nothing_and_is_named() {
    let silent = not_yet(&done(), |s| {
        archived(s, "000000020000000000000004");
        s.silent(1, SilenceKind::TimedOut);
    });
    assert_eq!(
        silent,
        "it says completed; whether 000000020000000000000004 is archived is asked: SQL on pg-1: as the test wants it"
    );
    let nobody = |s: &mut Scene| {
        archived(s, "000000020000000000000004");
        s.sql.clear();
        s.status.insert(name(1), Err(Silence { kind: SilenceKind::Forbidden, why: "no right".into() }));
    };
    let evidence = yes(&done(), nobody);
    assert!(evidence[2].contains("can't be told") && evidence[2].contains("no right"), "{evidence:?}");
    let hidden = |s: &mut Scene| {
        nobody(s);
        s.status.insert(name(1), Ok(InstanceStatus { is_primary: Some(true), ..InstanceStatus::default() }));
    };
    assert!(yes(&done(), hidden)[2].contains("hides the archiver"));
    let old = |s: &mut Scene| {
        archived(s, "000000020000000000000004");
        s.sampled = SignedDuration::from_secs(30);
    };
    assert!(not_yet(&done(), old).contains("has not answered since the step began"));
    let quiet = not_yet(&done(), |s| s.watched = Some(SignedDuration::from_secs(60)));
    assert_eq!(quiet, "the watch of backups has not been heard since the step began");
}

#[test]
fn the_store_itself_can_tell_and_says_how_much_there_is() {
    let mut scene = Scene::healthy();
    archived(&mut scene, "000000020000000000000003");
    let mut facts = scene.facts();
    let mut archive = Archive::default();
    archive.feed("base/20261121T115952/data.tar", 3 << 20, ago(7));
    archive.feed("wals/0000000200000000/000000020000000000000004.gz", 100, ago(1));
    let listing = StoreListing {
        destination: "http://store".into(),
        server: "pg".into(),
        archive,
        asked: ago(1),
        took: SignedDuration::from_millis(5),
        pages: 1,
        whole: true,
    };
    facts.absorb(Fact::Store(scene.cluster.key.clone(), Arc::new(listing)));
    let Proof::Yes(evidence) = done().judge(&facts, &scene.cluster.key, since()) else { panic!() };
    assert_eq!(evidence[2], format!("the store's listing of {:.0}: 000000020000000000000004 is there", ago(1)));
    assert_eq!(evidence[3], "the store has 3Mi of it in a file");
}

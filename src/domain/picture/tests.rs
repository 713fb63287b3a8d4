//! Who leads, who follows and how far behind, when the witnesses disagree or some of them are silent.

use super::*;
use crate::domain::health::scene::{Scene, name};
use crate::domain::sample::SilenceKind;

fn of(scene: &Scene, look: impl FnOnce(&Picture<'_>)) {
    let facts = scene.facts();
    let cluster = facts.clusters.get(&scene.cluster.key).expect("it is known").clone();
    look(&Picture::of(&facts, &cluster));
}

#[test]
fn all_well() {
    of(&Scene::healthy(), |picture| {
        assert_eq!(picture.primary, Some(name(1)));
        let standby = picture.get(&name(2)).unwrap();
        assert_eq!((standby.role, standby.follows), (SeenRole::Standby, Follows::Streaming));
        assert_eq!(standby.lag, Lag { bytes: Some(0), time: Some(SignedDuration::ZERO), at_least: false });
        assert_eq!(picture.archiver.last.map(|(wal, _)| wal), Some("000000020000000000000004"));
        assert_eq!((picture.archiver.working, picture.archiver.ready), (Some(true), Some(0)));
    });
}

#[test]
fn who_says_that_it_leads_outweighs_a_label() {
    let mut scene = Scene::healthy();
    scene.silent(1, SilenceKind::TimedOut);
    scene.says(2).in_recovery = false;
    of(&scene, |picture| {
        assert_eq!(picture.get(&name(1)).unwrap().own, None);
        assert_eq!(picture.get(&name(1)).unwrap().role, SeenRole::Primary, "by its label");
        assert_eq!(picture.primary, Some(name(2)));
    });
}

#[test]
fn a_former_primary_says_nothing_of_followers() {
    let mut scene = Scene::healthy();
    let rows = scene.leads();
    (rows.in_recovery, rows.standbys) = (true, vec![]);
    of(&scene, |picture| {
        assert_eq!(picture.primary, Some(name(1)), "as the operator last said");
        assert!(picture.rows.is_none() && picture.slots.is_none() && picture.archiver == ArchiverPicture::default());
        assert_eq!(picture.get(&name(2)).unwrap().follows, Follows::Streaming, "by its own receiver");
    });
}

#[test]
fn a_standby_that_hides_its_timeline_is_on_the_one_it_streams_from() {
    let mut scene = Scene::healthy();
    scene.says(2).timeline = None;
    of(&scene, |picture| assert_eq!(picture.get(&name(2)).unwrap().timeline, Some(2)));
    scene.leads().standbys.retain(|row| row.name != "pg-2");
    of(&scene, |picture| assert_eq!(picture.get(&name(2)).unwrap().timeline, None));
}

#[test]
fn a_standby_whose_row_is_gone_is_behind_by_its_slot_at_least() {
    let mut scene = Scene::healthy();
    scene.leads().standbys.clear();
    scene.silent(2, SilenceKind::TimedOut);
    scene.leads().current = "0/5000200".parse().ok();
    of(&scene, |picture| {
        let standby = picture.get(&name(2)).unwrap();
        assert_eq!(standby.follows, Follows::Broken);
        assert_eq!(standby.lag, Lag { bytes: Some(0x100), time: None, at_least: true });
        assert_eq!(standby.silence.map(|s| s.kind), Some(SilenceKind::TimedOut));
    });
}

//! Lists a server's folder page by page into a [`StoreListing`], and reads the small files in it.
//!
//! The first listing is of everything; later ones begin shortly before the end of each timeline that may still grow, and
//! look again into the holes. What they can't see (a segment that somebody removed) the next listing of everything does.

use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{Error, ObjectMeta};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::open::Store;
use super::place::Place;
use super::trouble;
use crate::domain::backup::StoreListing;
use crate::domain::backup::archive::{Archive, Key, Packing, Run};
use crate::domain::wal::{Timeline, WalName};
use crate::problem::Problem;

/// The longest small file that is read, packed and unpacked.
const LONGEST: u64 = 1 << 20;
/// Small files that are read side by side.
const SIDE_BY_SIDE: usize = 4;
/// Segments before the end of a timeline that are looked at again: several are stored at the same time, in any order.
const OVERLAP: u64 = 64;
/// Holes that are looked into again, the newest ones.
const HOLES: usize = 8;

/// A reader of one server's folder.
pub struct Reader {
    store: Arc<dyn Store>,
    place: Place,
    page: Option<usize>,
    known: Option<StoreListing>,
    /// When everything was last listed, and how long that took.
    whole: Option<(Instant, Duration)>,
}

/// A part of the listing: keys after one, up to another.
struct Look {
    after: String,
    until: Option<String>,
}

impl Reader {
    /// A reader that knows nothing yet.
    pub fn new(store: Arc<dyn Store>, place: Place) -> Self {
        Reader { store, place, page: None, known: None, whole: None }
    }

    /// The same reader through a new client. What is known of another place is forgotten.
    pub fn through(&mut self, store: Arc<dyn Store>, place: Place) {
        self.store = store;
        if self.place != place {
            (self.place, self.known, self.whole) = (place, None, None);
        }
    }

    /// What was last listed.
    pub fn known(&self) -> Option<&StoreListing> {
        self.known.as_ref()
    }

    /// Asks for at most this many keys a page, instead of as many as the store gives.
    #[must_use]
    pub fn in_pages_of(mut self, keys: usize) -> Self {
        self.page = Some(keys);
        self
    }

    /// How long ago everything was listed, and how long that took.
    pub fn whole(&self) -> Option<(Duration, Duration)> {
        self.whole.map(|(at, took)| (at.elapsed(), took))
    }

    /// Lists everything. `told` hears how far it is after each page.
    ///
    /// # Errors
    /// The store does not answer, or says no. What was known stays known.
    pub async fn everything(&mut self, mut told: impl FnMut(&StoreListing)) -> Result<&StoreListing, Problem> {
        let begun = Instant::now();
        let mut listing = self.begin(Archive::default());
        self.list(&mut listing, "base/", None, &mut told, begun).await?;
        self.remember(&mut listing);
        self.read_small(&mut listing, &mut told, begun).await?;
        self.list(&mut listing, "wals/", None, &mut told, begun).await?;
        self.remember(&mut listing);
        self.read_small(&mut listing, &mut told, begun).await?;
        self.whole = Some((Instant::now(), begun.elapsed()));
        Ok(self.end(listing, begun))
    }

    /// Lists what is new since the last time; everything, where that is nothing, or where a base backup was removed, and
    /// so most likely WAL with it.
    ///
    /// # Errors
    /// As [`Reader::everything`].
    pub async fn news(&mut self, mut told: impl FnMut(&StoreListing)) -> Result<&StoreListing, Problem> {
        let Some(known) = self.known.clone().filter(|k| !k.archive.timelines.is_empty()) else {
            return self.everything(told).await;
        };
        let begun = Instant::now();
        let looks = looks(&known.archive);
        let mut archive = known.archive.clone();
        archive.bases.clear();
        archive.days.values_mut().for_each(|day| day.base = 0);
        let mut listing = self.begin(archive);
        // It knows all but the newest, and does not become less known while it is looked at again.
        let mut quiet = |_: &StoreListing| {};
        self.list(&mut listing, "base/", None, &mut quiet, begun).await?;
        if known.archive.bases.keys().any(|id| !listing.archive.bases.contains_key(id)) {
            return self.everything(told).await;
        }
        for look in &looks {
            self.list(&mut listing, "wals/", Some(look), &mut quiet, begun).await?;
        }
        self.remember(&mut listing);
        self.read_small(&mut listing, &mut quiet, begun).await?;
        let listing = self.end(listing, begun);
        told(listing);
        Ok(listing)
    }

    fn begin(&self, archive: Archive) -> StoreListing {
        StoreListing {
            destination: self.place.destination.clone(),
            server: self.place.server.clone(),
            archive,
            asked: Timestamp::now(),
            took: SignedDuration::ZERO,
            pages: 0,
            whole: false,
        }
    }

    fn end(&mut self, mut listing: StoreListing, begun: Instant) -> &StoreListing {
        listing.took = took(begun);
        listing.whole = true;
        self.known.insert(listing)
    }

    fn remember(&self, listing: &mut StoreListing) {
        if let Some(known) = &self.known {
            listing.archive.remember(&known.archive);
        }
    }

    /// Feeds what is below `part`, or what a look shows of it.
    async fn list(
        &self,
        listing: &mut StoreListing,
        part: &str,
        look: Option<&Look>,
        told: &mut impl FnMut(&StoreListing),
        begun: Instant,
    ) -> Result<(), Problem> {
        let folder = format!("{}/", self.place.folder);
        let prefix = format!("{folder}{part}");
        let failed = |e| trouble::problem(&format!("can't list {}", self.place), &self.place, &e);
        let mut token = None;
        loop {
            let options = PaginatedListOptions {
                offset: look.map(|l| format!("{folder}{}", l.after)),
                max_keys: self.page,
                page_token: token.take(),
                ..PaginatedListOptions::default()
            };
            let page = self.store.page(&prefix, options).await.map_err(failed)?;
            listing.pages += 1;
            let over = feed(&mut listing.archive, &page.result.objects, &folder, look);
            listing.took = took(begun);
            told(listing);
            token = page.page_token;
            if over || token.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads the small files that were not read yet, the newest first.
    async fn read_small(
        &self,
        listing: &mut StoreListing,
        told: &mut impl FnMut(&StoreListing),
        begun: Instant,
    ) -> Result<(), Problem> {
        let unread: Vec<_> = listing.archive.unread().into_iter().map(str::to_owned).collect();
        if unread.is_empty() {
            return Ok(());
        }
        let reads = unread.into_iter().map(|key| async move {
            let text = self.small(&key).await?;
            Ok::<_, Problem>((key, text))
        });
        let mut reads = stream::iter(reads).buffer_unordered(SIDE_BY_SIDE);
        while let Some((key, text)) = reads.try_next().await? {
            // Gone between listing and reading: retention took it.
            let text = text.unwrap_or_else(|| Err("it was removed while it was to be read".to_owned()));
            listing.archive.tell(&key, text.as_deref().map_err(Clone::clone));
        }
        listing.took = took(begun);
        told(listing);
        Ok(())
    }

    /// What a small file says, unpacked; in words why it can't be understood; `None` where it is gone.
    async fn small(&self, key: &str) -> Result<Option<Result<String, String>>, Problem> {
        let failed = |e| trouble::problem(&format!("can't read {key} in {}", self.place), &self.place, &e);
        let bytes = match self.get(key).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Some(Err(too_long()))),
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let packing = match Key::read(key) {
            Key::History(_, packing) => packing,
            _ => Packing::Plain,
        };
        Ok(Some(unpacked(&bytes, packing)))
    }

    /// A file of at most [`LONGEST`] bytes; `None`: it is longer.
    async fn get(&self, key: &str) -> object_store::Result<Option<Bytes>> {
        let path = Path::parse(format!("{}/{key}", self.place.folder))?;
        let found = self.store.read(&path).await?;
        if found.meta.size > LONGEST {
            return Ok(None);
        }
        let mut all = BytesMut::new();
        let mut parts = found.into_stream();
        while let Some(part) = parts.try_next().await? {
            all.extend_from_slice(&part);
            if all.len() as u64 > LONGEST {
                return Ok(None);
            }
        }
        Ok(Some(all.freeze()))
    }
}

/// Feeds a page. Says whether the look is over.
fn feed(archive: &mut Archive, page: &[ObjectMeta], folder: &str, look: Option<&Look>) -> bool {
    let mut over = false;
    for object in page {
        let Some(key) = object.location.as_ref().strip_prefix(folder) else { continue };
        if let Some(look) = look {
            // A store may not know where to begin, and then begins at the beginning.
            if key <= look.after.as_str() {
                continue;
            }
            if look.until.as_deref().is_some_and(|until| key >= until) {
                over = true;
                continue;
            }
        }
        let stored = object.last_modified;
        let nanosecond = i32::try_from(stored.timestamp_subsec_nanos()).unwrap_or(0);
        let stored = Timestamp::new(stored.timestamp(), nanosecond).unwrap_or(Timestamp::UNIX_EPOCH);
        archive.feed(key, object.size, stored);
    }
    over
}

/// Where something new may be: behind the ends of the last two timelines, and in the holes.
fn looks(archive: &Archive) -> Vec<Look> {
    let size = archive.segment_size();
    let mut looks = Vec::new();
    for (place, (timeline, wal)) in archive.timelines.iter().rev().take(2).enumerate() {
        let runs = wal.runs.numbered(size);
        let end = runs.last().map(|run| run.last.saturating_sub(OVERLAP));
        let newest = place == 0;
        looks.push(Look {
            after: end.map_or_else(|| format!("wals/{timeline:08X}"), |number| key(*timeline, number, size)),
            // Behind the newest timeline the next one and its history appear.
            until: (!newest).then(|| format!("wals/{timeline:08X}G")),
        });
        let holes = runs.windows(2).rev().filter(|pair| end.is_none_or(|end| pair[1].first <= end));
        looks.extend(holes.take(HOLES).map(|pair| hole(*timeline, &pair[0], &pair[1], size)));
    }
    looks
}

fn hole(timeline: Timeline, before: &Run, after: &Run, size: u64) -> Look {
    Look { after: key(timeline, before.last, size), until: Some(key(timeline, after.first, size)) }
}

/// The key of a segment, without suffix: it sorts before those with one.
fn key(timeline: Timeline, number: u64, size: u64) -> String {
    let per_log = ((1u64 << 32) / size.max(1)).max(1);
    let part = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let name = WalName { timeline, log: part(number / per_log), segment: part(number % per_log) };
    format!("wals/{timeline:08X}{:08X}/{name}", name.log)
}

fn unpacked(bytes: &[u8], packing: Packing) -> Result<String, String> {
    let mut text = Vec::new();
    match packing {
        Packing::Plain => text.extend_from_slice(bytes),
        Packing::Gzip => {
            let limited = GzDecoder::new(bytes).take(LONGEST + 1).read_to_end(&mut text);
            limited.map_err(|e| format!("it can't be unpacked: {e}"))?;
            if text.len() as u64 > LONGEST {
                return Err(too_long());
            }
        }
        other => return Err(format!("it is packed with {}, which howdah can't unpack", other.word())),
    }
    String::from_utf8(text).map_err(|_| "it is no text".to_owned())
}

fn too_long() -> String {
    format!("it is longer than {} KiB", LONGEST >> 10)
}

fn took(begun: Instant) -> SignedDuration {
    SignedDuration::try_from(begun.elapsed()).unwrap_or(SignedDuration::MAX)
}

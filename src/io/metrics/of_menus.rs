//! Metrics of sets of menus, and of emergency banners.
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Sheet, by, real};
use crate::io::banner::BannerFigures;
use crate::io::menus::MenuFigures;

pub(super) fn menus(sheet: &mut Sheet, menus: &MenuFigures) {
    let read = |a: &AtomicU64| real(a.load(Ordering::Relaxed));
    sheet.tally(
        "menus",
        "What became of sets of menus",
        [
            (by("what", "installed"), read(&menus.installed)),
            (by("what", "rolled_back"), read(&menus.rolled_back)),
            (by("what", "refused"), read(&menus.refused)),
            (by("what", "unchanged"), read(&menus.unchanged)),
        ],
    );
    sheet.tally(
        "menus_parts",
        "What was made for new sets, and what they share with those before",
        [
            (by("what", "menus_new"), read(&menus.menus_new)),
            (by("what", "menus_shared"), read(&menus.menus_shared)),
            (by("what", "sounds_decoded"), read(&menus.sounds_decoded)),
            (by("what", "sounds_listened"), read(&menus.sounds_listened)),
        ],
    );
    let held = menus.held.load(Ordering::Relaxed);
    sheet.one("menus_held", "Sets in memory: the one that holds, and those that calls keep", held);
    let times = menus.times().map(|(quantile, seconds)| (by("quantile", quantile), seconds));
    sheet.put("install_seconds", "How long the control thread was busy with installing a set", times);
    let told = menus.told();
    sheet.one(
        "menus_number",
        "The number of the set that holds; 0: it is not kept",
        told.number.unwrap_or(0),
    );
    sheet.one("menus_apart", "1: the files hold another set than the one that holds", u64::from(told.apart));
}

pub(super) fn banners(sheet: &mut Sheet, banner: &BannerFigures) {
    let read = |a: &AtomicU64| real(a.load(Ordering::Relaxed));
    sheet.tally(
        "banners",
        "What became of emergency banners that somebody wanted on; spoken: by the command that speaks",
        [
            (by("what", "on"), read(&banner.on)),
            (by("what", "spoken"), read(&banner.spoken)),
            (by("what", "refused"), read(&banner.refused)),
        ],
    );
}

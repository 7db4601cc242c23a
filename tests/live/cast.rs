//! The parties of an audible call, each with a tone of its own, and how a call is brought to a phase.
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hotline::media::amplitude;
use hotline::replay::{Ear, Phone, PhoneEvent, PhoneSettings, Voice};

use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, hears, runtime};
use crate::stalls::{STALL, watched};

pub(crate) const CALLER_HZ: f64 = 400.0;
pub(crate) const AGENT_HZ: f64 = 700.0;
pub(crate) const MERCHANT_HZ: f64 = 1_000.0;
pub(crate) const STRANGER_HZ: f64 = 1_300.0;
/// Every tone there is; nobody may ever hear one that is not meant for him.
const TONES: [f64; 8] =
    [CALLER_HZ, AGENT_HZ, MERCHANT_HZ, STRANGER_HZ, MUSIC_HZ, PROMPT_HZ, OTHER_CALLER_HZ, OTHER_AGENT_HZ];
pub(crate) const OTHER_CALLER_HZ: f64 = 550.0;
pub(crate) const OTHER_AGENT_HZ: f64 = 850.0;
/// Whoever is louder is heard, in sample units; each tone is sent at 8,000.
const LOUD: f64 = 2_000.0;
/// Whoever is fainter is not heard.
const FAINT: f64 = 400.0;

/// Queues without wrap-up and opening hours of no matter.
pub(crate) fn no_wrap_up(menus: &Path) {
    edit(menus, "queues.toml", "skills = [\"account\"]", "skills = [\"account\"]\nwrap_up = \"0s\"");
}

/// Changes a copied menu file; a text that is not there is a mistake of the test.
pub(crate) fn edit(menus: &Path, file: &str, from: &str, to: &str) {
    let path = menus.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// A house, an agent who can do accounts, a merchant of the directory, and soon a caller.
pub(crate) struct Cast<'a> {
    pub(crate) house: &'a House,
    pub(crate) caller: Phone,
    pub(crate) agent: Phone,
    pub(crate) merchant: Phone,
}

/// Where the call of a cast is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    Bridge,
    Hold,
    Private,
    Conference,
    PartyOnly,
}

/// Plays a piece with a cast whose caller has just been answered, in a house of its own with `more` settings.
pub(crate) fn play(more: &str, piece: impl AsyncFnOnce(&mut Cast<'_>)) {
    let rt = runtime();
    let merchant = rt.block_on(phone("7001", nowhere(), MERCHANT_HZ));
    let trunk = format!("{more}\n[trunks.merchants]\naddress = \"{}\"\n", merchant.address);
    let house = House::open_with(&trunk, no_wrap_up);
    rt.block_on(async {
        let agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        piece(&mut Cast { house: &house, caller, agent, merchant }).await;
    });
}

impl Cast<'_> {
    /// From the main menu into the agent's queue: his phone rings.
    pub(crate) async fn queue(&mut self) {
        self.caller.press("13").await.unwrap();
        rings(&mut self.agent).await;
    }

    /// The caller calls once more, with a new phone; the old one must be done.
    pub(crate) async fn call_again(&mut self) {
        self.caller = self.house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
    }

    /// From the main menu into a phase, the shortest way.
    pub(crate) async fn reach(&mut self, phase: Phase) {
        self.queue().await;
        answer(&mut self.agent).await;
        match phase {
            Phase::Bridge => {}
            Phase::Hold => self.agent.press("*1").await.unwrap(),
            Phase::Private | Phase::Conference | Phase::PartyOnly => self.bring_merchant().await,
        }
        if phase >= Phase::Conference {
            self.agent.press("*3").await.unwrap();
            self.all_three().await;
        }
        if phase == Phase::PartyOnly {
            self.agent.press("*5").await.unwrap();
            over(&mut self.agent).await;
        }
        self.heard_in(phase).await;
    }

    /// The agent rings the merchant, who answers.
    pub(crate) async fn bring_merchant(&mut self) {
        self.agent.press("*21#").await.unwrap();
        rings(&mut self.merchant).await;
        answer(&mut self.merchant).await;
    }

    /// What each hears in a phase, and nothing else.
    pub(crate) async fn heard_in(&mut self, phase: Phase) {
        match phase {
            Phase::Bridge => self.two().await,
            Phase::Hold => {
                tokio::join!(
                    only("the held caller", &self.caller, &[MUSIC_HZ]),
                    nothing("the agent who holds", &self.agent),
                );
            }
            Phase::Private => {
                tokio::join!(
                    only("the caller meanwhile", &self.caller, &[MUSIC_HZ]),
                    only("the agent in private", &self.agent, &[MERCHANT_HZ]),
                    only("the merchant in private", &self.merchant, &[AGENT_HZ]),
                );
            }
            Phase::Conference => self.all_three().await,
            Phase::PartyOnly => {
                tokio::join!(
                    only("the caller left with the merchant", &self.caller, &[MERCHANT_HZ]),
                    only("the merchant left with the caller", &self.merchant, &[CALLER_HZ]),
                );
            }
        }
    }

    /// Caller and agent hear each other.
    pub(crate) async fn two(&self) {
        tokio::join!(
            only("the caller", &self.caller, &[AGENT_HZ]),
            only("the agent", &self.agent, &[CALLER_HZ])
        );
    }

    /// Each hears the two others, and not himself.
    async fn all_three(&self) {
        tokio::join!(
            only("the caller among three", &self.caller, &[AGENT_HZ, MERCHANT_HZ]),
            only("the agent among three", &self.agent, &[CALLER_HZ, MERCHANT_HZ]),
            only("the merchant among three", &self.merchant, &[CALLER_HZ, AGENT_HZ]),
        );
    }

    /// One stream from end to end at each ear.
    pub(crate) fn steady(&self) {
        steady("the caller", &self.caller);
        steady("the agent", &self.agent);
        steady("the merchant", &self.merchant);
    }
}

/// A phone that listens on a free port.
pub(crate) async fn phone(user: &str, server: SocketAddr, hz: f64) -> Phone {
    let mut settings = PhoneSettings::new(user, server);
    settings.voice = Voice::Tone(hz);
    Phone::start(settings).await.unwrap()
}

fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9))
}

pub(crate) async fn rings(phone: &mut Phone) {
    phone.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
}

pub(crate) async fn answer(phone: &mut Phone) {
    phone.answer().await.unwrap();
    phone.wait("the call", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
}

pub(crate) async fn over(phone: &mut Phone) {
    phone.wait("the end of the call", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
}

/// Asserts that a phone comes to hear `wanted` and nothing else, and then goes on hearing it: for 400 ms without a gap in
/// the packets or in any of the tones, and never anybody else. A gap counts unless the machine itself stood still, or the
/// key that led here was still being sent: what comes to be heard may hold the tone from before it.
pub(crate) async fn only(who: &str, phone: &Phone, wanted: &[f64]) {
    let others: Vec<f64> = TONES.into_iter().filter(|t| !wanted.contains(t)).collect();
    hears(who, phone, wanted, &others).await;
    let end = tokio::time::Instant::now() + SOON;
    let mut is_first = true;
    loop {
        let (gap, stalled) = watched(gap(who, phone, wanted)).await;
        let Some(Gap { begins, what }) = gap else { return };
        let is_the_key = std::mem::take(&mut is_first) && begins;
        let excused = is_the_key || (stalled > STALL && tokio::time::Instant::now() < end);
        assert!(
            excused,
            "{who} should go on hearing {wanted:?}, but {what}; the machine stalled for {stalled:?}"
        );
    }
}

/// What was missing in a stretch, and whether it was missing from the beginning.
struct Gap {
    begins: bool,
    what: String,
}

/// For so long a tone goes on without a gap.
const STRETCH: Duration = Duration::from_millis(400);
/// Each piece of it has every tone: a gap of 100 ms covers one of them, wherever it begins.
const PIECE: Duration = Duration::from_millis(50);
/// So much later than a stretch lasts its last packet may come.
const LATE: Duration = Duration::from_millis(100);

/// Hears a stretch: what was missing in it. Whoever is heard and not wanted is a failure at once.
async fn gap(who: &str, phone: &Phone, wanted: &[f64]) -> Option<Gap> {
    let missing = |what: String| Some(Gap { begins: false, what });
    phone.ear.rinse();
    let begun = tokio::time::Instant::now();
    let Some(heard) = phone.ear.until(SOON, |ear| ear.last(STRETCH)).await else {
        return missing("all is silent".into());
    };
    let took = begun.elapsed();
    for tone in TONES.iter().filter(|t| !wanted.contains(t)) {
        let level = amplitude(&heard, *tone);
        assert!(level < FAINT, "{who} should go on hearing {wanted:?} alone, but {tone} Hz is at {level:.0}");
    }
    if took > STRETCH + LATE {
        return missing(format!("{STRETCH:?} of it took {took:?}"));
    }
    let piece = heard.chunks_exact(heard.len() / (STRETCH.as_millis() / PIECE.as_millis()) as usize);
    piece.enumerate().find_map(|(n, piece)| {
        let faint = wanted.iter().find(|tone| amplitude(piece, **tone) < LOUD / 2.0)?;
        let what = format!("{faint} Hz is not there {:?} later", PIECE * u32::try_from(n).unwrap());
        Some(Gap { begins: n == 0, what })
    })
}

/// Asserts that a phone comes to hear nothing: no packet, or silence.
pub(crate) async fn nothing(who: &str, phone: &Phone) {
    let end = tokio::time::Instant::now() + SOON;
    loop {
        phone.ear.rinse();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard = phone.ear.all();
        let loud = TONES.into_iter().find(|t| !heard.is_empty() && amplitude(&heard, *t) > FAINT);
        let Some(loud) = loud else { return };
        assert!(tokio::time::Instant::now() < end, "{who} should hear nothing, but hears {loud} Hz");
    }
}

/// Asserts that the last thing a phone heard was words.
pub(crate) fn last_words(who: &str, ear: &Ear) {
    let level = ear.levels(&[PROMPT_HZ], Duration::from_millis(100)).map(|l| l[0]);
    assert!(level.is_some_and(|l| l > LOUD), "{who} should have heard a last word: {level:?}");
}

/// Asserts that all that a phone heard in its newest call came as one stream: one synchronisation source, no
/// timestamp that goes back, no packet twice.
pub(crate) fn steady(who: &str, phone: &Phone) {
    let figures = phone.ear.figures();
    assert!(figures.packets > 0, "{who} heard nothing at all");
    assert_eq!(figures.sources.len(), 1, "{who} hears one source: {figures:?}");
    assert_eq!((figures.breaks, figures.doubled), (0, 0), "{who}: {figures:?}");
}

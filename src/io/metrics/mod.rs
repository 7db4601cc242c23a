//! `/metrics`: `OpenMetrics` text, made at each scrape from the structs that do the counting. Nothing is counted twice,
//! and no counter costs a call more than an atomic add.
mod of_menus;
mod of_node;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::io::banner::BannerFigures;
use crate::io::clock::Clock;
use crate::io::futures_worker::FuturesFigures;
use crate::io::journal::Figures;
use crate::io::learned::LearnedFigures;
use crate::io::media_worker::MediaCounters;
use crate::io::menus::MenuFigures;
use crate::io::net::NetFigures;
use crate::io::tape::TapeFigures;
use crate::io::tls::TlsFigures;
use crate::media::LegFigures;
use crate::node::NodeView;
use of_menus::{banners, menus};
use of_node::{agents, held, promises, queues, stages, trunks, user_agent};

type Labels = Vec<(&'static str, String)>;

/// Counters that live outside the node.
#[derive(Debug)]
pub(in crate::io) struct Metrics {
    net: Arc<NetFigures>,
    tls: Option<Arc<TlsFigures>>,
    media: Arc<MediaCounters>,
    /// The journal's own.
    pub journal: Arc<Figures>,
    tape: Arc<TapeFigures>,
    /// Sets of menus.
    pub menus: Arc<MenuFigures>,
    learned: Arc<LearnedFigures>,
    /// Emergency banners.
    pub banner: BannerFigures,
    /// Facts that the store has written.
    pub facts_written: AtomicU64,
    /// Facts that wait for the store.
    pub facts_waiting: AtomicU64,
    /// Facts dropped because the store was away for too long.
    pub facts_dropped: AtomicU64,
    /// Registrations that will not survive a restart, because the store was away for too long.
    pub phones_dropped: AtomicU64,
    /// What waits for the journal to be on disk.
    pub held: AtomicU64,
    /// Answers that went out although the disk did not have what they say, and promises that were not made.
    pub held_overdue: AtomicU64,
    /// The store refuses, or takes too long.
    pub store_broken: AtomicBool,
    /// Batches that had to be handed over again.
    pub store_failures: AtomicU64,
    /// Media commands that found a full way to the media thread.
    pub media_dropped: AtomicU64,
    /// Secret digits that found no room.
    pub secrets_dropped: AtomicU64,
    /// HTTP requests without a token that is known.
    pub http_unauthorized: AtomicU64,
    /// HTTP requests whose token may not.
    pub http_forbidden: AtomicU64,
    /// What was counted on legs that are over.
    pub legs: LegTotals,
    /// Futures.
    pub futures: Arc<FuturesFigures>,
}

/// What was counted on legs that are over, all together.
#[derive(Debug, Default)]
pub(in crate::io) struct LegTotals([AtomicU64; 8]);

impl LegTotals {
    /// A leg is over.
    pub(in crate::io) fn add(&self, f: &LegFigures) {
        for (total, (_, value)) in self.0.iter().zip(Self::named(f)) {
            total.fetch_add(value, Ordering::Relaxed);
        }
    }
    const fn named(f: &LegFigures) -> [(&'static str, u64); 8] {
        [
            ("received", f.received),
            ("lost", f.lost),
            ("dropped", f.dropped),
            ("late", f.late),
            ("concealed_ms", f.concealed_ms),
            ("stretched_ms", f.stretched_ms),
            ("cut_ms", f.cut_ms),
            ("key_echoes", f.key_echoes),
        ]
    }
    fn values(&self) -> Vec<(Labels, f64)> {
        let names = Self::named(&LegFigures::default()).map(|(name, _)| name);
        let value = |total: &AtomicU64| real(total.load(Ordering::Relaxed));
        names.iter().zip(&self.0).map(|(name, total)| (by("what", *name), value(total))).collect()
    }
}

/// A metric: name, help, values by label.
struct Sheet(Registry);

impl Sheet {
    fn put(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }
    fn one(&mut self, name: &str, help: &str, value: u64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(real(value));
        self.0.register(name, help, gauge);
    }
    /// Counters: `name` without `_total`, which the text adds.
    fn tally(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Counter<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }
    fn tally_one(&mut self, name: &str, help: &str, value: u64) {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(real(value));
        self.0.register(name, help, counter);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counters stay below 2^53")]
fn real(n: u64) -> f64 {
    n as f64
}

fn count(n: usize) -> f64 {
    real(n as u64)
}

fn by(label: &'static str, value: &(impl ToString + ?Sized)) -> Labels {
    vec![(label, value.to_string())]
}

impl Metrics {
    /// Nothing counted yet.
    pub(in crate::io) fn new(
        (net, tls): (Arc<NetFigures>, Option<Arc<TlsFigures>>),
        media: Arc<MediaCounters>,
        (journal, tape, learned): (Arc<Figures>, Arc<TapeFigures>, Arc<LearnedFigures>),
        menus: Arc<MenuFigures>,
    ) -> Self {
        Self {
            net,
            tls,
            media,
            journal,
            tape,
            menus,
            learned,
            banner: BannerFigures::default(),
            facts_written: AtomicU64::new(0),
            facts_waiting: AtomicU64::new(0),
            facts_dropped: AtomicU64::new(0),
            phones_dropped: AtomicU64::new(0),
            held: AtomicU64::new(0),
            held_overdue: AtomicU64::new(0),
            store_broken: AtomicBool::new(false),
            store_failures: AtomicU64::new(0),
            media_dropped: AtomicU64::new(0),
            secrets_dropped: AtomicU64::new(0),
            http_unauthorized: AtomicU64::new(0),
            http_forbidden: AtomicU64::new(0),
            legs: LegTotals::default(),
            futures: Arc::default(),
        }
    }

    /// The text of a scrape.
    pub(in crate::io) fn text(&self, view: &NodeView) -> String {
        let mut sheet = Sheet(Registry::with_prefix("hotline"));
        self.server(&mut sheet, view);
        queues(&mut sheet, view);
        promises(&mut sheet, view);
        agents(&mut sheet, view);
        trunks(&mut sheet, view);
        let mut text = String::new();
        // Writing to a String fails only when an encoder says so; an empty scrape shows that.
        if encode(&mut text, &sheet.0).is_err() {
            text.clear();
        }
        text
    }

    fn server(&self, sheet: &mut Sheet, view: &NodeView) {
        let read = |a: &AtomicU64| a.load(Ordering::Relaxed);
        sheet.put("calls", "Calls by stage", stages(view));
        sheet.one("legs", "Legs that SIP knows", view.legs as u64);
        held(sheet, view);
        sheet.one("rtp_ports_ready", "RTP ports bound ahead of need", view.ports_ready as u64);
        sheet.tally_one("inputs", "Inputs numbered", view.board.seq.0);
        sheet.tally_one("inputs_ignored", "Inputs that made no sense where they arrived", view.board.ignored);
        sheet.tally_one("calls_broken", "Calls ended by a broken invariant: must stay 0", view.board.broken);
        self.sip(sheet, view);
        user_agent(sheet, view);
        sheet.tally(
            "store",
            "What became of facts",
            [
                (by("what", "facts_written"), real(read(&self.facts_written))),
                (by("what", "facts_dropped"), real(read(&self.facts_dropped))),
                (by("what", "phones_dropped"), real(read(&self.phones_dropped))),
                (by("what", "failures"), real(read(&self.store_failures))),
            ],
        );
        sheet.tally(
            "http_refused",
            "HTTP requests that were not let in",
            [
                (by("why", "unauthorized"), real(read(&self.http_unauthorized))),
                (by("why", "forbidden"), real(read(&self.http_forbidden))),
            ],
        );
        self.tls(sheet, view.now_us / 1_000_000);
        self.sound(sheet);
        self.journal(sheet);
        self.tape(sheet);
        menus(sheet, &self.menus);
        banners(sheet, &self.banner);
        self.futures(sheet, view);
        sheet.one("facts_waiting", "Facts that wait for the store", read(&self.facts_waiting));
        sheet.tally_one(
            "media_commands_dropped",
            "Commands lost on the way to sound",
            read(&self.media_dropped),
        );
        sheet.tally_one("secret_digits_dropped", "Secret digits without room", read(&self.secrets_dropped));
    }
}

impl Metrics {
    /// What is wrong with disk and store now, in words for the page and for scrapers; empty when all is well.
    pub(in crate::io) fn alarms(&self) -> Vec<&'static str> {
        let is = |a: &AtomicBool| a.load(Ordering::Relaxed);
        let some = |a: &AtomicU64| a.load(Ordering::Relaxed) > 0;
        let all = [
            ("journal", is(&self.journal.broken)),
            ("journal_entries_lost", some(&self.journal.lost)),
            ("store", is(&self.store_broken)),
            ("facts_lost", some(&self.facts_dropped)),
            ("menus_refused", self.menus.told().refused.is_some()),
            ("menus_not_kept", self.menus.told().unkept),
            ("banner_mute", is(&self.banner.mute)),
            ("tape", is(&self.tape.cut_off)),
        ];
        all.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
    }

    fn sip(&self, sheet: &mut Sheet, view: &NodeView) {
        let read = |a: &AtomicU64| a.load(Ordering::Relaxed);
        let f = view.figures;
        sheet.tally(
            "sip",
            "What the node counted",
            [
                (by("what", "arrived"), real(f.arrived)),
                (by("what", "no_port"), real(f.no_port)),
                (by("what", "too_busy"), real(f.too_busy)),
                (by("what", "half_open"), real(f.half_open)),
                (by("what", "shut_out"), real(f.shut_out)),
                (by("what", "barred"), real(f.barred)),
                (by("what", "sdp_refused"), real(f.sdp_refused)),
                (by("what", "keys_inband"), real(f.keys_inband)),
                (by("what", "keys_twice"), real(f.keys_twice)),
                (by("what", "keys_flooded"), real(f.keys_flooded)),
                (by("what", "stray_events"), real(f.stray_events)),
                (by("what", "reoffers_refused"), real(f.reoffers_refused)),
                (by("what", "referrals_taken"), real(f.referrals_taken)),
                (by("what", "referrals_refused"), real(f.referrals_refused)),
                (by("what", "permits_used_up"), real(f.permits_used_up)),
                (by("what", "replaces_refused"), real(f.replaces_refused)),
                (by("what", "redirects_followed"), real(f.redirects_followed)),
                (by("what", "redirects_refused"), real(f.redirects_refused)),
                (by("what", "phones_silent"), real(f.phones_silent)),
                (by("what", "phones_back"), real(f.phones_back)),
                (by("what", "legs_asked"), real(f.legs_asked)),
                (by("what", "legs_vanished"), real(f.legs_vanished)),
                (by("what", "datagrams_unreachable"), real(read(&self.net.unreachable))),
                (by("what", "failed_over"), real(f.failed_over)),
                (by("what", "datagrams_in"), real(read(&self.net.datagrams_in))),
                (by("what", "datagrams_out"), real(read(&self.net.datagrams_out))),
                (by("what", "send_failures"), real(read(&self.net.send_failures))),
                (by("what", "connections_refused"), real(read(&self.net.connections_refused))),
                (by("what", "connections_of_one_refused"), real(read(&self.net.connections_of_one_refused))),
                (by("what", "connections_vanished"), real(read(&self.net.connections_vanished))),
                (by("what", "handshake_failures"), real(read(&self.net.handshake_failures))),
            ],
        );
    }

    fn tape(&self, sheet: &mut Sheet) {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        sheet.tally_one("tape_lines", "Lines of recorded inputs and commands.", load(&self.tape.lines));
        sheet.tally_one("tape_bytes", "Bytes of recorded inputs and commands.", load(&self.tape.bytes));
        let dropped = load(&self.tape.dropped);
        sheet.tally_one("tape_dropped_bytes", "Bytes of earlier tapes that made room for this one.", dropped);
        let cut = u64::from(self.tape.cut_off.load(Ordering::Relaxed));
        sheet.one("tape_cut_off", "1: the recording of inputs ended before the server.", cut);
        let l = &self.learned;
        let did = [
            ("written", &l.written),
            ("failed", &l.failed),
            ("skipped", &l.skipped),
            ("refused", &l.refused),
        ];
        let did = did.map(|(what, n)| (by("what", what), real(load(n))));
        sheet.tally("learned_files", "Files of what queues learned of waits", did);
    }

    fn journal(&self, sheet: &mut Sheet) {
        let (j, read) = (&self.journal, |a: &AtomicU64| real(a.load(Ordering::Relaxed)));
        let alarms = self.alarms();
        let all = [
            "journal",
            "journal_entries_lost",
            "store",
            "facts_lost",
            "menus_refused",
            "menus_not_kept",
            "banner_mute",
            "tape",
        ];
        let on = all.map(|what| (by("what", what), f64::from(u8::from(alarms.contains(&what)))));
        sheet.put("alarm", "1: somebody must look at it", on);
        let times = j.quantiles().into_iter().flat_map(|(step, q)| {
            [("0.5", q.p50), ("0.99", q.p99), ("1", q.max)]
                .map(|(quantile, s)| (vec![("step", step.to_owned()), ("quantile", quantile.to_owned())], s))
        });
        sheet.put(
            "journal_seconds",
            "How long a group is gathered, and how long the disk takes",
            times.collect::<Vec<_>>(),
        );
        sheet.put(
            "journal",
            "The journal now",
            [
                (by("what", "durable"), read(&j.durable)),
                (by("what", "entries_waiting"), read(&j.waiting)),
                (by("what", "segments"), read(&j.segments)),
                (by("what", "answers_waiting"), read(&self.held)),
                (by("what", "notes"), real(u64::from(j.notes.load(Ordering::Relaxed)))),
            ],
        );
        sheet.tally(
            "journal_did",
            "What the journal did",
            [
                (by("what", "groups"), read(&j.groups)),
                (by("what", "bytes"), read(&j.bytes)),
                (by("what", "failures"), read(&j.failures)),
                (by("what", "entries_lost"), read(&j.lost)),
                (by("what", "entries_not_noted"), read(&j.not_noted)),
                (by("what", "answers_overdue"), read(&self.held_overdue)),
            ],
        );
    }

    fn futures(&self, sheet: &mut Sheet, view: &NodeView) {
        let (f, read) = (&self.futures, |a: &AtomicU64| real(a.load(Ordering::Relaxed)));
        let counters = view.board.acd.counters;
        sheet.tally(
            "futures",
            "Batches of futures that callers are told from",
            [
                (by("what", "asked"), real(counters.batches)),
                (by("what", "run"), read(&f.run)),
                (by("what", "dropped"), read(&f.dropped)),
                (by("what", "late"), real(counters.batches_late)),
                (by("what", "steps"), read(&f.steps)),
            ],
        );
        sheet.tally(
            "futures_cpu_seconds",
            "CPU time spent on futures",
            [(Labels::new(), read(&f.cpu_us) / 1e6)],
        );
    }

    fn tls(&self, sheet: &mut Sheet, now_s: i64) {
        let Some(tls) = &self.tls else { return };
        let left = tls.ends_s.load(Ordering::Relaxed).saturating_sub(now_s);
        let days = u64::try_from(left / 86_400).unwrap_or(0);
        sheet.one("tls_certificate_days", "Whole days until our certificate expires", days);
        let read = |a: &AtomicU64| real(a.load(Ordering::Relaxed));
        let looks =
            [(by("what", "taken"), read(&tls.reloads)), (by("what", "refused"), read(&tls.reloads_failed))];
        sheet.tally("tls_reloads", "What became of new certificates", looks);
    }
    fn sound(&self, sheet: &mut Sheet) {
        let m = &self.media;
        let counters = [
            ("packets_in", &m.received),
            ("packets_out", &m.sent),
            ("send_failures", &m.send_failures),
            ("receive_failures", &m.receive_failures),
            ("ports_busy", &m.ports_busy),
            ("ports_failed", &m.ports_failed),
            ("unknown_ports", &m.unknown_ports),
            ("unknown_legs", &m.unknown_legs),
            ("strangers", &m.strangers),
            ("missing_prompts", &m.missing_prompts),
            ("outbox_full", &m.outbox_full),
            ("events_late", &m.events_late),
            ("events_lost", &m.events_lost),
        ];
        let values =
            counters.map(|(what, counter)| (by("what", what), real(counter.load(Ordering::Relaxed))));
        sheet.tally("media", "What the media thread counted", values);
        sheet.tally("sound", "What was counted on legs that are over", self.legs.values());
        let late_us = m.late_max_us.load(Ordering::Relaxed);
        let stopped_ms = u64::try_from(Clock::stopped().as_millis()).unwrap_or(u64::MAX);
        sheet.one(
            "stopped_milliseconds",
            "How long the process was stopped: it counts against nobody",
            stopped_ms,
        );
        sheet.one("media_late_max_microseconds", "The longest that a packet was made late", late_us);
    }
}

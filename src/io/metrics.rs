//! `/metrics`: `OpenMetrics` text, made at each scrape from the structs that do the counting. Nothing is counted twice,
//! and no counter costs a call more than an atomic add.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::clock::Clock;
use super::journal::Figures;
use super::media_worker::MediaCounters;
use super::net::NetFigures;
use super::tape::TapeFigures;
use super::tls::TlsFigures;
use crate::exchange::acd::AgentState;
use crate::media::LegFigures;
use crate::node::{NodeView, TrunkView};

type Labels = Vec<(&'static str, String)>;

/// Counters that live outside the node.
#[derive(Debug)]
pub(super) struct Metrics {
    net: Arc<NetFigures>,
    tls: Option<Arc<TlsFigures>>,
    media: Arc<MediaCounters>,
    /// The journal's own.
    pub journal: Arc<Figures>,
    tape: Arc<TapeFigures>,
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
    /// What was counted on legs that are over.
    pub legs: LegTotals,
}

/// What was counted on legs that are over, all together.
#[derive(Debug, Default)]
pub(super) struct LegTotals([AtomicU64; 8]);

impl LegTotals {
    /// A leg is over.
    pub(super) fn add(&self, f: &LegFigures) {
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
    pub(super) fn new(
        (net, tls): (Arc<NetFigures>, Option<Arc<TlsFigures>>),
        media: Arc<MediaCounters>,
        (journal, tape): (Arc<Figures>, Arc<TapeFigures>),
    ) -> Self {
        Self {
            net,
            tls,
            media,
            journal,
            tape,
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
            legs: LegTotals::default(),
        }
    }

    /// The text of a scrape.
    pub(super) fn text(&self, view: &NodeView) -> String {
        let mut sheet = Sheet(Registry::with_prefix("hotline"));
        self.server(&mut sheet, view);
        queues(&mut sheet, view);
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
        self.tls(sheet, view.now_us / 1_000_000);
        self.sound(sheet);
        self.journal(sheet);
        self.tape(sheet);
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
    pub(super) fn alarms(&self) -> Vec<&'static str> {
        let is = |a: &AtomicBool| a.load(Ordering::Relaxed);
        let some = |a: &AtomicU64| a.load(Ordering::Relaxed) > 0;
        let all = [
            ("journal", is(&self.journal.broken)),
            ("journal_entries_lost", some(&self.journal.lost)),
            ("store", is(&self.store_broken)),
            ("facts_lost", some(&self.facts_dropped)),
        ];
        all.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
    }

    fn tape(&self, sheet: &mut Sheet) {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        sheet.tally_one("tape_lines", "Lines of recorded inputs and commands.", load(&self.tape.lines));
        sheet.tally_one("tape_bytes", "Bytes of recorded inputs and commands.", load(&self.tape.bytes));
        let cut = u64::from(self.tape.cut_off.load(Ordering::Relaxed));
        sheet.one("tape_cut_off", "1: the recording of inputs ended before the server.", cut);
    }

    fn journal(&self, sheet: &mut Sheet) {
        let (j, read) = (&self.journal, |a: &AtomicU64| real(a.load(Ordering::Relaxed)));
        let alarms = self.alarms();
        let all = ["journal", "journal_entries_lost", "store", "facts_lost"];
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
                (by("what", "answers_overdue"), read(&self.held_overdue)),
            ],
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

/// What is in memory now.
fn held(sheet: &mut Sheet, view: &NodeView) {
    sheet.put(
        "held",
        "Things in memory: what stays when calls are over is a leak",
        view.held.iter().map(|(what, n)| (by("what", what), count(*n))),
    );
    sheet.one("phones_answering", "Agents' phones that answer when asked", view.phones_answering as u64);
    sheet.one("phones_silent", "Agents' phones that do not any more", view.phones_silent as u64);
}

fn user_agent(sheet: &mut Sheet, view: &NodeView) {
    let c = view.sip;
    let values = [
        ("invites_refused", c.invites_refused),
        ("users_refused", c.users_refused),
        ("bindings_displaced", c.bindings_displaced),
        ("nonces_displaced", c.nonces_displaced),
        ("digests_refused", c.digests_refused),
        ("connections_refused", c.connections_refused),
        ("connections_slow", c.connections_slow),
        ("connections_garbled", c.connections_garbled),
        ("traces_dropped", c.traces_dropped),
        ("dialogs_missed", c.dialogs_missed),
        ("dialogs_foreign", c.dialogs_foreign),
        ("referral_news_lost", c.referral_news_lost),
        ("forks_ended", c.forks_ended),
        ("pracks_missing", c.pracks_missing),
        ("sessions_refreshed", c.sessions_refreshed),
        ("sessions_expired", c.sessions_expired),
        ("large_requests", c.large_requests),
        ("large_as_datagrams", c.large_as_datagrams),
        ("strays", c.strays),
    ];
    let values = values.map(|(what, n)| (by("what", what), real(n)));
    sheet.tally("user_agent", "What SIP's user agent counted", values);
}

fn stages(view: &NodeView) -> Vec<(Labels, f64)> {
    let mut stages = std::collections::BTreeMap::<&str, usize>::new();
    for call in &view.board.calls {
        *stages.entry(call.stage.as_str()).or_default() += 1;
    }
    stages.into_iter().map(|(stage, n)| (by("stage", stage), count(n))).collect()
}

fn queues(sheet: &mut Sheet, view: &NodeView) {
    let queues = &view.board.acd.queues;
    let each = |f: &dyn Fn(&crate::exchange::acd::QueueSnapshot) -> f64| -> Vec<(Labels, f64)> {
        queues.iter().map(|q| (by("queue", &q.queue), f(q))).collect()
    };
    sheet.put("queue_waiting", "Callers who wait", each(&|q| count(q.waiting.len())));
    sheet.put(
        "queue_longest_wait_seconds",
        "The longest wait so far of those who wait",
        each(&|q| q.waiting.iter().map(|t| t.waited.as_secs_f64()).fold(0.0, f64::max)),
    );
    sheet.put("queue_agents_ready", "Agents who could take a caller now", each(&|q| count(q.agents_ready)));
    sheet.put(
        "queue_agents_signed_in",
        "Agents with the skills, signed in",
        each(&|q| count(q.agents_signed_in)),
    );
    sheet.tally("queue_answered", "Callers an agent answered", each(&|q| real(q.service.answered)));
    sheet.tally("queue_left", "Callers who hung up waiting", each(&|q| real(q.service.left)));
    sheet.tally("queue_overflowed", "Callers sent elsewhere by rule", each(&|q| real(q.service.overflowed)));
    sheet.put(
        "queue_service_level",
        "Share answered within the target",
        queues
            .iter()
            .filter_map(|q| q.service.service_level.map(|s| (by("queue", &q.queue), s)))
            .collect::<Vec<_>>(),
    );
    sheet.put("queue_wait_mean_seconds", "Mean true wait", each(&|q| q.service.wait.mean.as_secs_f64()));
    let promises = queues.iter().flat_map(|q| {
        q.promises.iter().flat_map(move |p| {
            let half = format!("{:02}:{:02}", p.half_hour / 2, p.half_hour % 2 * 30);
            [("kept", p.kept), ("late", p.late), ("broken", p.broken)].map(|(outcome, n)| {
                let labels = [("queue", q.queue.to_string()), ("half_hour", half.clone())];
                ([&labels[..], &[("outcome", outcome.to_owned())]].concat(), real(n))
            })
        })
    });
    sheet.tally("promises", "Waits promised, by what became of them and the half-hour (UTC)", promises);
    sheet.put("queue_wait_p90_seconds", "90 % waited less", each(&|q| q.service.wait.p90.as_secs_f64()));
}

fn trunks(sheet: &mut Sheet, view: &NodeView) {
    let each = |f: &dyn Fn(&TrunkView) -> f64| -> Vec<(Labels, f64)> {
        view.trunks.iter().map(|t| (by("trunk", &t.trunk), f(t))).collect()
    };
    let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
    sheet.put("trunk_alarm", "1: somebody should look at it", each(&|t| flag(t.alarm.is_some())));
    let registered = view.trunks.iter().filter_map(|t| Some((by("trunk", &t.trunk), flag(t.registered?))));
    sheet.put("trunk_registered", "Whether its registrar knows us", registered);
    sheet.put("trunk_targets", "Targets that its address leads to", each(&|t| count(t.targets.len())));
    sheet.put(
        "trunk_targets_down",
        "Of them, those that do not answer",
        each(&|t| count(t.targets.iter().filter(|x| x.down).count())),
    );
    let way = |t: &TrunkView, way: &str| vec![("trunk", t.trunk.to_string()), ("way", way.to_owned())];
    let calls = view
        .trunks
        .iter()
        .flat_map(|t| [(way(t, "in"), count(t.calls_in)), (way(t, "out"), count(t.calls_out))]);
    sheet.put("trunk_calls", "Calls over it", calls);
    let counted = view.trunks.iter().flat_map(|t| {
        let f = t.figures;
        let values = [
            ("tried", f.tried),
            ("failed_over", f.failed_over),
            ("limited_out", f.limited_out),
            ("limited_in", f.limited_in),
            ("unanswered", f.unanswered),
            ("put_off", f.put_off),
            ("fell", f.fell),
            ("unregistered", f.unregistered),
        ];
        let trunk = t.trunk.to_string();
        values.map(|(what, n)| (vec![("trunk", trunk.clone()), ("what", what.to_owned())], real(n)))
    });
    sheet.tally("trunk", "What was counted of it", counted);
    let [asked, failed, nothing, refused] = view.names;
    let names = [("asked", asked), ("failed", failed), ("nothing", nothing), ("refused", refused)];
    sheet.tally(
        "names",
        "Questions to name servers, those that failed, look-ups that found nothing, what found no room",
        names.map(|(what, n)| (by("what", what), real(n))),
    );
}

fn agents(sheet: &mut Sheet, view: &NodeView) {
    let mut states = std::collections::BTreeMap::<&str, usize>::new();
    for agent in &view.board.acd.agents {
        let state = match &agent.state {
            AgentState::SignedOut => "signed_out",
            AgentState::Unreachable => "unreachable",
            AgentState::Ready => "ready",
            AgentState::Ringing(_) => "ringing",
            AgentState::Talking(_) => "talking",
            AgentState::WrapUp => "wrap_up",
            AgentState::Engaged => "engaged",
            AgentState::Paused(_) => "paused",
        };
        *states.entry(state).or_default() += 1;
    }
    sheet.put("agents", "Agents by state", states.into_iter().map(|(s, n)| (by("state", s), count(n))));
    let c = view.board.acd.counters;
    sheet.tally(
        "acd",
        "What the Acd counted",
        [
            (by("what", "offers"), real(c.offers)),
            (by("what", "revoked"), real(c.revoked)),
            (by("what", "leases_expired"), real(c.leases_expired)),
            (by("what", "late_assignments"), real(c.late_assignments)),
            (by("what", "tellings"), real(c.tellings)),
            (by("what", "rises"), real(c.rises)),
        ],
    );
}

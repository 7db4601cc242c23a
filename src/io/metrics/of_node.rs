//! What the node holds and has counted, as metrics: SIP, stages, queues, trunks, agents.
use super::{Labels, Sheet, by, count, real};
use crate::exchange::acd::AgentState;
use crate::node::{NodeView, TrunkView};

/// What is in memory now.
pub(super) fn held(sheet: &mut Sheet, view: &NodeView) {
    sheet.put(
        "held",
        "Things in memory: what stays when calls are over is a leak",
        view.held.iter().map(|(what, n)| (by("what", what), count(*n))),
    );
    sheet.one("phones_answering", "Agents' phones that answer when asked", view.phones_answering as u64);
    sheet.one("phones_silent", "Agents' phones that do not any more", view.phones_silent as u64);
}

pub(super) fn user_agent(sheet: &mut Sheet, view: &NodeView) {
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

pub(super) fn stages(view: &NodeView) -> Vec<(Labels, f64)> {
    let mut stages = std::collections::BTreeMap::<&str, usize>::new();
    for call in &view.board.calls {
        *stages.entry(call.stage.as_str()).or_default() += 1;
    }
    stages.into_iter().map(|(stage, n)| (by("stage", stage), count(n))).collect()
}

pub(super) fn queues(sheet: &mut Sheet, view: &NodeView) {
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
    sheet.put("queue_wait_p90_seconds", "90 % waited less", each(&|q| q.service.wait.p90.as_secs_f64()));
}

/// What became of the waits that were promised since the start.
pub(super) fn promises(sheet: &mut Sheet, view: &NodeView) {
    let each = view.board.promises.iter().flat_map(|p| {
        [("kept", p.kept), ("late", p.late), ("broken", p.broken)].map(|(outcome, n)| {
            let labels =
                [("queue", p.queue.to_string()), ("half_hour", p.clock()), ("outcome", outcome.to_owned())];
            (labels.to_vec(), real(n))
        })
    });
    let help =
        "Waits promised, by what became of them and the half-hour of the line's clock in which they were";
    sheet.tally("promises", help, each);
}

pub(super) fn trunks(sheet: &mut Sheet, view: &NodeView) {
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

pub(super) fn agents(sheet: &mut Sheet, view: &NodeView) {
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

//! The SIP of the last calls, kept for `hotline ladder`: bounded in calls, messages and bytes, oldest forgotten first.
use std::collections::{BTreeMap, VecDeque};

use crate::base::{CallId, Lookup};
use crate::sip::{Trace, trace_key};

/// SIP Call-IDs kept.
const DIALOGS: usize = 4_000;
/// Messages kept of each; a flood of retransmissions adds nothing to read.
const MESSAGES: usize = 200;

/// Bytes kept of all; a busy evening must not eat the memory of calls.
const BYTES: usize = 64 * 1024 * 1024;

/// What a message weighs in memory.
const fn weight(trace: &Trace) -> usize {
    size_of::<Trace>() + trace.sip_call_id.len() + trace.bytes.len()
}

#[derive(Debug, Default)]
struct Kept {
    call: Option<CallId>,
    messages: Vec<Trace>,
}

/// Messages by SIP Call-ID, and which of them belong to a call.
#[derive(Debug, Default)]
pub(super) struct Traces {
    by_sip_id: Lookup<String, Kept>,
    by_call: BTreeMap<CallId, Vec<String>>,
    order: VecDeque<String>,
    bytes: usize,
    /// Messages not kept because of the bound.
    pub(super) forgotten: u64,
}

impl Traces {
    /// Keeps a message.
    pub(super) fn add(&mut self, trace: Trace) {
        let id = trace_key(&trace.sip_call_id);
        self.begin(id);
        match self.by_sip_id.get_mut(id) {
            Some(kept) if kept.messages.len() < MESSAGES => {
                self.bytes += weight(&trace);
                kept.messages.push(trace);
            }
            _ => self.forgotten += 1,
        }
        self.make_room();
    }

    /// The messages with this SIP Call-ID are a leg of `call`.
    pub(super) fn belongs(&mut self, sip_call_id: &str, call: CallId) {
        let id = trace_key(sip_call_id);
        self.begin(id);
        if let Some(kept) = self.by_sip_id.get_mut(id).filter(|kept| kept.call.is_none()) {
            kept.call = Some(call);
            self.by_call.entry(call).or_default().push(id.to_owned());
        }
        self.make_room();
    }

    /// A place for a SIP Call-ID; most have one already.
    fn begin(&mut self, id: &str) {
        if !self.by_sip_id.contains_key(id) {
            self.order.push_back(id.to_owned());
            self.by_sip_id.insert(id.to_owned(), Kept::default());
        }
    }

    /// The messages of a call, in the order of time; empty when none is kept.
    pub(super) fn of(&self, call: CallId) -> Vec<Trace> {
        let ids = self.by_call.get(&call).map(Vec::as_slice).unwrap_or_default();
        let mut all: Vec<Trace> = ids
            .iter()
            .filter_map(|id| self.by_sip_id.get(id))
            .flat_map(|k| k.messages.iter().cloned())
            .collect();
        all.sort_by_key(|t| t.at);
        all
    }

    fn make_room(&mut self) {
        while self.order.len() > DIALOGS || self.bytes > BYTES {
            let Some(old) = self.order.pop_front() else { return };
            let Some(kept) = self.by_sip_id.remove(&old) else { continue };
            self.forgotten += kept.messages.len() as u64;
            self.bytes = self.bytes.saturating_sub(kept.messages.iter().map(weight).sum());
            let Some(call) = kept.call else { continue };
            if let Some(ids) = self.by_call.get_mut(&call) {
                ids.retain(|id| *id != old);
                if ids.is_empty() {
                    self.by_call.remove(&call);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Instant;

    fn message(id: &str, ms: u64) -> Trace {
        Trace {
            at: Instant::from_millis(ms),
            sent: false,
            peer: "127.0.0.1:5060".parse().unwrap(),
            sip_call_id: id.to_owned(),
            bytes: Vec::new(),
        }
    }

    #[test]
    fn a_call_has_the_messages_of_all_its_legs_in_the_order_of_time() {
        let mut t = Traces::default();
        t.add(message("caller", 1));
        t.belongs("caller", CallId(7));
        t.belongs("agent", CallId(7));
        t.add(message("agent", 2));
        t.add(message("caller", 3));
        t.add(message("other", 2));
        let at: Vec<u64> = t.of(CallId(7)).iter().map(|m| m.at.as_millis()).collect();
        assert_eq!(at, [1, 2, 3]);
    }

    #[test]
    fn large_messages_are_kept_within_the_budget_of_bytes() {
        let mut t = Traces::default();
        for n in 0..400 {
            t.belongs(&format!("d{n}"), CallId(n));
            for ms in 0..100 {
                let mut m = message(&format!("d{n}"), ms);
                m.bytes = vec![b'x'; 4_096];
                t.add(m);
            }
        }
        let kept = t.order.iter().filter_map(|id| t.by_sip_id.get(id));
        let held: usize = kept.flat_map(|k| &k.messages).map(weight).sum();
        assert!(held == t.bytes && held <= BYTES && held > BYTES / 2, "{held}");
        assert!(t.of(CallId(0)).is_empty() && t.by_call.len() == t.order.len());
        assert_eq!(t.of(CallId(399)).len(), 100, "the newest stay");
    }

    #[test]
    fn old_dialogs_are_forgotten_and_leave_nothing_behind() {
        let mut t = Traces::default();
        for n in 0..DIALOGS as u64 + 10 {
            t.add(message(&format!("d{n}"), n));
            t.belongs(&format!("d{n}"), CallId(n));
        }
        assert!(t.of(CallId(0)).is_empty());
        assert_eq!(t.by_sip_id.len(), DIALOGS);
        assert_eq!(t.by_call.len(), DIALOGS);
        for n in 0..MESSAGES as u64 + 5 {
            t.add(message("d4000", n));
        }
        assert!(t.by_sip_id.get("d4000").unwrap().messages.len() == MESSAGES);
    }
}

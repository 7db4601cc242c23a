//! A machine takes a step, and what its table says is done (RFC 3261 17). Invariant: a transaction that is terminated
//! is forgotten in the same step, with every name and timer.
use std::time::Duration;

use crate::sip::message::Method;
use crate::sip::timers::Timer;
use crate::sip::transaction::step::Action;
use crate::sip::transaction::table::{Armed, Fallback, Input, Machine, Transaction};
use crate::sip::transaction::{Load, TransactionEvent, TransactionId, Transactions, server_invite};
use crate::sip::transport::Transmit;
use crate::sip::wire::{write_request, write_response};

impl Transactions {
    /// One input to one machine, and all that follows from it.
    pub(super) fn feed(&mut self, id: TransactionId, input: Input, mut load: Load) {
        let Some(mut tx) = self.table.take(id) else { return };
        let mut next = Some(input);
        while let Some(input) = next.take() {
            for action in tx.machine.step(input) {
                if let Some(timer) = self.act(id, &mut tx, *action, &mut load) {
                    next = Some(tx.machine.expired(timer));
                }
            }
        }
        if tx.machine.is_terminated() {
            self.table.forget(id, &tx);
            if !tx.is_internal {
                self.events.push_back(TransactionEvent::Finished { tx: id });
            }
        } else {
            self.table.put_back(id, tx);
        }
    }

    /// Does one action. A waiting timer of length zero (reliable transports) has fired at once and is handed back.
    pub(super) fn act(
        &mut self,
        id: TransactionId,
        tx: &mut Transaction,
        action: Action,
        load: &mut Load,
    ) -> Option<Timer> {
        match action {
            Action::Resend => self.resend(tx, load),
            Action::Respond => self.send_response(tx, load),
            Action::Ack => self.acknowledge(tx, load),
            Action::Deliver => self.deliver(id, load),
            Action::Start(timer) => return self.start(id, tx, timer),
            Action::Repeat(timer) => {
                let last = if let Load::Ran(last) = load { *last } else { self.settings.timers.t1 };
                self.arm(id, tx, timer, self.settings.timers.next(timer, last));
            }
            Action::RepeatSlowly(timer) => self.arm(id, tx, timer, self.settings.timers.t2),
            Action::Stop(timer) => drop(self.table.disarm(id, tx, timer)),
            Action::TimedOut => {
                self.counters.timed_out += 1;
                self.tell(tx, TransactionEvent::TimedOut { tx: id });
            }
            Action::Failed => {
                self.counters.transport_failed += 1;
                self.tell(tx, TransactionEvent::TransportFailed { tx: id });
            }
        }
        None
    }

    fn tell(&mut self, tx: &Transaction, event: TransactionEvent) {
        if !tx.is_internal {
            self.events.push_back(event);
        }
    }

    fn start(&mut self, id: TransactionId, tx: &mut Transaction, timer: Timer) -> Option<Timer> {
        let runs = self.settings.timers.first(timer, tx.to.is_reliable());
        if !runs.is_zero() {
            self.arm(id, tx, timer, runs);
            return None;
        }
        // A retransmission timer of length zero is off.
        (!matches!(timer, Timer::A | Timer::E | Timer::G)).then_some(timer)
    }

    fn arm(&mut self, id: TransactionId, tx: &mut Transaction, timer: Timer, ran: Duration) {
        self.table.arm(id, tx, Armed { timer, at: self.now + ran, ran });
    }

    /// RFC 3261 18.1.1: a large request whose stream cannot be had goes as a datagram after all.
    pub(super) fn fall_back(&mut self, id: TransactionId, mut tx: Box<Transaction>, instead: Fallback) {
        let Fallback { request, to } = instead;
        self.counters.fell_back += 1;
        self.table.redirect(id, &mut tx, to);
        let mut bytes = Vec::new();
        write_request(&request, &mut bytes);
        tx.bytes.clone_from(&bytes);
        self.transmits.push_back(Transmit::new(to, bytes));
        let again = if request.method == Method::Invite { Timer::A } else { Timer::E };
        tx.invite = (request.method == Method::Invite).then(|| Box::new(request));
        self.start(id, &mut tx, again);
        self.table.put_back(id, tx);
    }

    fn resend(&mut self, tx: &mut Transaction, load: &Load) {
        // Whoever asks again pays for the answer; what we repeat by ourselves has an end.
        if let (Load::Ran(_), Some(allowance)) = (load, &mut tx.allowance) {
            let Some(left) = allowance.checked_sub(tx.bytes.len()) else {
                self.counters.withheld += 1;
                return;
            };
            *allowance = left;
        }
        if !tx.bytes.is_empty() {
            self.counters.retransmissions += 1;
            self.transmits.push_back(Transmit {
                to: tx.to,
                bytes: tx.bytes.clone(),
                ends_call: tx.ends_call,
            });
        }
    }

    fn send_response(&mut self, tx: &mut Transaction, load: &Load) {
        let Load::Response(response) = load else { return };
        let mut bytes = Vec::new();
        write_response(response, &mut bytes);
        tx.to_tag = response.to_tag().or(tx.to_tag.take());
        if response.status.is_final() && !response.status.is_success() {
            self.table.stop_merging(tx);
            tx.merge_key = None;
        }
        // A refusal ends nothing.
        tx.ends_call &= response.status.is_success();
        // In Accepted, copies of the 2xx are the user's; nothing is kept here for half a minute.
        let is_kept = tx.machine != Machine::InviteServer(server_invite::State::Accepted);
        tx.bytes = if is_kept { bytes.clone() } else { Vec::new() };
        if let Some(allowance) = &mut tx.allowance {
            *allowance = allowance.saturating_sub(bytes.len());
        }
        self.transmits.push_back(Transmit { to: tx.to, bytes, ends_call: tx.ends_call });
    }

    fn acknowledge(&mut self, tx: &Transaction, load: &Load) {
        if let (Load::Response(response), Some(invite)) = (load, &tx.invite) {
            self.send(&invite.ack_to_failure(response), tx.to);
        }
    }

    fn deliver(&mut self, id: TransactionId, load: &mut Load) {
        match std::mem::replace(load, Load::Nothing) {
            Load::Response(response) => {
                self.events.push_back(TransactionEvent::Response { tx: id, response: *response });
            }
            Load::Ack(ack) => {
                let (request, source) = *ack;
                self.events.push_back(TransactionEvent::Ack { request, source });
            }
            Load::Nothing | Load::Ran(_) => {}
        }
    }
}

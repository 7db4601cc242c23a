//! What comes in and belongs to no transaction yet: new requests, ACK, CANCEL (RFC 3261 9.2), merged requests (8.2.2.2),
//! and what is too much. Invariant: an ACK is never answered.
use crate::sip::message::{Method, Request, Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::transaction::key::{self, ServerKey};
use crate::sip::transaction::step::ServerInput;
use crate::sip::transaction::table::{Input, Key, Machine, Transaction};
use crate::sip::transaction::{Load, TransactionEvent, TransactionId, Transactions, server, server_invite};
use crate::sip::transport::{Source, Transmit};
use crate::sip::wire::write_response;

impl Transactions {
    pub(super) fn handle_ack(&mut self, source: Source, request: Request) {
        match self.table.server(&ServerKey::of(&request, Method::Invite)) {
            Some(id) => {
                self.feed(id, Input::Server(ServerInput::Ack), Load::Ack(Box::new((request, source))));
            }
            None => self.events.push_back(TransactionEvent::Ack { request, source }),
        }
    }

    /// RFC 3261 9.2: the CANCEL is answered here; its To tag is that of the INVITE's responses.
    pub(super) fn handle_cancel(&mut self, source: &Source, request: &Request, key: ServerKey) {
        let invite = self.table.server(&ServerKey::of(request, Method::Invite));
        let Some((id, invite)) = invite.and_then(|id| self.table.get(id).map(|tx| (id, tx))) else {
            self.counters.stray_cancels += 1;
            return self.answer_here(source, request, key, (Status::NO_SUCH_TRANSACTION, None));
        };
        let is_open = invite.machine == Machine::InviteServer(server_invite::State::Proceeding);
        let tag = invite.to_tag.clone();
        self.answer_here(source, request, key, (Status::OK, tag));
        if is_open {
            self.events.push_back(TransactionEvent::Cancelled { tx: id });
        }
    }

    /// Whether a request repeats one whose transaction stands, or is that one come another way.
    pub(crate) fn knows(&self, request: &Request) -> bool {
        self.table.server(&ServerKey::of(request, request.method)).is_some() || self.is_merged(request)
    }

    pub(super) fn is_merged(&self, request: &Request) -> bool {
        key::merge_key(request).is_some_and(|key| self.table.merging(&key).is_some())
    }

    /// Answers a request whose transaction nobody else hears of.
    pub(super) fn answer_here(
        &mut self,
        source: &Source,
        request: &Request,
        key: ServerKey,
        answer: (Status, Option<String>),
    ) {
        let (status, tag) = answer;
        let id = self.open_server(source, request, key, true);
        let mut response = Response::to_request(request, status);
        response.set_to_tag(&tag.unwrap_or_else(|| self.rng.token(12)));
        self.respond(self.now, id, response);
    }

    /// 503 without a transaction: there are too many already.
    pub(super) fn refuse(&mut self, source: &Source, request: &Request) {
        self.counters.refused += 1;
        let tag = self.rng.token(12);
        self.turn_away(source, request, (&tag, self.settings.retry_after));
    }

    /// 503 with this To tag and as many seconds to wait, by nobody: nothing is remembered, the ACK belongs to nothing.
    pub(crate) fn turn_away(&mut self, source: &Source, request: &Request, (tag, wait_s): (&str, u32)) {
        let mut response = Response::to_request(request, Status::SERVICE_UNAVAILABLE)
            .with(HeaderName::RetryAfter, wait_s.to_string());
        response.set_to_tag(tag);
        let mut bytes = Vec::new();
        write_response(&response, &mut bytes);
        let to = source.response_to(request.headers.via());
        self.transmits.push_back(Transmit::new(to, bytes));
    }

    pub(super) fn open_server(
        &mut self,
        source: &Source,
        request: &Request,
        key: ServerKey,
        is_internal: bool,
    ) -> TransactionId {
        let id = self.next_id();
        let via = request.headers.via();
        let (machine, begin) = if request.method == Method::Invite {
            (Machine::InviteServer(server_invite::State::Proceeding), &[][..])
        } else {
            (Machine::Server(server::State::Trying), server::BEGIN)
        };
        let mut tx = Transaction {
            key: Key::Server(key),
            machine,
            to: source.response_to(via),
            after_loss: source.conn.map(|_| source.response_after_loss(via)),
            bytes: Vec::new(),
            invite: None,
            fallback: None,
            to_tag: None,
            merge_key: if is_internal { None } else { key::merge_key(request) },
            allowance: self
                .settings
                .amplified
                .filter(|_| request.method == Method::Invite && source.conn.is_none())
                .map(|times| times * request.octets()),
            is_internal,
            ends_call: request.method == Method::Bye,
            armed: Vec::new(),
        };
        for action in begin {
            self.act(id, &mut tx, *action, &mut Load::Nothing);
        }
        self.table.add(id, Box::new(tx));
        id
    }
}

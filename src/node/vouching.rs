//! What is known of a caller beside his own word, and who is told: P-Asserted-Identity and Privacy (RFC 3325),
//! User-to-User (RFC 7433), Replaces and Referred-By (RFC 3891, 3892) of a transfer.
//!
//! Invariant: what a trunk that is not trusted, or anybody else, says of a caller is forgotten here; what a trusted one
//! said goes to trusted trunks as it is, and to an agent's phone as text, but for what the caller wants hidden.
use super::machine::Node;
use super::on_command::Called;
use crate::base::TransferId;
use crate::base::TrunkId;
use crate::exchange::{Peer, Vouched};
use crate::sip::{AddrSpec, Identity, Incoming, NameAddr};

type Fields = Vec<(String, String)>;

fn field(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// `"name" <sip:user@host>`; a number without a host as `tel:`.
fn address(identity: &Identity, host: &str) -> String {
    let host = if identity.host.is_empty() { host } else { &identity.host };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse().ok()),
        _ => (host, None),
    };
    let user = (!identity.user.is_empty()).then_some(identity.user.as_str());
    let mut address = NameAddr::new(AddrSpec::sip(user, name, port));
    address.display = (!identity.display.is_empty()).then(|| identity.display.clone());
    address.to_string()
}

impl Node {
    /// What the sender of an INVITE vouches for, if we believe it.
    pub(super) fn vouched(&self, incoming: &Incoming, peer: &Peer) -> Vouched {
        let Peer::Trunk(trunk) = peer else { return Vouched::default() };
        if !self.settings.trunks.get(trunk).is_some_and(|t| t.trusted) {
            return Vouched::default();
        }
        let said = &incoming.vouched;
        // Of a sip: and a tel: URI the number says more.
        let best = said.asserted.iter().min_by_key(|i| !i.host.is_empty()).cloned().unwrap_or_default();
        let name = said.asserted.iter().map(|i| &i.display).find(|d| !d.is_empty()).cloned();
        Vouched {
            identity: best.user,
            name: name.unwrap_or_default(),
            private: said.private,
            user_to_user: said.user_to_user.clone(),
        }
    }

    /// What the phone that we ring is told of it.
    pub(super) fn vouched_headers(&self, called: &Called, trunk: Option<&TrunkId>) -> Fields {
        let said = &called.card.vouched;
        // What is said with a transfer takes the place of what was said with the call.
        let referral = called.transfer.and_then(|id| self.transfers.referral(id));
        let with_transfer = referral.map(|r| &r.user_to_user).filter(|said| !said.is_empty());
        let user_to_user = with_transfer.unwrap_or(&said.user_to_user);
        let mut fields = Fields::new();
        let trusted = trunk.is_some_and(|id| self.settings.trunks.get(id).is_some_and(|t| t.trusted));
        if trusted && !said.identity.is_empty() {
            let identity =
                Identity { user: said.identity.clone(), host: String::new(), display: said.name.clone() };
            fields.push(field("P-Asserted-Identity", address(&identity, &self.settings.sip.realm)));
        }
        if trusted && said.private {
            fields.push(field("Privacy", "id"));
        }
        if trusted && !user_to_user.is_empty() {
            fields.push(field("User-to-User", user_to_user));
        }
        if trunk.is_none() {
            if !said.identity.is_empty() && !said.private {
                fields.push(field("X-Hotline-Asserted", &said.identity));
            }
            if !user_to_user.is_empty() {
                fields.push(field("X-Hotline-User-To-User", user_to_user));
            }
        }
        fields
    }

    /// What a transfer's REFER wants said to its target: the dialog to take over there, and who sent us.
    pub(super) fn transfer_headers(&self, transfer: Option<TransferId>, trunk: Option<&TrunkId>) -> Fields {
        let Some(referral) = transfer.and_then(|id| self.transfers.referral(id)) else {
            return Fields::new();
        };
        let mut fields = Fields::new();
        if let Some(replaces) = &referral.replaces {
            fields.push(field("Replaces", replaces.to_string()));
            fields.push(field("Require", "replaces"));
        }
        let trusted = trunk.is_none_or(|id| self.settings.trunks.get(id).is_some_and(|t| t.trusted));
        if let Some(by) = referral.referred_by.as_ref().filter(|_| trusted) {
            fields.push(field("Referred-By", address(by, &self.settings.sip.realm)));
        }
        fields
    }
}

//! Where a 3xx sends us: its Contacts in the order of their `q` (RFC 3261 sections 8.1.3.4, 20.10).
//!
//! Only 300, 301 and 302 send a call elsewhere. 305 wants a proxy of the peer's choice and 380 another service: both end
//! here, for callers choose where their calls go, peers do not.
//!
//! Invariant: at most [`CONTACTS_MAX`] come out, whatever came in.
use super::ReferTarget;
use crate::sip::message::{Response, Status};
use crate::sip::name::HeaderName;
use crate::sip::value::NameAddr;

/// More than anybody follows.
const CONTACTS_MAX: usize = 16;

/// The targets of a response, the best first.
pub(crate) fn redirected(response: &Response) -> Vec<ReferTarget> {
    if ![Status::MULTIPLE_CHOICES, Status::MOVED_PERMANENTLY, Status::MOVED_TEMPORARILY]
        .contains(&response.status)
    {
        return Vec::new();
    }
    let contacts = response.headers.list(HeaderName::Contact).filter_map(NameAddr::parse);
    let mut found: Vec<(u32, ReferTarget)> = contacts
        .take(CONTACTS_MAX)
        .map(|c| (thousandths(c.params.get("q")), ReferTarget::of(&c.uri)))
        .collect();
    found.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    found.into_iter().map(|(_, target)| target).collect()
}

/// A `q` as a number of thousandths: 1 without one, 0 for nonsense.
fn thousandths(q: Option<&str>) -> u32 {
    let Some(q) = q else { return 1_000 };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 || !matches!(whole, "" | "0" | "1") {
        return 0;
    }
    let whole = if whole == "1" { 1_000 } else { 0 };
    let fraction: u32 = format!("{fraction:0<3}").parse().unwrap_or(0);
    (whole + fraction).min(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Method, Request};
    use crate::sip::uri::AddrSpec;

    fn users(status: u16, contact: &str) -> Vec<String> {
        let request = Request::new(Method::Invite, AddrSpec::sip(None, "h", None));
        let status = Status::new(status).unwrap();
        let response = Response::to_request(&request, status).with(HeaderName::Contact, contact);
        redirected(&response).into_iter().map(|t| t.user).collect()
    }

    #[test]
    fn the_best_contact_is_first() {
        let contact = "<sip:c@h>;q=0.25, <sip:a@h>, sip:b@h;q=0.9, <sip:z@h>;q=much, <tel:+1-2>;q=1.0";
        assert_eq!(users(302, contact), ["a", "+12", "b", "c", "z"]);
    }

    #[test]
    fn other_redirections_lead_nowhere() {
        for status in [305, 380, 399, 486] {
            assert!(users(status, "<sip:a@h>").is_empty(), "{status}");
        }
        assert_eq!(users(300, &vec!["<sip:a@h>"; 40].join(",")).len(), 16);
    }
}

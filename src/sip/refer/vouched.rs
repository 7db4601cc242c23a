//! What a trusted peer says of a caller: P-Asserted-Identity and Privacy (RFC 3325), User-to-User (RFC 7433).
//!
//! Invariant: what is read here is bounded, and believed by nobody below `node`, which knows whom it trusts.
use crate::sip::event::{Identity, Vouched, identity_of};
use crate::sip::header::Headers;
use crate::sip::lex;
use crate::sip::name::HeaderName;
use crate::sip::value::NameAddr;

/// Longest User-to-User that is handed on: ISDN's 128 octets in hexadecimal (RFC 7434), and its parameters.
const USER_TO_USER_MAX: usize = 320;

/// What the header fields say.
pub(crate) fn vouched(headers: &Headers) -> Vouched {
    Vouched {
        asserted: asserted(headers),
        private: headers.all(HeaderName::Privacy).flat_map(|v| v.split([';', ','])).any(hides),
        user_to_user: user_to_user(headers),
    }
}

/// Privacy values that ask us not to show the asserted identity (RFC 3323 section 4.2, RFC 3325 section 9.3).
fn hides(value: &str) -> bool {
    ["id", "user", "header"].iter().any(|hiding| lex::trim(value).eq_ignore_ascii_case(hiding))
}

/// At most two values, one `sip:` and one `tel:` (RFC 3325 section 9.1); otherwise nothing was asserted.
fn asserted(headers: &Headers) -> Vec<Identity> {
    let read: Option<Vec<NameAddr>> =
        headers.list(HeaderName::PAssertedIdentity).take(3).map(NameAddr::parse).collect();
    let Some(values) = read else { return Vec::new() };
    let schemes: Vec<String> = values.iter().map(|v| v.uri.scheme()).collect();
    let fine = match schemes.as_slice() {
        [one] => matches!(one.as_str(), "sip" | "sips" | "tel"),
        [one, other] => (one == "tel") != (other == "tel") && [one, other].iter().all(|s| *s != "mailto"),
        _ => false,
    };
    if fine { values.iter().map(|v| identity_of(Some(v))).collect() } else { Vec::new() }
}

/// One value that is printable and short enough; several are more than we hand on.
fn user_to_user(headers: &Headers) -> String {
    let mut values = headers.all(HeaderName::UserToUser);
    match (values.next(), values.next()) {
        (Some(value), None) => printable_user_to_user(value).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// A value that can be handed on: short, and one line of printable characters.
pub(super) fn printable_user_to_user(value: &str) -> Option<&str> {
    let fits = value.len() <= USER_TO_USER_MAX && value.bytes().all(|b| matches!(b, b' '..=b'~'));
    fits.then(|| lex::trim(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(HeaderName, &str)]) -> Vouched {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        vouched(&headers)
    }

    #[test]
    fn the_two_forms_of_an_asserted_identity_are_read() {
        let both = "\"Cullen Jennings\" <sip:fluffy@cisco.com>, tel:+14085264000";
        let v = of(&[(HeaderName::PAssertedIdentity, both)]);
        let users: Vec<&str> = v.asserted.iter().map(|i| i.user.as_str()).collect();
        assert_eq!(
            (users, v.asserted[0].display.as_str()),
            (vec!["fluffy", "+14085264000"], "Cullen Jennings")
        );
        assert!(!v.private);
    }

    #[test]
    fn what_the_rfc_forbids_asserts_nothing() {
        for text in ["sip:a@h, sip:b@h", "sip:a@h, tel:1, tel:2", "mailto:a@h", "nonsense", "tel:1, mailto:x"]
        {
            assert!(of(&[(HeaderName::PAssertedIdentity, text)]).asserted.is_empty(), "{text}");
        }
    }

    #[test]
    fn privacy_is_found_among_its_values() {
        assert!(of(&[(HeaderName::Privacy, "session; ID ;critical")]).private);
        assert!(!of(&[(HeaderName::Privacy, "none")]).private);
    }

    #[test]
    fn user_to_user_is_one_short_line() {
        let uui = "56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar";
        assert_eq!(of(&[(HeaderName::UserToUser, uui)]).user_to_user, uui);
        assert_eq!(of(&[(HeaderName::UserToUser, uui), (HeaderName::UserToUser, "2")]).user_to_user, "");
        assert_eq!(of(&[(HeaderName::UserToUser, &"a".repeat(400))]).user_to_user, "");
        assert_eq!(of(&[(HeaderName::UserToUser, "caf\u{e9}")]).user_to_user, "");
    }
}

//! Names of header fields (RFC 3261 7.3.1, 7.3.3, 20): case does not matter, the common ones have one-letter forms.
//! Invariant: looking up `HeaderName::as_str` finds the same name again.

macro_rules! header_names {
    ($($len:literal: $($variant:ident $text:literal),+;)+) => {
        /// The header fields that have a name of their own here; any other is `Other`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is the header field of that name")]
        pub enum HeaderName {
            $($($variant,)+)+
            /// Any name not listed: kept as it was written.
            Other,
        }

        impl HeaderName {
            /// All but `Other`.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            /// The spelling of the RFCs; empty for `Other`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$variant => $text,)+)+
                    Self::Other => "",
                }
            }

            /// The name in its long form, in any case.
            fn lookup_long(name: &[u8]) -> Self {
                match name.len() {
                    $($len => {
                        $(if name.eq_ignore_ascii_case($text.as_bytes()) {
                            return Self::$variant;
                        })+
                        Self::Other
                    })+
                    _ => Self::Other,
                }
            }
        }
    };
}

// By length, so that a look-up compares with few.
header_names! {
    2: To "To";
    3: Via "Via";
    4: From "From", CSeq "CSeq", Date "Date", RAck "RAck", RSeq "RSeq", Path "Path", Join "Join";
    5: Allow "Allow", Route "Route", Event "Event";
    6: Accept "Accept", Server "Server", MinSe "Min-SE", Reason "Reason";
    7: CallId "Call-ID", Contact "Contact", Expires "Expires", Require "Require", Subject "Subject",
        Warning "Warning", Privacy "Privacy";
    8: ReplyTo "Reply-To", Priority "Priority", ReferTo "Refer-To", Replaces "Replaces", Identity "Identity";
    9: Supported "Supported", Timestamp "Timestamp", CallInfo "Call-Info",
        ReferSub "Refer-Sub";
    10: UserAgent "User-Agent", AlertInfo "Alert-Info", ErrorInfo "Error-Info";
    11: Unsupported "Unsupported", MinExpires "Min-Expires", RetryAfter "Retry-After", InReplyTo "In-Reply-To",
        ReferredBy "Referred-By";
    12: ContentType "Content-Type", MaxForwards "Max-Forwards", RecordRoute "Record-Route",
        Organization "Organization", MimeVersion "MIME-Version", AllowEvents "Allow-Events", UserToUser "User-to-User";
    13: Authorization "Authorization", ProxyRequire "Proxy-Require", IdentityInfo "Identity-Info",
        ServiceRoute "Service-Route";
    14: ContentLength "Content-Length", AcceptContact "Accept-Contact", RejectContact "Reject-Contact";
    15: AcceptEncoding "Accept-Encoding", AcceptLanguage "Accept-Language", SessionExpires "Session-Expires";
    16: WwwAuthenticate "WWW-Authenticate", ContentEncoding "Content-Encoding", ContentLanguage "Content-Language";
    18: ProxyAuthenticate "Proxy-Authenticate", SubscriptionState "Subscription-State";
    19: ProxyAuthorization "Proxy-Authorization", AuthenticationInfo "Authentication-Info",
        ContentDisposition "Content-Disposition", RequestDisposition "Request-Disposition",
        PAssertedIdentity "P-Asserted-Identity";
}

impl HeaderName {
    /// The name written as `name`, long or compact, in any case.
    pub fn lookup(name: &[u8]) -> Self {
        match name {
            [letter] => Self::lookup_compact(letter.to_ascii_lowercase()),
            long => Self::lookup_long(long),
        }
    }

    /// IANA's compact forms.
    const fn lookup_compact(letter: u8) -> Self {
        match letter {
            b'a' => Self::AcceptContact,
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'd' => Self::RequestDisposition,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'j' => Self::RejectContact,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'n' => Self::IdentityInfo,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'u' => Self::AllowEvents,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            b'y' => Self::Identity,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again_in_any_case() {
        for name in HeaderName::ALL {
            assert_eq!(HeaderName::lookup(name.as_str().as_bytes()), *name);
            assert_eq!(HeaderName::lookup(name.as_str().to_uppercase().as_bytes()), *name);
        }
    }

    #[test]
    fn compact_forms_mean_the_long_ones() {
        let pairs = [
            ("v", "Via"),
            ("F", "From"),
            ("t", "To"),
            ("I", "Call-ID"),
            ("m", "Contact"),
            ("l", "Content-Length"),
        ];
        for (compact, long) in pairs {
            assert_eq!(HeaderName::lookup(compact.as_bytes()).as_str(), long);
        }
        assert_eq!(HeaderName::lookup(b"q"), HeaderName::Other);
        assert_eq!(HeaderName::lookup(b"X-Mine"), HeaderName::Other);
    }
}

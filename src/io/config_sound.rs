//! The `[rtp]` table: ports, codecs, class of service, how sound is received.
use std::time::Duration;

use super::config::Settings;
use super::config_words::{list, one_of, service_class};
use crate::exchange::menu::{Fields, Findings, Word};
use crate::media::{Codec, InbandKeys};

impl Settings {
    pub(super) fn rtp(&mut self, top: &mut Fields<'_>, findings: &mut Findings<'_>) {
        let Some(mut t) = top.table(findings, "rtp") else { return };
        let first = t.number(findings, "first_port", &(1_024..=65_534));
        let last = t.number(findings, "last_port", &(1_024..=65_535));
        let port = |n: Option<i64>, default: u16| n.and_then(|n| u16::try_from(n).ok()).unwrap_or(default);
        self.rtp_ports = (port(first, self.rtp_ports.0), port(last, self.rtp_ports.1));
        if self.rtp_ports.1 <= self.rtp_ports.0 {
            let message = format!("no RTP port between {} and {}", self.rtp_ports.0, self.rtp_ports.1);
            findings.error("HL0105", &t.place, message);
        }
        if let Some(codecs) = list(&mut t, findings, "codecs", codec) {
            self.codecs = codecs;
        }
        if let Some(class) = service_class(&mut t, findings) {
            self.rtp_class = class;
        }
        if let Some(ms) = t.number(findings, "rebind_after_ms", &(100..=60_000)) {
            self.sound.sources.rebind_after = Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX));
        }
        self.sound.sources.any_host = t.flag(findings, "any_source_host");
        self.sound(&mut t, findings);
        t.finish(findings);
    }

    /// How sound is received.
    fn sound(&mut self, t: &mut Fields<'_>, findings: &mut Findings<'_>) {
        if let Some(way) = t.word(findings, "inband_keys").and_then(|w| inband_keys(findings, w)) {
            self.sound.inband_keys = way;
        }
        let ms = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).map(Duration::from_millis);
        let least = ms(t.number(findings, "jitter_min_ms", &(20..=350)));
        let most = ms(t.number(findings, "jitter_max_ms", &(20..=350)));
        self.sound.depth_min = least.unwrap_or(self.sound.depth_min);
        self.sound.depth_max = most.unwrap_or(self.sound.depth_max);
        if self.sound.depth_max < self.sound.depth_min {
            let message = "`jitter_max_ms` is less than `jitter_min_ms`".to_owned();
            findings.error("HL0105", &t.place, message);
        }
    }
}

fn codec(findings: &mut Findings<'_>, w: Word<'_>) -> Option<Codec> {
    let known = [("PCMA", Codec::Pcma), ("PCMU", Codec::Pcmu), ("G722", Codec::G722)];
    one_of(findings, w, "not a codec of this hotline", &known)
}

fn inband_keys(findings: &mut Findings<'_>, w: Word<'_>) -> Option<InbandKeys> {
    let known = [("auto", InbandKeys::Auto), ("off", InbandKeys::Off), ("on", InbandKeys::On)];
    one_of(findings, w, "no way to listen for keys", &known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::menu::Diagnostic;
    use crate::media::SoundRules;

    #[test]
    fn how_sound_is_received_is_said_in_rtp() {
        let text = "[rtp]\ninband_keys = \"off\"\njitter_min_ms = 40\njitter_max_ms = 120\n";
        let (s, _) = Settings::read("hotline.toml", text).unwrap();
        let ms = Duration::from_millis;
        let (depth_min, depth_max) = (ms(40), ms(120));
        let rules =
            SoundRules { inband_keys: InbandKeys::Off, depth_min, depth_max, ..SoundRules::default() };
        assert_eq!(s.sound, rules);
        let text = "[rtp]\ninband_keys = \"perhaps\"\njitter_min_ms = 100\njitter_max_ms = 60\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:1:2: error HL0105: `jitter_max_ms` is less than `jitter_min_ms`
        hotline.toml:2:15: error HL0105: `perhaps` is no way to listen for keys
        ");
    }

    #[test]
    fn codecs_classes_and_sources_are_said_in_rtp_and_have_defaults_that_work() {
        let (s, _) = Settings::read("hotline.toml", "").unwrap();
        assert_eq!((s.codecs.as_slice(), s.rtp_class), (&[Codec::Pcma, Codec::Pcmu][..], 46));
        assert_eq!(s.connections.service_class, 24);
        assert_eq!((s.sound.sources.rebind_after, s.sound.sources.any_host), (Duration::from_secs(1), false));
        let text = "[sip]\ndscp = 40\n[rtp]\ncodecs = [\"G722\", \"PCMU\"]\ndscp = 34\nrebind_after_ms = 500\n\
                    any_source_host = true\n";
        let (s, _) = Settings::read("hotline.toml", text).unwrap();
        assert_eq!((s.codecs.as_slice(), s.rtp_class), (&[Codec::G722, Codec::Pcmu][..], 34));
        assert_eq!(s.connections.service_class, 40);
        assert_eq!(
            (s.sound.sources.rebind_after, s.sound.sources.any_host),
            (Duration::from_millis(500), true)
        );
        let text = "[sip]\ndscp = 64\n[rtp]\ncodecs = [\"G729\"]\nrebind_after_ms = 5\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:2:8: error HL0105: 64 is not allowed here: from 0 to 63
        hotline.toml:4:11: error HL0105: `G729` is not a codec of this hotline
        hotline.toml:5:19: error HL0105: 5 is not allowed here: from 100 to 60000
        ");
    }
}

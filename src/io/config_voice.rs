//! `[voice]`: the command that speaks what has no recording.
use std::time::Duration;

use super::config::Settings;
use super::config_http::TokenPlace;
use super::config_words::SecretPlace;
use super::speaker::{ESPEAK, Speaker};
use crate::exchange::menu::{Fields, Findings};

/// How long the words of a banner may take to be spoken: whoever waits for it has an emergency, and HTTP ends a connection
/// that rests for longer.
pub(super) const SPOKEN_WITHIN: Duration = Duration::from_secs(15);

/// Reads `[voice]`.
pub(super) fn voice(top: &mut Fields<'_>, findings: &mut Findings<'_>) -> String {
    let Some(mut t) = top.table(findings, "voice") else { return ESPEAK.to_owned() };
    let speak = t.word(findings, "speak").map(|w| {
        if !w.text.contains("$FILE") || !w.text.contains("$TEXT") {
            let message =
                "the command that speaks is told what and whereto by `$TEXT` and `$FILE`".to_owned();
            findings.error("HL0105", w.place, message).help(format!("for example {ESPEAK}"));
        }
        w.text.to_owned()
    });
    t.finish(findings);
    speak.unwrap_or_else(|| ESPEAK.to_owned())
}

impl Settings {
    /// Who speaks the words of a banner. No secret that these settings name is in his environment.
    pub(super) fn speaker(&self) -> Speaker {
        let of_tokens = self.http.tokens.iter().filter_map(|token| match &token.place {
            TokenPlace::Secret(place) => Some(place),
            TokenPlace::Hash(_) => None,
        });
        let of_trunks = self.trunks.values().filter_map(|trunk| trunk.password.as_ref());
        let hidden = of_tokens.chain(&self.http.token).chain(of_trunks).filter_map(|place| match place {
            SecretPlace::Environment(name) => Some(name.clone()),
            SecretPlace::File(_) => None,
        });
        Speaker { command: self.speak.clone(), within: SPOKEN_WITHIN, hidden: hidden.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::menu::Diagnostic;

    #[test]
    fn any_command_speaks_and_knows_no_secret() {
        let (settings, _) = Settings::read("hotline.toml", "").unwrap();
        assert_eq!(settings.speaker().command, ESPEAK);
        let text = "[voice]\nspeak = 'say -o \"$FILE\" \"$TEXT\"'\n[[http.tokens]]\nname = \"desk\"\n\
                    token_env = \"DESK\"\nmay = \"banner\"\n[trunks.m]\naddress = \"127.0.0.1:9\"\nuser = \"u\"\n\
                    password_env = \"TRUNK\"\n";
        let speaker = Settings::read("hotline.toml", text).unwrap().0.speaker();
        assert_eq!(speaker.command, "say -o \"$FILE\" \"$TEXT\"");
        assert_eq!(speaker.hidden, ["DESK", "TRUNK"]);
    }

    #[test]
    fn a_command_that_is_not_told_what_to_say_is_a_mistake() {
        let text = "[voice]\nspeak = \"espeak-ng\"\nvoice = \"anna\"\n";
        let found = Settings::read("hotline.toml", text).unwrap_err();
        let lines: Vec<String> = found.iter().map(Diagnostic::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hotline.toml:2:9: error HL0105: the command that speaks is told what and whereto by `$TEXT` and `$FILE`
        hotline.toml:3:1: error HL0102: [voice] of the settings has no `voice`
        ");
    }
}

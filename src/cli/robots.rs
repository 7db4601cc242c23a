//! `hotline robots`: an agent and a merchant who answer by themselves.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hotline::base::{AgentId, Language, PromptId};
use hotline::exchange::menu::{FeatureCode, MenuSet, PromptTexts};
use hotline::io::embedded::{self, Place};
use hotline::replay::Voice;
use hotline::replay::robots::{RobotSettings, play};

use super::terminal::printable;

/// Which agent, on which server.
#[derive(Debug, Args)]
pub(crate) struct Robots {
    /// The server's settings: addresses, store (for the agent's password), menus.
    #[arg(long, default_value = "hotline.toml")]
    config: PathBuf,
    /// The agent's name; by default the first of agents.toml.
    #[arg(long)]
    agent: Option<String>,
    /// The language the robots speak: zh or en.
    #[arg(long, default_value = "zh")]
    language: String,
    /// Seconds between the steps of the agent's part.
    #[arg(long, default_value_t = 12)]
    step: u64,
}

impl Robots {
    pub(crate) fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("hotline robots: {e}");
                ExitCode::from(1)
            }
        }
    }

    fn try_run(self) -> anyhow::Result<()> {
        let settings = self.settings()?;
        println!(
            "agent {} and merchant {} play; dial the hotline with your phone. Ctrl-C ends.",
            settings.agent, settings.merchant
        );
        let (diary, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let playing = play(settings, diary);
            tokio::pin!(playing);
            loop {
                tokio::select! {
                    line = lines.recv() => if let Some(line) = line { println!("{}", printable(&line)) },
                    result = &mut playing => return result.map_err(anyhow::Error::from),
                    end = tokio::signal::ctrl_c() => return end.map_err(anyhow::Error::from),
                }
            }
        })
    }

    fn settings(&self) -> anyhow::Result<RobotSettings> {
        let settings = super::serve::settings(&self.config).map_err(anyhow::Error::msg)?;
        let audio = Place::of(settings.audio.as_deref());
        let (texts, _) = PromptTexts::read("manifest.toml", &embedded::manifest(&audio)?);
        let files = embedded::menus(&Place::of(settings.menus.as_deref()))?;
        let (menus, _) = MenuSet::load(&files, &texts.known()).map_err(|found| {
            anyhow::anyhow!("the menus have {} mistakes; see `hotline check`", found.len())
        })?;
        let agent = match &self.agent {
            Some(name) => AgentId::new(name.as_str()),
            None => {
                menus.acd.agents.keys().next().cloned().ok_or_else(|| anyhow::anyhow!("there is no agent"))?
            }
        };
        let secret = hotline::io::agent_secret(&settings.store.join("secrets.json"), &agent)?;
        let secret = secret.ok_or_else(|| {
            anyhow::anyhow!("{agent} has no password yet: start `hotline` first, in this folder")
        })?;
        let (_, party) =
            menus.directory.iter().next().ok_or_else(|| anyhow::anyhow!("the directory is empty"))?;
        let trunk = party.trunks.first().ok_or_else(|| anyhow::anyhow!("the party has no trunk"))?;
        let merchant_at = settings
            .trunks
            .get(trunk)
            .ok_or_else(|| anyhow::anyhow!("hotline.toml has no trunk `{trunk}`"))?
            .numeric()
            .ok_or_else(|| {
                anyhow::anyhow!(
                    "the trunk `{trunk}` is a name: the robots' merchant needs an address of this machine"
                )
            })?;
        let sign_in =
            menus.codes.iter().find(|(_, c)| **c == FeatureCode::SignIn).map(|(code, _)| code.clone());
        let keys = |keys: &[hotline::base::Key]| -> String { keys.iter().map(|k| k.as_char()).collect() };
        let language = Language::from_code(&self.language).unwrap_or_default();
        let (library, _) = embedded::sounds(&audio, &[]);
        let voice = |id: &str, hz: f64| {
            library.get(language, &PromptId::from(id)).map_or(Voice::Tone(hz), |p| {
                let mut samples = vec![0; p.samples()];
                let codec = hotline::media::Codec::Pcma;
                codec.decode(p.payload(codec), &mut samples);
                samples.extend(std::iter::repeat_n(0, 8_000));
                Voice::Speech(samples.into())
            })
        };
        Ok(RobotSettings {
            server: *settings.listen.first().ok_or_else(|| anyhow::anyhow!("no SIP address"))?,
            password: secret.expose().to_owned(),
            sign_in: sign_in.ok_or_else(|| anyhow::anyhow!("agents.toml has no code to sign in"))?,
            invite: format!("{}{}#", keys(&menus.keys.invite), party.code),
            join: keys(&menus.keys.join),
            drop: keys(&menus.keys.drop),
            merchant_at,
            merchant: party.number.clone(),
            agent_voice: voice("robot-agent", 440.0),
            merchant_voice: voice("robot-merchant", 660.0),
            step: Duration::from_secs(self.step.max(1)),
            agent: agent.to_string(),
        })
    }
}

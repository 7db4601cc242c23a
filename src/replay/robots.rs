//! `hotline robots`: an agent who answers and speaks, and a merchant who is listed in the directory, both over real
//! SIP, so that one softphone is enough to try everything. The agent plays a fixed part: talks, calls the merchant in
//! private (the caller hears music), joins all three, lets the merchant go, and talks on until the caller hangs up.
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use super::phone::{Phone, PhoneError, PhoneEvent, PhoneSettings};
use super::voice::Voice;

/// How the robots are told to play.
#[derive(Debug, Clone)]
pub struct RobotSettings {
    /// Where the hotline is.
    pub server: SocketAddr,
    /// The agent's name.
    pub agent: String,
    /// The agent's password.
    pub password: String,
    /// What an agent dials to sign in.
    pub sign_in: String,
    /// What the agent presses to call the merchant in private, code and `#` included.
    pub invite: String,
    /// What the agent presses to join all three.
    pub join: String,
    /// What the agent presses to let the merchant go.
    pub drop: String,
    /// Where the merchant listens: the trunk's address.
    pub merchant_at: SocketAddr,
    /// The number the merchant is dialled under.
    pub merchant: String,
    /// What the agent says.
    pub agent_voice: Voice,
    /// What the merchant says.
    pub merchant_voice: Voice,
    /// How long the agent talks before he calls the merchant, and between the later steps.
    pub step: Duration,
}

/// Longest call.
const LONGEST: Duration = Duration::from_hours(24);

impl RobotSettings {
    /// The merchant has answered well before the agent joins him with the caller.
    fn answer_after(&self) -> Duration {
        (self.step / 4).min(Duration::from_secs(2))
    }
}

/// What the robots do, for whoever watches.
pub type Diary = mpsc::UnboundedSender<String>;

/// Longest wait for anything that the server should do at once.
const SOON: Duration = Duration::from_secs(20);

/// Plays until an error, or for ever.
pub async fn play(settings: RobotSettings, diary: Diary) -> Result<(), PhoneError> {
    let merchant = tokio::spawn(play_merchant(settings.clone(), diary.clone()));
    let result = play_agent(settings, &diary).await;
    merchant.abort();
    result
}

/// Whoever watched may be gone.
fn write(diary: &Diary, text: impl Into<String>) {
    diary.send(text.into()).ok();
}

async fn play_merchant(settings: RobotSettings, diary: Diary) -> Result<(), PhoneError> {
    let mut phone = PhoneSettings::new(&settings.merchant, settings.server);
    phone.at = settings.merchant_at.ip();
    phone.port = settings.merchant_at.port();
    phone.answer_after = Some(settings.answer_after());
    phone.voice = settings.merchant_voice;
    let mut phone = Phone::start(phone).await?;
    write(&diary, format!("merchant: listens at {}", phone.address));
    while let Some(event) = phone.next_event().await {
        match event {
            PhoneEvent::Rings(who) => write(&diary, format!("merchant: rings, from {}", who.user)),
            PhoneEvent::Up => write(&diary, "merchant: speaks"),
            PhoneEvent::Over(_) => write(&diary, "merchant: hung up"),
            PhoneEvent::Registered(..)
            | PhoneEvent::Ringing(_)
            | PhoneEvent::Held(_)
            | PhoneEvent::Changed(_)
            | PhoneEvent::Refused(_) => {}
        }
    }
    Ok(())
}

async fn play_agent(settings: RobotSettings, diary: &Diary) -> Result<(), PhoneError> {
    let mut phone = PhoneSettings::new(&settings.agent, settings.server);
    phone.password = Some(settings.password.clone());
    phone.voice = settings.agent_voice.clone();
    phone.answer_after = Some(settings.answer_after());
    let mut phone = Phone::start(phone).await?;
    phone.register(Duration::from_mins(10)).await?;
    phone.wait("the registration", SOON, |e| matches!(e, PhoneEvent::Registered(true, _))).await?;
    phone.dial(&settings.sign_in).await?;
    phone.wait("the end of the sign-in call", SOON, |e| matches!(e, PhoneEvent::Over(_))).await?;
    write(diary, format!("agent {}: signed in, ready", settings.agent));
    loop {
        let rings = phone.next_event().await.ok_or(PhoneError::Stopped)?;
        let PhoneEvent::Rings(who) = rings else { continue };
        write(diary, format!("agent {}: rings, caller {} {}", settings.agent, who.display, who.user));
        phone.wait("the call", SOON, |e| matches!(e, PhoneEvent::Up | PhoneEvent::Over(_))).await?;
        serve(&mut phone, &settings, diary).await?;
        write(diary, format!("agent {}: the call is over", settings.agent));
    }
}

/// One call's part; ends when the call does.
async fn serve(phone: &mut Phone, settings: &RobotSettings, diary: &Diary) -> Result<(), PhoneError> {
    let steps = [
        ("calls the merchant in private; you hear music", &settings.invite),
        ("joins all three", &settings.join),
        ("lets the merchant go", &settings.drop),
    ];
    write(diary, format!("agent {}: talks to you", settings.agent));
    for (what, keys) in steps {
        if over_within(phone, settings.step).await? {
            return Ok(());
        }
        write(diary, format!("agent {}: {what} ({keys})", settings.agent));
        phone.press(keys).await?;
    }
    over_within(phone, LONGEST).await.map(|_| ())
}

/// Whether the call ends within this time.
async fn over_within(phone: &mut Phone, time: Duration) -> Result<bool, PhoneError> {
    match phone.wait("the end of the call", time, |e| matches!(e, PhoneEvent::Over(_))).await {
        Ok(_) => Ok(true),
        Err(PhoneError::Waited { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

//! A network that delays, loses, doubles and overtakes, from a seed.
use std::time::Duration;

use crate::base::Rng;

/// What a network does to datagrams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Each takes at least so long.
    pub delay: Duration,
    /// And up to so much longer: some overtake others.
    pub jitter: Duration,
    /// Lost, in percent.
    pub loss: f64,
    /// Delivered twice, in percent.
    pub doubled: f64,
    /// Held back by 60 ms more, in percent: overtaken by whatever follows.
    pub overtaken: f64,
}

impl Weather {
    /// A local network: nothing is lost.
    pub const LOCAL: Self = Self {
        delay: Duration::from_micros(300),
        jitter: Duration::from_micros(200),
        loss: 0.0,
        doubled: 0.0,
        overtaken: 0.0,
    };
    /// The way to callers on an ordinary day.
    pub const ORDINARY: Self = Self {
        delay: Duration::from_millis(18),
        jitter: Duration::from_millis(8),
        loss: 0.5,
        doubled: 0.1,
        overtaken: 0.3,
    };
}

/// How much longer an overtaken datagram takes.
const HELD_BACK: Duration = Duration::from_millis(60);

/// What was done to datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct NetworkFigures {
    /// Sent.
    pub sent: u64,
    /// Of those: never came.
    pub lost: u64,
    /// Came twice.
    pub doubled: u64,
    /// Were held back.
    pub overtaken: u64,
}

/// The network.
#[derive(Debug)]
pub(crate) struct Network {
    rng: Rng,
    figures: NetworkFigures,
}

impl Network {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { rng, figures: NetworkFigures::default() }
    }

    /// When copies of one datagram come, counted from now: none, one, or two.
    pub(crate) fn carry(&mut self, weather: &Weather) -> [Option<Duration>; 2] {
        self.figures.sent += 1;
        let mut chance = |percent: f64| self.rng.unit() * 100.0 < percent;
        let (lost, doubled, overtaken) =
            (chance(weather.loss), chance(weather.doubled), chance(weather.overtaken));
        if lost {
            self.figures.lost += 1;
            return [None, None];
        }
        self.figures.doubled += u64::from(doubled);
        self.figures.overtaken += u64::from(overtaken);
        let extra = if overtaken { HELD_BACK } else { Duration::ZERO };
        let first = weather.delay + self.up_to(weather.jitter) + extra;
        let second = doubled.then(|| weather.delay + self.up_to(weather.jitter));
        [Some(first), second]
    }

    pub(crate) const fn figures(&self) -> NetworkFigures {
        self.figures
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.below(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_loses_and_doubles_about_as_many_as_it_says() {
        let mut network = Network::new(Rng::from_number(5));
        let rain = Weather { loss: 5.0, doubled: 2.0, overtaken: 1.0, ..Weather::ORDINARY };
        let mut copies = 0;
        for _ in 0..20_000 {
            copies += network.carry(&rain).into_iter().flatten().count();
        }
        let f = network.figures();
        assert!((900..1_100).contains(&f.lost) && (320..440).contains(&f.doubled), "{f:?}");
        assert_eq!(copies as u64, f.sent - f.lost + f.doubled);
    }
}

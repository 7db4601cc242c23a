//! What goes between addresses in a deep run: bytes, carried by the network, and a capture of them at the hotline.
use std::net::{Ipv4Addr, SocketAddr};

use super::phone::{RTP_PORT, UDP};
use super::{DeepDay, Event, FRAME, HOTLINE, SIP_PORT, hotline};
use crate::base::Instant;
use crate::media::MediaEvent;
use crate::rtp::PACKET_BYTES;
use crate::sim::{FaultKind, Weather, pcap_datagram};
use crate::sip::{Destination, Transmit};

impl DeepDay<'_> {
    /// A datagram is at its address.
    pub(super) fn comes(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let std::net::IpAddr::V4(ip) = to.ip() else { return };
        if ip != HOTLINE {
            let now = self.now;
            match self.phones.get_mut(&ip) {
                Some((phone, _)) if to.port() == SIP_PORT => {
                    phone.ua.handle_datagram(now.mono, UDP, from, bytes);
                    self.touched.insert(ip);
                }
                Some((phone, _)) if to.port() == RTP_PORT => phone.hear(now, from, bytes),
                Some(_) => {}
                None => self.report.astray += 1,
            }
            return;
        }
        self.capture(from, to, bytes);
        if to.port() == SIP_PORT {
            self.report.sip += 1;
            self.node.handle_datagram(self.now, UDP, from, bytes);
            return;
        }
        self.report.rtp += 1;
        match self.ports.get(&(to.port() & !1)).copied() {
            Some(leg) if to.port().is_multiple_of(2) => {
                self.plane.handle_rtp(self.now.mono, leg, from, bytes);
            }
            Some(leg) => self.plane.handle_rtcp(self.now.mono, leg, from, bytes),
            None => self.report.astray += 1,
        }
    }

    fn capture(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if let Some(write) = &mut self.pcap {
            self.record.clear();
            pcap_datagram(self.now.utc, from, to, bytes, &mut self.record);
            write(&self.record);
        }
    }

    /// Hands a datagram to the network.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if from.ip() == HOTLINE {
            self.capture(from, to, bytes);
        }
        let far = if from.ip() == HOTLINE { to.ip() } else { from.ip() };
        let agent = matches!(far, std::net::IpAddr::V4(ip) if ip.octets()[0] == 172);
        let weather = if agent { Weather::LOCAL } else { self.caller_weather() };
        for wait in self.network.carry(&weather).into_iter().flatten() {
            self.plan_in(wait, Event::Comes { from, to, bytes: bytes.to_vec() });
        }
    }

    fn caller_weather(&self) -> Weather {
        let at = self.now.mono.since(Instant::ZERO);
        let more: u32 = self
            .plan
            .scenario
            .faults_at(at)
            .map(|f| if let FaultKind::Loss { percent } = f { u32::from(*percent) } else { 0 })
            .sum();
        Weather { loss: (self.weather.loss + f64::from(more)).min(100.0), ..self.weather }
    }

    pub(super) fn speaks(&mut self, ip: Ipv4Addr) {
        let mut packet = [0; PACKET_BYTES];
        let Some((phone, _)) = self.phones.get_mut(&ip).filter(|(p, _)| p.talks()) else {
            self.speaking.remove(&ip);
            return;
        };
        let from = SocketAddr::new(phone.at.ip(), RTP_PORT);
        let out = phone.tick(self.now, &self.frame, &mut packet);
        self.plan_in(FRAME, Event::Speaks(ip));
        if let Some((length, to)) = out {
            self.send(from, to, packet.get(..length).unwrap_or_default());
        }
    }

    pub(super) fn send_sip(&mut self, transmit: &Transmit) {
        if let Destination::Datagram { to, .. } = transmit.to {
            self.report.sip += 1;
            self.send(hotline(SIP_PORT), to, &transmit.bytes);
        }
    }

    pub(super) fn plane_speaks(&mut self) -> bool {
        let mut spoke = false;
        let mut packets = Vec::new();
        while let Some(packet) = self.plane.poll_transmit() {
            let port = self.leg_ports.get(&packet.leg).copied().unwrap_or(0);
            packets.push((port + u16::from(packet.rtcp), packet.to, packet.bytes.to_vec()));
        }
        for (port, to, bytes) in packets {
            spoke = true;
            self.report.rtp += 1;
            self.send(hotline(port), to, &bytes);
        }
        while let Some(event) = self.plane.poll_event() {
            spoke = true;
            if let MediaEvent::Closed { leg, port, .. } = &event {
                self.leg_ports.remove(leg);
                self.ports.remove(port);
                self.node.offer_port(*port);
            }
            self.node.handle_media(self.now, &event);
        }
        spoke
    }

    pub(super) fn phone_speaks(&mut self, ip: Ipv4Addr) {
        let now = self.now;
        let Some((phone, owner)) = self.phones.get_mut(&ip) else { return };
        phone.settle(now);
        let (from, owner) = (phone.at, *owner);
        let mut out = Vec::new();
        while let Some(transmit) = phone.ua.poll_transmit() {
            if let Destination::Datagram { to, .. } = transmit.to {
                out.push((to, transmit.bytes));
            }
        }
        let told: Vec<_> = phone.told.drain(..).collect();
        let wake = phone.ua.next_deadline().map(|d| d.at);
        if let Some(at) = wake.filter(|at| phone.wake.is_none_or(|planned| *at < planned)) {
            phone.wake = Some(at);
            self.schedule.plan(at, Event::Wakes(ip));
        }
        let talks = phone.talks();
        for (to, bytes) in out {
            self.send(from, to, &bytes);
        }
        if talks && self.speaking.insert(ip) {
            self.plan_in(FRAME, Event::Speaks(ip));
        }
        for news in told {
            self.phone_told(ip, owner, news);
        }
    }
}
